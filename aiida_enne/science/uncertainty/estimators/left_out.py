"""What the last layer would say had it not seen one density of its training, each in its turn."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from aiida_enne.science.fields import Floats
from aiida_enne.science.uncertainty import ensemble
from aiida_enne.science.uncertainty.estimators.features import RIDGE
from aiida_enne.science.uncertainty.estimators.interface import (
    Asked,
    Fitted,
    Need,
    trained_features,
)


@dataclass(frozen=True, slots=True)
class LeftOut:
    """Spread of the members and of refits of their last layers without one density of the training.

    The last layer is linear, so that a refit is closed: ridge regression of a member's errors on
    training frames upon the means of its features and a constant. σ² = Var_m(P_m) + ⟨(Δ_d − Δ)²⟩
    over members and groups d of training frames, one a density of a domain, Δ_d the correction by a
    fit without d and Δ by one to all. It sees what all members share because they were trained on
    the same densities. Energies only: a force
    would need the gradients of the features.

    Attributes:
        ridge: In units of the mean of the diagonal of the normal matrix, of features in units of
            their root mean square.
    """

    ridge: float = RIDGE
    name: ClassVar[str] = 'left_out'
    unit: ClassVar[Literal['quantity']] = 'quantity'
    needs: ClassVar[tuple[Need, ...]] = ('members', 'features', 'training errors')
    calibrated: ClassVar[bool] = False

    def __post_init__(self) -> None:
        if not self.ridge > 0:
            raise ValueError(f'`ridge` must be positive, got {self.ridge}')

    def fit(self, calibration: Asked | None = None) -> Fitted:
        """Return the spread itself: it knows what it needs from the samples."""
        return self

    def __call__(self, samples: Asked) -> Floats:
        """Return the spread of each sample, shape (n,).

        Raises:
            ValueError: If features, or errors on training frames, are missing, or a member was
                trained on one domain only.
        """
        features, trained = trained_features(samples, 'the spread with densities left out')
        errors, domains = samples.trained_errors, samples.trained_group
        if errors is None or domains is None:
            raise ValueError(
                'the spread with densities left out needs the errors of the members on their '
                'training frames and the densities of these'
            )
        square = np.zeros(len(samples))
        for own, known, error, domain in zip(features, trained, errors, domains, strict=True):
            square += self._apart(own, known, error, domain)
        values: Floats = np.sqrt(square / len(features) + ensemble.spread(samples.members) ** 2)
        return values

    def _apart(self, own: Floats, known: Floats, error: Floats, domain: NDArray[Any]) -> Floats:
        """Return the mean square difference that leaving one domain out makes, shape (n,)."""
        names = np.unique(domain)
        if len(names) < 2:
            raise ValueError(
                'the spread with densities left out needs training frames of two or more domains '
                'or densities, '
                f'all are of {names.tolist()}'
            )
        size: Floats = np.sqrt(np.mean(known**2, axis=0))
        size[size == 0] = 1.0
        scale = np.append(size, 1.0)
        design, asked = (np.column_stack([one, np.ones(len(one))]) / scale for one in (known, own))
        whole = self._refit(design, error)
        square = np.zeros(len(own))
        for name in names:
            kept = domain != name
            square += (asked @ (self._refit(design[kept], error[kept]) - whole)) ** 2
        return square / len(names)

    def _refit(self, design: Floats, error: Floats) -> Floats:
        normal = design.T @ design
        normal += self.ridge * np.trace(normal) / len(normal) * np.eye(len(normal))
        return np.asarray(np.linalg.solve(normal, -design.T @ error), dtype=np.float64)

    def label(self) -> str:
        """Return what figures and sentences call it."""
        return 'σ with densities left out'

    def expectations(self, n_members: int) -> dict[str, float]:
        """Return what normal errors of this width would score."""
        return {'rmse_over_spread': 1.0, 'mean_squared_z': 1.0}
