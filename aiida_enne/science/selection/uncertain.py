"""Uncertainty: the candidates of which an estimator says that the error is large."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np

from aiida_enne.science.checks import finite, one_of
from aiida_enne.science.fields import Floats
from aiida_enne.science.selection.farthest import check_installed, farthest_points
from aiida_enne.science.selection.interface import Candidates, Chosen
from aiida_enne.science.uncertainty.estimators import DEFAULT, make_estimator
from aiida_enne.science.uncertainty.estimators.interface import Asked, Fitted, Need

UNITS = {'force': 'eV/Å', 'energy': 'eV/atom'}
#: What estimators may need and candidates do not have.
MISSING = {
    'features': 'the last-layer features of every member',
    'snapshots': 'predictions of snapshots',
    'training errors': 'errors of the members on what they were trained on',
}


@dataclass(frozen=True, slots=True)
class Uncertain:
    """Candidates by the value of an estimator, the largest first, between two trust levels.

    Attributes:
        quantity: `force`: the largest value of a force component of the configuration, in eV/Å;
            `energy`: the value of the energy, in eV/atom.
        estimator: By its name. One that learns from labels learns from what earlier rounds
            labelled; before the first, and where these do not suffice, it is the ensemble's σ,
            which is said.
        estimator_options: Its options by name.
        lower: Candidates below are known well enough, and are left; in the unit of the quantity.
        upper: Candidates above are not believed to be configurations of interest, and are left;
            None for no limit.
        diversity: 1 takes the largest values; k chooses, among the k·count largest, those that
            are the farthest from each other in the last-layer features.

    Raises:
        ValueError: If an option is out of its range, the estimator needs what candidates do not
            have, or `diversity` lacks scikit-matter.
    """

    quantity: str = 'force'
    estimator: str = 'ensemble'
    estimator_options: Mapping[str, Any] = field(default_factory=dict)
    lower: float = 0.0
    upper: float | None = None
    diversity: float = 1.0
    name: ClassVar[str] = 'uncertainty'

    def __post_init__(self) -> None:
        one_of('quantity', self.quantity, UNITS)
        lower, diversity = finite('lower', self.lower), finite('diversity', self.diversity)
        if lower < 0 or (self.upper is not None and finite('upper', self.upper) <= lower):
            raise ValueError(f'expected 0 ≤ `lower` < `upper`, got {self.lower} and {self.upper}')
        if diversity < 1:
            raise ValueError(f'`diversity` must be at least 1, got {self.diversity}')
        if diversity > 1:
            check_installed('`diversity` above 1')
        needs = make_estimator(self.estimator, self.estimator_options).needs
        if beyond := [MISSING[need] for need in needs if need in MISSING]:
            raise ValueError(
                f'the estimator {self.estimator!r} needs {" and ".join(beyond)}, '
                'which candidates do not have; choose one of the members, or `kind: farthest`'
            )

    @property
    def needs(self) -> tuple[Need, ...]:
        """Return what it needs of candidates."""
        return ('members', 'features') if self.diversity > 1 else ('members',)

    @property
    def min_members(self) -> int:
        """Return how many members it takes: one alone has no spread."""
        estimator = make_estimator(self.estimator, self.estimator_options)
        return max(2, getattr(estimator, 'min_members', 2))

    def choose(self, candidates: Candidates, count: int, rng: np.random.Generator) -> Chosen:
        """Return so many candidates.

        Raises:
            ValueError: If nobody predicted the candidates, or features are missing.
        """
        values, note = self.measure(candidates)
        unit, left = UNITS[self.quantity], {}
        for index, value in enumerate(values.tolist()):
            if value < self.lower:
                left[index] = f'{value:.3g} {unit} is below the lower level, {self.lower:g} {unit}'
            elif self.upper is not None and value > self.upper:
                left[index] = f'{value:.3g} {unit} is above the upper level, {self.upper:g} {unit}'
        order = [one for one in np.argsort(-values, kind='stable').tolist() if one not in left]
        best = np.array(order[: round(self.diversity * count)], dtype=np.int64)
        if self.diversity > 1 and len(best) > count:
            if candidates.features is None:
                raise ValueError('`diversity` above 1 needs the features of the candidates')
            rows = candidates.features[best]
            best = best[np.concatenate([[0], 1 + farthest_points(rows[1:], count - 1, rows[:1])])]
        return Chosen(best[:count], values, unit, left, note)

    def measure(self, candidates: Candidates) -> tuple[Floats, str]:
        """Return the value of each candidate, shape (n,), and what is to be known of them.

        Raises:
            ValueError: If nobody predicted the candidates.
        """
        if candidates.energies is None or candidates.forces is None:
            raise ValueError('the selector `uncertainty` needs predictions of the candidates')
        fitted, note = self._fit(candidates.calibration.get(self.quantity))
        counts = candidates.configurations.n_atoms
        if self.quantity == 'energy':
            members = candidates.energies / counts
            return fitted(Asked(members, np.arange(len(candidates), dtype=np.int64))), note
        members = candidates.forces.reshape(len(candidates.forces), -1).astype(np.float64)
        frames = np.repeat(np.arange(len(candidates), dtype=np.int64), 3 * counts)
        values = fitted(Asked(members, frames))
        starts = 3 * candidates.configurations.offsets[:-1]
        largest: Floats = np.maximum.reduceat(values, starts)
        return largest, note

    def _fit(self, known: Asked | None) -> tuple[Fitted, str]:
        """Return the estimator that has learnt what there is, or σ with the reason."""
        estimator = make_estimator(self.estimator, self.estimator_options)
        if not estimator.calibrated:
            return estimator.fit(None), ''
        why = f'nothing is labelled yet that {self.estimator!r} could learn from'
        if known is not None:
            try:
                return estimator.fit(known), ''
            except ValueError as exception:
                why = f'{self.estimator!r} cannot learn from what is labelled ({exception})'
        return make_estimator(DEFAULT).fit(None), f'{why}: σ was taken'
