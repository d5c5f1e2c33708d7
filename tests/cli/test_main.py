"""The command as such: quick help, profiles, errors without tracebacks."""

import os
import subprocess
import sys

import click
import pytest
from aiida.common.exceptions import NotExistent
from click.testing import CliRunner

from aiida_enne import __version__
from aiida_enne.cli.common import LazyGroup, NodeParam, remember_profile, table
from aiida_enne.cli.main import COMMANDS, main
from aiida_enne.data.dataset import DatasetData

SCRIPT = """
import sys
from click.testing import CliRunner
from aiida_enne.cli.main import main
result = CliRunner().invoke(main, sys.argv[1:])
print(result.output)
print(sorted({'torch', 'nequip', 'aiida', 'ase', 'numpy'} & set(sys.modules)))
sys.exit(result.exit_code)
"""


def run_apart(*words, **environment):
    """Run the command in a process of its own; return its exit code and output."""
    process = subprocess.run(
        [sys.executable, '-c', SCRIPT, *words],
        env=os.environ | environment,
        capture_output=True,
        text=True,
        check=False,
    )
    return process.returncode, process.stdout


def test_help_is_quick_and_imports_nothing_heavy():
    before = os.times()
    code, output = run_apart('--help')
    after = os.times()
    assert code == 0
    # of processor, not by the clock: the machine may be busy with other things
    assert after.children_user - before.children_user < 1
    assert output.endswith('[]\n')
    assert all(name in output and line.split()[0] in output for name, (_, line) in COMMANDS.items())


def test_every_listed_command_is_there_and_its_help_needs_no_profile(tmp_path):
    for name in COMMANDS:
        result = CliRunner().invoke(main, [name, '--help'])
        assert result.exit_code == 0, result.output
    code, output = run_apart('dataset', 'import', '--help', AIIDA_PATH=str(tmp_path))
    assert code == 0
    assert 'FILES...' in output
    assert not list(tmp_path.iterdir())


def test_without_a_profile_the_way_out_is_said(tmp_path):
    code, output = run_apart('dataset', 'list', AIIDA_PATH=str(tmp_path))
    assert code == 1
    assert 'verdi presto' in output
    assert 'Traceback' not in output


def test_an_unknown_profile_is_named(invoke):
    result = invoke('-p', 'nowhere', 'dataset', 'list')
    assert result.exit_code == 1
    assert 'profile `nowhere` does not exist' in result.output


def test_version(invoke):
    assert __version__ in invoke('--version').output


@pytest.fixture
def failing():
    """Return a function that runs a command which fails with an exception."""

    def run(exception, *words):
        group = LazyGroup('group', commands_at={})

        @group.command()
        def fail():
            raise exception

        group.params = main.params
        group.callback = click.pass_context(
            lambda ctx, profile, verbose: remember_profile(ctx, profile, verbose=verbose)
        )
        return CliRunner().invoke(group, [*words, 'fail'])

    return run


@pytest.mark.parametrize(
    'exception', [ValueError('seven is no name'), NotExistent('no node 7'), OSError('disk full')]
)
def test_expected_errors_are_one_line(failing, exception):
    result = failing(exception)
    assert (result.exit_code, result.output) == (1, f'Error: {exception}\n')


@pytest.mark.parametrize('exception', [KeyError('x'), TypeError('odd'), ValueError()])
def test_errors_nobody_foresaw_are_called_so(failing, exception):
    result = failing(exception)
    assert result.exit_code == 1
    assert result.output.startswith(f'Error: unexpected {type(exception).__name__}')
    assert '--verbose' in result.output
    assert 'Traceback' not in result.output


def test_verbose_shows_the_traceback(failing):
    result = failing(ValueError('seven is no name'), '--verbose')
    assert 'Traceback (most recent call last)' in result.output
    assert result.output.endswith('Error: seven is no name\n')


def test_nodes_are_found_by_pk_uuid_and_label(dataset):
    dataset.label = 'liquid'
    context = click.Context(main)
    for name in (str(dataset.pk), dataset.uuid, dataset.uuid[:13], 'liquid'):
        node = NodeParam('enne.dataset').convert(name, None, context)
        assert node.uuid == dataset.uuid
    assert isinstance(node, DatasetData)


@pytest.mark.parametrize('name', ['424242', 'nothing', '', '{}', '*'])
def test_what_is_no_node_is_said(invoke, dataset, name):
    result = invoke('dataset', 'show', name)
    assert result.exit_code == 2
    assert f'no node is identified by {name!r}' in result.output
    assert '`verdi process list -a` shows the PKs' in ' '.join(result.output.split())


def test_a_node_of_another_kind_is_refused(dataset):
    with pytest.raises(click.BadParameter, match='is a DatasetData, expected a SplitData'):
        NodeParam('enne.split').convert(str(dataset.pk), None, click.Context(main))


def test_tables_align_numbers_to_the_right():
    assert table([('a', 1, ''), ('long', 22, '')], ('Name', 'N', 'Label')).splitlines() == [
        'Name   N  Label',
        '----  --  -----',
        'a      1',
        'long  22',
    ]
