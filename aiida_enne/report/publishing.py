"""Archives for everybody: without names of computers and people, paths, and files of jobs."""

from __future__ import annotations

import getpass
import re
import socket
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from aiida import orm

from aiida_enne.aiida_private.archives import Row, rewrite_archive
from aiida_enne.report.sharing import share

#: What texts hold: an address of the web, which stays, or an absolute path of two parts or more,
#: also behind a colon, a host or a flag such as `-I`; of that the last part stays.
PATH = re.compile(
    r'(?P<web>\bhttps?://(?:(?!:/)[^\s"\'<>])*)'
    r'|(?:(?<![\w./])|(?<=-[IL]))(?:~[\w.-]+)?/+(?:[\w.+@~=%-]+/+)+(?P<last>[\w.+@~=%-]*)'
)
#: What a job says of where it ran.
WHERE = ('remote_workdir', 'remote_path', 'job_id', 'last_job_info', 'detailed_job_info')
#: What is said to the scheduler of whoever pays, and lines of scripts, which say it too.
SAID = (
    'account',
    'queue_name',
    'qos',
    'custom_scheduler_commands',
    'prepend_text',
    'append_text',
)
#: Types of nodes that hold these.
SAYING = ('process.', 'data.core.code.')
#: Names that tell nothing.
COMMON = ('', 'localhost', 'aiida@localhost', 'root')
#: Files that others have published, whose checksums stand beside them: only names are taken out.
PUBLISHED = ('.upf',)
#: Letters of a name that bytes hold by chance in one archive of a hundred thousand, if at all.
TELLING = 5
#: A query of jobs that were paid for by an account.
HAS_ACCOUNT = {'has_key': 'account'}
#: What stands for a name.
NOBODY, SOMEWHERE = 'nobody@example.org', 'somewhere'


def publish(process: orm.ProcessNode, path: Path, *, overwrite: bool = False) -> dict[str, int]:
    """Write the archive of a study that anyone may see; the report on it is the same.

    Args:
        process: Audit or study.
        path: Of the archive.
        overwrite: Whether one that is there is replaced.

    Returns:
        What is left out, or replaced, and how often.

    Raises:
        FileExistsError: If the file is there already and must not be overwritten.
        ValueError: If arrays that the report needs hold one of the names.
    """
    if path.exists() and not overwrite:
        raise FileExistsError(f'{path} is there already')
    with TemporaryDirectory() as folder:
        part, left = _rewrite(process, Path(folder))
        path.write_bytes(part.read_bytes())
    return left


def preview(process: orm.ProcessNode) -> dict[str, int]:
    """Return what `publish` would leave out, or replace, and how often.

    Raises:
        ValueError: If arrays that the report needs hold one of the names.
    """
    with TemporaryDirectory() as folder:
        return _rewrite(process, Path(folder))[1]


def _rewrite(process: orm.ProcessNode, folder: Path) -> tuple[Path, dict[str, int]]:
    scrub = Scrub(secrets(), people())
    whole, part = share(process, folder / 'whole.aiida'), folder / 'public.aiida'
    rewrite_archive(whole, part, scrub.node, scrub.file, scrub.who)
    return part, {name: number for name, number in scrub.left.most_common() if number}


def people() -> list[str]:
    """Return words of their own that must not stand there: names of users, accounts of jobs."""
    users = orm.QueryBuilder().append(orm.User, project=['first_name', 'last_name']).all()
    query = orm.QueryBuilder()
    query.append(orm.CalcJobNode, project='attributes.account', filters={'attributes': HAS_ACCOUNT})
    found = {name or '' for one in [*users, *query.distinct().all()] for name in one}
    return sorted(name for name in found if len(name) > 2)


def secrets() -> list[str]:
    """Return what must not stand in a public archive, the longest first."""
    users = orm.QueryBuilder().append(orm.User, project=['email']).all(flat=True)
    computers = orm.QueryBuilder().append(orm.Computer).all(flat=True)
    names = {socket.gethostname(), socket.getfqdn(), str(Path.home()), *users}
    for one in computers:
        names |= {one.label, one.hostname, one.get_workdir()}
    # a name of a letter or two, or a home of `/`, stands everywhere and tells nothing
    told = {name for name in names if name not in COMMON and len(name) > 2}
    return sorted(told, key=lambda name: (-len(name), name))


