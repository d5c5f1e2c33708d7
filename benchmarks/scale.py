"""Cost of a large study in AiiDA itself: overhead per job, database, memory, the audit's query.

`scale.py drive` makes a temporary profile with a daemon and lets it drive `--labels` labels in jobs
of `--per-job`, `--ensembles` trainings of `--members` jobs each, and an audit of every ensemble on
two datasets, where a stand-in does the work of the jobs at once: what is measured is AiiDA.

`scale.py query` fills the storage with 10², 10³, … `--nodes` predictions and asks what an audit
asks. Both take `--postgres` in place of SQLite; the server is a temporary one on the loopback.
"""

import argparse
import contextlib
import sqlite3
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil

sys.path.insert(0, str(Path(__file__).parents[1]))


def main() -> None:
    """Run what was chosen."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('what', choices=['drive', 'query'])
    parser.add_argument('--postgres', action='store_true', help='PostgreSQL in place of SQLite')
    parser.add_argument('--labels', type=int, default=1000)
    parser.add_argument('--per-job', type=int, default=10)
    parser.add_argument('--ensembles', type=int, default=8)
    parser.add_argument('--members', type=int, default=30)
    parser.add_argument('--workers', type=int, default=2)
    parser.add_argument('--nodes', type=int, default=10_000, help='up to so many predictions')
    chosen = parser.parse_args()
    with (
        tempfile.TemporaryDirectory(prefix='enne-scale-') as place,
        storage_of(Path(place), postgres=chosen.postgres) as storage,
        profile_of(Path(place), storage),
    ):
        folder = Path(place)
        name = 'PostgreSQL' if chosen.postgres else 'SQLite'
        if chosen.what == 'query':
            from scale_query import compare

            compare(chosen.nodes, name)
        else:
            from scale_drive import drive

            drive(chosen, folder, name, lambda: size_of(folder))


@contextlib.contextmanager
def storage_of(folder: Path, *, postgres: bool) -> Iterator[dict[str, Any]]:
    """Yield the storage of a profile, with the server that it needs."""
    folder.chmod(0o755)  # the account of PostgreSQL must enter
    if not postgres:
        yield {'storage_backend': 'core.sqlite_dos', 'storage_config': {'filepath': f'{folder}/s'}}
        return
    from tests.services.postgres import Postgres

    server = Postgres(folder / 'postgres')
    server.program.start()
    try:
        config = server.make_database('scale') | {'repository_uri': f'file://{folder}/repository'}
        yield {'storage_backend': 'core.psql_dos', 'storage_config': config}
    finally:
        server.program.stop()


@contextlib.contextmanager
def profile_of(folder: Path, storage: dict[str, Any]) -> Iterator[Any]:
    """Make and load a temporary profile with AiiDA's own broker."""
    from aiida.manage.configuration import create_profile, get_config, profile_context
    from aiida.manage.configuration.settings import AiiDAConfigDir

    AiiDAConfigDir.set(folder / '.aiida')
    config = get_config(create=True)
    profile = create_profile(
        config, name='scale', email='scale@localhost', broker_backend='core.zeromq', **storage
    )
    profile.set_option('daemon.timeout', 60)
    config.set_default_profile('scale')
    config.store()
    if 'filepath' in storage['storage_config']:
        with contextlib.closing(sqlite3.connect(folder / 's/database.sqlite')) as connection:
            connection.execute('PRAGMA journal_mode=WAL')
    with profile_context(profile, allow_switch=True):
        yield profile


def size_of(folder: Path) -> dict[str, float]:
    """Return megabytes of the database and of the repository of files."""
    places = {
        'database': ['s/database.sqlite*', 'postgres/data/base/**/*'],
        'repository': ['s/container/**/*', 'repository/**/*'],
    }
    return {
        name: sum(p.stat().st_size for glob in globs for p in folder.glob(glob) if p.is_file())
        / 1e6
        for name, globs in places.items()
    }


def clock_workers(pids: list[int]) -> tuple[float, float, float]:
    """Return the time, and CPU seconds and largest memory in megabytes of the workers."""
    found = [psutil.Process(pid) for pid in pids]
    cpu = sum(sum(process.cpu_times()[:2]) for process in found)
    return time.perf_counter(), cpu, max(process.memory_info().rss for process in found) / 1e6


if __name__ == '__main__':
    main()
