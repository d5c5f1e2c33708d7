"""The spread of the members: the paper's σ."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

from aiida_enne.science.fields import Floats
from aiida_enne.science.uncertainty import ensemble
from aiida_enne.science.uncertainty.estimators.interface import Asked, Fitted, Need
from aiida_enne.science.uncertainty.scores import calibration


@dataclass(frozen=True, slots=True)
class EnsembleSpread:
    """σ = [(M - ddof)⁻¹ Σ_m (P^m - P̄)²]^½ (Lu et al. 2023, Eq. 2 at `ddof` 0).

    Attributes:
        ddof: 0 (the paper's, divisor M) or 1 (divisor M - 1).
    """

    ddof: int = ensemble.PAPER_DDOF
    name: ClassVar[str] = 'ensemble'
    unit: ClassVar[Literal['quantity']] = 'quantity'
    needs: ClassVar[tuple[Need, ...]] = ('members',)
    calibrated: ClassVar[bool] = False

    def fit(self, calibration: Asked | None = None) -> Fitted:
        """Return σ itself: there is nothing to learn."""
        return self

    def __call__(self, samples: Asked) -> Floats:
        """Return σ of each sample, shape (n,)."""
        return ensemble.spread(samples.members, ddof=self.ddof)

    def portable(self, n_members: int) -> dict[str, float]:
        """Return σ itself: its factor is 1."""
        return {'factor': 1.0, 'ddof': self.ddof}

    def label(self) -> str:
        """Return σ with its ddof: never the one without the other."""
        return f'σ (ddof {self.ddof})'

    def expectations(self, n_members: int) -> dict[str, float]:
        """Return what an ensemble exchangeable with the truth would score."""
        return {
            'cone_coverage': calibration.expected_cone_coverage(n_members, ddof=self.ddof),
            'rmse_over_spread': calibration.expected_rmse_over_spread(n_members, ddof=self.ddof),
            'mean_squared_z': calibration.expected_mean_squared_z(n_members, ddof=self.ddof),
        }
