"""Tests for `aiida-enne doctor`: each ailment is real, and its line names the remedy."""

import contextlib
import os
import sqlite3
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest
from aiida import orm
from aiida.common import CalcJobState
from aiida.common.links import LinkType
from aiida.engine.daemon import client
from aiida.manage import get_manager
from click.testing import CliRunner
from plumpy import ProcessState

from aiida_enne.cli import foreground, health, journal, stalled
from aiida_enne.cli.locks import Lock
from aiida_enne.cli.main import main


@pytest.fixture(scope='module')
def profile(aiida_config_factory, aiida_profile_factory, tmp_path_factory):
    """Return a profile with a broker, so that there can be a daemon."""
    with (
        aiida_config_factory(tmp_path_factory.mktemp('doctor')) as config,
        aiida_profile_factory(
            config, storage_backend='core.sqlite_dos', broker_backend='core.zeromq'
        ) as made,
    ):
        yield made


@pytest.fixture
def doctor(profile):
    """Return a function that examines the profile, which is empty at first."""
    profile.reset_storage()

    def run(*words):
        return CliRunner().invoke(main, ['doctor', *words])

    return run


def process(state, caller=None, **attributes):
    """Return a stored process that is in a state."""
    node = orm.WorkChainNode(process_type='aiida.workflows:enne.ensemble')
    node.set_process_label('EnsembleWorkChain')
    node.set_process_state(state)
    node.base.attributes.set_many(attributes)
    if caller is not None:
        node.base.links.add_incoming(caller, LinkType.CALL_WORK, 'called')
    return node.store()


def lines(result, subject):
    return [line for line in result.output.splitlines() if f' {subject}' in line]


def test_a_profile_that_was_just_made(doctor):
    result = doctor('--no-remote')
    assert result.exit_code == 0
    assert lines(result, 'storage of')[0].startswith('OK')
    assert lines(result, 'SQLite')[0].startswith('WARN SQLite: journal mode delete')
    assert lines(result, 'broker:') == ['OK   broker: core.zeromq, runs with the daemon']
    assert lines(result, 'daemon:')[0].startswith('WARN daemon: does not run; 0 processes wait')
    assert lines(result, 'caching')[0].startswith('WARN caching: off for enne.aims')
    assert lines(result, 'processes:') == [
        'OK   processes: 0 active, none interrupted, paused or stuck'
    ]
    assert lines(result, 'codes')[0].startswith('WARN codes: none')


def test_what_waits_for_a_daemon_that_does_not_run_fails(doctor):
    process(ProcessState.WAITING)
    result = doctor('--no-remote')
    assert result.exit_code == 1
    (line,) = lines(result, 'daemon:')
    assert line.startswith('FAIL daemon: does not run; 1 processes wait')
    assert line.endswith('`verdi daemon start`')


def test_paused_and_stuck_processes_are_named(doctor):
    paused = process(ProcessState.WAITING, paused=True, process_status='Pausing after failed')
    caller = process(ProcessState.WAITING)
    child = process(ProcessState.CREATED, caller)
    process(ProcessState.FINISHED, exit_status=0)
    result = doctor('--no-remote', '--stuck-after', '0')
    named = lines(result, 'EnsembleWorkChain')
    assert len(named) == 2
    assert f'<{paused.pk}>: paused: Pausing after failed → `verdi process play' in named[0]
    # whoever waits for a child is not stuck, the child is
    assert f'<{child.pk}>: nothing has happened for' in named[1]
    assert 'processes: ' not in result.output
    assert (
        lines(doctor('--no-remote', '--stuck-after', '1'), f'EnsembleWorkChain <{child.pk}>') == []
    )


def test_settings_that_are_slow_are_told(doctor, profile):
    profile.set_option('runner.poll.interval', 60)
    profile.set_option('caching.enabled_for', ['aiida.calculations:enne.*'])
    try:
        result = doctor('--no-remote')
    finally:
        profile.set_option('runner.poll.interval', 1)
        profile.set_option('caching.enabled_for', [])
    assert lines(result, 'runner.poll.interval')[0].startswith('WARN runner.poll.interval: 60 s')
    assert lines(result, 'caching') == ['OK   caching: on for all jobs']


