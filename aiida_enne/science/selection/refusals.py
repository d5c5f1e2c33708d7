"""Candidates that are never labelled: what is known, atoms on top of each other, atoms alone."""

from __future__ import annotations

import numpy as np

from aiida_enne.science.data.configurations import Configurations
from aiida_enne.science.data.copies import find_equivalent
from aiida_enne.science.data.neighbours import hold_lone_atom, neighbours_in
from aiida_enne.science.fields import Integers

#: Atoms that are closer do not occur, as a share of the shortest distance in the training set.
CLOSEST = 0.7
#: Atoms whose nearest neighbour is farther are alone, as a share of the longest distance of an atom
#: to its nearest neighbour in the training set.
LOOSEST = 1.5
#: How far neighbours are looked for in the training set, Å.
REACHES = (3.0, 6.0, 12.0)


def refuse(
    candidates: Configurations,
    known: Configurations,
    closest: float = CLOSEST,
    loosest: float = LOOSEST,
) -> dict[int, str]:
    """Return why candidates are refused, by their index; those of use are not in it.

    Refused are copies of known configurations, copies of an earlier candidate (both also where
    atoms have another order or were moved together, see `find_equivalent`), elements that no known
    configuration has, pairs of atoms that are closer than `closest` times the shortest distance in
    the known ones, and atoms whose nearest neighbour is farther than `loosest` times the longest
    such distance there.

    Args:
        candidates: n configurations.
        known: Those that are trained on.
        closest: Share of the shortest known distance; 0 refuses nobody.
        loosest: Multiple of the longest known distance to a nearest neighbour; 0 refuses nobody.

    Raises:
        ValueError: If `closest` or `loosest` is negative.
    """
    for name, value in (('closest', closest), ('loosest', loosest)):
        if value < 0:
            raise ValueError(f'`{name}` must not be negative, got {value}')
    reasons: dict[int, str] = {}
    for index, copy in enumerate(find_equivalent(candidates, known).tolist()):
        if copy >= 0:
            reasons[index] = f'a copy of configuration {copy} of the training set'
    for index, copy in enumerate(find_equivalent(candidates, candidates).tolist()):
        if copy < index:
            reasons.setdefault(index, f'a copy of candidate {copy}')
    for index in range(len(candidates)):
        own = candidates.select([index]).elements
        if strange := sorted(set(own) - set(known.elements)):
            reasons.setdefault(index, f'no training configuration has {", ".join(strange)}')
    shortest, longest = nearest_distances(known)
    limit = closest * shortest
    for index in kept(len(candidates), reasons).tolist():
        if limit and len(distances := neighbours_in('d', candidates, index, limit)):
            reasons[index] = (
                f'two atoms are {distances.min():.2f} Å apart, expected at least {limit:.2f} Å'
            )
    rest = kept(len(candidates), reasons)
    reach = loosest * longest
    if reach and np.isfinite(reach):
        for index in rest[hold_lone_atom(candidates.select(rest), reach)].tolist():
            reasons[index] = (
                f'an atom has no neighbour within {reach:.2f} Å, {loosest:g} times as far as any '
                'of the training set'
            )
    return dict(sorted(reasons.items()))


def kept(n: int, reasons: dict[int, str]) -> Integers:
    """Return the indices of n candidates that are not refused."""
    return np.setdiff1d(np.arange(n, dtype=np.int64), np.array(list(reasons), dtype=np.int64))


def nearest_distances(configurations: Configurations) -> tuple[float, float]:
    """Return the shortest and the longest distance of an atom to its nearest neighbour in Å.

    The shortest is 0 where no atom has a neighbour within the last of `REACHES`, the longest is
    infinite where one has none.
    """
    shortest, longest = np.inf, 0.0
    for index, count in enumerate(configurations.n_atoms.tolist()):
        nearest = np.full(count, np.inf)
        for reach in REACHES:
            centres, distances = neighbours_in('id', configurations, index, reach)
            np.minimum.at(nearest, centres, distances)
            if np.isfinite(nearest).all():
                break
        shortest, longest = min(shortest, nearest.min()), max(longest, nearest.max())
    return (float(shortest) if np.isfinite(shortest) else 0.0), float(longest)
