"""Archives of AiiDA as files: a database and objects in one zip, rewritten row by row."""

from __future__ import annotations

import hashlib
import json
import sqlite3
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

#: Names within the zip; objects are named by the SHA-256 of their content.
DATABASE, OBJECTS = 'db.sqlite3', 'repo/'
#: Tables of which nothing is kept.
EMPTIED = ('db_dblog', 'db_dbcomment', 'db_dbauthinfo', 'db_dbgroup_dbnodes', 'db_dbgroup')


@dataclass(slots=True)
class Row:
    """A node of an archive; what is changed is written back.

    Attributes:
        node_type: Its type.
        links: Labels of the links that made or returned it.
        texts: `label` and `description`.
        attributes: All of them.
        extras: All of them.
        files: Path to key of every file.
    """

    node_type: str
    links: set[str]
    texts: dict[str, str]
    attributes: dict[str, Any]
    extras: dict[str, Any]
    files: dict[str, str]


def rewrite_archive(
    source: Path,
    target: Path,
    change: Callable[[Row], None],
    change_file: Callable[[str, bytes], bytes | None],
    who: Callable[[str, int], dict[str, str]],
) -> None:
    """Write another archive with the nodes of one, changed; nothing of what was stays in the bytes.

    Args:
        source: An archive of AiiDA.
        target: Where the other one goes.
        change: Of a node.
        change_file: Of a file, by its path and content; None leaves it out.
        who: Columns of a `user` or `computer` by its number.
    """
    with TemporaryDirectory() as folder, zipfile.ZipFile(source) as old:
        base = Path(old.extract(DATABASE, folder))
        names = {one.removeprefix(OBJECTS) for one in old.namelist() if one.startswith(OBJECTS)}
        contents: dict[str, bytes] = {}
        moved: dict[str, str | None] = {}

        def renamed(path: str, key: str) -> str | None:
            if key not in moved:
                given = old.read(OBJECTS + key) if key in names else b''
                content = change_file(path, given)
                name = None if content is None else hashlib.sha256(content).hexdigest()
                moved[key] = name
                if name is not None and content is not None:
                    contents[name] = content
            return moved[key]

        connection = sqlite3.connect(base)
        try:
            connection.execute('PRAGMA secure_delete = ON')
            for table in EMPTIED:
                connection.execute(f'DELETE FROM {table}')
            _rename(connection, 'db_dbuser', 'user', who)
            _rename(connection, 'db_dbcomputer', 'computer', who)
            for pk, row in list(_rows(connection)):
                change(row)
                kept = {path: renamed(path, key) for path, key in row.files.items()}
                tree = _tree({path: key for path, key in kept.items() if key is not None})
                connection.execute(
                    'UPDATE db_dbnode SET label = ?, description = ?, attributes = ?, extras = ?, '
                    'repository_metadata = ? WHERE id = ?',
                    (
                        row.texts['label'],
                        row.texts['description'],
                        json.dumps(row.attributes),
                        json.dumps(row.extras),
                        json.dumps(tree),
                        pk,
                    ),
                )
            connection.commit()
            connection.execute('VACUUM')
        finally:
            connection.close()
        with zipfile.ZipFile(target, 'w', zipfile.ZIP_DEFLATED) as new:
            new.writestr('metadata.json', old.read('metadata.json'))
            new.write(base, DATABASE)
            for key in sorted(contents):
                new.writestr(OBJECTS + key, contents[key])


def _rename(
    connection: sqlite3.Connection,
    table: str,
    kind: str,
    who: Callable[[str, int], dict[str, str]],
) -> None:
    for number, (pk,) in enumerate(connection.execute(f'SELECT id FROM {table}').fetchall(), 1):
        for column, value in who(kind, number).items():
            connection.execute(f'UPDATE {table} SET {column} = ? WHERE id = ?', (value, pk))


def _rows(connection: sqlite3.Connection) -> Iterator[tuple[int, Row]]:
    links: dict[int, set[str]] = {}
    for pk, label in connection.execute('SELECT output_id, label FROM db_dblink'):
        links.setdefault(pk, set()).add(label)
    columns = 'id, node_type, label, description, attributes, extras, repository_metadata'
    for pk, kind, label, described, *rest in connection.execute(f'SELECT {columns} FROM db_dbnode'):
        attributes, extras, files = (json.loads(one) if one else {} for one in rest)
        texts = {'label': label or '', 'description': described or ''}
        found = dict(_files(files))
        yield pk, Row(kind, links.get(pk, set()), texts, attributes, extras, found)


def _files(tree: dict[str, Any], place: str = '') -> Iterator[tuple[str, str]]:
    for name, one in tree.get('o', {}).items():
        if 'k' in one:
            yield place + name, one['k']
        else:
            yield from _files(one, f'{place}{name}/')


def _tree(files: dict[str, str]) -> dict[str, Any]:
    tree: dict[str, Any] = {}
    for path, key in files.items():
        here = tree
        *folders, name = path.split('/')
        for folder in folders:
            here = here.setdefault('o', {}).setdefault(folder, {})
        here.setdefault('o', {})[name] = {'k': key}
    return tree
