"""Archives read as they are: nothing is imported."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from aiida.common.exceptions import CorruptStorage, IncompatibleStorageSchema
from aiida.manage import get_manager
from aiida.storage.sqlite_zip.backend import SqliteZipBackend


@contextmanager
def open_archive(path: Path) -> Iterator[None]:
    """Make an archive the loaded profile, read-only, and go back to the former one at the end.

    AiiDA's own context does not go back where an exception leaves it.

    Raises:
        ValueError: If the file is not an archive that this AiiDA can read.
    """
    manager = get_manager()
    former = manager.get_profile()
    try:
        profile = SqliteZipBackend.create_profile(path)
        SqliteZipBackend.version_profile(profile)
        manager.load_profile(profile, allow_switch=True)
    except (CorruptStorage, IncompatibleStorageSchema) as exception:
        raise ValueError(f'{path} cannot be read as an archive: {exception}') from None
    try:
        yield
    finally:
        if former is None:
            manager.unload_profile()
        else:
            manager.load_profile(former, allow_switch=True)
