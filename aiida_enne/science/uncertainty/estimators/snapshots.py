"""The cheap rival: how much models of the last epochs of one training differ, times a factor."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np

from aiida_enne.science.fields import Floats
from aiida_enne.science.uncertainty import ensemble
from aiida_enne.science.uncertainty.estimators.interface import Asked, Fitted, Need, labelled


@dataclass(frozen=True, slots=True)
class _Scaled:
    factor: float

    def __call__(self, samples: Asked) -> Floats:
        return self.factor * spread(samples)


@dataclass(frozen=True, slots=True)
class SnapshotSpread:
    """α s, s the spread of the snapshots of one member and α² = ⟨ε²/s²⟩ of a calibration domain.

    ε is the error of the mean of the members. Snapshots begin alike and are no independent draws,
    so that s without the factor means nothing (for the idea: Huang et al., ICLR 2017).
    """

    name: ClassVar[str] = 'snapshots'
    unit: ClassVar[Literal['quantity']] = 'quantity'
    needs: ClassVar[tuple[Need, ...]] = ('members', 'snapshots')
    calibrated: ClassVar[bool] = True

    def fit(self, calibration: Asked | None) -> Fitted:
        """Return the spread of snapshots scaled to the errors of the calibration samples.

        Raises:
            ValueError: If there are no labels, no snapshots, or these do not differ.
        """
        samples, error = labelled(calibration, 'the spread of snapshots')
        size = spread(samples)
        known = size > 0
        if not known.any():
            raise ValueError('the spread of snapshots needs samples on which they differ')
        return _Scaled(float(np.sqrt(np.mean((error[known] / size[known]) ** 2))))

    def label(self) -> str:
        """Return what figures and sentences call it."""
        return 'σ of snapshots'

    def expectations(self, n_members: int) -> dict[str, float]:
        """Return what normal errors of this width would score."""
        return {'rmse_over_spread': 1.0, 'mean_squared_z': 1.0}


def spread(samples: Asked) -> Floats:
    """Return the standard deviation of the snapshots, shape (n,).

    Raises:
        ValueError: If there are none.
    """
    if samples.snapshots is None:
        raise ValueError(
            'the spread of snapshots needs what the snapshots of a member predicted: train with '
            '`snapshots: 5`, say, and audit with `snapshots`'
        )
    return ensemble.spread(samples.snapshots, ddof=1)
