"""Configurations that occur among others: the same atoms in the same places."""

from __future__ import annotations

import numpy as np

from aiida_enne.science.data.configurations import Configurations
from aiida_enne.science.fields import Floats, Integers

#: Coordinates and cell vectors that differ by less are equal, in Å: what a file of five decimals
#: keeps, and far less than one step of dynamics.
TOLERANCE = 1e-4


def find_copies(
    asked: Configurations, known: Configurations, tolerance: float = TOLERANCE
) -> Integers:
    """Return which known configuration each one that is asked about is a copy of, shape (n,).

    Equal are elements, in their order, and every coordinate and cell vector within the tolerance.
    It is the first such configuration; -1 where there is none.

    Args:
        asked: n configurations.
        known: Those that they may be copies of.
        tolerance: Largest difference of a coordinate in Å.
    """
    found = np.full(len(asked), -1, dtype=np.int64)
    by_elements = _by_elements(known)
    for elements, mine in _by_elements(asked).items():
        if elements in by_elements:
            theirs = by_elements[elements]
            match = _match(_vectors(asked, mine), _vectors(known, theirs), tolerance)
            found[mine] = np.where(match < 0, -1, theirs[match])
    return found


def _match(asked: Floats, known: Floats, tolerance: float) -> Integers:
    """Return the first row of `known` that equals each row of `asked`, -1 where there is none.

    Rows are sorted along one direction: only those that are near along it are compared.
    """
    weights: Floats = np.random.default_rng(0).uniform(0.5, 1.0, known.shape[1:])
    along = known @ weights
    order = np.argsort(along)
    reach, places = tolerance * weights.sum(), asked @ weights
    first = np.searchsorted(along[order], places - reach)
    last = np.searchsorted(along[order], places + reach, side='right')
    match = np.full(len(asked), -1, dtype=np.int64)
    for row, (start, stop) in enumerate(zip(first.tolist(), last.tolist(), strict=True)):
        near = order[start:stop]
        equal = near[(np.abs(known[near] - asked[row]) <= tolerance).all(axis=1)]
        if len(equal):
            match[row] = equal.min()
    return match


def _by_elements(configurations: Configurations) -> dict[bytes, Integers]:
    """Return the configurations of each sequence of elements."""
    offsets, numbers = configurations.offsets, configurations.numbers.astype(np.int64)
    found: dict[bytes, list[int]] = {}
    for i in range(len(configurations)):
        found.setdefault(numbers[offsets[i] : offsets[i + 1]].tobytes(), []).append(i)
    return {elements: np.array(index, dtype=np.int64) for elements, index in found.items()}


def _vectors(configurations: Configurations, chosen: Integers) -> Floats:
    """Return cell and coordinates of configurations of one size as rows in Å."""
    part = configurations.select(chosen)
    rows: Floats = np.hstack(
        [part.cells.reshape(len(part), -1), part.positions.reshape(len(part), -1)]
    )
    return rows