def kept(match: re.Match[str]) -> str:
    """Return what stays of a match of `PATH`."""
    return match['web'] or match['last'] or ''


class Scrub:
    """What is done to the nodes and files of an archive, counted."""

    def __init__(self, names: list[str], people: Iterable[str] = ()) -> None:
        self.names = names
        # of this machine and of whoever works here, as words of their own, however short they are
        known = {socket.gethostname(), getpass.getuser(), *people} - set(COMMON)
        words = sorted(known, key=len, reverse=True)
        self.words = re.compile(rf'\b(?:{"|".join(map(re.escape, words))})\b') if words else None
        self.left: Counter[str] = Counter()

    def who(self, kind: str, number: int) -> dict[str, str]:
        """Return what stands for a person or a computer."""
        self.left[f'{kind}s, named {NOBODY if kind == "user" else "computer-1, …"}'] += 1
        if kind == 'user':
            blank = dict.fromkeys(('first_name', 'last_name', 'institution'), '')
            return blank | {'email': NOBODY if number == 1 else f'{number}-{NOBODY}'}
        name = f'computer-{number}'
        return {'label': name, 'hostname': name, 'description': '', 'metadata': '{}'}

    def node(self, row: Row) -> None:
        """Take files of jobs and where they ran off a node, and names out of its texts."""
        if row.node_type.startswith('process.') and row.files:
            self.left['files that jobs were given'] += len(row.files)
            row.files = {}
        if 'retrieved' in row.links and row.files:
            self.left['files that jobs left (`retrieved`)'] += len(row.files)
            row.files = {}
        for name in WHERE:
            if name in row.attributes:
                self.left[f'`{name}` of jobs'] += 1
                row.attributes[name] = None if name.endswith('info') else ''
        if row.node_type.startswith(SAYING):
            row.attributes = self._unsaid(row.attributes)
        row.texts = {name: self.text(one) for name, one in row.texts.items()}
        row.attributes, row.extras = self.plain(row.attributes), self.plain(row.extras)

    def _unsaid(self, value: Any) -> Any:
        """Return nested plain values without what is said to the scheduler."""
        if not isinstance(value, dict):
            return value
        said = [name for name in SAID if isinstance(value.get(name), str) and value[name]]
        for name in said:
            self.left[f'`{name}` of jobs and codes'] += 1
        return {key: '' if key in said else self._unsaid(one) for key, one in value.items()}

    def plain(self, value: Any) -> Any:
        """Return nested plain values without names and paths."""
        if isinstance(value, dict):
            return {key: self.plain(one) for key, one in value.items()}
        if isinstance(value, list):
            return [self.plain(one) for one in value]
        return self.text(value) if isinstance(value, str) else value

    def text(self, text: str) -> str:
        """Return a text without names and paths; the last part of a path stays."""
        changed = self._without_names(PATH.sub(kept, text))
        self.left['texts with paths or names'] += changed != text
        return changed

    def _without_names(self, text: str) -> str:
        for name in self.names:
            text = text.replace(name, SOMEWHERE)
        return text if self.words is None else self.words.sub(SOMEWHERE, text)

    def file(self, path: str, content: bytes) -> bytes | None:
        """Return a text without names and paths, and bytes as they are or, with a name, None.

        Raises:
            ValueError: If these are arrays with a name, which the report cannot do without.
        """
        try:
            text = content.decode()
            clean = self._without_names if path.lower().endswith(PUBLISHED) else self.text
            return clean(text).encode()
        except UnicodeDecodeError:
            names = [one for one in self.names if len(one) >= TELLING and one.encode() in content]
        if not names:
            return content
        if path.endswith('.npz'):
            raise ValueError(
                f'{path} holds {names[0]!r}, a name of a computer or a person of this profile, and '
                'the report needs it: rename the computer (`verdi computer relabel`), or share '
                'without --public'
            )
        self.left['files of bytes that hold a name'] += 1
        return None
