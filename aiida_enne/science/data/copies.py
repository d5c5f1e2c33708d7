"""Configurations that occur among others: the same atoms in the same places, or moved together."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product

import numpy as np
from ase.geometry import complete_cell

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


def find_equivalent(
    asked: Configurations, known: Configurations, tolerance: float = TOLERANCE
) -> Integers:
    """Return which known configuration is each one that is asked about, shape (n,).

    As `find_copies`, but atoms may stand in another order, all be moved by one vector, and each by
    vectors of the lattice along periodic directions. Cells must be the same, and not turned.

    Args:
        asked: n configurations.
        known: Those that they may be.
        tolerance: Largest difference of a coordinate in Å, twice where all are moved.
    """
    found = np.full(len(asked), -1, dtype=np.int64)
    by_contents = _by_contents(known)
    for contents, mine in _by_contents(asked).items():
        theirs = by_contents.get(contents)
        if theirs is None:
            continue
        rows = _invariants(asked, mine, tolerance), _invariants(known, theirs, tolerance)
        for row, near in _near(*rows, tolerance):
            pairs = ((mine[row], theirs[one]) for one in np.sort(near))
            equal = (j for i, j in pairs if _is_moved(asked, int(i), known, int(j), 2 * tolerance))
            found[mine[row]] = next(equal, -1)
    return found


def _match(asked: Floats, known: Floats, tolerance: float) -> Integers:
    """Return the first row of `known` that equals each row of `asked`, -1 where there is none."""
    match = np.full(len(asked), -1, dtype=np.int64)
    for row, equal in _near(asked, known, tolerance):
        match[row] = equal.min()
    return match


def _near(asked: Floats, known: Floats, tolerance: float) -> Iterator[tuple[int, Integers]]:
    """Yield each row of `asked` that equals rows of `known`, with the numbers of these.

    Rows are sorted along one direction: only those that are near along it are compared.
    """
    weights: Floats = np.random.default_rng(0).uniform(0.5, 1.0, known.shape[1:])
    along = known @ weights
    order = np.argsort(along)
    reach, places = tolerance * weights.sum(), asked @ weights
    first = np.searchsorted(along[order], places - reach)
    last = np.searchsorted(along[order], places + reach, side='right')
    for row, (start, stop) in enumerate(zip(first.tolist(), last.tolist(), strict=True)):
        near = order[start:stop]
        equal = near[(np.abs(known[near] - asked[row]) <= tolerance).all(axis=1)]
        if len(equal):
            yield row, equal


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


def _by_contents(configurations: Configurations) -> dict[bytes, Integers]:
    """Return the configurations of each number of atoms of each element, by periodic directions."""
    found: dict[bytes, list[int]] = {}
    for i in range(len(configurations)):
        numbers = np.sort(configurations.numbers[configurations.atom_index([i])].astype(np.int64))
        key = numbers.tobytes() + configurations.pbc[i].tobytes()
        found.setdefault(key, []).append(i)
    return {contents: np.array(index, dtype=np.int64) for contents, index in found.items()}


#: Plane waves that tell most configurations apart, one of each pair ±h.
WAVES = np.array([one for one in product((-1, 0, 1), repeat=3) if one > (0, 0, 0)])


def _invariants(configurations: Configurations, chosen: Integers, tolerance: float) -> Floats:
    """Return what no order, common shift or lattice vector changes, as rows.

    They are the cell in Å and the moduli of the structure factors of each element, these scaled:
    atoms that are moved by the tolerance change them by less than that.
    """
    rows = []
    for i in chosen.tolist():
        atoms = configurations.atom_index([i])
        numbers, inverse = configurations.numbers[atoms], _inverse(configurations.cells[i])
        waves = np.exp(2j * np.pi * (configurations.positions[atoms] @ inverse) @ WAVES.T)
        factors = [np.abs(waves[numbers == one].sum(axis=0)) for one in np.unique(numbers)]
        # each of N phases changes by at most 2π √3 |inverse| times a shift of √3 tolerance; twice
        # that leaves room for the cell's own
        reach = 12 * np.pi * len(numbers) * np.linalg.norm(inverse, 2)
        rows.append(
            np.concatenate([configurations.cells[i].ravel(), *(one / reach for one in factors)])
        )
    return np.array(rows)


def _inverse(cell: Floats) -> Floats:
    """Return what makes coordinates fractional; where the cell does not repeat, along any axes."""
    inverse: Floats = np.linalg.pinv(complete_cell(cell))
    return inverse


def _is_moved(
    asked: Configurations, i: int, known: Configurations, j: int, tolerance: float
) -> bool:
    """Return whether one configuration is another, moved as a whole, in any order of its atoms."""
    mine, theirs = asked.atom_index([i]), known.atom_index([j])
    cell = complete_cell(known.cells[j])
    inverse = _inverse(known.cells[j])
    own, other = asked.positions[mine] @ inverse, known.positions[theirs] @ inverse
    numbers, others = asked.numbers[mine], known.numbers[theirs]
    names, counts = np.unique(numbers, return_counts=True)
    rarest = names[counts.argmin()]
    pivot = np.flatnonzero(numbers == rarest)[0]
    same, periodic = numbers[:, None] == others, known.pbc[j]
    for target in np.flatnonzero(others == rarest):
        apart = (own + other[target] - own[pivot])[:, None] - other
        apart[..., periodic] -= np.round(apart[..., periodic])
        close = same & (np.abs(apart @ cell) <= tolerance).all(axis=-1)
        if close.any(axis=0).all() and close.any(axis=1).all():
            return True
    return False
