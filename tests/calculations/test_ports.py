"""What describes an input, and checks of single inputs."""

import pytest
from aiida import orm
from aiida.engine import ProcessSpec

from aiida_enne.calculations.ports import at_least, one_of, plain, port, validator_of


@pytest.mark.parametrize(('value', 'why'), [(1, None), (None, None), (0, 'at least 1, got 0')])
def test_counts_are_positive(value, why):
    found = at_least(1)(value, None)
    assert found is None if why is None else why in found
    assert at_least(1)(None if value is None else orm.Int(value), None) == found


def test_a_word_must_be_known():
    check = one_of('part', ('train', 'test'))
    assert check(orm.Str('train'), None) is None
    assert check('tset', None) == "`part` must be one of ('train', 'test'), got 'tset'"


def test_what_a_check_raises_is_said():
    assert validator_of(float)(orm.Str('1.5'), None) is None
    assert 'one' in validator_of(float)(orm.Str('one'), None)


def test_plain_values_stand_for_nodes_and_options_stay_options():
    spec = ProcessSpec()
    spec.input('node', **port(orm.Dict, default={'a': 1}), help='A node.')
    spec.input('option', **port(int, at_least(1), default=2), help='An option.')
    spec.input('link', **port(orm.RemoteData, required=False), help='A link.')
    node, option, link = (spec.inputs[name] for name in ('node', 'option', 'link'))
    assert plain(node.serialize({'b': 2})) == {'b': 2}
    assert plain(node.default()) == {'a': 1}
    assert node.default() is not node.default()
    assert not node.is_metadata
    assert option.is_metadata
    assert option.default == 2
    assert not link.required
    assert not link.has_default()
