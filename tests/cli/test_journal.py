"""Tests of how much a profile on SQLite waits for the disk."""

import contextlib
import sqlite3
import subprocess
import sys

import pytest
from aiida import orm
from aiida.manage import get_manager
from sqlalchemy import text

from aiida_enne.cli.journal import database_of, is_shareable, mode_of, use_wal, without_waiting


def level(name='synchronous'):
    session = get_manager().get_profile_storage().get_session()
    found = session.execute(text(f'PRAGMA {name}')).scalar()
    session.commit()
    return found


@pytest.mark.usefixtures('aiida_profile_clean')
def test_commits_wait_for_the_disk_again_when_a_run_is_over():
    """What is written meanwhile is seen by others at once."""
    path = database_of(get_manager().get_profile())
    if path is None:
        pytest.skip('this profile is not on SQLite')
    assert is_shareable()
    full = level()
    with without_waiting():
        assert level() == 1
        assert level('busy_timeout') == 120_000, 'others may write for as long'
        pk = orm.Int(7).store().pk
        assert level() == 1, 'a commit returns to the same connection'
        with sqlite3.connect(path) as other:
            assert other.execute('select count(*) from db_dbnode where id=?', (pk,)).fetchone()[0]
    assert level() == full == 2
    assert level('busy_timeout') == 5_000


def test_asking_for_the_journal_keeps_the_locks(tmp_path):
    """A command beside a run closes last, as far as it can see, and would remove the run's log."""
    path = tmp_path / 'database.sqlite'
    assert use_wal(path) == 'wal'
    read = (
        f"import sqlite3; c = sqlite3.connect({str(path)!r}); print(*c.execute('select * from t'))"
    )
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as run:
        run.execute('create table t (n)')
        assert mode_of(path) == 'wal'
        for number in range(3):
            run.execute('insert into t values (?)', (number,))
            done = subprocess.run(
                [sys.executable, '-c', read],
                capture_output=True, text=True, check=True,
            )  # fmt: skip
            assert len(done.stdout.split()) == number + 1
            assert path.with_name('database.sqlite-wal').exists()


def test_a_database_that_is_locked_has_no_write_ahead_log(tmp_path):
    path = tmp_path / 'database.sqlite'
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute('create table t (n)')
        other.execute('begin exclusive')
        assert mode_of(path) == 'delete'
