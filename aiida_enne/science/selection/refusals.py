"""Candidates that are never labelled: copies of what is known, and atoms on top of each other."""

from __future__ import annotations

import numpy as np

from aiida_enne.science.data.configurations import Configurations
from aiida_enne.science.data.copies import find_copies
from aiida_enne.science.data.neighbours import neighbours_in
from aiida_enne.science.fields import Integers

#: Atoms that are closer do not occur, as a share of the shortest distance in the training set.
CLOSEST = 0.7


def refuse(
    candidates: Configurations, known: Configurations, closest: float = CLOSEST
) -> dict[int, str]:
    """Return why candidates are refused, by their index; those of use are not in it.

    Refused are copies of known configurations, copies of an earlier candidate, elements that no
    known configuration has, and pairs of atoms that are closer than `closest` times the shortest
    distance in the known ones.

    Args:
        candidates: n configurations.
        known: Those that are trained on.
        closest: Share of the shortest known distance; 0 refuses nobody.

    Raises:
        ValueError: If `closest` is negative.
    """
    if closest < 0:
        raise ValueError(f'`closest` must not be negative, got {closest}')
    reasons: dict[int, str] = {}
    for index, copy in enumerate(find_copies(candidates, known).tolist()):
        if copy >= 0:
            reasons[index] = f'a copy of configuration {copy} of the training set'
    for index, copy in enumerate(find_copies(candidates, candidates).tolist()):
        if copy < index:
            reasons.setdefault(index, f'a copy of candidate {copy}')
    for index in range(len(candidates)):
        own = candidates.select([index]).elements
        if strange := sorted(set(own) - set(known.elements)):
            reasons.setdefault(index, f'no training configuration has {", ".join(strange)}')
    limit = closest * _shortest(known, 3.0)
    for index in np.setdiff1d(np.arange(len(candidates)), list(reasons)).tolist():
        if limit and len(distances := neighbours_in('d', candidates, index, limit)):
            reasons[index] = (
                f'two atoms are {distances.min():.2f} Å apart, expected at least {limit:.2f} Å'
            )
    return dict(sorted(reasons.items()))


def kept(n: int, reasons: dict[int, str]) -> Integers:
    """Return the indices of n candidates that are not refused."""
    return np.setdiff1d(np.arange(n, dtype=np.int64), np.array(list(reasons), dtype=np.int64))


def _shortest(configurations: Configurations, reach: float) -> float:
    """Return the shortest distance of two atoms in Å; 0 where there is none within 12 Å."""
    while reach <= 12.0:
        found = [
            distances.min()
            for index in range(len(configurations))
            if len(distances := neighbours_in('d', configurations, index, reach))
        ]
        if found:
            return float(min(found))
        reach *= 2.0
    return 0.0
