"""Share a study: an archive with all that the report needs, measured before it is written."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from aiida import orm
from aiida.manage import get_manager
from aiida.tools import create_archive

from aiida_enne.aiida_private import get_nodes_export

#: Floating-point numbers barely compress: level 6 takes seven times as long for eight percent.
COMPRESSION = 1


@dataclass(frozen=True, slots=True)
class Content:
    """What an archive will hold.

    Attributes:
        counts: Number of nodes by the last part of their type.
        n_files: Different files.
        n_bytes: Size of these files before compression.
    """

    counts: dict[str, int]
    n_files: int
    n_bytes: int


def inspect(process: orm.ProcessNode) -> Content:
    """Return what an archive of a study holds: everything that it called, used and made."""
    begin: list[Any] = [process.pk]
    chosen = get_nodes_export(begin, **_rules())['nodes']
    counts: Counter[str] = Counter()
    files: set[str] = set()
    query = orm.QueryBuilder().append(
        orm.Node, filters={'id': {'in': list(chosen)}}, project=['node_type', 'repository_metadata']
    )
    for node_type, metadata in query.iterall():
        counts[node_type.rstrip('.').rsplit('.', 1)[-1]] += 1
        files |= _keys(metadata)
    repository = get_manager().get_profile_storage().get_repository()
    n_bytes = sum(
        sum(len(chunk) for chunk in iter(partial(stream.read, 1 << 20), b''))
        for _, stream in repository.iter_object_streams(sorted(files))
    )
    return Content(dict(counts.most_common()), len(files), n_bytes)


def share(process: orm.ProcessNode, path: Path, *, overwrite: bool = False) -> Path:
    """Write the archive of a study.

    Raises:
        ArchiveExportError: If the file is there already and must not be overwritten.
    """
    return create_archive(
        [process], filename=path, overwrite=overwrite, compression=COMPRESSION, **_rules()
    )


def _rules() -> dict[str, Any]:
    """Follow a study down to all that it called, and every node back to what it was made from."""
    return {'call_calc_backward': False, 'call_work_backward': False, 'create_backward': True}


def _keys(metadata: dict[str, Any]) -> set[str]:
    """Return the keys of all files in the metadata of a node's repository."""
    found = {metadata['k']} if 'k' in metadata else set()
    return found.union(*(_keys(child) for child in metadata.get('o', {}).values()))
