"""Looks at a profile: storage, broker, daemon, settings and disk."""

import os
import shutil
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

from aiida_enne.cli import journal
from aiida_enne.cli.verdi import verdi
from aiida_enne.machines.probe import ENOUGH, LITTLE, Verdict

#: Seconds between looks at finished processes: each step of a work chain may wait that long.
POLL_INTERVAL = 5
#: Seconds that a daemon may take to have its broker up.
PATIENCE = 20
CACHED = ('enne.aims', 'enne.ase.run', 'enne.nequip.predict', 'enne.nequip.train')
ACTIVE = ('created', 'waiting', 'running')


def check_storage(profile: Any) -> Iterator[Verdict]:
    """Open the storage; SQLite should let one write while others read."""
    from aiida.common.exceptions import IncompatibleStorageSchema
    from aiida.manage import get_manager

    name = f'storage of {profile.name}'
    try:
        get_manager().get_profile_storage()
    except IncompatibleStorageSchema:
        yield Verdict('FAIL', name, 'made by another AiiDA', '`verdi storage migrate`')
        return
    except Exception as exception:  # a database may be missing in as many ways as there are
        yield Verdict('FAIL', name, str(exception), 'does its server run? `verdi status`')
        return
    yield Verdict('OK', name, f'{profile.storage_backend} opens')
    path = journal.database_of(profile)
    if path is None:
        return
    if (mode := journal.mode_of(path)) == 'wal':
        yield Verdict('OK', 'SQLite', 'write-ahead log')
        return
    text = f'journal mode {mode}: two processes that write lock each other out'
    remedy = '`aiida-enne doctor --fix`, once, while nothing else uses the profile'
    yield Verdict('WARN', 'SQLite', text, remedy, partial(set_journal, path))


def set_journal(path: Path) -> None:
    """Switch a database to a write-ahead log.

    Raises:
        OSError: If it cannot be set now.
    """
    if (mode := journal.use_wal(path)) != 'wal':
        raise OSError(f'the journal mode stays {mode}: another process uses {path}')


def check_broker(profile: Any) -> Iterator[Verdict]:
    """Connect to the broker, if there is one; that of AiiDA itself lives with the daemon."""
    from aiida.manage import get_manager

    broker = get_manager().get_broker()
    if broker is None:
        remedy = f'for a daemon `verdi profile configure-broker core.zeromq -n -f {profile.name}`'
        yield Verdict('WARN', 'broker', 'none: jobs run in the foreground only', remedy)
        return
    name = profile.process_control_backend
    if name == 'core.zeromq':
        yield Verdict('OK', 'broker', f'{name}, runs with the daemon')
        return
    try:
        broker.get_communicator()
    except Exception as exception:  # no connection, whatever the reason
        yield Verdict('FAIL', 'broker', f'{name}: {exception}', 'does its server run?')
        return
    yield Verdict('OK', 'broker', f'{name}, connected')


def check_daemon(profile: Any) -> Iterator[Verdict]:
    """Count the workers; without a daemon, submitted processes wait."""
    from aiida.manage import get_manager

    from aiida_enne.aiida_private import DaemonException, validate_daemon_env

    if profile.process_control_backend is None:
        return
    client = get_manager().get_daemon_client()
    if not client.is_daemon_running:
        waiting = count_active()
        text = f'does not run; {waiting} processes wait for it'
        # the daemon starts its workers by that name
        found = shutil.which('verdi') is not None
        remedy = '' if found else 'activate the environment that holds `verdi`, then '
        level = 'FAIL' if waiting else 'WARN'
        start = partial(verdi, '-p', profile.name, 'daemon', 'start') if found else None
        yield Verdict(level, 'daemon', text, f'{remedy}`verdi daemon start`', start)
        return
    try:
        workers, cores = client.get_numprocesses()['numprocesses'], os.cpu_count() or 1
    except DaemonException as exception:
        remedy = 'busy machine? `verdi config set daemon.timeout 20`, or `verdi daemon restart`'
        yield Verdict('WARN', 'daemon', f'runs, but does not answer: {exception}', remedy)
        return
    text = f'{workers} workers on {cores} cores'
    many = workers > cores
    remedy = f'`verdi daemon decr {workers - cores}`' if many else ''
    fewer = partial(verdi, '-p', profile.name, 'daemon', 'decr', str(workers - cores))
    yield Verdict('WARN' if many else 'OK', 'daemon', text, remedy, fewer if many else None)
    restart = partial(verdi, '-p', profile.name, 'daemon', 'restart')
    if drift := validate_daemon_env(client):
        yield Verdict('WARN', 'daemon', str(drift), '`verdi daemon restart`', restart)
    if profile.process_control_backend == 'core.zeromq' and not broker_answers():
        text = 'the broker is not running; workers receive no tasks'
        yield Verdict('FAIL', 'daemon', text, '`verdi daemon restart`', restart)


def broker_answers() -> bool:
    """Return whether AiiDA's own broker answers; just after a start this takes a moment."""
    from aiida.common.log import override_log_level
    from aiida.manage import get_manager

    broker = get_manager().get_broker()
    for _ in range(PATIENCE):
        with override_log_level():
            if broker is not None and broker.probe_service_status().get('connected'):
                return True
        time.sleep(1)
    return False


def check_settings() -> Iterator[Verdict]:
    """Check settings that make studies slow or repeat calculations."""
    from aiida.manage import get_manager
    from aiida.manage.caching import get_use_cache

    seconds = get_manager().get_option('runner.poll.interval')
    slow = seconds > POLL_INTERVAL
    yield Verdict(
        'WARN' if slow else 'OK',
        'runner.poll.interval',
        f'{seconds} s' + (', paid by every step of a work chain that runs here' if slow else ''),
        '`verdi config set runner.poll.interval 1`' if slow else '',
        partial(set_option, 'runner.poll.interval', 1) if slow else None,
    )
    off = [name for name in CACHED if not get_use_cache(identifier=f'aiida.calculations:{name}')]
    yield Verdict(
        'WARN' if off else 'OK',
        'caching',
        f'off for {", ".join(off)}' if off else 'on for all jobs',
        "`verdi config set -a caching.enabled_for 'aiida.calculations:enne.*'`" if off else '',
        cache_all if off else None,
    )


def set_option(name: str, value: Any) -> None:
    """Set an option of the loaded profile for good."""
    from aiida.manage import get_manager

    from aiida_enne.aiida_private import get_config

    profile = get_manager().get_profile()
    config = get_config()
    config.set_option(name, value, scope=None if profile is None else profile.name)
    config.store()


def cache_all() -> None:
    """Let AiiDA cache the jobs of this package, beside what it caches already."""
    from aiida.manage import get_manager

    known = get_manager().get_option('caching.enabled_for') or []
    set_option('caching.enabled_for', [*known, 'aiida.calculations:enne.*'])


def check_disk() -> Verdict:
    """Look at the space where the nodes are kept."""
    from aiida.manage import AiiDAConfigDir

    folder = AiiDAConfigDir.get()
    free = shutil.disk_usage(folder).free
    level = 'FAIL' if free < LITTLE else 'OK' if free >= ENOUGH else 'WARN'
    remedy = '`verdi storage maintain --full`' if level != 'OK' else ''
    return Verdict(level, 'disk', f'{free / 1e9:.1f} GB free in {folder}', remedy)


def count_active() -> int:
    """Return how many processes have not ended."""
    from aiida import orm

    query = orm.QueryBuilder()
    query.append(orm.ProcessNode, filters={'attributes.process_state': {'in': list(ACTIVE)}})
    return int(query.count())
