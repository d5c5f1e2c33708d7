"""Tests for the uploaded script, run as a job runs it but without AiiDA."""

import functools
import resource
import shutil
import subprocess

import numpy as np
import pytest
from ase.build import bulk, fcc100
from ase.calculators.emt import EMT

from aiida_enne.codes import ase
from aiida_enne.science import npz
from aiida_enne.science.data import frames
from aiida_enne.science.data.frames import from_atoms
from aiida_enne.science.plans.tasks import read_task
from tests import warm

EMT_CHOICE = {'preset': 'emt'}
MD = {
    'kind': 'md',
    'stages': [
        {'thermostat': 'langevin', 'temperature': [0, 600], 'steps': 30, 'record_every': 10},
        {'thermostat': 'nve', 'steps': 20, 'record_every': 5, 'domain': 'free'},
    ],
}


@pytest.fixture
def script(tmp_path):
    """Return a function that runs the script: `outcome = script(frames, task)`.

    `modules` are Python files put beside it, `earlier` a folder of units to go on with,
    `file_size` what no file may exceed.
    """

    def run(structures, task, calculator=EMT_CHOICE, processes=1, **options):
        folder = tmp_path / str(len(list(tmp_path.iterdir())))
        folder.mkdir()
        inputs = from_atoms(structures)
        files = ase.render(calculator, read_task(task), options.get('seed', 0))
        for name, text in (files | options.get('modules', {})).items():
            (folder / name).write_text(text)
        (folder / ase.CONFIGURATIONS).write_bytes(npz.dumps(inputs.as_arrays()))
        if 'earlier' in options:
            shutil.copytree(options['earlier'], folder / ase.UNITS)
        command = [warm.python()]
        command += ase.arguments(processes, options.get('checkpoint', 10), None)
        size = options.get('file_size', resource.RLIM_INFINITY)
        limit = functools.partial(resource.setrlimit, resource.RLIMIT_FSIZE, (size, size))
        subprocess.run(command, cwd=folder, check=True, preexec_fn=limit)
        units = {
            path.stem: (path.read_text(), path.with_suffix('.f8').read_bytes())
            for path in (folder / ase.UNITS).glob('*.json')
        }
        summary = (folder / ase.RESULTS).read_text()
        return ase.read_outcome(summary, units, inputs, read_task(task))

    return run


def copper(n=1, spread=0.0):
    structures = [bulk('Cu', cubic=True) for _ in range(n)]
    for seed, atoms in enumerate(structures):
        atoms.rattle(spread, seed=seed)
    return structures


def test_dynamics_depend_on_the_seed_and_on_nothing_else(script):
    first, twin = script(copper(3), MD, seed=1), script(copper(3), MD, seed=1, processes=2)
    other = script(copper(3), MD, seed=2)
    assert first.count('finished') == 3
    for name, array in first.frames.as_arrays().items():
        np.testing.assert_array_equal(twin.frames.as_arrays()[name], array, err_msg=name)
    assert not np.allclose(other.frames.positions, first.frames.positions)
    own = first.frames.positions.reshape(3, -1)
    assert not np.allclose(own[0], own[1])  # every trajectory has a random stream of its own


def test_stages_follow_each_other(script):
    outcome = script(copper(1), MD)
    info = outcome.frames.info
    np.testing.assert_array_equal(info['stage'], [0, 0, 0, 1, 1, 1, 1])
    np.testing.assert_allclose(
        info['time'], [0.010, 0.020, 0.030, 0.035, 0.040, 0.045, 0.050], atol=1e-12
    )
    assert outcome.frames.domains.tolist() == ['unlabelled'] * 3 + ['free'] * 4
    assert info['temperature'][0] < info['temperature'][2]


def test_the_labels_of_dynamics_are_those_of_their_positions(script):
    for atoms in frames.to_atoms(script(copper(1), MD).frames):
        energy, forces = atoms.get_potential_energy(), atoms.get_forces()
        atoms.calc = EMT()
        assert atoms.get_potential_energy() == pytest.approx(energy, abs=1e-10)
        np.testing.assert_allclose(atoms.get_forces(), forces, rtol=0, atol=1e-10)


def test_a_trajectory_that_explodes_ends_alone(script):
    structures = copper(2)
    structures[0].positions[1] = structures[0].positions[0] + [0.3, 0, 0]
    outcome = script(structures, MD | {'max_temperature': 5000})
    assert outcome.results['counts'] == {'exploded': 1, 'finished': 1}
    (failure,) = outcome.results['failures']
    assert failure['configuration'] == 0
    assert 'above 5000 K' in failure['message']
    assert set(outcome.frames.blocks) == {1}


CRASHING = """
import os
from ase.calculators.emt import EMT

class Crashing(EMT):
    def calculate(self, atoms=None, *args):
        if atoms.info.get('crash') or abs(atoms.positions[0, 0]) > 5:
            os.abort()
        super().calculate(atoms, *args)
"""


