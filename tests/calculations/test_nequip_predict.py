"""Tests for `NequipPredictCalculation`."""

import numpy as np
import pytest
from aiida.engine import run_get_node
from aiida.manage.caching import enable_caching
from aiida.plugins import CalculationFactory

from aiida_enne.data.configurations import ConfigurationsData
from aiida_enne.data.dataset import DatasetData
from aiida_enne.data.model import ModelData
from aiida_enne.data.split import SplitData
from aiida_enne.science import npz
from aiida_enne.science.data.frames import from_atoms
from aiida_enne.science.data.splits import Split
from tests import warm
from tests.members import alloys

ENTRY_POINT = 'enne.nequip.predict'


def make_model(seed, elements=('Cu',)):
    """Return a node that nobody loads: these tests look at what is sent, not at what comes."""
    attributes = {'identity': str(seed), 'seed': seed, 'weights_sha256': f'{seed:064x}'}
    return ModelData.from_files(b'weights', {}, elements=list(elements), **attributes).store()


@pytest.fixture
def split(dataset):
    """Return a split whose test part is in the middle."""
    split = Split(np.array([0, 1, 2, 3]), np.array([4, 5]), np.array([6, 7]))
    return SplitData.from_split(split, dataset, method='by hand').store()


@pytest.fixture
def inputs(dataset, aiida_code_installed):
    """Return the smallest complete inputs of a prediction job."""
    return {
        'code': aiida_code_installed(
            label='python', default_calc_job_plugin=ENTRY_POINT, filepath_executable=warm.python()
        ),
        'dataset': dataset,
        'models': {'seed_7': make_model(7), 'seed_8': make_model(8)},
    }


def uploaded(folder):
    with folder.open('configurations.npz', 'rb') as handle:
        return npz.loads(handle.read())


def test_default(prepare, inputs, file_regression):
    job, folder = prepare(ENTRY_POINT, inputs)
    assert sorted(folder.get_content_list()) == [
        'configurations.npz',
        'members',
        'nequip_artefact.py',
        'nequip_codegen.py',
        'nequip_compiled.py',
        'nequip_curves.py',
        'nequip_ensemble.cpp',
        'nequip_ensemble.py',
        'nequip_faster.py',
        'nequip_frames.py',
        'nequip_fused.py',
        'nequip_groups.py',
        'nequip_harmonics.cpp',
        'nequip_memory.py',
        'nequip_parts.py',
        'nequip_predict.py',
        'nequip_predict_member.py',
        'nequip_predict_together.py',
        'nequip_private.py',
        'nequip_product.cpp',
        'nequip_product.py',
        'nequip_trust.py',
        'nequip_weights.py',
        'predict.json',
    ]
    assert sorted(target for _, _, target in job.local_copy_list) == [
        'members/seed_7.ckpt',
        'members/seed_8.ckpt',
    ]
    assert job.provenance_exclude_list == ['configurations.npz']
    assert job.retrieve_list == ['nequip_predict.out', 'result.json']
    assert job.retrieve_temporary_list[0] == ('predictions/seed_7.npz', '.', 2)
    with folder.open('predict.json') as handle:
        file_regression.check(handle.read(), extension='.json')


def test_all_configurations_without_labels(prepare, inputs):
    _, folder = prepare(ENTRY_POINT, inputs)
    arrays = uploaded(folder)
    np.testing.assert_array_equal(arrays['indices'], np.arange(10))
    assert sorted(arrays) == ['cells', 'indices', 'n_atoms', 'numbers', 'pbc', 'positions']


@pytest.mark.parametrize(
    ('part', 'expected'), [(None, [6, 7]), ('validation', [4, 5]), ('train', [0, 1, 2, 3])]
)
def test_part_of_a_split(prepare, inputs, split, configurations, part, expected):
    more = {'split': split} | ({} if part is None else {'part': part})
    _, folder = prepare(ENTRY_POINT, inputs | more)
    arrays = uploaded(folder)
    assert arrays['indices'].tolist() == expected
    np.testing.assert_array_equal(arrays['positions'], configurations.select(expected).positions)


def test_split_of_another_dataset_is_refused(prepare, inputs, split):
    other = DatasetData.from_configurations(from_atoms(alloys(3)))
    with pytest.raises(ValueError, match='the split belongs to the dataset'):
        prepare(ENTRY_POINT, inputs | {'split': split, 'dataset': other})


def test_empty_part_is_refused(prepare, inputs, dataset):
    nothing = Split(np.arange(8), np.array([8, 9]), np.array([], dtype=int))
    split = SplitData.from_split(nothing, dataset, method='by hand')
    with pytest.raises(ValueError, match='the part `test` of the split is empty'):
        prepare(ENTRY_POINT, inputs | {'split': split})


