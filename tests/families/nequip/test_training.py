"""Tests for the codec of NequIP trainings."""

import copy
import json

import numpy as np
import pytest

from aiida_enne.families.nequip import training


@pytest.fixture
def minimal():
    return {
        'data': {},
        'trainer': {'max_epochs': 3},
        'training_module': {'model': {'_target_': 'nequip.model.NequIPGNNModel'}},
    }


def test_render_sets_what_the_job_owns_and_keeps_the_rest(minimal):
    before = copy.deepcopy(minimal)
    minimal['cutoff'] = 5.0
    minimal['trainer']['callbacks'] = [{'_target_': 'lightning.pytorch.callbacks.Timer'}]
    config = training.render(minimal, seed=7, elements=['Ge', 'Si'])
    assert config['run'] == ['train']
    assert config['data']['seed'] == config['training_module']['model']['seed'] == 7
    assert config['training_module']['model']['type_names'] == ['Ge', 'Si']
    assert config['cutoff'] == 5.0
    assert [c['_target_'] for c in config['trainer']['callbacks']] == [
        'lightning.pytorch.callbacks.Timer',
        'nequip_keeper.Keeper',
    ]
    assert minimal['training_module'] == before['training_module']
    assert minimal['data'] == {}


def test_given_type_names_win(minimal):
    minimal['training_module']['model']['type_names'] = ['Si', 'Ge']
    config = training.render(minimal, seed=7, elements=['Ge', 'Si'])
    assert config['training_module']['model']['type_names'] == ['Si', 'Ge']


def test_seed_goes_to_the_innermost_model(minimal):
    inner = {'_target_': 'nequip.model.NequIPGNNModel'}
    minimal['training_module']['model'] = {'_target_': 'nequip.model.modify', 'model': inner}
    model = training.render(minimal, seed=7, elements=['Si'])['training_module']['model']
    assert model['model'] == inner | {'seed': 7, 'type_names': ['Si']}
    assert 'seed' not in model


def test_a_finished_model_takes_no_seed(minimal):
    model = {'_target_': 'nequip.model.ModelFromPackage', 'package_path': 'base.nequip.zip'}
    minimal['training_module']['model'] = model
    assert training.render(minimal, seed=7, elements=['Si'])['training_module']['model'] == model


@pytest.mark.parametrize(
    ('monitor', 'mode'), [('val0_epoch/forces_rmse', 'min'), ('val0_epoch/r2', 'max')]
)
def test_a_model_checkpoint_says_what_is_best(minimal, monitor, mode):
    target = 'lightning.pytorch.callbacks.ModelCheckpoint'
    minimal['trainer']['callbacks'] = [{'_target_': target, 'monitor': monitor, 'mode': mode}]
    keeper = training.render(minimal, seed=7, elements=['Si'])['trainer']['callbacks'][-1]
    assert (keeper['monitor'], keeper['mode']) == (monitor, mode)


@pytest.mark.parametrize('path', sorted(training.OWNED))
def test_options_that_the_job_owns_are_refused_by_name(minimal, path):
    place = minimal
    *parents, last = path.split('.')
    for name in parents:
        place = place[name]
    place[last] = 1
    assert f'`{path}`' in training.check_parameters(minimal)


@pytest.mark.parametrize(('devices', 'fine'), [(1, True), ([3], True), (2, False), ('auto', False)])
def test_a_member_trains_on_one_device(minimal, devices, fine):
    minimal['trainer']['devices'] = devices
    assert (training.check_parameters(minimal) is None) == fine


