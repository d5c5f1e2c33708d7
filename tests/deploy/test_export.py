"""Tests for exported ensembles: the folder alone gives what the database gives."""

import hashlib
import json
import os
import re
import subprocess
import sys

import numpy as np
import pytest
from ase.build import bulk

import aiida_enne
from aiida_enne.data.dataset import DatasetData
from aiida_enne.deploy import export as exporting
from aiida_enne.deploy import readme
from aiida_enne.deploy.export import export
from aiida_enne.deploy.readme import milli, ratio, write
from aiida_enne.deploy.tools import TARGETS, ToolError, convert
from aiida_enne.science.data.frames import from_atoms
from tests.audited import chain, link, store_audit
from tests.members import alloys

#: Runs a file with neither AiiDA nor this package.
BARE = 'import sys; sys.modules.update(aiida=None, aiida_enne=None); exec(sys.stdin.read())'


@pytest.fixture
def process(models):
    process = chain('EnsembleWorkChain', {})
    link(process, {f'models__{label}': node for label, node in models.items()})
    return process


def run_bare(code, folder):
    """Run Python code in a folder, where neither AiiDA nor this package can be imported."""
    environment = {k: v for k, v in os.environ.items() if k != 'PYTHONPATH'}
    done = subprocess.run(
        [sys.executable, '-c', BARE], input=code, cwd=folder, env=environment,
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_readmes_show_nobody_a_private_name():
    for text in (readme.CALCULATOR, readme.CALIBRATED, *readme.USES.values()):
        assert not re.search(r'\b_\w', text)


@pytest.mark.nequip
def test_the_example_of_the_readme_gives_what_the_database_gives(process, tmp_path):
    done = export(process.pk, tmp_path / 'out')
    text = (done.folder / 'README.md').read_text()
    (code,) = re.findall('```python\n(.*?)```', text, re.DOTALL)
    printed = [float(line.split()[0]) for line in run_bare(code, done.folder).splitlines()]
    calculator = aiida_enne.Ensemble.from_nodes(process.pk)
    atoms = bulk('Al', cubic=True, crystalstructure='fcc', a=4.5)
    expected = [
        calculator.get_property('energy', atoms),
        calculator.get_property('energy_sigma', atoms),
        np.abs(calculator.get_property('forces_sigma', atoms)).max(),
    ]
    np.testing.assert_allclose(printed, expected, rtol=1e-5, atol=1e-6)
    folder = aiida_enne.Ensemble.from_folder(done.folder)
    assert folder.get_property('energy', atoms) == pytest.approx(expected[0])


@pytest.mark.nequip
def test_every_file_has_its_digest_and_every_member_its_origin(process, models, tmp_path):
    done = export(process.pk, tmp_path / 'out')
    lines = (done.folder / 'SHA256SUMS').read_text().splitlines()
    digests = {name: digest for digest, name in (line.split('  ') for line in lines)}
    assert (
        set(digests)
        == set(done.files)
        == {
            path.relative_to(done.folder).as_posix()
            for path in done.folder.rglob('*')
            if path.is_file() and path.name != 'SHA256SUMS'
        }
    )
    for name, digest in digests.items():
        assert hashlib.sha256((done.folder / name).read_bytes()).hexdigest() == digest
    record = json.loads((done.folder / 'ensemble.json').read_text())
    assert record['process'] == process.uuid
    for label, node in models.items():
        assert record['members'][label]['uuid'] == node.uuid
        assert record['members'][label]['weights_sha256'] == node.weights_sha256
    assert 'not audited: it is unknown' in (done.folder / 'README.md').read_text()


@pytest.mark.nequip
@pytest.mark.parametrize('target', ['package', 'mliap'])
def test_the_tools_of_nequip_take_a_checkpoint(checkpoints, tmp_path, target):
    checkpoint = next(iter(checkpoints.values()))
    shown = from_atoms(alloys(2))
    path = convert(checkpoint, tmp_path, target, examples=shown)
    assert path.name == f'{checkpoint.stem}{TARGETS[target].suffix}'
    if target == 'package':
        atoms = alloys(1)[0]
        code = (
            'from ase.io import read; from nequip.integrations.ase import NequIPCalculator\n'
            f'calculator = NequIPCalculator._from_saved_model({str(path)!r}, device="cpu")\n'
            'atoms = read("a.xyz"); atoms.calc = calculator; print(atoms.get_potential_energy())'
        )
        atoms.write(tmp_path / 'a.xyz')
        found = float(run_bare(code, tmp_path).split()[-1])
        calculator = aiida_enne.Ensemble.from_folder(_alone(checkpoint, tmp_path))
        assert found == pytest.approx(calculator.get_potential_energy(atoms), abs=1e-4)


def _alone(checkpoint, folder):
    """Return a folder that holds one member."""
    (folder / 'one' / 'members').mkdir(parents=True)
    (folder / 'one' / 'members' / 'a.ckpt').write_bytes(checkpoint.read_bytes())
    return folder / 'one'


@pytest.mark.nequip
@pytest.mark.slow
def test_a_compiled_file_gives_the_energy_of_the_checkpoint(checkpoints, tmp_path):
    checkpoint = next(iter(checkpoints.values()))
    atoms = alloys(1)[0]
    path = convert(checkpoint, tmp_path / 'ase', 'ase', examples=from_atoms(alloys(2)))
    atoms.write(tmp_path / 'a.xyz')
    code = (
        'from ase.io import read; from nequip.integrations.ase import NequIPCalculator\n'
        f'calculator = NequIPCalculator.from_compiled_model({str(path)!r}, device="cpu")\n'
        'atoms = read("a.xyz"); atoms.calc = calculator; print(atoms.get_potential_energy())'
    )
    found = float(run_bare(code, tmp_path).split()[-1])
    calculator = aiida_enne.Ensemble.from_folder(_alone(checkpoint, tmp_path))
    assert found == pytest.approx(calculator.get_potential_energy(atoms), abs=1e-4)


def test_a_tool_that_fails_says_so(tmp_path):
    (tmp_path / 'bad.ckpt').write_text('no checkpoint')
    shown = from_atoms(alloys(2))
    with pytest.raises(ToolError, match=r'nequip-package failed for bad\.ckpt: '):
        convert(tmp_path / 'bad.ckpt', tmp_path / 'out', 'package', examples=shown)
    with pytest.raises(ToolError, match="no pair style for the family 'other'"):
        convert(tmp_path / 'bad.ckpt', tmp_path, 'lammps', examples=shown, family='other')


def test_a_recalibrated_sigma_goes_along(dataset, tmp_path):
    audit, _ = store_audit(dataset, shared=3.0)
    domain = dataset.get_configurations().domains[0]
    done = export(audit.pk, tmp_path / 'out', calibration_domain=domain)
    content = json.loads((done.folder / 'calibration.json').read_text())
    assert content['domain'] == domain
    assert content['factors']['energy']['factor'] > 0
    assert f'recalibrated on the domain "{domain}"' in (done.folder / 'README.md').read_text()
    assert '| RMSE/σ |' in (done.folder / 'README.md').read_text()


def test_a_folder_in_use_and_an_unknown_target_are_refused(audited, tmp_path):
    (tmp_path / 'x').write_text('mine')
    with pytest.raises(FileExistsError, match='not an empty folder'):
        export(audited[0].pk, tmp_path)
    with pytest.raises(ValueError, match=r"unknown targets \['paper'\]"):
        export(audited[0].pk, tmp_path / 'out', targets=['paper'])
    assert sorted(path.name for path in tmp_path.iterdir()) == ['x']


def test_a_model_whose_training_is_elsewhere_is_named(models):
    with pytest.raises(exporting.NotExistent, match='is not in this profile'):
        exporting.examples(next(iter(models.values())))


def test_what_is_not_defined_is_said():
    assert milli(None) == 'not defined'
    assert ratio(None, 1.0) == 'not defined'
    assert ratio(1.0, 0.0) == 'σ is 0'
    assert ratio(0.0, 0.0) == 'both are 0'


@pytest.mark.parametrize('target', sorted(TARGETS))
def test_the_readme_names_the_files_of_every_target(target):
    member = {'seed': 1, 'elements': ['Si'], 'family': 'nequip'}
    record = {
        'members': {'seed_1': member},
        'trained_on': [{'domains': {'warm': 3}, 'level_of_theory': 'EMT'}],
        'process': 'abc',
        'ensemble_sha256': 64 * '0',
        'audits': {'a': {'x|y': {'n_configurations': 3, 'energy_rmse': 0.1}}},
        'versions': {'nequip': '1', 'ase': '2'},
    }
    text = write(record, [target], '')
    assert f'{target}/seed_1{TARGETS[target].suffix}' in text
    assert "trained on: 3 of 'warm', labels EMT" in text
    assert '| x\\|y | 3 | 100 | not defined | not defined |' in text


def test_the_command(invoke, audited, tmp_path):
    folder = tmp_path / 'out'
    result = invoke('ensemble', 'export', audited[0].pk, folder)
    assert result.exit_code == 0, result.output
    assert f'{folder}; begin with README.md' in result.output
    assert invoke('ensemble', 'export', audited[0].pk, folder).exit_code == 1
    listed = invoke('ensemble', 'list').output
    assert 'EnsembleWorkChain' in listed
    shown = invoke('ensemble', 'show', audited[0].pk).output
    assert 'seed_5' in shown
    assert 'Audit of study' in shown
    unaudited = invoke('ensemble', 'show', audited[1].pk).output
    assert 'It was not audited by this process' in unaudited


def test_two_audits_are_compared_domain_by_domain(invoke, audited, dataset, configurations):
    half = configurations.select([i for i in range(len(configurations)) if i % 2])
    other = DatasetData.from_configurations(half, level_of_theory='EMT').store()
    second, _ = store_audit(other, seed=1)
    result = invoke('ensemble', 'compare', audited[0].pk, second.pk)
    assert result.exit_code == 0, result.output
    for domain in dataset.domains:
        (line,) = [line for line in result.output.splitlines() if line.startswith(domain)]
        assert ('not asked' in line) == (domain not in other.domains)
    assert invoke('ensemble', 'compare', audited[0].pk).exit_code == 2


def test_an_empty_profile_says_how_to_begin(invoke):
    result = invoke('ensemble', 'list')
    assert result.exit_code == 1
    assert 'aiida-enne launch ensemble' in result.output
