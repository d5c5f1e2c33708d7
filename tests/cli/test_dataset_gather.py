"""`dataset gather`: labels of finished calculations, and every refusal stores nothing."""

import numpy as np
import pytest
from aiida import orm

from aiida_enne.data.dataset import DatasetData
from tests.calculated import chain, finish, job, trajectory_of, values_of, walk


def count_nodes():
    return orm.QueryBuilder().append(orm.Node).count()


@pytest.fixture
def make(aiida_profile_clean, aiida_localhost):
    """Return a function that stores a finished job of CP2K: `make(seed, **changes)`."""

    def run(seed=0, cutoff=400, named='', caller=None, **ending):
        frames = walk(seed=seed)
        values = values_of(frames)
        trajectory = trajectory_of(
            frames,
            energies=values['energies'] / 27.211386024367243,
            forces=values['forces'] / 51.42206707,
        )
        parameters = {'FORCE_EVAL': {'DFT': {'MGRID': {'CUTOFF': cutoff}}}}
        inputs = {
            'structure': orm.StructureData(ase=frames[0]),
            'parameters': orm.Dict(parameters),
        }
        outputs = {'output_trajectory': trajectory, 'output_parameters': orm.Dict({})}
        words = (aiida_localhost, 'cp2k', 'Cp2kCalculation', inputs, outputs)
        return job(*words, caller=caller, named=named, **ending)

    return run


def test_the_dataset_is_linked_to_the_outputs(invoke, make):
    jobs = [make(0, named='cold'), make(1, named='hot')]
    words = ['dataset', 'gather', jobs[0].pk, jobs[1].uuid, '--domain-key', 'label']
    before = count_nodes()
    result = invoke(*words, '--dry-run')
    assert result.exit_code == 0, result.output
    assert '10 configurations pass; nothing was stored' in result.output
    assert count_nodes() == before
    result = invoke(*words, '--label', 'mine')
    assert result.exit_code == 0, result.output
    node = orm.load_node('mine')
    assert f'stored 10 configurations: DatasetData<{node.pk}>' in result.output
    assert node.domains == {'cold': 5, 'hot': 5}
    assert node.level_of_theory == 'CP2K, 400 Ry'
    assert node.base.attributes.get('n_blocks') == 2
    inputs = node.creator.base.links.get_incoming().all_nodes()
    assert {one.outputs.output_trajectory.uuid for one in jobs} <= {one.uuid for one in inputs}
    assert node.creator.process_label == 'gather_labels'
    found = node.get_configurations()
    np.testing.assert_allclose(found.energies[:5], values_of(walk())['energies'], atol=1e-5)
    result = invoke('dataset', 'show', 'mine')
    assert result.exit_code == 0, result.output


def test_a_group_and_a_query(invoke, make):
    first, second = make(0, named='run a'), make(1, named='run b')
    group = orm.Group('liquids').store()
    group.add_nodes([second])
    words = ['dataset', 'gather', '--dry-run']
    for query, n in (
        (['--group', 'liquids'], 5),
        (['--group', 'liquids', first.pk], 10),
        (['--process-label', 'Cp2kCalculation'], 10),
        (['--entry-point', 'cp2k'], 10),
        (['--label-like', 'run a%'], 5),
        (['--process-label', 'Cp2kCalculation', '--since', '2000-01-01'], 10),
    ):
        result = invoke(*words, *query)
        assert result.exit_code == 0, result.output
        assert f'{n} configurations pass' in result.output
    result = invoke(*words, '--group', 'liquids', '--domain-key', 'group')
    assert 'liquids' in result.output


def test_a_job_within_a_chosen_work_chain_is_not_taken_twice(invoke, make):
    caller = chain('cp2k.base', 'Cp2kBaseWorkChain')
    inner = make(0, caller=caller)
    finish(caller, {}, {})
    result = invoke('dataset', 'gather', inner.pk, caller.pk, '--dry-run')
    assert result.exit_code == 0, result.output
    assert '5 configurations pass' in result.output
    # the trajectory alone knows who made it, hence its units
    result = invoke('dataset', 'gather', inner.outputs.output_trajectory.pk, '--dry-run')
    assert '5 configurations pass' in result.output


def refuse(invoke, *words):
    """Return the message of a refusal that stored nothing."""
    before = count_nodes()
    result = invoke('dataset', 'gather', *words)
    assert result.exit_code != 0, result.output
    assert 'Traceback' not in result.output
    assert 'unexpected' not in result.output
    assert count_nodes() == before
    return ' '.join(result.output.split())