@pytest.mark.parametrize(
    ('name', 'value', 'fine'),
    [
        ('r_max', 4, True),
        ('r_max', 4.5, True),
        ('r_max', '${cutoff}', True),
        ('r_max', 'x', False),
        ('r_max', 0, False),
        ('r_max', float('inf'), False),
        ('l_max', 0, True),
        ('l_max', -1, False),
        ('l_max', 1.5, False),
        ('num_layers', 0, False),
        ('num_features', [8, 4], True),
        ('num_features', [8, 0], False),
        ('num_features', True, False),
    ],
)
def test_sizes_that_no_model_has_are_refused_by_name(minimal, name, value, fine):
    minimal['training_module']['model'][name] = value
    reason = training.check_parameters(minimal)
    assert (reason is None) == fine
    if not fine:
        assert f'`training_module.model.{name}`' in reason
        assert repr(value) in reason


@pytest.mark.parametrize(
    ('value', 'fine'),
    [(1, True), (-1, True), (None, True), ('${epochs}', True)]
    + [(value, False) for value in (0, -3, 'many', 1.5, True)],
)
def test_a_number_of_epochs_that_is_none_is_refused(minimal, value, fine):
    minimal['trainer']['max_epochs'] = value
    reason = training.check_parameters(minimal)
    assert (reason is None) == fine
    if not fine:
        assert reason == f'`trainer.max_epochs` must be a whole number from 1, got {value!r}'


def test_hidden_seeds_are_refused(minimal):
    minimal['training_module']['model']['model'] = {'seed': 3}
    assert '`seed`' in training.check_parameters(minimal)


@pytest.mark.parametrize('section', ['data', 'trainer', 'training_module'])
def test_missing_sections_are_named(minimal, section):
    del minimal[section]
    assert section in training.check_parameters(minimal)


def test_missing_model_is_named(minimal):
    minimal['training_module'] = {}
    assert 'training_module.model' in training.check_parameters(minimal)


def test_identity_is_what_decides_the_result(minimal):
    def identity(parameters=minimal, seed=7, data=('a', 'b', 'c')):
        return training.identity(parameters, seed=seed, elements=['Si'], data=data)

    shuffled = {name: minimal[name] for name in reversed(minimal)}
    spelled_out = copy.deepcopy(minimal)
    spelled_out['training_module']['model']['type_names'] = ['Si']
    assert identity() == identity(shuffled) == identity(spelled_out)
    longer = minimal | {'trainer': {'max_epochs': 4}}
    others = {identity(longer), identity(seed=8), identity(data=('a', 'b', 'd'))}
    assert len(others | {identity()}) == 4


def test_history():
    history = training.read_history('epoch,val0_epoch/forces_mae\n0.0,0.5\n1.0,nan\n')
    np.testing.assert_array_equal(history['epoch'], [0, 1])
    np.testing.assert_array_equal(history['val0_epoch_forces_mae'], [0.5, np.nan])


@pytest.mark.parametrize(
    'text', ['', 'epoch', 'loss\n1\n', 'epoch,loss\n0,1\n1\n', 'epoch\nnone\n', 'epoch\n0,1\n']
)
def test_damaged_histories_are_refused(text):
    with pytest.raises(training.OutputError):
        training.read_history(text)


RESULT = {'status': 'finished', 'epochs': 3, 'first_epoch': 0, 'metrics': {'loss': 0.1}}


def test_result():
    assert training.read_result(json.dumps(RESULT)) == RESULT


@pytest.mark.parametrize('length', range(0, len(json.dumps(RESULT)), 7))
def test_every_prefix_of_a_result_is_refused(length):
    with pytest.raises(training.OutputError):
        training.read_result(json.dumps(RESULT)[:length])


@pytest.mark.parametrize(
    'text', ['[]', '3', '{}', '{"status": "done"}', json.dumps(RESULT | {'epochs': 'three'})]
)
def test_results_of_another_kind_are_refused(text):
    with pytest.raises(training.OutputError):
        training.read_result(text)


@pytest.mark.parametrize('text', ['', '[]', '{"epoch": 1}', '{"epoch": null, "first_epoch": 0}'])
def test_damaged_progress_is_refused(text):
    with pytest.raises(training.OutputError):
        training.read_progress(text)
