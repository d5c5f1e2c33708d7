"""Tests for `AimsBaseWorkChain`: whole jobs through AiiDA, of a stand-in that replays outputs."""

import numpy as np
import pytest
from aiida import orm
from aiida.engine import run_get_node
from aiida.plugins import WorkflowFactory

from aiida_enne.calculations.aims import AimsCalculation
from aiida_enne.codes.aims.output import read_output
from aiida_enne.data.configurations import ConfigurationsData
from aiida_enne.workflows.reference.aims_base import AimsBaseWorkChain
from tests.lost import lose
from tests.replay import (
    OUT_OF_TIME,
    UNCONVERGED,
    atoms_of,
    first_steps,
    options,
    pieces_of,
    recorded,
    species_nodes,
    unconverged,
    without_steps,
)

SETTINGS = {'xc': 'pw91_gga'}
MD = {
    'ensemble': 'NVT_nose-hoover',
    'time': 0.005,
    'time_step': 0.001,
    'temperature': 300.0,
    'parameter': 900.0,
    'thermostat_units': 'cm^-1',
    'seed': 1,
}
RESTART = {'aims_MD_restart.dat': 'the state of the trajectory\n'}


@pytest.fixture
def launch(replay_code):
    """Return a function that runs a job with restarts: `node = launch(atoms, settings)`."""

    def run(atoms, settings, max_iterations=6, **more):
        inputs = {
            'code': replay_code,
            'configurations': ConfigurationsData.from_atoms([atoms]),
            'parameters': orm.Dict(settings),
            'species': species_nodes(atoms),
            'metadata': options(),
            **more,
        }
        workchain = WorkflowFactory('enne.aims.base')
        return run_get_node(workchain, aims=inputs, max_iterations=max_iterations).node

    return run


def statuses(node):
    return [child.exit_status for child in node.called if isinstance(child, orm.CalcJobNode)]


def codes(*labels):
    return [AimsCalculation.exit_codes[label].status if label else 0 for label in labels]


def mixed(settings, share, length, iterations):
    """Return the settings with the mixing of another attempt."""
    mixing = {'mixer': 'pulay', 'charge_mix_param': share, 'n_max_pulay': length}
    return settings | mixing | {'sc_iter_limit': iterations}


def test_a_trajectory_goes_on_from_its_restart_file(launch, replay):
    text, atoms = recorded('h2o_md')
    first, again = (SETTINGS | {'md': MD | more} for more in ({'initial_temperature': 300.0}, {}))
    again['md'] = again['md'] | {'restart': True}
    replay.record(first, atoms, first_steps(text, 2), errors=OUT_OF_TIME, files=RESTART)
    late = without_steps(first_steps(text, 3), 1)
    replay.record(again, atoms, late, errors=OUT_OF_TIME, files=RESTART, needs=RESTART)
    replay.record(again, atoms, without_steps(text, 3), files=RESTART, needs=RESTART)
    node = launch(atoms, first)
    assert node.is_finished_ok, node.exit_message
    late = 'ERROR_OUT_OF_WALLTIME'
    assert statuses(node) == codes(late, late, None)
    found = node.outputs.dataset.get_configurations()
    assert found.info['step'].tolist() == [0, 1, 2, 3, 4]
    assert len(set(found.blocks.tolist())) == 1
    expected = read_output(text).frames
    assert found.energies.tolist() == [frame.energies.free for frame in expected]
    np.testing.assert_array_equal(found.forces[-3:], expected[-1].forces)


def test_a_trajectory_whose_process_was_lost_goes_on(launch, replay, monkeypatch):
    """The job was cut short besides: its steps count, and the next attempt begins after them."""
    text, atoms = recorded('h2o_md')
    first, again = (SETTINGS | {'md': MD | more} for more in ({'initial_temperature': 300.0}, {}))
    again['md'] = again['md'] | {'restart': True}
    replay.record(first, atoms, first_steps(text, 2), errors=OUT_OF_TIME, files=RESTART)
    replay.record(again, atoms, without_steps(text, 1), files=RESTART, needs=RESTART)
    lose(monkeypatch, 'task_update_job')
    node = launch(atoms, first)
    assert node.is_finished_ok, node.exit_message
    assert statuses(node) == [None, *codes('ERROR_OUT_OF_WALLTIME', None)]
    expected = read_output(text).frames
    steps = node.outputs.dataset.get_configurations().info['step']
    assert steps.tolist() == list(range(len(expected)))


def test_a_trajectory_gives_up_without_progress(launch, replay):
    text, atoms = recorded('h2o_md')
    settings = SETTINGS | {'md': MD | {'initial_temperature': 300.0}}
    again = SETTINGS | {'md': MD | {'restart': True}}
    replay.record(settings, atoms, first_steps(text, 2), errors=OUT_OF_TIME, files=RESTART)
    replay.record(again, atoms, first_steps(text, 1), errors=OUT_OF_TIME)
    node = launch(atoms, settings)
    assert node.exit_status == AimsBaseWorkChain.exit_codes.ERROR_NO_PROGRESS.status
    assert len(statuses(node)) == 3
    assert node.outputs.dataset.n_frames == 2


def moved(text, before, after):
    """Return an output of a relaxation that begins at the height `after`."""
    pieces = pieces_of(text)
    pieces[0] = pieces[0].replace(repr(before), repr(after))
    pieces[0] = pieces[0].replace(f'{before:.8f}', f'{after:.8f}')
    pieces[1] = pieces[1].replace('Re-initialization', 'Initialization')
    return ''.join(pieces)


