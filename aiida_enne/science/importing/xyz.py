"""Is an XYZ file whole? ASE drops what follows an empty line and cannot name a broken frame.

It also takes `1_0` for ten, any word for a periodic direction, and half of a stress for the whole.
"""

import re
from collections.abc import Collection, Iterable, Sequence
from itertools import islice

from aiida_enne.science.importing.problems import BrokenFileError

#: More atoms than a frame can have: a number beyond it is a broken line.
_MOST_ATOMS = 10**8
#: `key=value` or `key="several values"`.
_PAIR = re.compile(r'([^\s="]+)\s*=\s*("(?:[^"\\]|\\.)*"|\'[^\']*\'|[^\s"]+)(?=\s|$)')
#: Numbers that Python would read although no other program writes them so.
_STRANGE = re.compile(r'[0-9.][_]|[^\x00-\x7f]')
#: Keys of extended XYZ whose values are numbers, and those that are symmetric tensors.
_NUMBERS, _TENSORS = ('Lattice', 'energy', 'free_energy'), ('stress', 'virial')
_FLAGS = {'T', 'F', 'True', 'False', 'true', 'false'}, {'1', '0'}
_SEPARATORS = str.maketrans(dict.fromkeys('[](){},', ' '))
#: Two components of a tensor are the same within this share of its largest.
ASYMMETRY = 1e-3
_PROPERTIES = re.compile(r'\bProperties\s*=\s*("[^"]*"|\'[^\']*\'|\S+)', re.IGNORECASE)


def scan_xyz(
    lines: Iterable[str], *, allow_incomplete: bool = False, keys: Collection[str] = ()
) -> int:
    """Walk through the frames of an XYZ or extended XYZ text and return their number.

    Args:
        lines: Lines of the text, line ends kept.
        allow_incomplete: Accept a last line without a line end.
        keys: Further keys of the comment whose values are numbers.

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
        _check_comment(comment, keys, frame)
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
    kinds = ''.join(kind * size for kind, size in columns.values())
    for atom, count in enumerate(counts):
        if count != expected:
            raise BrokenFileError(f'atom {atom} has {count} columns, expected {expected}', frame)
        if '_' in rows[atom] or not rows[atom].isascii():
            for kind, word in zip(kinds, rows[atom].split(), strict=False):
                if kind in 'RI' and _STRANGE.search(word):
                    raise BrokenFileError(f'atom {atom} has {word!r} for a number', frame)


def _check_comment(comment: str, keys: Collection[str], frame: int) -> None:
    """Refuse values that ASE would misread: numbers, periodic directions, half a tensor."""
    for key, quoted in _PAIR.findall(comment):
        value = quoted.strip('"\'')
        if key in (*_NUMBERS, *_TENSORS, *keys) and _STRANGE.search(value):
            raise BrokenFileError(f'`{key}` has {value[:60]!r} for numbers', frame)
        words = value.translate(_SEPARATORS).split()
        if key == 'pbc' and not (
            len(words) in (1, 3) and any(flags.issuperset(words) for flags in _FLAGS)
        ):
            raise BrokenFileError(f'`pbc` must be three of T and F, got {value[:60]!r}', frame)
        if key in (*_TENSORS, *keys) and len(words) == 9:
            _check_tensor(key, words, frame)
    rest = _PAIR.sub('', comment)
    if _PROPERTIES.search(comment) and ('"' in rest or '=' in rest):
        raise BrokenFileError(
            f'expected only key=value, values with blanks in quotes, got {rest.strip()[:60]!r}',
            frame,
        )


def _check_tensor(key: str, words: Sequence[str], frame: int) -> None:
    try:
        values = [float(word) for word in words]
    except ValueError:
        return  # whoever takes the numbers says it
    largest = max(map(abs, values))
    for i, j in ((1, 3), (2, 6), (5, 7)):
        if abs(values[i] - values[j]) > ASYMMETRY * largest:
            raise BrokenFileError(
                f'`{key}` is not symmetric: {words[i]} and {words[j]} in the same place', frame
            )


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