@pytest.mark.parametrize('processes', [1, 2])
def test_a_crash_takes_one_configuration_along(script, processes):
    structures = copper(300, spread=0.05)  # two in every unit
    for index in (4, 5, 299):
        structures[index].positions += 10
    chosen = {'import_path': 'crashing.Crashing', 'level_of_theory': 'EMT'}
    outcome = script(
        structures,
        {'kind': 'label'},
        chosen,
        processes=processes,
        modules={'crashing.py': CRASHING},
    )
    assert outcome.status == 'finished'
    assert outcome.results['counts'] == {'failed': 3, 'finished': 297}
    failed = [failure['configuration'] for failure in outcome.results['failures']]
    assert failed == [4, 5, 299]
    assert 'crashed' in outcome.results['failures'][0]['message']
    kept = outcome.frames.info['configuration'].astype(int)
    assert kept.tolist() == [i for i in range(300) if i not in failed]


def test_relaxation_keeps_the_volume_and_the_symmetry(script):
    import spglib

    start = bulk('Cu', 'hcp', a=2.5, c=4.6)
    task = {'kind': 'relax', 'cell': 'shape', 'symmetry': True, 'fmax': 0.001}
    outcome = script([start], task)
    assert outcome.results['counts'] == {'finished': 1}
    path = outcome.frames
    np.testing.assert_allclose(path.volumes, start.get_volume(), rtol=1e-8)
    np.testing.assert_array_equal(path.info['step'], range(len(path)))
    np.testing.assert_array_equal(path.info['converged'][:-1], 0)
    assert path.info['converged'][-1] == 1
    assert path.energies[-1] < path.energies[0] - 0.01
    (last,) = frames.to_atoms(path.select([len(path) - 1]))
    found = spglib.get_spacegroup((last.cell, last.get_scaled_positions(), last.numbers), 1e-4)
    assert found == 'P6_3/mmc (194)'
    lengths = last.cell.lengths()
    assert lengths[2] / lengths[0] == pytest.approx(np.sqrt(8 / 3), rel=0.02)
    off = path.stresses[-1] - np.eye(3) * np.trace(path.stresses[-1]) / 3
    assert np.abs(off).max() < 0.001


def test_a_free_cell_reaches_its_minimum(script):
    outcome = script([bulk('Cu', a=3.7)], {'kind': 'relax', 'cell': 'free', 'fmax': 0.001})
    assert np.abs(outcome.frames.stresses[-1]).max() < 1e-3
    assert outcome.frames.volumes[-1] == pytest.approx(3.59**3 / 4, rel=0.01)


def test_only_the_outer_layers_relax(script):
    slab = fcc100('Cu', (2, 2, 4), vacuum=6.0)
    slab.rattle(0.05, seed=3)
    inner = np.flatnonzero(slab.get_tags() > 2).tolist()
    outcome = script([slab], {'kind': 'relax', 'fixed': [inner], 'fmax': 0.02})
    assert outcome.count('finished') == 1
    (last,) = frames.to_atoms(outcome.frames.select([len(outcome.frames) - 1]))
    np.testing.assert_array_equal(last.positions[inner], slab.positions[inner])
    norms = np.linalg.norm(last.get_forces(), axis=1)
    free = np.setdiff1d(range(len(slab)), inner)
    assert norms[free].max() <= 0.02
    assert norms[inner].max() > 0.02  # the labels are forces without constraints


@pytest.mark.parametrize('optimizer', ['BFGS', 'LBFGS', 'FIRE', 'BFGSLineSearch'])
def test_every_optimizer_finds_the_lattice(script, optimizer):
    outcome = script(copper(1, spread=0.1), {'kind': 'relax', 'optimizer': optimizer})
    assert outcome.count('finished') == 1
    expected = copper()[0]
    expected.calc = EMT()
    assert outcome.frames.energies[-1] == pytest.approx(expected.get_potential_energy(), abs=1e-4)


def test_a_full_disk_is_no_failure_of_a_configuration(script, tmp_path):
    task = MD | {'stages': [MD['stages'][0] | {'steps': 300}]}
    whole = script(copper(2), task)
    cut = script(copper(2), task, checkpoint=0, file_size=8000)
    assert (cut.status, cut.damages, cut.results['failures']) == ('stopped', [], [])
    assert 0 < len(cut.frames) < len(whole.frames)
    rest = script(copper(2), task, earlier=tmp_path / '1' / 'units')
    assert rest.results['counts'] == {'finished': 2}
    np.testing.assert_allclose(rest.frames.positions, whole.frames.positions, rtol=0, atol=1e-9)


def test_the_progress_of_another_job_is_not_gone_on_with(script, tmp_path):
    script(copper(2, spread=0.1), {'kind': 'label'})
    shutil.copytree(tmp_path / '0' / 'units', tmp_path / 'earlier')
    same = script(copper(2, spread=0.1), {'kind': 'label'}, earlier=tmp_path / 'earlier')
    assert [unit['attempts'] for unit in same.results['units']] == [[[0, 1]], [[0, 1]]]
    other = script(copper(2, spread=0.2), {'kind': 'label'}, earlier=tmp_path / 'earlier')
    assert not np.allclose(other.frames.energies, same.frames.energies)


def test_too_few_steps_are_told(script):
    task = {'kind': 'relax', 'max_steps': 2, 'fmax': 1e-6}
    outcome = script(copper(2, spread=0.2), task)
    assert outcome.results['counts'] == {'unconverged': 2}
    np.testing.assert_array_equal(outcome.frames.info['step'], [0, 1, 2, 0, 1, 2])
    assert not outcome.frames.info['converged'].any()
