"""The journal of a profile's SQLite database, which decides whether two may write at once."""

import contextlib
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

#: Seconds that a run waits until another process has written.
PATIENCE = 120


def database_of(profile: Any) -> Path | None:
    """Return the SQLite file of a profile; None where it has none."""
    folder = profile.storage_config.get('filepath')
    path = Path(folder or '') / 'database.sqlite'
    return path if folder is not None and path.exists() else None


def mode_of(path: Path) -> str:
    """Return `wal` or `delete`: the journal of a database.

    SQLite itself is asked: whoever opens the file in another way and closes it loses all locks that
    this process has on it, and another process then removes the log that this one writes
    (https://sqlite.org/howtocorrupt.html, 2.2). Where another process has locked the database there
    is no write-ahead log, since with one readers are let in.
    """
    with contextlib.closing(sqlite3.connect(path, timeout=1.0)) as connection:
        try:
            return str(connection.execute('PRAGMA journal_mode').fetchone()[0])
        except sqlite3.OperationalError:
            return 'delete'


def use_wal(path: Path) -> str:
    """Switch to the write-ahead log, once and for all; return the mode that there is then.

    It stays what it was while another process is writing, and where the file system has no locks.
    """
    with contextlib.closing(sqlite3.connect(path, timeout=5.0)) as connection:
        try:
            return str(connection.execute('PRAGMA journal_mode=WAL').fetchone()[0])
        except sqlite3.OperationalError:
            return mode_of(path)


@contextlib.contextmanager
def without_waiting() -> Iterator[None]:
    """Let commits not wait for the disk, where SQLite has a write-ahead log, but for other writers.

    Where others write at the same time on a busy machine, SQLite's own five seconds of patience are
    not enough, and a process ends in `database is locked`.
    Whatever is killed, nothing is lost; a power cut may take back the last seconds, and the
    database stays whole (https://sqlite.org/pragma.html#pragma_synchronous).
    """
    from aiida.manage import get_manager
    from sqlalchemy import event

    path = database_of(get_manager().get_profile())
    if path is None or mode_of(path) != 'wal':
        yield
        return
    storage: Any = get_manager().get_profile_storage()
    session = storage.get_session()
    session.commit()  # it returns its connection, and asks for one anew when it goes on
    engine = session.get_bind()
    event.listen(engine, 'checkout', _spare)
    try:
        yield
    finally:
        event.remove(engine, 'checkout', _spare)
        session.commit()
        engine.dispose()


def _spare(connection: Any, *_: Any) -> None:
    connection.execute('PRAGMA synchronous=NORMAL')
    connection.execute(f'PRAGMA busy_timeout={1000 * PATIENCE}')


def is_shareable() -> bool:
    """Let the loaded profile have a write-ahead log; return whether two may write at once."""
    from aiida.manage import get_manager

    path = database_of(get_manager().get_profile())
    return path is None or use_wal(path) == 'wal'
