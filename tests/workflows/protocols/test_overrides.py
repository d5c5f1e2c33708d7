"""Nothing misspelt gets past a builder: keys of overrides, protocols and of the trainer."""

import pytest

from aiida_enne import families
from aiida_enne.families.nequip.starting import needs_base
from aiida_enne.workflows import protocols
from aiida_enne.workflows.training.ensemble import EnsembleWorkChain


@pytest.mark.parametrize(
    ('workflow', 'overrides', 'message'),
    [
        ('ensemble', {'trainning': {}}, r'unknown key `trainning` \(did you mean `training`\?\)'),
        ('ensemble', {'training': {'trian': {}}}, r'`training.trian` \(did you mean `train`'),
        ('ensemble', {'members_perjob': 2}, 'did you mean `members_per_job`'),
        ('predict', {'predict': {'thread': 2}}, '`predict.thread` .*`threads`'),
        ('audit', {'audits': {}}, 'did you mean `audit`'),
        ('study', {'ensembel': {}}, 'did you mean `ensemble`'),
        ('liquid', {'temprature_density': 1}, 'did you mean `temperature_density`'),
        ('reference_ase', {'base': {'ase': {'process': 2}}}, 'did you mean `processes`'),
        ('ensemble', {'trainer': {}}, 'did you mean `training.train.parameters.trainer`'),
        ('ensemble', {'trianer': {}}, 'did you mean `training.train.parameters.trainer`'),
        ('ensemble', {'training': {'max_epochs': 3}}, '`training.train.parameters.trainer.max_ep'),
        ('study', {'strategy': 'auto'}, 'did you mean `ensemble.training.train.strategy`'),
        ('audit', {'threads': 2}, 'did you mean `predict.predict.threads`'),
        ('ensemble', {'qqqq': 2}, 'unknown key `qqqq`; known here'),
        ('ensemble', [], 'must be a mapping'),
    ],
)
def test_unknown_keys_are_named_with_the_nearest(workflow, overrides, message):
    with pytest.raises(ValueError, match=message):
        protocols.check_overrides(workflow, protocols.read(workflow), overrides)


@pytest.mark.parametrize('name', sorted(protocols.read('study')['protocols']))
def test_protocols_themselves_know_their_keys(name):
    book = protocols.read('study')
    protocols.check_overrides('study', book, book['protocols'][name]['inputs'])


def test_a_misspelt_protocol_is_named():
    with pytest.raises(
        ValueError, match=r"'papre' is not a protocol of 'study' \(did you mean `paper"
    ):
        protocols.load('study', 'papre')


@pytest.mark.nequip
def test_keys_of_the_trainer_are_asked_of_the_trainer(dataset, split, train_code):
    parameters = {
        'trainer': {'max_epoch': 3},
        'trainning': {},
        'training_module': {'model': {'num_layer': 1}, 'optimizer': {'lrr': 1}},
        'my_cutoff': 4.0,  # a value of one's own to refer to
    }
    builder = EnsembleWorkChain.get_builder_from_protocol(
        train_code,
        dataset,
        split,
        protocol='test',
        overrides={'training': {'train': {'parameters': parameters}}},
    )
    said = protocols.misspelt(builder)
    for wrong, right in (('max_epoch', 'max_epochs'), ('num_layer', 'num_layers'), ('lrr', 'lr')):
        assert f'{wrong}` is not known to' in said
        assert f'did you mean `{right}`?' in said
    assert '`trainning` looks like `train' in said
    assert 'my_cutoff' not in said


def parameters_of(protocol):
    """Return the NequIP configuration of a protocol of ensembles."""
    return protocols.load('ensemble', protocol)['training']['train']['parameters']


@pytest.mark.nequip
@pytest.mark.parametrize('name', families.names())
@pytest.mark.parametrize('protocol', sorted(protocols.read('ensemble')['protocols']))
def test_protocols_hold_nothing_that_the_trainer_does_not_know(name, protocol):
    parameters = parameters_of(protocol)
    if needs_base(parameters):  # whose model, in clear, takes the place of this one
        parameters['training_module']['model'] = parameters_of('laptop')['training_module']['model']
    if model := families.load(name).model(protocol):
        parameters['training_module']['model'] = model
    assert families.load(name).misspelt(parameters) == ''
