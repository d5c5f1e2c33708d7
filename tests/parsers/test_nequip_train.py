"""Tests for `NequipTrainParser`: one per verdict, and everything there is attached to each."""

import json

import pytest
from aiida import orm

from aiida_enne.calculations.nequip_train import NequipTrainCalculation

NAME, SHA = 'enne.nequip.train', 'ab' * 32
FOLDER = 'members/seed_1'
RESULT = {
    'status': 'finished',
    'message': '',
    'epochs': 3,
    'first_epoch': 1,
    'best_epoch': 2,
    'best_score': 0.5,
    'metrics': {'val0_epoch/forces_mae': 0.5},
    'weights_sha256': SHA,
    'n_parameters': 136,
    'type_names': ['Cu'],
    'r_max': 4.0,
    'versions': {'nequip': '0.19.1', 'torch': '2.13.0'},
}
NAMESPACES = {'models', 'histories', 'results'}


def left(folder=FOLDER, **result):
    """Return what a member leaves, its result changed."""
    return {
        f'{folder}/history.csv': 'epoch,val0_epoch/forces_mae\n0,0.9\n1,0.7\n2,0.5\n',
        f'{folder}/progress.json': json.dumps({'epoch': 3, 'first_epoch': 1}),
        f'{folder}/result.json': json.dumps(RESULT | result),
        f'{folder}/checkpoints/best.ckpt': b'weights',
    }


@pytest.fixture
def inputs(dataset, split, parameters):
    return {
        'dataset': dataset,
        'split': split,
        'parameters': orm.Dict(parameters).store(),
        'seeds__seed_1': orm.Int(1).store(),
    }


def found(outputs):
    return {label.split('.')[0].split('__')[0] for label in outputs}


def test_success(parse, inputs):
    outputs, node = parse(NAME, left(), inputs)
    assert node.is_finished_ok, node.exit_message
    model = (
        outputs['models__seed_1'] if 'models__seed_1' in outputs else outputs['models']['seed_1']
    )
    attributes = model.base.attributes.all
    assert attributes['complete'] is True
    assert attributes['weights_sha256'] == SHA
    assert (attributes['seed'], attributes['epochs'], attributes['best_epoch']) == (1, 3, 2)
    assert attributes['elements'] == ['Cu']
    assert model.get_config()['training_module']['model']['seed'] == 1


@pytest.mark.parametrize(
    ('changes', 'status', 'label', 'kept'),
    [
        ({'*': None}, None, 'ERROR_NOTHING_LEFT', set()),
        ({'history.csv': 'rubbish'}, None, 'ERROR_HISTORY_UNREADABLE', {'models', 'results'}),
        ({'history.csv': b'\xff\xfe'}, None, 'ERROR_HISTORY_UNREADABLE', {'models', 'results'}),
        ({'history.csv': None}, None, 'ERROR_HISTORY_UNREADABLE', {'models', 'results'}),
        ({'checkpoints/best.ckpt': None}, None, 'ERROR_MODEL_MISSING', {'histories', 'results'}),
        (
            {'result.json': '{"status": "fin'},
            None,
            'ERROR_RESULT_UNREADABLE',
            {'histories', 'results'},
        ),
        ({'result.json': b'\xff'}, None, 'ERROR_RESULT_UNREADABLE', {'histories', 'results'}),
        ({'status': 'unfinished'}, None, 'ERROR_OUT_OF_WALLTIME', NAMESPACES),
        ({'status': 'out_of_memory'}, None, 'ERROR_OUT_OF_MEMORY', NAMESPACES),
        ({'status': 'failed'}, None, 'ERROR_MEMBERS_FAILED', NAMESPACES),
        ({'status': 'diverged'}, None, 'ERROR_MEMBERS_DIVERGED', NAMESPACES),
        ({'result.json': None}, None, 'ERROR_MEMBERS_KILLED', {'histories', 'results'}),
        ({'result.json': None}, 110, 'ERROR_OUT_OF_MEMORY', {'histories', 'results'}),
        ({'result.json': None}, 120, 'ERROR_OUT_OF_WALLTIME', {'histories', 'results'}),
        ({'status': 'unfinished'}, 120, 'ERROR_OUT_OF_WALLTIME', NAMESPACES),
    ],
)
def test_failure_keeps_what_there_is(parse, inputs, changes, status, label, kept):
    files = left(**{'status': changes['status']} if 'status' in changes else {})
    for name, content in changes.items():
        if name == '*':
            files = {}
        elif content is None:
            del files[f'{FOLDER}/{name}']
        elif name != 'status':
            files[f'{FOLDER}/{name}'] = content
    attributes = {} if status is None else {'exit_status': status}
    outputs, node = parse(NAME, files, inputs, attributes)
    assert node.exit_status == NequipTrainCalculation.exit_codes[label].status
    assert found(outputs) == kept


def test_incomplete_models_say_so(parse, inputs):
    outputs, _ = parse(NAME, left(status='unfinished'), inputs)
    model = (
        outputs['models__seed_1'] if 'models__seed_1' in outputs else outputs['models']['seed_1']
    )
    assert model.base.attributes.get('complete') is False


def test_what_can_be_continued_is_said_first(parse, inputs):
    """One member diverged, one crashed, one was killed: the restart handler must be reached."""
    inputs |= {f'seeds__seed_{seed}': orm.Int(seed).store() for seed in (2, 3)}
    files = left(status='diverged') | left('members/seed_2', status='failed', message='boom')
    _, node = parse(NAME, files, inputs)
    assert node.exit_status == NequipTrainCalculation.exit_codes.ERROR_MEMBERS_KILLED.status
    assert 'seed_3' in node.exit_message


def test_the_end_of_the_output_tells_why_nothing_began(parse, inputs):
    files = {'nequip_train.out': "Traceback\nModuleNotFoundError: No module named 'nequip'\n"}
    _, node = parse(NAME, files, inputs, {'output_filename': 'nequip_train.out'})
    assert "No module named 'nequip'" in node.exit_message
