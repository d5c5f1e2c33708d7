"""AiiDA's private API is used in one file only, and with the versions that it was proven with."""

import ast
import importlib
import tomllib
from contextlib import nullcontext
from importlib.metadata import version
from pathlib import Path

import pytest
from aiida import orm
from aiida.common.extendeddicts import AttributeDict
from aiida.common.links import LinkType
from aiida.engine import WorkChain, calcfunction, run_get_node
from aiida.manage import get_manager
from aiida.manage.caching import enable_caching
from aiida.orm.utils import serialize
from plumpy import ProcessState

import aiida_enne
from aiida_enne.aiida_private import PROVEN, lean_bookkeeping

PACKAGE = Path(aiida_enne.__file__).parent
PYPROJECT = PACKAGE.parent / 'pyproject.toml'
FILES = sorted(set(PACKAGE.rglob('*.py')) - set(PACKAGE.glob('aiida_private/*.py')))
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
        f'{package} {installed} is installed, but aiida_enne/aiida_private was proven with '
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


@calcfunction
def double(number):
    return orm.Int(2 * number.value)


class Doubling(WorkChain):
    """Returns what a calculation function makes, and its input beside it."""

    @classmethod
    def define(cls, spec):
        super().define(spec)
        spec.input('number', valid_type=orm.Int)
        spec.outline(cls.double)
        spec.output_namespace('made', valid_type=orm.Int, dynamic=True)

    def double(self):
        self.out('made.twice', double(self.inputs.number))
        self.out('made.once', self.inputs.number)


@calcfunction
def write_twice(number):
    """Return what holds files in two folders."""
    folder = orm.FolderData()
    for name in ('a/one.txt', 'b/two.txt'):
        folder.base.repository.put_object_from_bytes(str(number.value).encode(), name)
    folder.base.attributes.set('nested', {'number': number.value})
    return folder


def test_what_is_stored_is_the_same_with_lean_bookkeeping(aiida_profile_clean):
    """Nodes have the hash that AiiDA would compute, and every link that it would make."""
    graphs = []
    for context in (nullcontext(), lean_bookkeeping()):
        number = orm.Int(4).store()
        with context:
            outputs, node = run_get_node(Doubling, number=number)
        assert outputs['made']['twice'].value == 8
        nodes = [number, node, *node.called, outputs['made']['twice']]
        for one in nodes:
            assert one.base.caching.get_hash() == one.base.caching.compute_hash()
        graphs.append(
            [
                sorted(
                    (link.link_label, link.link_type.value, type(link.node).__name__)
                    for link in links
                )
                for one in nodes
                for links in (one.base.links.get_incoming(), one.base.links.get_outgoing())
            ]
        )
        assert sorted(node.outputs.made) == ['once', 'twice']
    plain, lean = graphs
    assert [len(links) for links in plain] == [len(links) for links in lean]
    assert plain[1:] == lean[1:]


def test_a_work_chain_that_returns_what_is_not_stored_fails_with_lean_bookkeeping(
    aiida_profile_clean,
):
    class Careless(Doubling):
        def double(self):
            self.out('made.new', orm.Int(1))

    with lean_bookkeeping(), pytest.raises(ValueError, match='unstored'):
        run_get_node(Careless, number=orm.Int(1))


def test_what_comes_from_the_cache_is_whole_with_lean_bookkeeping(aiida_profile_clean):
    number = orm.Int(4).store()
    first = write_twice.run_get_node(number)[1]
    with enable_caching(), lean_bookkeeping():
        second = write_twice.run_get_node(number)[1]
    assert second.base.caching.get_cache_source() == first.uuid
    assert second.exit_status == 0
    assert second.is_sealed
    assert second.base.caching.get_hash() == second.base.caching.compute_hash()
    old, new = first.outputs.result, second.outputs.result
    assert new.pk != old.pk
    assert new.base.attributes.all == old.base.attributes.all
    names = [path for path, _, _ in new.base.repository.walk()]
    assert names == [path for path, _, _ in old.base.repository.walk()]
    assert new.base.repository.get_object_content('a/one.txt') == '4'
    assert new.base.caching.get_hash() == new.base.caching.compute_hash()


def test_links_are_read_as_aiida_reads_them(aiida_profile_clean):
    number = orm.Int(4).store()
    _, node = run_get_node(Doubling, number=number)
    choices = [
        {},
        {'link_type': LinkType.RETURN},
        {'link_type': (LinkType.CALL_CALC, LinkType.RETURN)},
        {'link_label_filter': 'made%'},
        {'node_class': orm.Int},
    ]
    asked = [
        (one, direction, choice | {'only_uuid': only})
        for one in (node, number, orm.Int(1))
        for direction in ('get_incoming', 'get_outgoing')
        for choice in choices
        for only in (False, True)
    ]

    def read():
        return [
            sorted(
                (str(link.node if choice['only_uuid'] else link.node.uuid), link.link_label)
                for link in getattr(one.base.links, direction)(**choice)
            )
            for one, direction, choice in asked
        ]

    plain = read()
    with lean_bookkeeping():
        assert read() == plain
    assert any(plain)


def test_what_another_process_writes_is_seen_with_lean_bookkeeping(aiida_profile_clean):
    """Extras and attributes are read anew, also by what changes several at once."""
    node = orm.WorkflowNode().store()
    pk = node.pk
    engine = node.backend.get_session().get_bind()
    with lean_bookkeeping():
        node.base.extras.set('mine', 1)
        assert 'theirs' not in node.base.extras.all
        with engine.connect() as other:
            other.exec_driver_sql(
                "UPDATE db_dbnode SET extras = json_set(extras, '$.theirs', 2), "
                "attributes = json_set(attributes, '$.process_status', 'theirs') "
                f'WHERE id = {pk}'
            )
            other.commit()
        assert node.process_status == 'theirs'
        node.base.extras.set_many({'more': 3})
        found = orm.QueryBuilder().append(orm.Node, filters={'id': pk}, project='extras').one()[0]
    assert {name: found.get(name) for name in ('mine', 'theirs', 'more')} == {
        'mine': 1, 'theirs': 2, 'more': 3,
    }  # fmt: skip


def test_an_object_that_is_missing_is_no_file_with_lean_bookkeeping(aiida_profile_clean):
    repository = get_manager().get_profile_storage().get_repository()
    with (
        lean_bookkeeping(),
        pytest.raises(FileNotFoundError, match='does not exist'),
        repository.open('0' * 64),
    ):
        pass
