"""AiiDA's private API is used in one file only, and with the versions that it was proven with."""

import ast
import importlib
import tomllib
from importlib.metadata import version
from pathlib import Path

import pytest
from aiida import orm
from aiida.common.extendeddicts import AttributeDict
from aiida.common.links import LinkType
from aiida.orm.utils import serialize
from plumpy import ProcessState

import aiida_enne
from aiida_enne.aiida_private import PROVEN, lean_bookkeeping

PACKAGE = Path(aiida_enne.__file__).parent
PYPROJECT = PACKAGE.parent / 'pyproject.toml'
FILES = sorted(set(PACKAGE.rglob('*.py')) - {PACKAGE / 'aiida_private.py'})
#: What AiiDA's documentation imports from where its packages do not list it.
DOCUMENTED = {
    ('aiida', 'orm'),
    ('aiida.common.folders', 'Folder'),
    ('aiida.manage.configuration', 'profile_context'),
    ('aiida.plugins.entry_point', 'get_entry_point_names'),
    ('aiida.storage.sqlite_zip.backend', 'SqliteZipBackend'),
}
WATCHED = ('aiida', 'plumpy', 'kiwipy', 'circus')
#: Private members of AiiDA's builders and nodes.
PRIVATE = {'_update', '_merge', '_inputs', '_data', '_port_namespace', '_process_class'}


@pytest.mark.parametrize(('package', 'proven'), PROVEN.items())
def test_the_installed_version_is_one_that_was_proven(package, proven):
    installed = version(package)
    assert installed.startswith(f'{proven}.'), (
        f'{package} {installed} is installed, but aiida_enne/aiida_private.py was proven with '
        f'{proven} only: run all tests with the new version, then name it in PROVEN'
    )


def test_no_other_version_can_be_installed():
    dependencies = tomllib.loads(PYPROJECT.read_text())['project']['dependencies']
    major, minor = map(int, PROVEN['aiida-core'].split('.'))
    assert f'aiida-core>={major}.{minor},<{major}.{minor + 1}' in dependencies


def imported(path):
    """Return module and name of everything that a file imports from AiiDA and plumpy."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and (node.module or '').split('.')[0] in WATCHED:
            yield from ((node.module, alias.name) for alias in node.names)


def is_public(module, name):
    """Tell whether a package of AiiDA, such as `aiida.engine`, lists a name as its own."""
    package = importlib.import_module('.'.join(module.split('.')[:2]))
    return package.__name__.startswith('aiida') and name in package.__all__


def test_every_other_file_imports_what_is_public():
    found = [
        f'{path.relative_to(PACKAGE)}: from {module} import {name}'
        for path in FILES
        for module, name in imported(path)
        if (module, name) not in DOCUMENTED and not is_public(module, name)
    ]
    assert found == []


def test_no_other_file_uses_private_members():
    found = [
        f'{path.relative_to(PACKAGE)}:{node.lineno}: {node.attr}'
        for path in FILES
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Attribute) and node.attr in PRIVATE
        if not (isinstance(node.value, ast.Name) and node.value.id in ('self', 'cls'))
    ]
    assert found == []


def test_a_cycle_is_refused_also_with_lean_bookkeeping(aiida_profile_clean):
    """Between stored nodes AiiDA asks as ever; a node that is not stored has no descendants."""
    workflow, data = orm.WorkflowNode().store(), orm.Int(1)
    calculation = orm.CalculationNode()
    asked = []
    with lean_bookkeeping(), pytest.MonkeyPatch.context() as patch:
        patch.setattr(orm.QueryBuilder, 'count', lambda _: asked.append(1) or 0)
        data.store()
        calculation.base.links.add_incoming(data, LinkType.INPUT_CALC, 'x')
        calculation.base.links.add_incoming(workflow, LinkType.CALL_CALC, 'call')
        assert not asked
        with pytest.raises(ValueError, match='already'):
            calculation.base.links.add_incoming(data, LinkType.INPUT_CALC, 'x')
    calculation.store()
    with lean_bookkeeping(), pytest.raises(ValueError, match='cycle'):
        data.base.links.add_incoming(calculation, LinkType.CREATE, 'made')


def test_checkpoints_are_read_as_they_were_written(aiida_profile_clean):
    """Whoever writes them: nodes, mappings, text of many lines and every plain value."""
    node = orm.Int(3).store()
    content = {
        'node': node,
        'ctx': AttributeDict({'names': ['a', 'é\n  b: "c"'], 'none': None, 'x': 1e-30, 'y': True}),
        'state': ProcessState.WAITING,
        'empty': [{}, [], ''],
        'long': 'word ' * 100,
    }
    slow = serialize.serialize(content)
    with lean_bookkeeping():
        assert serialize.AiiDADumper.__name__ == 'FastAiiDADumper', 'PyYAML without libyaml'
        fast = serialize.serialize(content)
    assert serialize.AiiDADumper.__name__ == 'AiiDADumper'
    found = [serialize.deserialize_unsafe(text) for text in (slow, fast)]
    assert [one.pop('node').uuid for one in found] == [node.uuid, node.uuid]
    del content['node']
    assert found == [content, content]
