from dataclasses import replace

import numpy as np
import pytest
from aiida import orm
from ase import Atoms

from aiida_enne.calculations.references import collect_reference, join_attempts
from aiida_enne.data.configurations import ConfigurationsData
from aiida_enne.data.dataset import DatasetData
from aiida_enne.science.data.frames import from_atoms


def dataset(steps, *, at=0.0, level='X', **info):
    """Return frames of one atom, their energies being their steps plus `at`."""
    frames = [Atoms('H', positions=[[at + step, 0, 0]]) for step in steps]
    bare = from_atoms(frames, domains=['gas'] * len(steps))
    values = {'step': np.array(steps, dtype=float)} | info
    labelled = type(bare).from_arrays(
        bare.as_arrays()
        | {'energies': at + np.array(steps, dtype=float), 'forces': np.zeros((len(steps), 3))}
        | {f'info:{name}': value for name, value in values.items()}
    )
    return DatasetData.from_configurations(labelled, level_of_theory=level)


def test_of_a_step_that_two_attempts_give_the_later_is_taken(aiida_profile_clean):
    joined = join_attempts(
        orm.Str('md'), first=dataset([0, 1, 2]), second=dataset([2, 3], at=10)
    ).get_configurations()
    assert joined.info['step'].tolist() == [0, 1, 2, 3]
    assert joined.energies.tolist() == [0, 1, 12, 13]
    assert len(set(joined.blocks.tolist())) == 1


def test_a_geometry_that_a_relaxation_repeats_is_left_out(aiida_profile_clean):
    first = dataset([0, 1], converged=np.zeros(2))
    second = dataset([0, 1], at=1.0, converged=np.array([0.0, 1.0]))
    joined = join_attempts(orm.Str('relax'), a=first, b=second).get_configurations()
    assert joined.positions[:, 0].tolist() == [0, 1, 2]
    assert joined.info['step'].tolist() == [0, 1, 2]
    assert joined.info['converged'].tolist() == [0, 0, 1]


def test_levels_of_theory_do_not_mix(aiida_profile_clean):
    with pytest.raises(ValueError, match='one level of theory'):
        join_attempts(orm.Str('md'), a=dataset([0]), b=dataset([1], level='Y'))


def collect(kind, statuses, parts, **datasets):
    frames = [Atoms('H', info={'domain': 'gas', 'block': 3 + i}) for i in range(len(statuses))]
    told = [{'status': status, 'message': status} for status in statuses]
    outcomes = orm.Dict({'kind': kind, 'statuses': told, 'parts': parts})
    return collect_reference(ConfigurationsData.from_atoms(frames), outcomes, **datasets)


def test_labels_keep_the_blocks_of_their_configurations(aiida_profile_clean):
    parts = {'b': {'configuration': 0}, 'a': {'configuration': 2}}
    nodes = collect(
        'label', ['finished', 'failed', 'finished'], parts, a=dataset([7]), b=dataset([5])
    )
    found = nodes['dataset'].get_configurations()
    assert found.energies.tolist() == [5, 7]
    assert found.blocks.tolist() == [3, 5]
    assert found.info['configuration'].tolist() == [0, 2]
    results = nodes['results'].get_dict()
    assert results['counts'] == {'failed': 1, 'finished': 2}
    assert [item['configuration'] for item in results['failures']] == [1]


def test_frames_are_counted_over_the_stages(aiida_profile_clean):
    time = {'time': np.arange(6) / 1000}
    about = {'configuration': 0, 'record_every': 2, 'steps': 5, 'domain': 'hot {domain}'}
    parts = {
        'run_0': about | {'stage': 0, 'first_step': 0, 'first_time': 0.0, 'stage_first_step': 0},
        'run_1': about | {'stage': 0, 'first_step': 5, 'first_time': 0.005, 'stage_first_step': 0},
        'run_2': about | {'stage': 1, 'first_step': 10, 'first_time': 0.01, 'stage_first_step': 10},
    }
    runs = {label: dataset(range(6), **time) for label in parts}
    found = collect('md', ['finished'], parts, **runs)['dataset'].get_configurations()
    # every second step of each stage; a run's step 0 is the end of the one before
    assert found.info['step'].tolist() == [2, 4, 6, 8, 10, 12, 14]
    np.testing.assert_allclose(found.info['time'], found.info['step'] / 1000, atol=1e-12)
    assert found.info['stage'].tolist() == [0, 0, 0, 0, 0, 1, 1]
    assert set(found.domains.tolist()) == {'hot gas'}
    assert set(found.blocks.tolist()) == {0}


def test_without_any_frame_there_are_results_alone(aiida_profile_clean):
    nodes = collect('label', ['failed'], {})
    assert set(nodes) == {'results'}
    assert nodes['results']['n_frames'] == 0


def test_roles_go_with_the_labels(aiida_profile_clean):
    bare = ConfigurationsData.from_atoms([Atoms('H', info={'domain': 'gas'})]).get_configurations()
    given = ConfigurationsData.from_configurations(replace(bare, roles={'gas': 'bulk:2'}))
    outcomes = {'kind': 'label', 'statuses': [{'status': 'finished', 'message': None}]}
    outcomes['parts'] = {'a': {'configuration': 0}}
    found = collect_reference(given, orm.Dict(outcomes), a=dataset([7]))['dataset']
    assert found.kinds['gas'].family == found.get_configurations().kinds['gas'].family == 'bulk'
