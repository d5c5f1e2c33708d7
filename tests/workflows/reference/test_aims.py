"""Tests for `AimsReferenceWorkChain`, of a stand-in that replays outputs."""

import numpy as np
import pytest
from aiida import orm
from aiida.engine import run_get_node
from ase import Atoms
from ase.build import bulk

from aiida_enne.aiida_private import inputs_of
from aiida_enne.codes.aims.control import k_grid
from aiida_enne.codes.aims.output import read_output
from aiida_enne.codes.aims.tasks import seed_of
from aiida_enne.data.configurations import ConfigurationsData
from aiida_enne.data.species import install_species
from aiida_enne.workflows.reference.aims import AimsReferenceWorkChain
from aiida_enne.workflows.reference.engine import load_engine
from tests.aims_writer import species_text
from tests.replay import atoms_of, first_steps, options, recorded, species_nodes

SETTINGS = {'xc': 'pw91_gga'}


@pytest.fixture
def launch(replay_code):
    """Return a function that runs a task: `node = launch(frames, task, **inputs)`."""

    def run(frames, task, **inputs):
        everything = sum(frames, Atoms())
        base = {
            'aims': {
                'code': replay_code,
                'parameters': orm.Dict(SETTINGS),
                'species': species_nodes(everything),
                'metadata': options(),
            },
            'max_iterations': 3,
        }
        return run_get_node(
            AimsReferenceWorkChain,
            configurations=ConfigurationsData.from_atoms(frames),
            task=task,
            base=base,
            **inputs,
        ).node

    return run


def test_the_engine_is_registered():
    assert load_engine('aims') is AimsReferenceWorkChain


def test_a_label_that_fails_is_listed_and_the_others_are_handed_out(launch, replay):
    names = ('si_forces_stress', 'si8_forces', 'c64_forces')
    texts, frames = zip(*map(recorded, names), strict=True)
    for index, atoms in enumerate(frames):
        atoms.info = {'domain': names[index], 'block': 2 * index}
    oom = {'errors': 'slurmstepd: error: Detected 1 oom-kill event(s)\n'}
    outputs = [(texts[0], {}), (first_steps(texts[1], 0), oom), (texts[2], {})]
    for (text, more), atoms in zip(outputs, frames, strict=True):
        grid = list(k_grid(atoms.cell.array, [True] * 3, 2.0))
        replay.record(SETTINGS | {'k_grid': grid}, atoms, text, **more)
    node = launch(list(frames), {'kind': 'label'}, k_density=2.0, max_concurrent=2)
    assert node.exit_status == AimsReferenceWorkChain.exit_codes.ERROR_SOME_FAILED.status
    assert '1 of 3' in node.exit_message
    assert '1 (Out of memory' in node.exit_message
    results = node.outputs.results.get_dict()
    assert results['counts'] == {'failed': 1, 'finished': 2}
    (failure,) = results['failures']
    assert (failure['configuration'], failure['status']) == (1, 'failed')
    dataset = node.outputs.dataset
    found = dataset.get_configurations()
    assert found.domains.tolist() == ['si_forces_stress', 'c64_forces']
    assert found.blocks.tolist() == [0, 4]
    assert found.info['configuration'].tolist() == [0, 2]
    expected = [read_output(texts[index]).frames[0] for index in (0, 2)]
    assert found.energies.tolist() == [frame.energies.free for frame in expected]
    np.testing.assert_array_equal(found.forces[2:], expected[1].forces)
    assert dataset.level_of_theory == 'FHI-aims PW91 light, scalar ZORA'
    # at most two at a time: the third began when the first two had ended
    times = [
        (child.ctime, child.mtime) for child in node.called if isinstance(child, orm.WorkChainNode)
    ]
    assert len(times) == 3
    assert times[2][0] > max(end for _, end in times[:2])


def test_stages_follow_each_other(launch, replay):
    text, atoms = recorded('h2o_md')
    atoms.info = {'domain': 'water', 'block': 5}
    last = read_output(text).frames[-1]
    md = {'time': 0.005, 'time_step': 0.001, 'ensemble': 'NVT_parrinello', 'temperature': 300.0}
    md |= {'parameter': 0.05}
    first = md | {'initial_temperature': 300.0, 'seed': seed_of(4, 0, 0)}
    second = {key: md[key] for key in ('time', 'time_step')}
    second |= {'ensemble': 'NVE', 'seed': seed_of(4, 0, 1)}
    replay.record(SETTINGS | {'md': first}, atoms, text)
    replay.record(SETTINGS | {'md': second}, atoms_of(last), text, velocities=last.velocities)
    stages = [
        {'thermostat': 'langevin', 'temperature': 300, 'steps': 4, 'friction': 20},
        {'thermostat': 'nve', 'steps': 4, 'record_every': 2, 'domain': 'hot {domain}'},
    ]
    stages[0]['record_every'] = 1
    task = {'kind': 'md', 'stages': stages}
    node = launch([atoms], task, seed=4, thermostats={'langevin': 'NVT_parrinello'})
    assert node.is_finished_ok, node.exit_message
    found = node.outputs.dataset.get_configurations()
    assert found.info['step'].tolist() == [1, 2, 3, 4, 6, 8]
    np.testing.assert_allclose(found.info['time'], [0.001, 0.002, 0.003, 0.004, 0.006, 0.008])
    assert found.info['stage'].tolist() == [0, 0, 0, 0, 1, 1]
    assert found.domains.tolist() == 4 * ['water'] + 2 * ['hot water']
    assert found.blocks.tolist() == 6 * [0]
    frames = read_output(text).frames
    expected = [frames[i].energies.free for i in (1, 2, 3, 4, 2, 4)]
    assert found.energies.tolist() == expected
    reports = [entry.message for entry in orm.Log.collection.get_logs_for(node)]
    assert any('NVT_parrinello stands for the thermostat langevin' in text for text in reports)


