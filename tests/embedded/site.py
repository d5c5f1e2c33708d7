"""A site whose daemon brings its own broker."""

import contextlib
import sqlite3
from pathlib import Path

import psutil
from aiida.manage import get_manager

from tests.services.programs import wait_until
from tests.services.site import Site


class EmbeddedSite(Site):
    """One profile with AiiDA's own broker, which the daemon starts beside its workers.

    The journal is WAL, as `aiida-enne doctor` asks for: with SQLite's default, whoever reads while
    a worker writes may find the database locked for longer than AiiDA waits.
    """

    def start_daemon(self) -> None:
        """Start the daemon, and wait for the broker too: AiiDA itself waits 15 s at most."""
        database = Path(self.profile.storage_config['filepath']) / 'database.sqlite'
        with contextlib.closing(sqlite3.connect(database)) as connection:
            (mode,) = connection.execute('PRAGMA journal_mode=WAL').fetchone()
        assert mode == 'wal'
        super().start_daemon()
        wait_until(self.broker_process, 'the broker runs')

    def broker_process(self) -> psutil.Process | None:
        """Return the process of the broker, if it runs."""
        pid = get_manager().get_broker().probe_service_status().get('pid')
        return psutil.Process(pid) if pid is not None and psutil.pid_exists(pid) else None
