"""The spread of the members times one factor that was fitted to labelled samples."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np

from aiida_enne.science.fields import Floats
from aiida_enne.science.uncertainty import ensemble
from aiida_enne.science.uncertainty.estimators.interface import (
    Asked,
    Fitted,
    Need,
    labelled,
)

#: P(|ε| ≤ σ) of a normal distribution.
NORMAL_CONE = 0.6826894921370859


@dataclass(frozen=True, slots=True)
class _Scaled:
    factor: float

    def __call__(self, samples: Asked) -> Floats:
        return self.factor * ensemble.spread(samples.members, ddof=RecalibratedSpread.DDOF)

    def portable(self, n_members: int) -> dict[str, float]:
        """Return the factor of the spread."""
        return {'factor': self.factor, 'ddof': RecalibratedSpread.DDOF}


@dataclass(frozen=True, slots=True)
class RecalibratedSpread:
    """α s, s the spread with `ddof` 1 and α² = -1/M + (M - 3)/(M - 1) ⟨ε²/s²⟩.

    The factor by which the likelihood of the errors is largest, without bias for few members
    (Imbalzano et al., J. Chem. Phys. 154, 074102, 2021). It is fitted to one domain.
    """

    name: ClassVar[str] = 'recalibrated'
    unit: ClassVar[Literal['quantity']] = 'quantity'
    needs: ClassVar[tuple[Need, ...]] = ('members',)
    calibrated: ClassVar[bool] = True
    #: Of the spread that is scaled.
    DDOF: ClassVar[int] = 1
    min_members: ClassVar[int] = 4

    def fit(self, calibration: Asked | None) -> Fitted:
        """Return σ scaled to the errors of the calibration samples.

        Raises:
            ValueError: As `factor` does.
        """
        return _Scaled(self.factor(calibration))

    def factor(self, calibration: Asked | None) -> float:
        """Return α, by which the spread with `DDOF` is multiplied.

        Raises:
            ValueError: If there are no labels, fewer than four members, or α² is not positive:
                the members differ by more than they err.
        """
        samples, error = labelled(calibration, 'a recalibrated σ')
        m = len(samples.members)
        if m < self.min_members:
            raise ValueError(f'a recalibrated σ needs {self.min_members} or more members, got {m}')
        spread = ensemble.spread(samples.members, ddof=self.DDOF)
        known = spread > 0
        if not known.any():
            raise ValueError('a recalibrated σ needs samples on which the members differ')
        ratio = float(np.mean((error[known] / spread[known]) ** 2))
        square = -1 / m + (m - 3) / (m - 1) * ratio
        if square <= 0:
            raise ValueError(
                f'a recalibrated σ is not defined: α² = {square:.2g}, since ⟨ε²/σ²⟩ = {ratio:.2g} '
                f'of {m} members; they differ by more than they err'
            )
        return float(np.sqrt(square))

    def label(self) -> str:
        """Return what figures and sentences call it."""
        return 'recalibrated σ'

    def expectations(self, n_members: int) -> dict[str, float]:
        """Return what normal errors of this width would score."""
        return {'cone_coverage': NORMAL_CONE, 'rmse_over_spread': 1.0, 'mean_squared_z': 1.0}
