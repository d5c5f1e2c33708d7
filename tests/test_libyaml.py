"""Tests of writers of YAML that libyaml helps."""

import pytest
import yaml

from aiida_enne.libyaml import emitting


class Own(yaml.SafeDumper):
    """Represents complex numbers, too."""


Own.add_representer(complex, lambda dumper, value: dumper.represent_scalar('!c', str(value)))


@pytest.mark.parametrize('value', ['é\n  : "x"', '', None, 1e-30, [{}, [[], {'a': 'b ' * 99}]], 2j])
def test_what_a_fast_writer_writes_reads_as_that_of_the_slow_one(value):
    fast = emitting(Own)
    assert fast is not Own, 'PyYAML is here without libyaml'
    documents = [yaml.compose(yaml.dump({'k': value}, Dumper=one)) for one in (Own, fast)]
    slow, quick = (yaml.serialize(document) for document in documents)
    assert quick == slow