def test_a_relaxation_goes_on_from_its_last_geometry(launch, replay):
    text, atoms = recorded('o2_relax')
    settings = SETTINGS | {'relaxation': {'max_force': 0.001, 'max_steps': 9}}
    replay.record(settings, atoms, first_steps(text, 2), errors=OUT_OF_TIME)
    third = read_output(text).frames[2]
    heights = float(atoms.positions[0, 2]), float(third.positions[0, 2])
    rest = moved(without_steps(text, 2), *heights)
    left = SETTINGS | {'relaxation': {'max_force': 0.001, 'max_steps': 7}}
    replay.record(left, atoms_of(third), rest)
    node = launch(atoms, settings)
    assert node.is_finished_ok, node.exit_message
    found = node.outputs.dataset.get_configurations()
    frames = read_output(text).frames
    assert found.energies.tolist() == [frame.energies.free for frame in frames]
    z = found.positions.reshape(-1, 2, 3)[:, 0, 2]
    np.testing.assert_allclose(z, [frame.positions[0, 2] for frame in frames], atol=1e-8)
    assert found.info['step'].tolist() == [0, 1, 2, 3]
    assert found.info['converged'].tolist() == [0, 0, 0, 1]


def test_a_relaxation_ends_when_its_steps_are_used_up(launch, replay):
    text, atoms = recorded('o2_relax')
    settings = SETTINGS | {'relaxation': {'max_force': 0.001, 'max_steps': 4}}
    unrelaxed = text.replace('Present geometry is converged', 'Present geometry is not')
    replay.record(settings, atoms, unrelaxed)
    node = launch(atoms, settings)
    assert statuses(node) == codes('ERROR_RELAXATION_NOT_CONVERGED')
    assert node.exit_status == codes('ERROR_RELAXATION_NOT_CONVERGED')[0]
    assert node.outputs.dataset.n_frames == 4


def test_other_mixings_are_tried_in_turn(launch, replay):
    text, atoms = recorded('si8_forces')
    settings = SETTINGS | {'charge_mix_param': 0.4}
    failed = unconverged(text) + UNCONVERGED
    replay.record(settings, atoms, failed)
    replay.record(mixed(settings, 0.2, 12, 2000), atoms, failed)
    replay.record(mixed(settings, 0.1, 16, 4000), atoms, text)
    node = launch(atoms, settings)
    assert node.is_finished_ok, node.exit_message
    bad = 'ERROR_SCF_NOT_CONVERGED'
    assert statuses(node) == codes(bad, bad, None)
    assert node.outputs.dataset.n_frames == 1


def test_two_other_mixings_and_no_more(launch, replay):
    text, atoms = recorded('si8_forces')
    failed = unconverged(text) + UNCONVERGED
    replay.record(SETTINGS, atoms, failed)
    replay.record(mixed(SETTINGS, 0.1, 12, 2000), atoms, failed)
    replay.record(mixed(SETTINGS, 0.05, 16, 4000), atoms, failed)
    node = launch(atoms, SETTINGS)
    assert statuses(node) == 3 * codes('ERROR_SCF_NOT_CONVERGED')
    assert node.exit_status == codes('ERROR_SCF_NOT_CONVERGED')[0]
    assert node.outputs.results['verdict'] == 'scf_not_converged'


def test_a_single_point_out_of_time_mixes_differently(launch, replay):
    text, atoms = recorded('si8_forces')
    late = unconverged(text)
    replay.record(SETTINGS, atoms, late, errors=OUT_OF_TIME)
    replay.record(mixed(SETTINGS, 0.1, 12, 2000), atoms, text)
    node = launch(atoms, SETTINGS)
    assert node.is_finished_ok, node.exit_message
    assert statuses(node) == codes('ERROR_OUT_OF_WALLTIME', None)


def test_a_trajectory_whose_cycle_fails_goes_on_with_other_mixing(launch, replay):
    text, atoms = recorded('h2o_md')
    settings = SETTINGS | {'md': MD | {'initial_temperature': 300.0}}
    failed = unconverged(text, 3) + UNCONVERGED
    replay.record(settings, atoms, failed, files=RESTART)
    again = mixed(SETTINGS | {'md': MD | {'restart': True}}, 0.1, 12, 2000)
    replay.record(again, atoms, without_steps(text, 2), files=RESTART, needs=RESTART)
    node = launch(atoms, settings)
    assert node.is_finished_ok, node.exit_message
    assert statuses(node) == codes('ERROR_SCF_NOT_CONVERGED', None)
    assert node.outputs.dataset.n_frames == 5


def test_what_never_began_is_tried_once_more(launch, replay):
    text, atoms = recorded('si8_forces')
    replay.record(SETTINGS, atoms, '')
    replay.record(SETTINGS, atoms, text)
    node = launch(atoms, SETTINGS)
    assert node.is_finished_ok, node.exit_message
    assert statuses(node) == codes('ERROR_NOT_STARTED', None)


def test_what_never_begins_is_given_up(launch, replay):
    _, atoms = recorded('si8_forces')
    replay.record(SETTINGS, atoms, '')
    node = launch(atoms, SETTINGS)
    assert statuses(node) == 2 * codes('ERROR_NOT_STARTED')
    assert node.exit_status == codes('ERROR_NOT_STARTED')[0]


def test_out_of_memory_is_not_repeated(launch, replay):
    text, atoms = recorded('si8_forces')
    errors = 'slurmstepd: error: Detected 1 oom-kill event(s)\n'
    replay.record(SETTINGS, atoms, first_steps(text, 0), errors=errors)
    node = launch(atoms, SETTINGS)
    assert statuses(node) == codes('ERROR_OUT_OF_MEMORY')
    assert node.exit_status == codes('ERROR_OUT_OF_MEMORY')[0]
