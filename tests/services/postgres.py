"""A PostgreSQL server in a temporary folder."""

import os
import shutil
import signal
import subprocess
from pathlib import Path

from tests.services.programs import Program, account, answers, free_port, require

PASSWORD = 'secret'


class Postgres:
    """A cluster of databases of its own, without the safety of disks that a test does not need."""

    def __init__(self, folder: Path) -> None:
        """Make the cluster; nothing runs yet."""
        versions = sorted(
            Path('/usr/lib/postgresql').glob('*/bin'), key=lambda p: float(p.parts[4])
        )
        initdb, server, self.psql = require('initdb', 'postgres', 'psql', folders=versions[::-1])
        self.port, who = free_port(), account('postgres')
        folder.mkdir()
        password = folder / 'password'
        password.write_text(PASSWORD)
        for path in (folder, password):
            if who:
                shutil.chown(path, who['user'], who['group'])
        options = ['-U', 'aiida', '-A', 'scram-sha-256', f'--pwfile={password}', '--no-sync']
        locale = ['-E', 'UTF8', '--locale=C.UTF-8']
        data = folder / 'data'
        subprocess.run(
            [initdb, '-D', data, *options, *locale], check=True, capture_output=True, cwd='/', **who
        )
        settings = {
            'port': self.port,
            'listen_addresses': '127.0.0.1',
            'unix_socket_directories': folder,
            'fsync': 'off',
        }
        words = [word for name, value in settings.items() for word in ('-c', f'{name}={value}')]
        self.program = Program(
            'postgres', [server, '-D', data, *words], folder, self.ready, cwd='/', **who
        )
        self.program.end = signal.SIGINT  # at once, not when the last client has gone

    def ready(self) -> bool:
        """Return whether the server takes queries, not only connections."""
        return answers(self.port) and self.execute('SELECT 1', check=False).returncode == 0

    def execute(self, query: str, *, check: bool = True) -> subprocess.CompletedProcess:
        """Let the superuser of the cluster run a query."""
        place = ['-h', '127.0.0.1', '-p', str(self.port), '-U', 'aiida', '-d', 'postgres']
        environment = os.environ | {'PGPASSWORD': PASSWORD}
        return subprocess.run(
            [self.psql, *place, '-Atc', query],
            env=environment,
            check=check,
            capture_output=True,
            text=True,
        )

    def make_database(self, name: str) -> dict[str, object]:
        """Make an empty database and return AiiDA's storage configuration of it."""
        self.execute(f'CREATE DATABASE {name}')
        return {
            'database_hostname': '127.0.0.1',
            'database_port': self.port,
            'database_username': 'aiida',
            'database_password': PASSWORD,
            'database_name': name,
        }

    def restart(self) -> None:
        """Stop the server as for an upgrade, cutting all connections, and start it again."""
        self.program.stop()
        self.program.start()
