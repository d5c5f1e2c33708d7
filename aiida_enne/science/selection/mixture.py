"""Mixture: a share of the batch for each of several selectors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np

from aiida_enne.science.checks import positive
from aiida_enne.science.fields import Integers
from aiida_enne.science.selection import make_selector
from aiida_enne.science.selection.interface import Candidates, Chosen
from aiida_enne.science.uncertainty.estimators.interface import Need


@dataclass(frozen=True, slots=True)
class Mixture:
    """Selectors one after another; each chooses its share among what those before left.

    Attributes:
        of: Selections with a `share` each, e.g. `{kind: random, share: 0.25}`. Shares are relative
            to their sum.

    Raises:
        ValueError: If there are fewer than two, or one cannot be used.
    """

    of: Sequence[Mapping[str, Any]] = ()
    name: ClassVar[str] = 'mixture'

    def __post_init__(self) -> None:
        if isinstance(self.of, str) or len(self.of) < 2:
            raise ValueError(f'`of` must list two selections or more, got {self.of!r}')
        for one in self.of:
            if not isinstance(one, Mapping) or 'share' not in one:
                raise ValueError(f'each selection of a mixture needs a `share`, got {one!r}')
            positive('share', one['share'])
            make_selector(_own(one))

    @property
    def needs(self) -> tuple[Need, ...]:
        """Return what any of them needs."""
        needs = {need for one in self.of for need in make_selector(_own(one)).needs}
        return tuple(sorted(needs, reverse=True))

    @property
    def min_members(self) -> int:
        """Return how many members the most demanding of them takes."""
        return max(getattr(make_selector(_own(one)), 'min_members', 1) for one in self.of)

    def choose(self, candidates: Candidates, count: int, rng: np.random.Generator) -> Chosen:
        """Return so many candidates, those of the first selector first."""
        free = np.arange(len(candidates), dtype=np.int64)
        parts: list[Chosen] = []
        for one, number in zip(self.of, self._numbers(count), strict=True):
            if number and len(free):
                found = make_selector(_own(one)).choose(candidates.select(free), number, rng)
                parts.append(_renumbered(found, free, len(candidates)))
                free = np.setdiff1d(free, parts[-1].indices)
        ranked = next((one for one in parts if one.values is not None), Chosen(free[:0]))
        indices = np.concatenate([free[:0], *(one.indices for one in parts)])
        left = {index: why for one in parts for index, why in one.left.items()}
        left = {index: why for index, why in left.items() if index not in indices}
        note = '; '.join(one.note for one in parts if one.note)
        return replace(ranked, indices=indices, left=left, note=note)

    def _numbers(self, count: int) -> Integers:
        """Return how many each chooses: shares rounded so that they sum to the count."""
        shares = np.cumsum([one['share'] for one in self.of])
        ends = np.round(count * shares / shares[-1]).astype(np.int64)
        numbers: Integers = np.diff(ends, prepend=0)
        return numbers


def _own(given: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in given.items() if name != 'share'}


def _renumbered(found: Chosen, free: Integers, n: int) -> Chosen:
    values = None
    if found.values is not None:
        values = np.full(n, np.nan)
        values[free] = found.values
    left = {int(free[index]): why for index, why in found.left.items()}
    return replace(found, indices=free[found.indices], values=values, left=left)