def test_names_that_mean_nothing(invoke, make):
    assert "'99999' must be the PK, UUID or label of one node" in refuse(invoke, '99999')
    assert 'verdi process list' in refuse(invoke, '99999')
    number = orm.Int(1).store()
    text = refuse(invoke, number.pk)
    assert f'Int<{number.pk}>' in text
    assert 'not known to any gatherer' in text
    assert 'name a finished calculation' in text
    assert "'nobody' must be the label of one group" in refuse(invoke, '--group', 'nobody')
    orm.Group('empty').store()
    assert "nothing to gather in group 'empty'" in refuse(invoke, '--group', 'empty')
    text = refuse(invoke, '--process-label', 'PwCalculation')
    assert "with attributes.process_label 'PwCalculation'" in text
    assert 'give PKs or UUIDs' in refuse(invoke)


def test_what_did_not_end_well(invoke, make):
    running = make(0, state='running')
    text = refuse(invoke, running.pk)
    assert f'Cp2kCalculation<{running.pk}>: not a label: is running, not finished: wait' in text
    failed = make(1, status=450, message='SCF did not converge')
    text = refuse(invoke, failed.pk)
    assert f'Cp2kCalculation<{failed.pk}>' in text
    assert 'ended with exit status 450 (SCF did not converge)' in text
    assert '--drop-unusable' in text
    on_the_way = make(2, status=501, message='out of steps')
    text = refuse(invoke, on_the_way.pk)
    assert 'out of steps' in text
    assert '--allow-incomplete' in text
    good = make(3)
    words = ['dataset', 'gather', failed.pk, on_the_way.pk, good.pk, running.pk]
    result = invoke(*words, '--drop-unusable', '--allow-incomplete')
    assert result.exit_code == 0, result.output
    assert 'SCF did not converge' in result.output
    assert 'stored 10 configurations' in result.output
    text = refuse(invoke, failed.pk, '--drop-unusable')
    assert 'no frame is left' in text


def test_levels_of_theory_that_differ(invoke, make):
    coarse, fine = make(0), make(1, cutoff=600)
    text = refuse(invoke, coarse.pk, fine.pk)
    assert f"'400 Ry' of Cp2kCalculation<{coarse.pk}>" in text
    assert f"'600 Ry' of Cp2kCalculation<{fine.pk}>" in text
    assert '--level-of-theory' in text
    words = ['dataset', 'gather', coarse.pk, fine.pk, '--level-of-theory', 'PBE']
    result = invoke(*words)
    assert result.exit_code == 0, result.output
    assert 'taken as one level of theory: ' in result.output


def test_forces_of_other_frames_are_questioned(invoke, aiida_profile_clean):
    frames = walk(n_frames=8)
    values = values_of(frames)
    right = trajectory_of(frames, energy=values['energies'], forces=values['forces']).store()
    wrong = trajectory_of(frames, energy=values['energies'], forces=-values['forces']).store()
    result = invoke('dataset', 'gather', right.pk, '--dry-run')
    assert result.exit_code == 0, result.output
    text = refuse(invoke, wrong.pk)
    assert '--gradient-key' in text
    result = invoke('dataset', 'gather', wrong.pk, '--gradient-key', 'forces')
    assert result.exit_code == 0, result.output
    assert 'level of theory: unknown' in result.output


def test_a_trajectory_of_random_positions(invoke, aiida_profile_clean):
    """One with constant forces and few atoms, as a user tried it."""
    rng, n = np.random.default_rng(0), 4
    node = orm.TrajectoryData()
    cells = np.repeat(np.eye(3)[None] * 5.43, n, 0)
    node.set_trajectory(
        symbols=['Si', 'Si'],
        positions=rng.random((n, 2, 3)) * 5,
        cells=cells,
        stepids=np.arange(n),
        times=np.arange(n) * 1.0,
    )
    node.set_array('energy', np.linspace(-310, -309, n))
    node.set_array('forces', np.zeros((n, 2, 3)) + 0.1)
    node.store()
    result = invoke('dataset', 'gather', node.pk, '--label', 'tried')
    assert result.exit_code == 0, result.output
    dataset = orm.load_node('tried')
    assert dataset.n_frames == n
    assert node in dataset.creator.base.links.get_incoming().all_nodes()


def test_labels_of_two_rounds_are_one_dataset(invoke, dataset, configurations):
    """Domains stay, trajectory blocks are kept apart, and both are in the provenance."""
    moved = configurations.select([8, 9]).as_arrays()
    moved['positions'] = moved['positions'] + 0.05
    more = DatasetData.from_configurations(
        type(configurations).from_arrays(moved), level_of_theory='EMT'
    ).store()
    result = invoke('dataset', 'gather', dataset.pk, more.pk, '--label', 'both')
    assert result.exit_code == 0, result.output
    node = orm.load_node('both')
    assert node.domains == {'cold': 8, 'hot': 4}
    assert node.level_of_theory == 'EMT'
    found = node.get_configurations()
    assert set(found.blocks[:10]).isdisjoint(found.blocks[10:])
    np.testing.assert_array_equal(found.energies[10:], moved['energies'])
    used = node.creator.base.links.get_incoming().all_nodes()
    assert {dataset.uuid, more.uuid} <= {one.uuid for one in used}
