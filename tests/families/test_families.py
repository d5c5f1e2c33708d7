"""Tests of every registered family, and of one that is added here."""

from importlib.metadata import entry_points

import pytest

from aiida_enne import families
from aiida_enne.families import contract
from aiida_enne.families.nequip import NequipFamily
from aiida_enne.science import plugins
from aiida_enne.workflows import protocols

TAKEN = {families.GROUP: 'nequip', 'aiida_enne.estimators': 'finite', 'aiida_enne.scores': 'local'}
NAMES = sorted(entry.name for entry in entry_points(group=families.GROUP))


def parameters_of(name, protocol='test'):
    inputs = protocols.load('ensemble', protocol)
    parameters = inputs['training']['train']['parameters']
    if model := families.load(name).model(protocol):
        parameters['training_module']['model'] = model
    return parameters


@pytest.mark.parametrize('protocol', ['test', 'laptop', 'paper'])
@pytest.mark.parametrize('name', NAMES)
def test_families_keep_the_contract(name, protocol):
    family = contract.check_family(name, parameters_of(name, protocol))
    assert family.name in family.describe(parameters_of(name)['training_module']['model'])


class Borrowed(NequipFamily):
    name = 'borrowed'

    def owns(self, target):
        return target.startswith('borrowed.')

    def model(self, protocol):
        return parameters_of('nequip')['training_module']['model'] | {'_target_': 'borrowed.Model'}


FAMILY = Borrowed()


@pytest.fixture
def added(install):
    """Install a family."""
    install({families.GROUP: {'borrowed': f'{__name__}:FAMILY'}})


def test_a_family_is_added_without_touching_the_package(added):
    assert families.names() == ['allegro', 'borrowed', 'nequip']
    parameters = parameters_of('borrowed')
    assert families.family_of(parameters) is FAMILY
    contract.check_family('borrowed', parameters)


def test_a_model_of_two_families_is_of_neither(added, monkeypatch):
    monkeypatch.setattr(Borrowed, 'owns', NequipFamily.owns)
    with pytest.raises(ValueError, match=r"more than one family: \['borrowed', 'nequip'\]"):
        families.family_of(parameters_of('nequip'))


def test_a_name_that_two_packages_register_is_refused_in_every_group(install):
    install({group: {name: 'another:thing'} for group, name in TAKEN.items()})
    for group, name in TAKEN.items():
        with pytest.raises(ValueError, match=f"two packages register '{name}' in '{group}'"):
            plugins.registered(group)


def test_what_breaks_the_contract_is_named(added, monkeypatch):
    monkeypatch.setattr(Borrowed, 'kernels', {'vectorised': ''})
    with pytest.raises(contract.ContractError, match='`kernels` has a name and goes with'):
        contract.check_family('borrowed', parameters_of('borrowed'))


def test_unknown_families_and_models_are_named_with_the_nearest():
    with pytest.raises(
        ValueError, match=r"'nequp' is not a family of models \(did you mean `nequip`"
    ):
        families.load('nequp')
    with pytest.raises(ValueError, match="no family has the model 'mace"):
        families.of_target('mace.Model')


def test_the_model_within_a_modified_one_decides():
    model = {'_target_': 'nequip.model.modify', 'model': {'_target_': 'allegro.model.AllegroModel'}}
    assert families.family_of({'training_module': {'model': model}}).name == 'allegro'
