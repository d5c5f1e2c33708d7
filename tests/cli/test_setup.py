"""Tests for `aiida-enne setup`: what it makes, what it finds, what it leaves alone."""

import stat
import sys

import pytest
import yaml
from aiida import orm


@pytest.fixture
def content(tmp_path):
    """Return a file for this very machine."""
    return {
        'label': 'here',
        'transport': 'local',
        'scheduler': 'direct',
        'scratch': str(tmp_path / 'work'),
        'python': sys.executable,
        'safe_interval': 0,
    }


@pytest.fixture
def setup(invoke, tmp_path):
    """Return a function: `result = setup(content, *words)`."""

    def run(content, *words):
        path = tmp_path / 'setup.yaml'
        path.write_text(yaml.safe_dump(content, sort_keys=False))
        return invoke('setup', path, *words)

    return run


@pytest.fixture
def quick(tmp_path):
    """Return the path of a Python that has nothing: the probe ends at once."""
    path = tmp_path / 'python'
    path.write_text(f'#!/bin/sh\nexec {sys.executable} -S -I "$@"\n')
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return str(path)


def test_makes_checks_and_makes_nothing_twice(setup, content):
    content |= {'codes': {'sh': {'executable': '/bin/sh'}, 'pw': {'executable': '/no/pw.x'}}}
    result = setup(content)
    assert result.exit_code == 1
    lines = result.output.splitlines()
    assert lines[:4] == [
        'computer here: new',
        'code python@here: new',
        'code sh@here: new',
        'code pw@here: new',
    ]
    assert 'OK   python@here, nequip: 0.19' in result.output
    assert 'OK   sh@here: /bin/sh' in result.output
    assert (
        'FAIL pw@here: The provided remote absolute path `/no/pw.x` does not exist' in result.output
    )
    assert [line for line in lines if line.startswith('FAIL')] == [lines[-2]]

    computer = orm.load_computer('here')
    assert computer.get_minimum_job_poll_interval() == 1
    assert computer.get_configuration() == {'use_login_shell': False, 'safe_interval': 0.0}
    before = orm.QueryBuilder().append(orm.Node).count()
    again = setup(content, '--dry-run')
    assert again.output.splitlines()[:2] == [
        'computer here: the same',
        'code python@here: the same',
    ]
    assert orm.QueryBuilder().append(orm.Node).count() == before


def test_a_python_with_nothing_is_told_what_to_install(setup, content, quick):
    result = setup(content | {'python': quick})
    assert result.exit_code == 1
    for name in ('nequip', 'torch', 'ase'):
        assert f'FAIL python@here, {name}: it is not installed → `{sys.executable} -m pip' in (
            result.output
        )


def test_a_job_goes_through_the_scheduler(setup, content, quick):
    result = setup(content | {'python': quick, 'gpus': {'per_job': 1}})
    assert 'FAIL python@here, GPU: 1 asked for, torch sees 0 in a job' in result.output


def test_a_job_that_does_not_end_is_cancelled(setup, content, tmp_path):
    marker = tmp_path / 'marker'
    content |= {'commands': [f'touch {marker}; exec sleep 60'], 'gpus': {'per_job': 1}}
    result = setup(content, '--wait', '1')
    assert marker.exists()
    assert 'is still running after 1 s and was cancelled' in result.output
    assert result.exit_code == 1


def test_a_python_that_does_not_run_says_why(setup, content):
    result = setup(content | {'python': '/bin/false', 'commands': ['echo no such module >&2']})
    assert 'FAIL python@here on the login node: the Python did not run: no such module' in (
        result.output
    )


def test_a_scratch_folder_that_is_none(setup, content):
    result = setup(content | {'scratch': '/proc/enne'})
    assert 'FAIL computer here, scratch:' in result.output
    assert 'python@here, nequip' not in result.output


def test_dry_run_makes_nothing(setup, content):
    result = setup(content | {'modules': ['cuda']}, '--dry-run')
    assert result.exit_code == 0
    assert 'computer here: would be new' in result.output
    assert 'module load cuda' in result.output
    assert orm.QueryBuilder().append(orm.Computer, filters={'label': 'here'}).count() == 0


def test_what_differs_is_not_changed_in_silence(setup, content, quick):
    setup(content | {'python': quick})
    changed = content | {'python': quick, 'poll_interval': 7, 'environment': {'A': 1}}
    refused = setup(changed)
    assert refused.exit_code == 1
    assert '`poll_interval` is 1.0, the file says 7.0' in refused.output
    assert "`prepend` is '', the file says 'export A=1'" in refused.output
    assert orm.load_computer('here').get_minimum_job_poll_interval() == 1
    updated = setup(changed, '--update')
    assert 'computer here: updated:' in updated.output
    assert orm.load_computer('here').get_minimum_job_poll_interval() == 7
    assert orm.load_computer('here').get_prepend_text() == 'export A=1'


def test_a_code_is_never_changed(setup, content, quick):
    setup(content | {'python': quick})
    result = setup(content | {'poll_interval': 7}, '--update')
    assert result.exit_code == 1
    assert 'code python@here: `executable` is' in result.output
    assert 'another label' in result.output
    # neither is the computer, for the file is not done by halves
    assert orm.load_computer('here').get_minimum_job_poll_interval() == 1


def test_what_the_jobs_are_to_be_given_is_noted(setup, content):
    remote = {'transport': 'ssh_async', 'host': 'cluster', 'scheduler': 'slurm'}
    remote |= {'partition': 'gpu', 'gpus': {'per_job': 1, 'type': 'h100'}, 'safe_interval': 0.5}
    assert setup(content | remote, '--wait', '1').exit_code == 1  # there is no such host
    computer = orm.load_computer('here')
    assert computer.get_configuration() == {
        'host': 'cluster',
        'backend': 'asyncssh',
        'safe_interval': 0.5,
        'use_login_shell': False,
    }
    assert computer.get_property('aiida_enne') == {
        'queue_name': 'gpu',
        'gpus': 1,
        'gpu_type': 'h100',
        'members_per_gpu': 1,
    }


def test_a_container_is_a_containerized_code(setup, content):
    result = setup(
        content
        | {'python': 'python3', 'container': {'image': 'x', 'command': 'env A={image_name}'}}
    )
    code = orm.load_code('python@here')
    assert isinstance(code, orm.ContainerizedCode)
    assert code.get_prepend_cmdline_params() == ['env', 'A=x']
    assert 'python@here, python:' in result.output


@pytest.mark.parametrize('name', ['slurm-gpu', 'hyperqueue', 'local'])
def test_templates_are_printed_without_a_profile(invoke, name):
    result = invoke('setup', '--template', name)
    assert result.exit_code == 0
    assert 'label:' in result.output


def test_faults_of_the_file_are_one_message(setup, content):
    result = setup(content | {'cores': 0, 'scheduler': 'cron'})
    assert result.exit_code == 1
    assert '`cores` is 0' in result.output
    assert "`scheduler` is 'cron'" in result.output
    assert 'Traceback' not in result.output


def test_a_plugin_that_is_not_here_is_named(setup, content):
    content |= {'codes': {'vasp': {'executable': '/bin/vasp', 'plugin': 'vasp.vasp'}}}
    result = setup(content)
    assert result.exit_code == 1
    assert "`codes.vasp.plugin` is 'vasp.vasp'" in result.output
    assert orm.QueryBuilder().append(orm.Computer, filters={'label': 'here'}).count() == 0
