"""Tests for `ScanWorkChain`: what it refuses and knows already; for runs see `test_study`."""

import numpy as np
import pytest
from aiida import orm
from aiida.engine.utils import instantiate_process
from aiida.manage import get_manager
from aiida.manage.caching import enable_caching

from aiida_enne.calculations.scans import summarise_scan
from aiida_enne.data.prediction import PredictionData
from aiida_enne.science.plans.points import Trained
from aiida_enne.workflows import protocols
from aiida_enne.workflows.study.scan import ScanWorkChain
from tests.audited import model

POINTS = {
    'l_max_1': {'values': {'l_max': 1}, 'draw': None, 'parameters': {}, 'seeds': [1]},
    'l_max_2': {
        'values': {'l_max': 2},
        'draw': {'size': 2, 'seed': 1},
        'parameters': {'training_module': {'model': {'l_max': 2}}},
        'seeds': [1, 2],
    },
}


@pytest.fixture
def inputs(dataset, split, train_code):
    """Return inputs of a scan of two points on the copper dataset."""
    ensemble = protocols.load('ensemble', 'test')
    del ensemble['seeds']
    parameters = ensemble['training']['train'].pop('parameters')
    ensemble['training']['train'] |= {'code': train_code, 'parameters': orm.Dict(parameters)}
    predict = protocols.load('predict', 'test')
    predict['predict']['code'] = train_code
    return {
        'kind': orm.Str('grid'),
        'points': orm.Dict(POINTS),
        'dataset': dataset,
        'split': split,
        'ensemble': ensemble,
        'prediction': predict,
        'datasets': {'training': dataset},
        'parts': {'training': split},
    }


@pytest.fixture
def scan(inputs):
    """Return the process, nothing run."""
    return instantiate_process(get_manager().get_runner(), ScanWorkChain, **inputs)


def test_every_point_trains_its_own_parameters_on_its_own_split(scan, split):
    scan.begin()
    assert scan.has_work()
    assert scan.ctx.waiting == ['train__l_max_1', 'train__l_max_2']
    scan.ctx.shares = {'train__l_max_1': None, 'train__l_max_2': 1}
    _, plain = scan.job('train__l_max_1')
    process, changed = scan.job('train__l_max_2')
    assert process.__name__ == 'EnsembleWorkChain'
    assert changed['seeds'].get_list() == [1, 2]
    assert plain['split'].uuid == split.uuid
    drawn, whole = changed['split'].get_split(), split.get_split()
    assert len(drawn.train) == 2
    assert set(drawn.train) < set(whole.train)
    np.testing.assert_array_equal(drawn.test, whole.test)
    models = [
        one['training']['train']['parameters']['training_module']['model']
        for one in (plain, changed)
    ]
    assert models[0] == scan.inputs.ensemble.training.train.parameters['training_module']['model']
    assert models[1] == models[0] | {'l_max': 2}
    assert changed['max_concurrent'] == 1
    assert changed['metadata']['call_link_label'] == 'train__l_max_2'
    assert 'max_concurrent' not in plain


@pytest.mark.parametrize(('cached', 'same_part'), [(True, True), (False, True), (True, False)])
def test_only_members_that_were_not_asked_are_asked(scan, dataset, split, cached, same_part):
    """Known is what is on the very configurations, and only where caching is on."""
    configurations = dataset.get_configurations()
    indices = split.get_split().test if same_part else np.array([0, 1])
    chosen = configurations.select(indices)
    arrays = {'indices': indices, 'energies': chosen.energies, 'forces': chosen.forces}
    known = PredictionData.from_arrays(
        arrays,
        dataset_sha256=dataset.sha256,
        weights_sha256=model(1).weights_sha256,
        seed=1,
    ).store()
    scan.begin()
    scan.ctx.models = {'l_max_1': {'seed_1': model(1)}, 'l_max_2': {'seed_1': model(2)}}
    branch = scan.branches()['predict__training']
    assert branch.needs.ended == ('train__l_max_1', 'train__l_max_2')
    if cached:
        with enable_caching(identifier='aiida.calculations:enne.*'):
            assert branch.wanted()
    else:
        assert branch.wanted()
    process, inputs, width = branch.build()
    assert width == 1
    assert process.__name__ == 'PredictionWorkChain'
    expected = {'l_max_2_seed_1'} | ({'l_max_1_seed_1'} if not (cached and same_part) else set())
    assert set(inputs['models']) == expected
    assert inputs['splits']['training'].uuid == split.uuid
    if cached and same_part:
        assert scan.ctx.found['training']['l_max_1_seed_1'].uuid == known.uuid


