"""Is an XYZ file whole? ASE drops what follows an empty line and cannot name a broken frame."""

import re
from collections.abc import Iterable
from itertools import islice

from aiida_enne.science.importing.problems import BrokenFileError

#: More atoms than a frame can have: a number beyond it is a broken line.
_MOST_ATOMS = 10**8
_PROPERTIES = re.compile(r'\bProperties\s*=\s*("[^"]*"|\'[^\']*\'|\S+)', re.IGNORECASE)


def scan_xyz(lines: Iterable[str], *, allow_incomplete: bool = False) -> int:
    """Walk through the frames of an XYZ or extended XYZ text and return their number.

    Args:
        lines: Lines of the text, line ends kept.
        allow_incomplete: Accept a last line without a line end.

    Raises:
        BrokenFileError: If a frame is cut short, has rows of the wrong length or no atoms, if
            text follows an empty line, or if the last line may have lost its end.
    """
    stream, frame, last = iter(lines), 0, '\n'
    for header in stream:
        last = header
        if header.lstrip().startswith('VEC') and frame:
            continue
        if not header.strip():
            if any(line.strip() for line in stream):
                raise BrokenFileError(
                    'an empty line where a number of atoms is expected, and more after it', frame
                )
            return frame
        n_atoms = _n_atoms(header, frame)
        comment, rows = next(stream, None), list(islice(stream, n_atoms))
        if comment is None or len(rows) < n_atoms:
            raise BrokenFileError(
                f'the file is truncated: it ends after {len(rows)} of {n_atoms} atoms', frame
            )
        _check_rows(comment, rows, frame)
        last, frame = rows[-1], frame + 1
    if not last.endswith('\n') and not allow_incomplete:
        raise BrokenFileError(
            'the last line has no line end, so its last number may be cut: add a line end if the '
            'file is complete',
            max(frame - 1, 0),
        )
    return frame


def _n_atoms(header: str, frame: int) -> int:
    try:
        n_atoms = int(header)
    except ValueError as exception:
        raise BrokenFileError(
            f'expected a number of atoms, got {header.strip()[:60]!r}', frame
        ) from exception
    if not 1 <= n_atoms <= _MOST_ATOMS:
        raise BrokenFileError(
            f'expected a number of atoms from 1 to {_MOST_ATOMS}, got {header.strip()[:60]}', frame
        )
    return n_atoms


def _check_rows(comment: str, rows: list[str], frame: int) -> None:
    """Refuse rows with more or fewer columns than declared: ASE would shift or drop numbers."""
    found = _PROPERTIES.search(comment)
    counts = [len(row.split()) for row in rows]
    if found is None:
        if min(counts) < 4:
            short = counts.index(min(counts))
            raise BrokenFileError(f'atom {short} has {counts[short]} columns, needs 4', frame)
        return
    fields = found.group(1).strip('"\'').split(':')
    if len(fields) % 3 or not all(field.isdigit() for field in fields[2::3]):
        raise BrokenFileError(f'cannot understand Properties={":".join(fields)[:80]}', frame)
    triples = zip(fields[::3], fields[1::3], fields[2::3], strict=True)
    columns = {name: (kind, int(size)) for name, kind, size in triples}
    _check_columns(columns, frame)
    expected = sum(map(int, fields[2::3]))
    for atom, count in enumerate(counts):
        if count != expected:
            raise BrokenFileError(f'atom {atom} has {count} columns, expected {expected}', frame)


def _check_columns(columns: dict[str, tuple[str, int]], frame: int) -> None:
    """Refuse a frame without positions or elements: ASE would put all atoms at the origin."""
    names = ', '.join(columns)
    if not any(columns.get(name) == ('R', 3) for name in ('pos', 'positions')):
        raise BrokenFileError(
            f'there is no column `pos` of 3 real numbers (pos:R:3); its columns are {names}', frame
        )
    if not any(name in columns for name in ('species', 'symbols', 'Z', 'numbers')):
        raise BrokenFileError(
            f'there is no column `species` or `Z` of elements; its columns are {names}', frame
        )
