"""Tests for the functions between our nodes and those of aiida-quantumespresso."""

import numpy as np
import pytest
from aiida import orm
from ase import units
from ase.build import bulk

from aiida_enne.calculations.quantumespresso import collect_pw, extract_structures
from aiida_enne.data.configurations import ConfigurationsData
from aiida_enne.science.plans.tasks import read_task

RESULTS = {'kind': 'any', 'counts': {'finished': 1}}


@pytest.fixture
def cells(aiida_profile_clean):
    """Return two configurations of silicon of different sizes."""
    frames = [bulk('Si', a=5.4), bulk('Si', cubic=True, a=5.4)]
    for index, atoms in enumerate(frames):
        atoms.info = {'domain': f'domain {index}', 'block': 7}
    return ConfigurationsData.from_atoms(frames).store()


def trajectory(rng, n_frames, n_atoms, **arrays):
    """Return a stored trajectory as the plugin makes it: eV, eV/Å, GPa."""
    node = orm.TrajectoryData()
    node.set_trajectory(
        symbols=['Si'] * n_atoms,
        positions=rng.standard_normal((n_frames, n_atoms, 3)),
        cells=np.array([np.eye(3) * 5] * n_frames),
        stepids=np.arange(n_frames),
    )
    arrays = {
        'energy': rng.standard_normal(n_frames),
        'forces': rng.standard_normal((n_frames, n_atoms, 3)),
        'stress': rng.standard_normal((n_frames, 3, 3)),
    } | arrays
    for name, array in arrays.items():
        if array is not None:
            node.set_array(name, array)
    return node.store()


def collect(cells, task, paths, trajectories, **nodes):
    """Return the outputs for paths given as (configuration, stage, converged)."""
    told = [
        {'label': label, 'configuration': path[0], 'stage': path[1], 'converged': path[2]}
        for label, path in zip(trajectories, paths, strict=True)
    ]
    outcome = {'paths': told, 'level_of_theory': 'QE X', 'results': RESULTS}
    task = orm.Dict(read_task(task).complete())
    return collect_pw(cells, task, orm.Dict(outcome), trajectories=trajectories, **nodes)


def test_structures_are_those_of_the_configurations(cells):
    structures = extract_structures(cells)
    for index, atoms in enumerate(cells.get_atoms()):
        back = structures[f'structure_{index}'].get_ase()
        np.testing.assert_allclose(back.positions, atoms.positions, atol=1e-12)
        np.testing.assert_allclose(back.cell.array, atoms.cell.array, atol=1e-12)


def test_labels_keep_energies_and_forces_and_turn_stresses(cells, rng):
    nodes = {'b': trajectory(rng, 1, 8), 'a': trajectory(rng, 1, 2)}
    paths = [(1, 0, True), (0, 0, True)]
    outputs = collect(cells, {'kind': 'label'}, paths, nodes)
    found = outputs['dataset'].get_configurations()
    np.testing.assert_array_equal(found.n_atoms, [2, 8])
    energies = [nodes[label].get_array('energy')[0] for label in 'ab']
    np.testing.assert_array_equal(found.energies, energies)
    np.testing.assert_array_equal(found.forces[:2], nodes['a'].get_array('forces')[0])
    expected = -nodes['a'].get_array('stress')[0] * units.GPa
    np.testing.assert_allclose(found.stresses[0], expected, rtol=1e-6)
    assert found.domains.tolist() == ['domain 0', 'domain 1']
    assert found.blocks.tolist() == [7, 7]
    assert outputs['dataset'].level_of_theory == 'QE X'
    assert outputs['results'].get_dict() == RESULTS


def test_a_hundred_gigapascal_of_pressure_is_negative_stress(cells, rng):
    node = trajectory(rng, 1, 2, stress=np.eye(3)[None] * 100.0)
    found = collect(cells, {'kind': 'label'}, [(0, 0, True)], {'a': node})
    stress = found['dataset'].get_configurations().stresses[0]
    np.testing.assert_allclose(stress, -np.eye(3) * 0.62415, rtol=1e-5)