def test_unknown_elements_are_refused_by_name(prepare, inputs):
    dataset = DatasetData.from_configurations(from_atoms(alloys(4)))
    with pytest.raises(ValueError, match=r"holds \['Al'\], the model `seed_7` knows only \['Cu'\]"):
        prepare(ENTRY_POINT, inputs | {'dataset': dataset})


@pytest.mark.parametrize(
    ('wrong', 'message'),
    [
        ({'mode': 'fast'}, '`mode` must be one of'),
        ({'part': 'test'}, 'there is no `split`'),
        ({'part': 'rest'}, '`part` must be one of'),
        ({'batch_atoms': 0}, 'at least 1'),
        ({'threads': -1}, 'at least 1'),
        ({'features': 'all'}, '`features` must be one of'),
        ({'models': {}}, 'at least one member'),
    ],
)
def test_wrong_inputs_are_refused(prepare, inputs, wrong, message):
    with pytest.raises(ValueError, match=message):
        prepare(ENTRY_POINT, inputs | wrong)


@pytest.mark.nequip
def test_run_and_its_cache(models, aiida_code_installed):
    structures = alloys(5, seed=4)
    dataset = DatasetData.from_configurations(from_atoms(structures), level_of_theory='EMT')
    inputs = {
        'code': aiida_code_installed(
            label='python', default_calc_job_plugin=ENTRY_POINT, filepath_executable=warm.python()
        ),
        'dataset': dataset,
        'models': models,
        'features': 'per_atom',
        'mode': 'eager',
        'threads': 1,
    }
    process = CalculationFactory(ENTRY_POINT)
    outputs, node = run_get_node(process, **inputs)
    assert node.is_finished_ok, node.exit_message
    assert set(outputs['predictions']) == set(models)
    prediction = outputs['predictions']['seed_8']
    arrays, attributes = prediction.get_arrays(), prediction.base.attributes.all
    labels = dataset.get_configurations()
    assert attributes['force_mae'] == pytest.approx(
        np.abs(arrays['forces'] - labels.forces).mean(), rel=1e-12
    )
    per_atom = (arrays['energies'] - labels.energies) / labels.n_atoms
    assert attributes['energy_mae'] == pytest.approx(np.abs(per_atom).mean(), rel=1e-12)
    assert attributes['weights_sha256'] == models['seed_8'].weights_sha256
    assert attributes['dataset_sha256'] == dataset.sha256
    assert attributes['r_max'] == models['seed_8'].base.attributes.get('r_max')
    assert (attributes['seed'], attributes['n_frames'], attributes['part']) == (8, 5, 'all')
    assert arrays['features'].shape == (20, 4)
    assert outputs['results']['members']['seed_8']['status'] == 'finished'
    assert not [
        name
        for name in outputs['retrieved'].base.repository.list_object_names()
        if name.startswith('predictions')
    ]

    settings = {'mode': 'auto', 'threads': 2, 'batch_atoms': 3, 'artefacts': '../elsewhere'}
    with enable_caching():
        _, again = run_get_node(process, **inputs | settings)
        assert again.base.caching.get_cache_source() == node.uuid
        _, other = run_get_node(process, **inputs | {'features': 'none'})
        assert other.base.caching.get_cache_source() is None


@pytest.mark.nequip
def test_a_broken_member_beside_a_good_one(models, aiida_code_installed):
    structures = [atoms.copy() for atoms in alloys(2)]
    broken = make_model(1, elements=['Al', 'Cu'])
    outputs, node = run_get_node(
        CalculationFactory(ENTRY_POINT),
        code=aiida_code_installed(
            label='python', default_calc_job_plugin=ENTRY_POINT, filepath_executable=warm.python()
        ),
        dataset=ConfigurationsData.from_atoms(structures),
        models={'seed_7': models['seed_7'], 'seed_8': models['seed_8'], 'broken': broken},
        mode='vectorised',
    )
    assert node.exit_status == 310
    assert 'broken' in node.exit_message
    assert 'seed_7' not in node.exit_message
    assert set(outputs['predictions']) == {'seed_7', 'seed_8'}
    prediction = outputs['predictions']['seed_7']
    assert 'force_mae' not in prediction.base.attributes
    assert prediction.base.attributes.get('mode') == 'vectorised'
    results = outputs['results'].get_dict()
    assert 'relative to the largest force' in results['members']['seed_8']['note']
    assert results['threads'] == 1