def test_where_all_fail_there_is_no_dataset(launch, replay):
    text, atoms = recorded('si8_forces')
    errors = 'slurmstepd: error: Detected 1 oom-kill event(s)\n'
    replay.record(SETTINGS, atoms, first_steps(text, 0), errors=errors)
    node = launch([atoms], {'kind': 'label'})
    assert node.exit_status == AimsReferenceWorkChain.exit_codes.ERROR_ALL_FAILED.status
    assert 'dataset' not in node.outputs
    assert node.outputs.results['counts'] == {'failed': 1}


def test_a_trajectory_that_is_too_hot_is_ended(launch, replay):
    text, atoms = recorded('h2o_md')
    md = {'time': 0.005, 'time_step': 0.001, 'ensemble': 'NVE', 'initial_temperature': 300.0}
    replay.record(SETTINGS | {'md': md | {'seed': seed_of(4, 0, 0)}}, atoms, text)
    stage = {'thermostat': 'nve', 'temperature': 300, 'steps': 4, 'record_every': 1}
    task = {'kind': 'md', 'stages': [stage, stage], 'max_temperature': 300.0}
    node = launch([atoms], task, seed=4)
    assert node.exit_status == AimsReferenceWorkChain.exit_codes.ERROR_ALL_FAILED.status
    (failure,) = node.outputs.results['failures']
    assert (failure['status'], failure['message']) == ('exploded', '315 K were reached')
    assert node.outputs.dataset.n_frames == 4


@pytest.mark.parametrize(
    ('task', 'inputs', 'message'),
    [
        ({'kind': 'md', 'thermostat': 'langevin'}, {'seed': 1}, 'FHI-aims has no thermostat'),
        ({'kind': 'md', 'thermostat': 'npt'}, {'seed': 1}, 'FHI-aims has no thermostat npt'),
        ({'kind': 'md', 'thermostat': 'nve'}, {}, 'needs a `seed`'),
        ({'kind': 'relax', 'cell': 'shape'}, {}, 'constant volume'),
        ({'kind': 'label'}, {'k_density': -1.0}, '`k_density` must be above zero'),
        ({'kind': 'label'}, {'max_concurrent': 0}, 'expected at least 1, got 0'),
    ],
)
def test_what_cannot_be_done_is_refused_before_a_job(launch, task, inputs, message):
    if task['kind'] == 'md':
        stage = {'thermostat': task['thermostat'], 'temperature': 300, 'steps': 4}
        task = {'kind': 'md', 'stages': [stage]}
    with pytest.raises(ValueError, match=message):
        launch([bulk('Si', cubic=True)], task, **inputs)


@pytest.fixture
def family(tmp_path, aiida_profile_clean):
    folder = tmp_path / 'defaults_2020' / 'light'
    folder.mkdir(parents=True)
    (folder / '14_Si_default').write_text(species_text('Si', 14))
    install_species(folder)


@pytest.mark.parametrize('protocol', ['paper', 'test'])
def test_protocols(family, replay_code, protocol):
    configurations = ConfigurationsData.from_atoms([bulk('Si', cubic=True)])
    stages = [{'thermostat': 'langevin', 'temperature': [0, 5000], 'steps': 5000}]
    overrides = {'base': {'aims': {'parameters': {'sc_iter_limit': 77}}}}
    builder = AimsReferenceWorkChain.get_builder_from_protocol(
        replay_code,
        configurations,
        {'kind': 'md', 'stages': stages},
        seed=3,
        protocol=protocol,
        overrides=overrides,
    )
    parameters = builder.base.aims.parameters.get_dict()
    assert (parameters['xc'], parameters['sc_iter_limit']) == ('pw91_gga', 77)
    assert builder.base.aims.species['Si'].level == 'light'
    assert builder.thermostats.get_dict() == {'langevin': 'NVT_parrinello'}
    assert AimsReferenceWorkChain.spec().inputs.validate(inputs_of(builder)) is None


def test_a_protocol_without_species_says_what_is_missing(replay_code):
    configurations = ConfigurationsData.from_atoms([bulk('Si', cubic=True)])
    with pytest.raises(ValueError, match='species install'):
        AimsReferenceWorkChain.get_builder_from_protocol(
            replay_code, configurations, {'kind': 'label'}
        )