def test_a_write_ahead_log_is_seen(doctor, profile):
    path = Path(profile.storage_config['filepath']) / 'database.sqlite'
    for mode, line in (('WAL', 'OK   SQLite: write-ahead log'), ('DELETE', 'WARN SQLite: journal')):
        get_manager().reset_profile_storage()  # nobody else may have it open
        connection = sqlite3.connect(path)
        connection.execute(f'PRAGMA journal_mode={mode}')
        connection.close()
        assert lines(doctor('--no-remote'), 'SQLite')[0].startswith(line)


def test_what_is_advised_is_done_if_asked_for(doctor, profile):
    path = Path(profile.storage_config['filepath']) / 'database.sqlite'
    get_manager().reset_profile_storage()
    with contextlib.closing(sqlite3.connect(path)) as connection:
        connection.execute('PRAGMA journal_mode=DELETE')
    profile.set_option('runner.poll.interval', 60)
    profile.set_option('caching.enabled_for', ['aiida.calculations:core.*'])
    try:
        first, second = doctor('--no-remote', '--fix'), doctor('--no-remote')
        cached = profile.get_option('caching.enabled_for')
    finally:
        profile.set_option('runner.poll.interval', 1)
        profile.set_option('caching.enabled_for', [])
    for subject in ('SQLite', 'runner.poll.interval', 'caching'):
        advised, done = lines(first, subject)
        assert advised.startswith('WARN')
        assert done.startswith(f'DONE {subject}: mended by')
        assert lines(second, subject)[0].startswith('OK')
    assert cached == ['aiida.calculations:core.*', 'aiida.calculations:enne.*']


def test_a_journal_that_is_in_use_is_not_changed_and_that_is_said(doctor, profile):
    path = Path(profile.storage_config['filepath']) / 'database.sqlite'
    get_manager().reset_profile_storage()
    with contextlib.closing(sqlite3.connect(path)) as other:
        other.execute('PRAGMA journal_mode=DELETE')
        other.execute('BEGIN EXCLUSIVE')
        with pytest.raises(OSError, match='the journal mode stays delete: another process uses'):
            health.set_journal(path)
        other.rollback()
    health.set_journal(path)
    assert journal.mode_of(path) == 'wal'


def job(caller, tmp_path):
    """Return the process of a job that waits for one that no longer exists."""
    computer = orm.Computer(
        label='here', hostname='localhost', transport_type='core.local',
        scheduler_type='core.direct', workdir=str(tmp_path),
    ).store()  # fmt: skip
    computer.configure(safe_interval=0, use_login_shell=False)
    with subprocess.Popen(['true']) as ended:
        number = ended.pid
    node = orm.CalcJobNode(computer=computer, process_type='aiida.calculations:enne.nequip.train')
    node.set_process_label('NequipTrainCalculation')
    node.set_process_state(ProcessState.WAITING)
    node.set_state(CalcJobState.WITHSCHEDULER)
    node.set_remote_workdir(str(tmp_path))
    node.set_job_id(str(number))
    node.base.links.add_incoming(caller, LinkType.CALL_CALC, 'called')
    return node.store()


def test_a_process_whose_job_is_gone(doctor, tmp_path, monkeypatch):
    waiting = job(process(ProcessState.WAITING), tmp_path)
    assert lines(doctor(), 'processes: 2 active, none interrupted')  # it may yet be noticed
    monkeypatch.setattr(stalled, 'NOTICED', timedelta(0))
    (line,) = lines(doctor(), 'NequipTrainCalculation')
    assert f'<{waiting.pk}>: its job {waiting.get_job_id()} on here is gone' in line
    assert 'with the daemon stopped `verdi process repair`' in line


def test_what_was_interrupted_is_one_line_that_says_how_to_go_on(doctor, tmp_path):
    root = process(ProcessState.WAITING)
    root.base.extras.set(foreground.MARK, {'key': 'seven', 'command': 'aiida-enne launch study'})
    job(root, tmp_path)
    result = doctor('--stuck-after', '0')
    (line,) = lines(result, 'EnsembleWorkChain')
    assert f'<{root.pk}>: the terminal that ran it was closed or interrupted; of 1 jobs' in line
    assert 'that it waits for 0 still run → `aiida-enne launch study` goes on with it' in line
    assert f'stop {root.pk}` gives it up' in line
    assert not lines(result, 'NequipTrainCalculation')
    with Lock('seven') as lock:
        assert lock.acquire(wait=False)
        assert (
            'the terminal that ran it was closed or interrupted' not in doctor('--no-remote').output
        )


