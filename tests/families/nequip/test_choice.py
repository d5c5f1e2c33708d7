"""Tests for the choice between members together and each alone."""

import copy

import pytest

from aiida_enne import families
from aiida_enne.families.nequip import FAMILY, choice
from aiida_enne.workflows import protocols

STRESS = {'_target_': 'nequip.train.EnergyForceStressLoss'}


def parameters_of(protocol, **trainer):
    train = protocols.load('ensemble', protocol)['training']['train']
    parameters = copy.deepcopy(train['parameters'])
    parameters['trainer'] |= {'accelerator': 'cpu'} | trainer
    return parameters


def test_many_steps_are_taken_together_and_a_few_alone():
    assert FAMILY.choose(parameters_of('laptop'), members=8, frames=56).strategy == 'vectorised'
    assert FAMILY.choose(parameters_of('paper'), members=1, frames=500).strategy == 'vectorised'
    few = FAMILY.choose(parameters_of('test'), members=2, frames=8)
    assert few.strategy == 'parallel'
    assert '2 members of 12 steps' in few.reason


def test_the_choice_turns_once_as_steps_become_more():
    chosen = [
        FAMILY.choose(parameters_of('laptop', max_epochs=n), members=2, frames=10).strategy
        for n in range(1, 60)
    ]
    assert chosen == sorted(chosen)
    assert len(set(chosen)) == 2


def test_training_without_an_end_is_worth_it():
    for epochs in (-1, None):
        asked = parameters_of('laptop', max_epochs=epochs)
        found = FAMILY.choose(asked, members=1, frames=10)
        assert found == ('vectorised', 'the number of epochs has no limit')


@pytest.mark.parametrize(
    ('change', 'reason'),
    [
        ({'loss': {'_target_': 'nequip.train.EnergyOnlyLoss'}}, 'the loss nequip.train.EnergyOnly'),
        ({'loss': STRESS | {'ignore_nan': {'stress': True}}}, "missing labels of ['stress']"),
        ({'optimizer': {'_target_': 'torch.optim.SGD'}}, 'the optimizer torch.optim.SGD'),
        ({'model': {'_target_': 'nequip.model.ZBLPairPotential'}}, 'ZBLPairPotential'),
        ({'lr_scheduler': {'interval': 'step'}}, 'a schedule of the learning rate'),
    ],
)
def test_what_the_script_would_refuse_is_not_chosen(change, reason):
    parameters = parameters_of('laptop')
    parameters['training_module'] |= change
    chosen = FAMILY.choose(parameters, members=8, frames=56)
    assert chosen.strategy == ('parallel' if 'model' in change else 'fused')
    assert reason in chosen.reason
    few = FAMILY.choose(parameters, members=1, frames=2)
    assert few.strategy == 'parallel'


@pytest.mark.parametrize('protocol', ['laptop', 'paper'])
def test_the_fused_product_is_not_chosen_where_nobody_measured_it(protocol):
    parameters = parameters_of(protocol, accelerator='gpu', max_epochs=-1)
    assert FAMILY.choose(parameters, members=8, frames=56).strategy == 'parallel'
    parameters['trainer'] |= {'accelerator': 'cpu', 'callbacks': [{'_target_': 'mine.Own'}]}
    assert FAMILY.choose(parameters, members=8, frames=56).strategy == 'fused'


def test_a_loss_of_stresses_is_no_reason():
    parameters = parameters_of('laptop')
    parameters['training_module']['loss'] = STRESS
    assert FAMILY.choose(parameters, members=8, frames=56).strategy == 'vectorised'


def test_a_gpu_and_callbacks_are_reasons():
    on_gpu = parameters_of('laptop', accelerator='gpu')
    strategy, reason = FAMILY.choose(on_gpu, members=30, frames=56)
    assert strategy == 'parallel'
    assert 'on the accelerator gpu members are trained together only where `vec' in reason
    callback = [{'_target_': 'lightning.pytorch.callbacks.EarlyStopping'}]
    assert 'callbacks' in choice.find_unfit(parameters_of('laptop', callbacks=callback))


def test_a_model_of_unknown_cost_and_another_family_are_trained_alone():
    parameters = parameters_of('laptop')
    del parameters['training_module']['model']['l_max']
    assert 'not known' in FAMILY.choose(parameters, members=8, frames=56).reason
    allegro = families.load('allegro')
    parameters['training_module']['model'] = allegro.model('laptop')
    strategy, reason = allegro.choose(parameters, members=8, frames=56)
    assert (strategy, 'each alone' in reason) == ('parallel', True)
