"""Every work chain that builds from a protocol says which there are."""

from importlib.metadata import entry_points

import pytest

from aiida_enne.workflows.base import ProtocolMixin

FOUND = {
    entry.name: entry.load()
    for entry in entry_points(group='aiida.workflows')
    if entry.name.startswith('enne.')
}
#: What joins two engines has no protocol of its own: each engine has its.
BUILDERS = {
    name: one
    for name, one in FOUND.items()
    if hasattr(one, 'get_builder_from_protocol') and name != 'enne.reference.sampled'
}


def test_there_are_such_work_chains():
    assert {'enne.study', 'enne.ensemble', 'enne.audit', 'enne.reference.qe'} <= set(BUILDERS)


@pytest.mark.parametrize('name', BUILDERS)
def test_protocols_are_listed_with_descriptions(name):
    process = BUILDERS[name]
    assert issubclass(process, ProtocolMixin)
    available = process.get_available_protocols()
    assert process.get_default_protocol() in available
    assert 'test' in available
    assert all(len(one['description']) > 10 for one in available.values())
