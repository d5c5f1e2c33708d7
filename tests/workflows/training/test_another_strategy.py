"""Another way for members to share a job: a script of an installed package."""

import pytest
from aiida import orm
from aiida.engine import run_get_node
from aiida.plugins import CalculationFactory

from aiida_enne import families
from aiida_enne.families import contract
from aiida_enne.families.interface import Strategy
from aiida_enne.families.nequip import training

NAME = 'enne.nequip.train'
SEEDS = {'seed_1': 1, 'seed_2': 2}
#: The last member comes first: the order of members changes no number.
BACKWARDS = """
from pathlib import Path

import nequip_train
import nequip_train_member

if __name__ == '__main__':
    found = sorted(path.parent.resolve() for path in Path('members').glob('*/config.yaml'))
    nequip_train.train_all(nequip_train_member.train, found[::-1], 1, [], float('inf'))
"""


STRATEGY = Strategy(['nequip'], ('backwards.py', *training.SCRIPTS), {'backwards.py': BACKWARDS})


@pytest.fixture
def extended(install):
    """Install a strategy."""
    install({families.STRATEGIES: {'backwards': f'{__name__}:STRATEGY'}})


def test_a_strategy_is_added_without_touching_the_package(extended, prepare, train_inputs):
    contract.check_family('nequip', train_inputs['parameters'])
    job, folder = prepare(NAME, train_inputs | {'strategy': 'backwards'})
    assert job.codes_info[0].cmdline_params[0] == 'backwards.py'
    with folder.open('backwards.py') as handle:
        assert handle.read() == BACKWARDS
    with folder.open('nequip_train.py') as handle:
        assert handle.read() == families.load('nequip').script('nequip_train.py')


def test_a_family_that_a_strategy_does_not_name_has_none_of_it(extended):
    assert 'backwards' not in families.strategies_of(families.load('allegro'))


def test_a_strategy_under_a_name_of_the_family_is_refused(install):
    install({families.STRATEGIES: {'parallel': f'{__name__}:STRATEGY'}})
    with pytest.raises(ValueError, match="strategy 'parallel' of nequip is registered again"):
        families.strategies_of(families.load('nequip'))


@pytest.mark.slow
@pytest.mark.nequip
def test_members_of_another_strategy_are_those_that_are_trained_alone(extended, train_inputs):
    train_inputs['seeds'] = {label: orm.Int(seed) for label, seed in SEEDS.items()}
    found = {}
    for strategy in ('sequential', 'backwards'):
        inputs = train_inputs | {'strategy': strategy}
        outputs, node = run_get_node(CalculationFactory(NAME), **inputs)
        assert node.is_finished_ok, node.exit_message
        found[strategy] = outputs
        text = node.outputs.retrieved.get_object_content('nequip_train.out')
        order = sorted(SEEDS, key=lambda label: text.index(f'{label}: began'))
        assert order == sorted(SEEDS, reverse=strategy == 'backwards')
    for label in SEEDS:
        one, other = (outputs['histories'][label] for outputs in found.values())
        assert set(one.get_arraynames()) == set(other.get_arraynames())
        for name in one.get_arraynames():
            assert one.get_array(name).tolist() == other.get_array(name).tolist(), name
        one, other = (outputs['models'][label] for outputs in found.values())
        assert one.base.attributes.get('identity') == other.base.attributes.get('identity')
