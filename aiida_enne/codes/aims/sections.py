"""Readers of the parts of an output that span several lines: coroutines fed line by line.

Each returns its value when it has all of it, and None as soon as a line does not belong. What was
cut off in the middle is therefore never returned.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from typing import Any

import numpy as np

from aiida_enne.codes.aims.geometry import Geometry
from aiida_enne.codes.aims.results import Energies
from aiida_enne.codes.aims.values import numbers
from aiida_enne.science.fields import Floats

#: A coroutine that takes lines and returns what it read of them.
Section = Generator[None, str, Any]

RULE = '-----'
#: Numbers of a row of a table: with more or fewer, the row is broken.
AXES = 3
#: A stress tensor is printed within so many lines of its title.
STRESS_LINES = 10


def triple(words: Sequence[str]) -> tuple[float, ...] | None:
    """Return the numbers of a row of exactly three, or None."""
    return numbers(words, AXES) if len(words) == AXES else None


def echo() -> Generator[None, str, str]:
    """Read an input file that is repeated between two rules; the first rule is yet to come."""
    while not (yield).strip().startswith(RULE):
        pass
    lines = []
    while not (line := (yield)).strip().startswith(RULE):
        lines.append(line)
    return '\n'.join(lines)


def input_geometry(n_atoms: int | None) -> Generator[None, str, Geometry | None]:
    """Read the table of the input geometry, of as many atoms as the output announced."""
    cell = None
    if (yield).strip() == '| Unit cell:':
        rows = []
        for _ in range(3):
            rows.append(triple((yield).replace('|', ' ').split()))
        vectors = [row for row in rows if row is not None]
        if len(vectors) != 3:
            return None
        cell = np.array(vectors)
    yield
    yield
    symbols: list[str] = []
    positions: list[tuple[float, ...]] = []
    while n_atoms is not None and len(symbols) < n_atoms:
        match (yield).replace(':', ' ').split():
            case ['|', index, 'Species', symbol, *words] if index == str(len(symbols) + 1):
                row = triple(words)
            case _:
                return None
        if row is None:
            return None
        symbols.append(symbol)
        positions.append(row)
    return Geometry(tuple(symbols), np.array(positions), cell) if symbols else None


def structure(
    before: Geometry, moving: bool, element_of: Callable[[str], str | None]
) -> Generator[None, str, Geometry | None]:
    """Read the atoms of a later step; the cell is the one before where none is printed.

    Args:
        before: The input geometry: elements and number of atoms must be its own.
        moving: Whether a velocity follows each atom.
        element_of: From the label of a species to its element.
    """
    n, cell = len(before.symbols), before.cell
    vectors: list[tuple[float, ...]] = []
    symbols: list[str | None] = []
    positions: list[tuple[float, ...]] = []
    velocities: list[tuple[float, ...]] = []
    while len(positions) < n or (moving and len(velocities) < n):
        match (yield).split():
            case [] | ['x', *_]:
                continue
            case ['lattice_vector', *words]:
                target = vectors
            case ['atom', *words, label]:
                target = positions
                symbols.append(element_of(label))
            case ['velocity', *words]:
                target = velocities
            case _:
                return None
        row = triple(words)
        if row is None:
            return None
        target.append(row)
    if tuple(symbols) != before.symbols or len(vectors) not in (0, 3):
        return None
    if vectors:
        cell = np.array(vectors)
    return Geometry(
        before.symbols,
        np.array(positions),
        cell,
        np.array(velocities) if moving else None,
        before.fixed,
    )


def energies() -> Generator[None, str, Energies | None]:
    """Read the three energies of the compact form, in eV."""
    values = []
    for label in ('| Total energy uncorrected', '| Total energy corrected', '| Electronic free'):
        name, _, value = (yield).partition(':')
        row = numbers(value.split(), 1)
        if not name.strip().startswith(label) or row is None or value.split()[1:2] != ['eV']:
            return None
        values.append(row[0])
    return Energies(*values)


def forces(n_atoms: int) -> Generator[None, str, Floats | None]:
    """Read the forces on all atoms in eV/Å."""
    rows: list[tuple[float, ...]] = []
    while len(rows) < n_atoms:
        index, *words = (yield).replace('|', ' ').split() or ['']
        row = triple(words)
        if index != str(len(rows) + 1) or row is None:
            return None
        rows.append(row)
    return np.array(rows)


def stress() -> Generator[None, str, Floats | None]:
    """Read a boxed stress tensor in eV/Å³."""
    rows: list[tuple[float, ...]] = []
    for _ in range(STRESS_LINES):
        words = (yield).replace('|', ' ').split()
        if len(words) == 4 and words[0] == 'xyz'[len(rows)]:
            row = triple(words[1:])
            if row is None:
                return None
            rows.append(row)
        if len(rows) == 3:
            return np.array(rows)
    return None


def timings() -> Generator[None, str, dict[str, float]]:
    """Read the accounting at the end: seconds on the wall's clock by name."""
    found = {}
    while (line := (yield)).strip().startswith('|'):
        name, _, value = line.strip(' |').partition(':')
        match value.split():
            case [_, 's', wall, 's'] if (row := numbers([wall], 1)) is not None:
                found[name.strip()] = row[0]
    return found
