"""Order of the phases by their lowest energy: which members get which pairs wrong."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np

from aiida_enne.science.fields import Floats
from aiida_enne.science.properties.curves import Curve
from aiida_enne.science.properties.eos import FORMS, FitRefused, fit
from aiida_enne.science.uncertainty import ensemble

By = Literal['fit', 'lowest']


@dataclass(frozen=True, slots=True)
class Pair:
    """Two phases in the order in which the reference has them.

    Attributes:
        lower: The phase of lower energy.
        upper: The other one.
        gap: How much higher it is in the reference, eV/atom, not negative.
        mean_gap: The same for the mean of the members, NaN where it is not known.
        member_gaps: The same for every member, NaN where it is not known, shape (M,).
    """

    lower: str
    upper: str
    gap: float
    mean_gap: float
    member_gaps: Floats

    @property
    def compared(self) -> int:
        """Members of which both energies are known."""
        return int(np.isfinite(self.member_gaps).sum())

    @property
    def wrong(self) -> int:
        """Members that have the two the other way round."""
        return int((self.member_gaps < 0).sum())


@dataclass(frozen=True, slots=True)
class Ranking:
    """Lowest energies of D phases.

    Attributes:
        names: The phases by rising energy of the reference, D of them.
        reference: Lowest energies of the reference in eV/atom, shape (D,).
        members: Those of the members, NaN where a fit was refused, shape (M, D).
        of_mean: Those of the members' mean energies, NaN where the fit was refused, shape (D,).
        by: 'fit' or 'lowest', see `rank`.
        left_out: Phases without a lowest energy of the reference, with the reason.
    """

    names: tuple[str, ...]
    reference: Floats
    members: Floats
    of_mean: Floats
    by: By
    left_out: dict[str, str]

    def pair(self, lower: str, upper: str) -> Pair:
        """Return two phases, the lower one of the reference first.

        Raises:
            ValueError: If a phase is not there, or the reference has them the other way round.
        """
        if missing := [name for name in (lower, upper) if name not in self.names]:
            raise ValueError(f'no lowest energy of {missing}; there are those of {self.names}')
        first, second = self.names.index(lower), self.names.index(upper)
        if first >= second:
            raise ValueError(f'the reference has {upper} below {lower}')
        gaps = self.members[:, second] - self.members[:, first]
        return Pair(
            lower,
            upper,
            float(self.reference[second] - self.reference[first]),
            float(self.of_mean[second] - self.of_mean[first]),
            gaps,
        )

    def pairs(self) -> list[Pair]:
        """Return all pairs of phases, D (D - 1)/2 of them."""
        return [
            self.pair(lower, upper)
            for index, lower in enumerate(self.names)
            for upper in self.names[index + 1 :]
        ]


def rank(curves: Mapping[str, Curve], *, by: By = 'fit', form: str = FORMS[0]) -> Ranking:
    """Order phases by the lowest energy of the reference, and compare the members with it.

    Args:
        curves: E(V) by phase, of the same members.
        by: 'fit' takes E0 of an equation of state, 'lowest' the lowest volume of the scan, which
            may lie some meV/atom above the minimum, differently for every phase.
        form: Equation of state.

    Raises:
        ValueError: If there are no curves, they differ in their members, or `by` is unknown.
    """
    if by not in ('fit', 'lowest'):
        raise ValueError(f"`by` must be 'fit' or 'lowest', got {by!r}")
    if len({len(curve.members) for curve in curves.values()}) != 1:
        raise ValueError('there must be one or more curves, all with the same number of members')
    left_out: dict[str, str] = {}
    reference: dict[str, float] = {}
    for name, curve in curves.items():
        try:
            reference[name] = _minimum(curve.volumes, curve.reference, by, form)
        except FitRefused as refused:
            left_out[name] = str(refused)
    names = sorted(reference, key=lambda name: reference[name])
    n_members = len(next(iter(curves.values())).members)
    columns = [
        [_known(curves[name].volumes, one, by, form) for one in curves[name].members]
        for name in names
    ]
    of_mean = [
        _known(curves[name].volumes, ensemble.mean(curves[name].members), by, form)
        for name in names
    ]
    members = np.array(columns, dtype=np.float64).reshape(len(names), n_members).T
    energies = np.array([reference[name] for name in names])
    return Ranking(tuple(names), energies, members, np.array(of_mean), by, left_out)


def _minimum(volumes: Floats, energies: Floats, by: By, form: str) -> float:
    return float(energies.min()) if by == 'lowest' else fit(volumes, energies, form).energy


def _known(volumes: Floats, energies: Floats, by: By, form: str) -> float:
    try:
        return _minimum(volumes, energies, by, form)
    except FitRefused:
        return float('nan')