def test_a_summary_tells_values_sizes_and_weights(dataset, split):
    models = {name: {'seed_1': model(i).store()} for i, name in enumerate(('a', 'b'))}
    told = summarise_scan(
        orm.Str('sizes'),
        orm.Dict({'a': {'n_train': 6}, 'b': {'n_train': 6}, 'c': {'n_train': 9}}),
        models=models,
        splits={'a': split, 'b': split},
        datasets={'training': dataset},
    )
    assert told.kind == 'sizes'
    assert set(told.points) == {'a', 'b'}  # nothing was trained at c
    assert told.points['b'] == Trained(
        values={'n_train': 6}, n_train=6, members={'seed_1': model(1).weights_sha256}
    )
    assert told.roles == {'training': dataset.sha256}


@pytest.mark.parametrize(
    ('port', 'value', 'message'),
    [
        ('kind', 'moods', "`kind` must be one of .'grid'"),
        ('points', {}, 'at least one'),
        ('points', {'l_max_1': {}}, 'l_max_1: values, parameters, seeds must be given'),
        (
            'points',
            {'l_max_1': POINTS['l_max_1'] | {'draw': {'size': 10_000, 'seed': 1}}},
            'l_max_1: .*10000',
        ),
        (
            'points',
            {'l_max_1': POINTS['l_max_1'] | {'draw': {'many': 1}}},
            'draw: unknown many; expected size',
        ),
        (
            'points',
            POINTS | {'l_max_1': POINTS['l_max_1'] | {'parameters': {'data': {'seed': 1}}}},
            'must not hold `data.seed`',
        ),
    ],
)
def test_inputs_of_no_use_are_refused(inputs, port, value, message):
    changed = inputs | {port: orm.to_aiida_type(value)}
    with pytest.raises(ValueError, match=message):
        instantiate_process(get_manager().get_runner(), ScanWorkChain, **changed)


def test_the_builder_plans_the_points_of_a_protocol(dataset, split, train_code):
    """As a study would; the test part is predicted, and what else is named."""
    size = split.base.attributes.get('n_train')
    builder = ScanWorkChain.get_builder_from_protocol(
        train_code,
        dataset,
        split,
        {'kind': 'sizes', 'sizes': [2, size], 'max_concurrent': 2},
        datasets={'again': dataset},
        protocol='test',
        overrides={'ensemble': {'seeds': [4, 5]}},
    )
    scan = instantiate_process(get_manager().get_runner(), ScanWorkChain, **builder)
    points = scan.inputs.points.get_dict()
    assert {label: point['draw'] for label, point in points.items()} == {
        'n_train_2': {'size': 2, 'seed': 1, 'index': 0},
        f'n_train_{size}': None,
    }
    assert all(point['seeds'] == [4, 5] for point in points.values())
    assert set(scan.inputs.datasets) == {'training', 'again'}
    assert scan.inputs.parts.training.uuid == split.uuid
    assert scan.inputs.max_concurrent == 2
    with pytest.raises(ValueError, match="got \\['audit'\\]"):
        ScanWorkChain.get_builder_from_protocol(
            train_code, dataset, split, {'kind': 'sizes', 'sizes': [2]}, overrides={'audit': {}}
        )


def test_a_split_of_another_dataset_is_refused(dataset, split, train_code):
    other = type(dataset).from_configurations(dataset.get_configurations().select([0, 1])).store()
    with pytest.raises(ValueError, match='belongs to the dataset'):
        ScanWorkChain.get_builder_from_protocol(
            train_code, other, split, {'kind': 'sizes', 'sizes': [2]}, protocol='test'
        )
