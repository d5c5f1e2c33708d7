"""What format a file has: detected from its content first, whatever its name is."""

import lzma
import os
import re
import zlib
from pathlib import Path

from ase.data import atomic_numbers
from ase.io.formats import UnknownFileTypeError, filetype, open_with_compression

from aiida_enne.science.importing.choices import ImportChoices, readable_formats
from aiida_enne.science.importing.problems import BrokenFileError

#: Bytes in which a signature is looked for.
HEAD = 1 << 16
#: Signatures of outputs whose names say nothing, or mislead.
SIGNATURES = {
    'aims-output': re.compile(
        rb'Invoking FHI-aims|Begin self-consistency loop|Input geometry:\s+\|'
    ),
    'vasp-xml': re.compile(rb'\A\s*<\?xml[^>]*>\s*<modeling>'),
    'vasp-out': re.compile(rb'\A\s*vasp\.\d'),
    'espresso-out': re.compile(rb'Program PWSCF'),
    'db': re.compile(rb'\ASQLite format 3'),
}
#: What opening a damaged or compressed file may raise.
UNREADABLE = (OSError, EOFError, UnicodeDecodeError, zlib.error, lzma.LZMAError)
#: What every message says that may come of a wrong guess.
NAME_IT = 'name the format, for example `format` extxyz'


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
        resolved = os.fspath(path.resolve())
        with open_with_compression(resolved, 'rb') as handle:
            found = by_content(handle.read(HEAD))
        name = found or filetype(resolved)
    except (*UNREADABLE, UnknownFileTypeError) as exception:
        raise BrokenFileError(f'cannot tell the format; {NAME_IT}: {exception}') from exception
    if name not in readable_formats():
        raise BrokenFileError(f'cannot tell the format (ASE reads no `{name}`); {NAME_IT}')
    return name


def by_content(head: bytes) -> str | None:
    """Return the format that the beginning of a file shows, or None."""
    for name, signature in SIGNATURES.items():
        if signature.search(head):
            return name
    return 'extxyz' if _is_xyz(head.decode(errors='replace').splitlines()) else None


def _is_xyz(lines: list[str]) -> bool:
    """Tell XYZ: a number of atoms, a comment, then rows of an element and three numbers."""
    if len(lines) < 2 or not lines[0].strip().isdigit():
        return False
    if re.search(r'\b(Properties|Lattice)\s*=', lines[1], re.IGNORECASE):
        return True
    words = lines[2].split() if len(lines) > 2 else []
    if len(words) < 4 or words[0].capitalize() not in atomic_numbers:
        return False
    try:
        return len([float(word) for word in words[1:4]]) == 3
    except ValueError:
        return False
