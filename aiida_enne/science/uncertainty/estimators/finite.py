"""The interval of a finite ensemble: wide enough for a truth that is one more member."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

from aiida_enne.science.fields import Floats
from aiida_enne.science.uncertainty import ensemble
from aiida_enne.science.uncertainty.estimators.interface import (
    Asked,
    Fitted,
    Need,
    check_level,
)
from aiida_enne.science.uncertainty.scores.calibration import finite_factor


@dataclass(frozen=True, slots=True)
class FiniteInterval:
    """Half-width t_{M-1} s √((M + 1)/M) of the interval about P̄ for a normal truth.

    The prediction interval of one more draw (e.g. Hahn & Meeker, Statistical Intervals, 4.7).

    Attributes:
        level: Probability that the truth lies inside, if it is one more member.
    """

    level: float = 0.9
    name: ClassVar[str] = 'finite'
    unit: ClassVar[Literal['quantity']] = 'quantity'
    needs: ClassVar[tuple[Need, ...]] = ('members',)
    calibrated: ClassVar[bool] = False

    def __post_init__(self) -> None:
        check_level(self.level)

    def fit(self, calibration: Asked | None = None) -> Fitted:
        """Return the interval itself: there is nothing to learn."""
        return self

    def __call__(self, samples: Asked) -> Floats:
        """Return the half-width of each sample, shape (n,)."""
        factor = self.portable(len(samples.members))['factor']
        widths: Floats = factor * ensemble.spread(samples.members, ddof=1)
        return widths

    def portable(self, n_members: int) -> dict[str, float]:
        """Return the factor of the spread for so many members."""
        return {'factor': finite_factor(n_members, self.level, 1), 'ddof': 1}

    def label(self) -> str:
        """Return what figures and sentences call it."""
        return f'{self.level:.0%} interval of M members'

    def expectations(self, n_members: int) -> dict[str, float]:
        """Return the share of truths inside; as half-width of an interval it is not an error."""
        return {'cone_coverage': self.level}