def test_what_was_interrupted_is_given_up_at_request(doctor, tmp_path):
    root = process(ProcessState.WAITING)
    child = job(root, tmp_path)
    refused = CliRunner().invoke(main, ['stop', str(child.pk)])
    assert f'was not launched in a terminal: `verdi process kill {root.pk}`' in refused.output
    root.base.extras.set(foreground.MARK, {'key': 'seven', 'command': 'aiida-enne launch study'})
    assert CliRunner().invoke(main, ['stop', '--jobs', str(child.pk)]).exit_code == 0
    assert not root.is_terminated
    result = CliRunner().invoke(main, ['stop', str(child.pk)])
    assert result.exit_code == 0, result.output
    assert f'Gave up EnsembleWorkChain <{root.pk}>' in result.output
    assert root.is_killed
    assert child.is_killed
    assert 'has ended already' in CliRunner().invoke(main, ['stop', str(root.pk)]).output


def test_codes_and_computers(doctor, tmp_path):
    computer = orm.Computer(
        label='slow', hostname='localhost', transport_type='core.local',
        scheduler_type='core.direct', workdir=str(tmp_path),
    ).store()  # fmt: skip
    computer.configure(safe_interval=15, use_login_shell=True)
    for label, executable in (('python', sys.executable), ('pw', '/no/pw.x')):
        orm.InstalledCode(label=label, computer=computer, filepath_executable=executable).store()
    result = doctor()
    assert result.exit_code == 1
    assert lines(result, 'pw@slow')[0].startswith('FAIL pw@slow: The provided remote')
    assert lines(result, 'python@slow, nequip')[0].startswith('OK')
    told = lines(result, 'computer slow:')
    assert 'connections are 15 s apart' in told[0]
    assert '--safe-interval 1`' in told[0]
    assert '--no-use-login-shell`' in told[1]
    only = doctor('--code', 'pw@slow', '--no-remote')
    assert only.exit_code == 0
    assert not lines(only, 'python@slow')


def test_a_computer_that_nobody_configured(doctor, profile):
    computer = orm.Computer(
        label='new', hostname='new', transport_type='core.ssh_async',
        scheduler_type='core.slurm', workdir='/scratch',
    ).store()  # fmt: skip
    orm.InstalledCode(label='python', computer=computer, filepath_executable='/bin/python').store()
    result = doctor()
    assert result.exit_code == 1
    assert lines(result, 'computer new') == [
        'FAIL computer new: it is not configured → `verdi computer configure core.ssh_async new`'
    ]


@pytest.mark.slow
def test_more_workers_than_cores(doctor, profile, monkeypatch):
    profile.set_option('daemon.timeout', 60)  # where the machine is busy with other things
    # found in PATH when AiiDA is imported, where it is only if the environment was activated
    monkeypatch.setattr(client, 'VERDI_BIN', str(Path(sys.executable).with_name('verdi')))
    daemon = client.get_daemon_client()
    daemon.start_daemon(os.cpu_count() + 1)
    try:
        found = lines(doctor('--no-remote'), 'daemon:')
    finally:
        daemon.stop_daemon(wait=True)
    assert len(found) == 1, found
    (line,) = found
    assert line.startswith(f'WARN daemon: {os.cpu_count() + 1} workers on {os.cpu_count()} cores')
    assert line.endswith('`verdi daemon decr 1`')


@pytest.mark.slow
def test_a_storage_that_is_gone(tmp_path):
    environment = os.environ | {'AIIDA_PATH': str(tmp_path)}
    verdi = [sys.executable, '-m', 'aiida', 'presto', '-n', '-p', 'lost', '--no-broker']
    subprocess.run(verdi, env=environment, check=True, capture_output=True)
    (database,) = tmp_path.rglob('database.sqlite')
    database.write_bytes(b'no database')
    result = subprocess.run(
        [sys.executable, '-m', 'aiida_enne', 'doctor'],
        env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert result.returncode == 1
    assert result.stdout.startswith('FAIL storage of lost:')
    assert 'Traceback' not in result.stdout + result.stderr


def test_a_profile_without_broker_has_no_daemon(profile, monkeypatch):
    monkeypatch.setattr(get_manager(), 'get_broker', lambda: None)
    monkeypatch.setattr(type(profile), 'process_control_backend', None)
    (verdict,) = health.check_broker(profile)
    assert verdict.level == 'WARN'
    assert f'configure-broker core.zeromq -n -f {profile.name}' in verdict.remedy
    assert list(health.check_daemon(profile)) == []
