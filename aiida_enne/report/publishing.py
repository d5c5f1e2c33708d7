"""Archives for everybody: without names of computers and people, paths, and files of jobs."""

from __future__ import annotations

import getpass
import re
import socket
from collections import Counter
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from aiida import orm

from aiida_enne.aiida_private.archives import Row, rewrite_archive
from aiida_enne.report.sharing import share

#: An absolute path of two parts or more, as texts hold them; its last part stays.
PATH = re.compile(r'(?<![\w.</:])/(?:[\w.+@~=-]+/)+([\w.+@~=-]*)')
#: What a job says of where it ran.
WHERE = ('remote_workdir', 'remote_path', 'job_id', 'last_job_info', 'detailed_job_info')
#: Names that tell nothing.
COMMON = ('', 'localhost', 'aiida@localhost', 'root')
#: Files that others have published, whose checksums stand beside them: only names are taken out.
PUBLISHED = ('.upf',)
#: Letters of a name that bytes hold by chance in one archive of a hundred thousand, if at all.
TELLING = 5
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
    scrub = Scrub(secrets())
    with TemporaryDirectory() as folder:
        whole = share(process, Path(folder) / 'whole.aiida')
        part = Path(folder) / 'public.aiida'
        rewrite_archive(whole, part, scrub.node, scrub.file, scrub.who)
        path.write_bytes(part.read_bytes())
    return dict(scrub.left.most_common())


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


class Scrub:
    """What is done to the nodes and files of an archive, counted."""

    def __init__(self, names: list[str]) -> None:
        self.names = names
        # of this machine and of whoever works here, as words of their own, however short they are
        words = sorted({socket.gethostname(), getpass.getuser()} - set(COMMON))
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
        row.texts = {name: self.text(one) for name, one in row.texts.items()}
        row.attributes, row.extras = self.plain(row.attributes), self.plain(row.extras)

    def plain(self, value: Any) -> Any:
        """Return nested plain values without names and paths."""
        if isinstance(value, dict):
            return {key: self.plain(one) for key, one in value.items()}
        if isinstance(value, list):
            return [self.plain(one) for one in value]
        return self.text(value) if isinstance(value, str) else value

    def text(self, text: str) -> str:
        """Return a text without names and paths; the last part of a path stays."""
        changed = self._without_names(PATH.sub(r'\1', text))
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