def test_without_stresses_there_are_none(cells, rng):
    node = trajectory(rng, 1, 2, stress=None)
    found = collect(cells, {'kind': 'label'}, [(0, 0, True)], {'a': node})
    assert found['dataset'].get_configurations().stresses is None


def test_nothing_is_no_dataset(cells):
    assert set(collect(cells, {'kind': 'label'}, [], {})) == {'results'}


@pytest.mark.parametrize('name', ['energy', 'forces'])
def test_a_missing_array_is_named(cells, rng, name):
    node = trajectory(rng, 1, 2, **{name: None})
    with pytest.raises(ValueError, match=f'has no {name}'):
        collect(cells, {'kind': 'label'}, [(0, 0, True)], {'a': node})


def test_arrays_of_other_lengths_are_refused(cells, rng):
    node = trajectory(rng, 3, 2, forces=rng.standard_normal((2, 2, 3)))
    with pytest.raises(ValueError, match='forces of shape'):
        collect(cells, {'kind': 'label'}, [(0, 0, True)], {'a': node})


def test_trajectories_record_every_second_frame_with_time_and_temperature(cells, rng):
    velocities = rng.standard_normal((2, 3)) * 0.01
    walk = np.array([step * velocities for step in range(9)])
    nodes, ends, first = {}, {}, 0
    for label, steps in (('run_0', 1), ('run_1', 3), ('run_2', 4)):
        node = trajectory(rng, steps, 2)
        node = node.clone()
        node.set_array('positions', walk[first : first + steps])
        first += steps
        nodes[label] = node.store()
        atoms = bulk('Si', a=5.4)
        atoms.positions = walk[first]
        ends[label] = orm.StructureData(ase=atoms).store()
    stage = {'thermostat': 'nve', 'temperature': 300, 'steps': 3}
    stages = [
        stage | {'record_every': 2, 'domain': 'early {domain}'},
        stage | {'steps': 4, 'record_every': 1},
    ]
    task = {'kind': 'md', 'stages': stages}
    paths = [(0, -1, False), (0, 0, False), (0, 1, False)]
    found = collect(cells, task, paths, nodes, ends=ends)['dataset'].get_configurations()
    np.testing.assert_allclose(found.info['time'], np.array([2, 4, 5, 6, 7]) / 1000)
    np.testing.assert_array_equal(found.info['stage'], [0, 1, 1, 1, 1])
    assert found.domains.tolist() == ['early domain 0'] + ['domain 0'] * 4
    np.testing.assert_array_equal(found.blocks, 0)
    np.testing.assert_allclose(found.positions.reshape(5, 2, 3), walk[[2, 4, 5, 6, 7]])
    twice_kinetic = 28.085 * ((velocities / units.fs) ** 2).sum()
    expected = twice_kinetic / (3 * units.kB)
    np.testing.assert_allclose(found.info['temperature'], expected)


def test_a_relaxed_cell_has_the_final_run_as_its_last_frame(cells, rng):
    arrays = {
        'energy': np.array([-1.0, -2.0, -2.1]),
        'forces': np.zeros((3, 2, 3)),
        'stress': np.zeros((3, 3, 3)),
    }
    node = trajectory(rng, 2, 2, **arrays)
    atoms = bulk('Si', a=5.6)
    end = {'a': orm.StructureData(ase=atoms).store()}
    task = {'kind': 'relax', 'cell': 'free'}
    found = collect(cells, task, [(0, 0, True)], {'a': node}, ends=end)['dataset']
    found = found.get_configurations()
    np.testing.assert_array_equal(found.energies, [-1.0, -2.0, -2.1])
    np.testing.assert_allclose(found.cells[-1], atoms.cell.array)
    np.testing.assert_allclose(found.positions[-2:], atoms.positions)
    np.testing.assert_array_equal(found.info['converged'], [0, 0, 1])
    np.testing.assert_array_equal(found.info['step'], [0, 1, 2])
