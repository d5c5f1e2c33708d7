"""Tests for `NequipPredictParser`: what is left of a job, and the verdict."""

import json

import numpy as np
import pytest
from aiida import orm
from aiida.common import LinkType
from aiida.plugins import ParserFactory
from aiida.plugins.entry_point import format_entry_point_string

from aiida_enne.data.model import ModelData
from aiida_enne.science import npz

ENTRY_POINT = 'enne.nequip.predict'
LOG = 'nequip_predict.out'


def member(status='finished', message='', mode='eager'):
    return {'status': status, 'message': message, 'mode': mode, 'note': ''}


def result(**members):
    return json.dumps({'members': {'seed_7': member(), 'seed_8': member()} | members})


@pytest.fixture
def arrays(configurations):
    """Return a prediction that is wrong by 0.1 eV/Å in every force and 0.4 eV in every energy."""
    return {
        'indices': np.arange(10),
        'energies': configurations.energies + 0.4,
        'forces': configurations.forces + 0.1,
    }


@pytest.fixture
def parse(dataset, aiida_localhost, tmp_path):
    """Return a function that parses a job: `outputs, node = parse(result, predictions, files)`."""

    def run(text, predictions, files=(), **attributes):
        node = orm.CalcJobNode(
            computer=aiida_localhost,
            process_type=format_entry_point_string('aiida.calculations', ENTRY_POINT),
        )
        node.base.links.add_incoming(dataset, LinkType.INPUT_CALC, 'dataset')
        for seed in (7, 8):
            known = {'identity': str(seed), 'seed': seed, 'weights_sha256': f'{seed:064x}'}
            model = ModelData.from_files(b'', {}, elements=['Cu'], **known).store()
            node.base.links.add_incoming(model, LinkType.INPUT_CALC, f'models__seed_{seed}')
        node.set_option('output_filename', LOG)
        node.base.attributes.set_many(attributes)
        node.store()
        retrieved = orm.FolderData()
        for name, content in {**dict(files), 'result.json': text}.items():
            if content is not None:
                retrieved.base.repository.put_object_from_bytes(content.encode(), name)
        retrieved.base.links.add_incoming(node, LinkType.CREATE, 'retrieved')
        retrieved.store()
        (tmp_path / 'predictions').mkdir()
        for label, content in predictions.items():
            data = content if isinstance(content, bytes) else npz.dumps(content)
            (tmp_path / 'predictions' / f'{label}.npz').write_bytes(data)
        return ParserFactory(ENTRY_POINT).parse_from_node(
            node, store_provenance=False, retrieved_temporary_folder=str(tmp_path)
        )

    return run


def test_all_is_well(parse, arrays, dataset):
    outputs, node = parse(result(), {'seed_7': arrays, 'seed_8': arrays})
    assert node.is_finished_ok, node.exit_message
    attributes = outputs['predictions']['seed_8'].base.attributes.all
    assert attributes['force_mae'] == pytest.approx(0.1)
    assert attributes['force_rmse'] == pytest.approx(0.1)
    assert attributes['energy_mae'] == pytest.approx(0.1)
    assert attributes['seed'] == 8
    assert attributes['level_of_theory'] == 'EMT'
    assert attributes['dataset_sha256'] == dataset.sha256
    np.testing.assert_array_equal(
        outputs['predictions']['seed_7'].get_arrays()['forces'], arrays['forces']
    )


def test_part_of_the_dataset(parse, arrays, configurations):
    some = {'indices': np.array([8, 2]), 'energies': arrays['energies'][[8, 2]]}
    some['forces'] = configurations.select([8, 2]).forces
    outputs, node = parse(result(), {'seed_7': some, 'seed_8': arrays})
    assert node.is_finished_ok, node.exit_message
    assert outputs['predictions']['seed_7'].base.attributes.get('force_mae') == 0


@pytest.mark.parametrize(('status', 'code'), [('failed', 310), ('not_finite', 510)])
def test_a_member_fails_alone(parse, arrays, status, code):
    text = result(seed_7=member(status, 'configuration 3 is the culprit'))
    outputs, node = parse(text, {'seed_8': arrays})
    assert node.exit_status == code
    assert 'seed_7: configuration 3 is the culprit' in node.exit_message
    assert 'seed_8' not in node.exit_message
    assert set(outputs['predictions']) == {'seed_8'}


@pytest.mark.parametrize(
    ('left', 'reason'),
    [
        (None, 'No such file'),
        (b'', 'seed_7'),
        ({'indices': np.arange(10), 'energies': np.zeros(10)}, 'lacks'),
        (99, 'from 99 to 99'),
        (-1, 'from -1 to -1'),
        ({'energies': np.array([99.0])}, 'indices'),
    ],
)
def test_a_lost_or_damaged_prediction(parse, arrays, left, reason):
    if isinstance(left, int):
        left = {'indices': np.array([left]), 'energies': np.zeros(1), 'forces': np.zeros((4, 3))}
    predictions = {'seed_8': arrays} | ({} if left is None else {'seed_7': left})
    outputs, node = parse(result(), predictions)
    assert node.exit_status == 302
    assert reason in node.exit_message
    assert set(outputs['predictions']) == {'seed_8'}


def test_cut_anywhere(parse, arrays, rng):
    whole = npz.dumps(arrays)
    part = whole[: int(rng.integers(1, len(whole) - 1))]
    _, node = parse(result(), {'seed_7': part, 'seed_8': arrays})
    assert node.exit_status == 302


@pytest.mark.parametrize(
    'change',
    [
        {'forces': np.zeros((39, 3))},
        {'energies': np.zeros(9)},
        {'stresses': np.zeros((10, 6))},
        {'features': np.zeros((1, 8))},
        {'summed_features': np.zeros((9, 8))},
        {'energies': np.full(10, np.nan)},
        {'surprise': np.zeros(1)},
    ],
)
def test_wrong_arrays(parse, arrays, change):
    _, node = parse(result(), {'seed_7': arrays | change, 'seed_8': arrays})
    assert node.exit_status == 302
    assert next(iter(change)) in node.exit_message


@pytest.mark.parametrize('text', ['', '{', '[]', '{}', '{"members": {"seed_7": {}}}'])
def test_unreadable_result(parse, text):
    _, node = parse(text, {})
    assert node.exit_status == 302
    assert 'result.json' in node.exit_message


def test_unknown_status(parse):
    _, node = parse(result(seed_7=member('tired')), {})
    assert "got 'tired'" in node.exit_message


def test_nothing_left(parse):
    outputs, node = parse(None, {}, {LOG: 'one\ntwo\nModuleNotFoundError: no nequip\n'})
    assert node.exit_status == 301
    assert 'no nequip' in node.exit_message
    assert not outputs


@pytest.mark.parametrize(('scheduler', 'code'), [(110, 401), (120, 400)])
def test_the_scheduler_knows_better(parse, scheduler, code):
    _, node = parse(None, {}, exit_status=scheduler)
    assert node.exit_status == code


def test_want_of_memory_of_one_member_goes_before_other_failures(parse, arrays):
    text = result(seed_7=member('failed', 'no file'), seed_8=member('out_of_memory', 'CUDA'))
    outputs, node = parse(text, {})
    assert node.exit_status == 401
    assert 'predictions' not in outputs
