"""The journal of a profile's SQLite database, which decides whether two may write at once."""

import contextlib
import sqlite3
from pathlib import Path
from typing import Any


def database_of(profile: Any) -> Path | None:
    """Return the SQLite file of a profile; None where it has none."""
    folder = profile.storage_config.get('filepath')
    path = Path(folder or '') / 'database.sqlite'
    return path if folder is not None and path.exists() else None


def mode_of(path: Path) -> str:
    """Return `wal` or `delete`: the journal of a database, read from its header.

    So it is known while another process has locked the database (https://sqlite.org/fileformat.html).
    """
    with path.open('rb') as handle:
        header = handle.read(20)
    return 'wal' if header[18:20] == b'\x02\x02' else 'delete'


def use_wal(path: Path) -> str:
    """Switch to the write-ahead log, once and for all; return the mode that there is then.

    It stays what it was while another process is writing, and where the file system has no locks.
    """
    with contextlib.closing(sqlite3.connect(path, timeout=5.0)) as connection:
        try:
            return str(connection.execute('PRAGMA journal_mode=WAL').fetchone()[0])
        except sqlite3.OperationalError:
            return mode_of(path)


def is_shareable() -> bool:
    """Let the loaded profile have a write-ahead log; return whether two may write at once."""
    from aiida.manage import get_manager

    path = database_of(get_manager().get_profile())
    return path is None or use_wal(path) == 'wal'
