"""From a file to ASE frames: whatever a reader raises becomes one message."""

import hashlib
import os
import zipfile
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import ase.db
from ase import Atoms
from ase.io.formats import iread, open_with_compression

from aiida_enne.science import npz
from aiida_enne.science.data.configurations import Configurations
from aiida_enne.science.data.frames import to_atoms
from aiida_enne.science.importing.choices import ImportChoices
from aiida_enne.science.importing.formats import NAME_IT, UNREADABLE
from aiida_enne.science.importing.problems import BrokenFileError
from aiida_enne.science.importing.xyz import scan_xyz

#: What stands at the end of a complete output; without it ASE returns what came before the cut.
END_MARKS = {
    'espresso-out': b'JOB DONE',
    'vasp-out': b'General timing and accounting',
    'vasp-xml': b'</modeling>',
}
#: Lines in which to look for it.
_TAIL = 1000
#: Formats of which ASE gives frames a position or an energy of another: they need an own reader.
MISREAD = ('aims-output',)
#: Databases of ASE, whose key-value pairs its reader of files drops.
DATABASES = ('db', 'json')


@dataclass(frozen=True, slots=True)
class OwnFile:
    """What a reader of another room made of a file.

    Attributes:
        frames: The frames, with their results in a `SinglePointCalculator`.
        doubts: Why some numbers are not labels, see `ImportChoices.drop_unusable`.
        questions: What is hardly right, see `ImportChoices.allow_implausible`.
    """

    frames: list[Atoms]
    doubts: tuple[str, ...] = ()
    questions: tuple[str, ...] = ()


#: Reads a file of one format; raises `BrokenFileError` if it is not whole.
Reader = Callable[[Path, ImportChoices], OwnFile]
Readers = Mapping[str, Reader]


def check_complete(path: Path, name: str, choices: ImportChoices) -> int | None:
    """Refuse a file that was cut; return the number of frames where it is cheap to know.

    Raises:
        BrokenFileError: If the file is cut or cannot be read.
    """
    try:
        if name in {'extxyz', 'xyz'}:
            with open_with_compression(os.fspath(path.resolve()), 'r') as lines:
                return scan_xyz(
                    lines, allow_incomplete=choices.allow_incomplete, keys=choices.number_keys
                )
        if name == 'npz' and not zipfile.is_zipfile(path):
            raise BrokenFileError('not a complete .npz file')
        if name in END_MARKS and not choices.allow_incomplete:
            with open_with_compression(os.fspath(path.resolve()), 'rb') as handle:
                _check_output(handle, name)
    except UNREADABLE as exception:
        raise BrokenFileError(f'cannot read the file: {exception}') from exception
    return None


def _check_output(lines: Iterable[bytes], name: str) -> None:
    tail: deque[bytes] = deque(lines, maxlen=_TAIL)
    mark = END_MARKS[name]
    if not any(mark in line for line in tail):
        raise BrokenFileError(
            f'as {name} the file lacks its regular end ({mark.decode()!r}): truncated, or it '
            f'did not finish (`allow_incomplete`); if it is something else, {NAME_IT}'
        )


def iterate_frames(path: Path, name: str) -> Iterator[Atoms]:
    """Yield all frames of a file.

    Raises:
        BrokenFileError: If the reader fails, with the frame it failed at.
    """
    frame = 0
    try:
        if name == 'npz':
            yield from to_atoms(Configurations.from_arrays(npz.loads(path.read_bytes())))
            return
        resolved = os.fspath(path.resolve())
        found = (
            _rows(resolved, name)
            if name in DATABASES
            else iread(resolved, ':', format=name, do_not_split_by_at_sign=True)
        )
        for atoms in found:
            yield atoms
            frame += 1
    # ASE has eighty readers, and a damaged file makes them raise anything, assertions included
    except Exception as exception:
        # other readers than extxyz may fail before they yield anything, whatever the frame
        where = frame if frame or name == 'extxyz' else None
        advice = '' if name == 'extxyz' else f'; if it is something else, {NAME_IT}'
        text = f'cannot be read as {name}: {_why(exception)}{advice}'
        raise BrokenFileError(text, where) from exception


def _why(exception: Exception) -> str:
    """Say in words why one of ASE's readers failed."""
    said = (str(exception).splitlines() or [''])[0][:200]
    if isinstance(exception, UnicodeDecodeError):
        return 'it is not text'
    if isinstance(exception, IndexError | StopIteration | EOFError) or 'to unpack' in said:
        return 'the file, or a line of it, ends before its reader expects'
    if isinstance(exception, KeyError):
        return f'its reader does not know {said}'
    return said or 'its reader refuses it and does not say why'


def _rows(path: str, name: str) -> Iterator[Atoms]:
    """Yield the structures of an ASE database, its key-value pairs among their info."""
    with ase.db.connect(path, type=name, serial=True) as database:
        for row in database.select():
            atoms = row.toatoms()
            atoms.info = {**row.key_value_pairs, **atoms.info}
            yield atoms


def file_sha256(path: Path) -> str:
    """Return the SHA-256 of a file's bytes."""
    with path.open('rb') as handle:
        return hashlib.file_digest(handle, 'sha256').hexdigest()
