"""From a file to ASE frames: whatever a reader raises becomes one message."""

import hashlib
import lzma
import os
import zipfile
import zlib
from collections import deque
from collections.abc import Iterable, Iterator
from pathlib import Path

from ase import Atoms
from ase.io.formats import UnknownFileTypeError, filetype, iread, open_with_compression

from aiida_enne.science import npz
from aiida_enne.science.data.configurations import Configurations
from aiida_enne.science.data.frames import to_atoms
from aiida_enne.science.importing.choices import ImportChoices, readable_formats
from aiida_enne.science.importing.problems import BrokenFileError
from aiida_enne.science.importing.xyz import scan_xyz

#: What stands at the end of a complete output; without it ASE returns what came before the cut.
END_MARKS = {
    'aims-output': b'Have a nice day',
    'espresso-out': b'JOB DONE',
    'vasp-out': b'General timing and accounting',
    'vasp-xml': b'</modeling>',
}
#: Lines in which to look for it.
_TAIL = 1000
#: Outputs that ASE reads wrongly: what tells them, and what to say.
MISREAD = {
    'aims-output': (
        b'Molecular dynamics: Attempting to update',
        'molecular dynamics of FHI-aims, of which ASE gives the last frame its first positions: '
        'convert it by other means',
    )
}
_UNREADABLE = (OSError, EOFError, UnicodeDecodeError, zlib.error, lzma.LZMAError)


def file_format(path: Path, choices: ImportChoices) -> str:
    """Return the format of a file: an ASE name, or 'npz' for this package's own export.

    Raises:
        BrokenFileError: If the file is empty, unreadable or of no known format.
    """
    try:
        if not path.stat().st_size:
            raise BrokenFileError('the file is empty')
        if choices.format is not None:
            return choices.format
        if path.suffix == '.npz':
            return 'npz'
        # ASE reads meaning into names such as 'postgres...': an absolute path has none
        name = filetype(os.fspath(path.resolve()))
    except (*_UNREADABLE, UnknownFileTypeError) as exception:
        raise BrokenFileError(f'cannot tell the format, name it: {exception}') from exception
    if name not in readable_formats():
        raise BrokenFileError(f'cannot tell the format, name it: ASE reads no `{name}`')
    return name


def check_complete(path: Path, name: str, choices: ImportChoices) -> int | None:
    """Refuse a file that was cut; return the number of frames where it is cheap to know.

    Raises:
        BrokenFileError: If the file is cut or cannot be read.
    """
    try:
        if name in {'extxyz', 'xyz'}:
            with open_with_compression(os.fspath(path.resolve()), 'r') as lines:
                return scan_xyz(lines, allow_incomplete=choices.allow_incomplete)
        if name == 'npz' and not zipfile.is_zipfile(path):
            raise BrokenFileError('not a complete .npz file')
        if name in END_MARKS:
            with open_with_compression(os.fspath(path.resolve()), 'rb') as handle:
                _check_output(handle, name, choices)
    except _UNREADABLE as exception:
        raise BrokenFileError(f'cannot read the file: {exception}') from exception
    return None


def _check_output(lines: Iterable[bytes], name: str, choices: ImportChoices) -> None:
    tail: deque[bytes] = deque(maxlen=_TAIL)
    misread, mark = MISREAD.get(name), END_MARKS[name]
    for line in lines:
        if misread is not None and misread[0] in line:
            raise BrokenFileError(misread[1])
        tail.append(line)
    if not choices.allow_incomplete and not any(mark in line for line in tail):
        raise BrokenFileError(
            f'as {name} the file lacks its regular end ({mark.decode()!r}): truncated, or it '
            'did not finish'
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
        for atoms in iread(resolved, ':', format=name, do_not_split_by_at_sign=True):
            yield atoms
            frame += 1
    # ASE has eighty readers, and a damaged file makes them raise anything, assertions included
    except Exception as exception:
        reason = f'{type(exception).__name__}: {exception}'.splitlines()[0][:200]
        # other readers than extxyz may fail before they yield anything, whatever the frame
        where = frame if frame or name == 'extxyz' else None
        raise BrokenFileError(f'cannot be read as {name}: {reason}', where) from exception


def file_sha256(path: Path) -> str:
    """Return the SHA-256 of a file's bytes."""
    with path.open('rb') as handle:
        return hashlib.file_digest(handle, 'sha256').hexdigest()
