"""How far last-layer features are from those that the members were trained on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import numpy as np
from scipy.spatial import cKDTree

from aiida_enne.science.fields import Floats
from aiida_enne.science.uncertainty.estimators.interface import (
    Asked,
    Fitted,
    Need,
    labelled,
    trained_features,
)

#: Ridge of a covariance, in units of the mean of its diagonal.
RIDGE = 1e-6


def leverage(samples: Asked, ridge: float = RIDGE) -> Floats:
    """Return √(f (FᵀF + ς 1)⁻¹ fᵀ), averaged over members, shape (n,).

    The rigidity of the last layer (LLPR; Bigi et al., Mach. Learn.: Sci. Technol. 5, 045018, 2024,
    Eq. 24), each member with its own features.

    Args:
        samples: With features and training features.
        ridge: ς in units of the mean of the diagonal of FᵀF.
    """
    features, trained = trained_features(samples, 'the leverage')
    values = np.zeros(len(samples))
    for own, known in zip(features, trained, strict=True):
        values += np.sqrt(np.einsum('ij,jk,ik->i', own, _inverse(known.T @ known, ridge), own))
    return values / len(features)


def _inverse(matrix: Floats, ridge: float) -> Floats:
    size = len(matrix)
    inverse: Floats = np.linalg.inv(matrix + ridge * np.trace(matrix) / size * np.eye(size))
    return inverse


@dataclass(frozen=True, slots=True)
class _Scaled:
    factor: float
    ridge: float

    def __call__(self, samples: Asked) -> Floats:
        widths: Floats = self.factor * leverage(samples, self.ridge)
        return widths


@dataclass(frozen=True, slots=True)
class LastLayer:
    """α × the leverage of last-layer features, α² = ⟨ε²/leverage²⟩ of a calibration domain.

    Attributes:
        ridge: See `leverage`.
    """

    ridge: float = RIDGE
    name: ClassVar[str] = 'llpr'
    unit: ClassVar[Literal['quantity']] = 'quantity'
    needs: ClassVar[tuple[Need, ...]] = ('members', 'features')
    calibrated: ClassVar[bool] = True

    def fit(self, calibration: Asked | None) -> Fitted:
        """Return the leverage scaled to the errors of the calibration samples.

        Raises:
            ValueError: If there are no labels or no features, or the features vanish.
        """
        samples, error = labelled(calibration, 'LLPR')
        size = leverage(samples, self.ridge)
        known = size > 0
        if not known.any():
            raise ValueError('LLPR needs features that are not zero')
        factor = float(np.sqrt(np.mean((error[known] / size[known]) ** 2)))
        return _Scaled(factor, self.ridge)

    def label(self) -> str:
        """Return what figures and sentences call it."""
        return 'LLPR'

    def expectations(self, n_members: int) -> dict[str, float]:
        """Return what normal errors of this width would score."""
        return {'rmse_over_spread': 1.0, 'mean_squared_z': 1.0}


@dataclass(frozen=True, slots=True)
class Mahalanobis:
    """Mahalanobis distance to the training features, averaged over members: a score that ranks."""

    name: ClassVar[str] = 'mahalanobis'
    unit: ClassVar[None] = None
    needs: ClassVar[tuple[Need, ...]] = ('features',)
    calibrated: ClassVar[bool] = False

    def fit(self, calibration: Asked | None = None) -> Fitted:
        """Return the distance itself: it knows what it needs from the samples."""
        return self

    def __call__(self, samples: Asked) -> Floats:
        """Return the distance of each sample, shape (n,)."""
        features, trained = trained_features(samples, 'the Mahalanobis distance')
        values = np.zeros(len(samples))
        for own, known in zip(features, trained, strict=True):
            apart = own - known.mean(axis=0)
            inverse = _inverse(np.atleast_2d(np.cov(known.T)), RIDGE)
            values += np.sqrt(np.einsum('ij,jk,ik->i', apart, inverse, apart))
        return values / len(features)

    def label(self) -> str:
        """Return what figures and sentences call it."""
        return 'Mahalanobis distance'

    def expectations(self, n_members: int) -> dict[str, float]:
        """Return nothing: a score is not compared with errors."""
        return {}


@dataclass(frozen=True, slots=True)
class Neighbours:
    """Mean distance to the nearest training features, each scaled by its deviation.

    Attributes:
        k: Number of neighbours.
    """

    k: int = 5
    name: ClassVar[str] = 'neighbours'
    unit: ClassVar[None] = None
    needs: ClassVar[tuple[Need, ...]] = ('features',)
    calibrated: ClassVar[bool] = False

    def __post_init__(self) -> None:
        if self.k < 1:
            raise ValueError(f'`k` must be 1 or more neighbours, got {self.k}')

    def fit(self, calibration: Asked | None = None) -> Fitted:
        """Return the distance itself: it knows what it needs from the samples."""
        return self

    def __call__(self, samples: Asked) -> Floats:
        """Return the distance of each sample, shape (n,)."""
        features, trained = trained_features(samples, 'the distance to neighbours')
        values = np.zeros(len(samples))
        for own, known in zip(features, trained, strict=True):
            scale = _deviation(known)
            near = min(self.k, len(known))
            found = cKDTree(known / scale).query(own / scale, k=near)[0]
            values += found.reshape(len(own), near).mean(axis=1)
        return values / len(features)

    def label(self) -> str:
        """Return what figures and sentences call it."""
        return f'distance to {self.k} neighbours'

    def expectations(self, n_members: int) -> dict[str, float]:
        """Return nothing: a score is not compared with errors."""
        return {}


@dataclass(frozen=True, slots=True)
class Mixture:
    """How much less likely than any training sample, under a Gaussian mixture of its features.

    Attributes:
        components: Largest number of Gaussians; that of the least BIC is taken.
        seed: Of the start of the fits.
    """

    components: int = 8
    seed: int = 0
    name: ClassVar[str] = 'mixture'
    unit: ClassVar[None] = None
    needs: ClassVar[tuple[Need, ...]] = ('features',)
    calibrated: ClassVar[bool] = False

    def __post_init__(self) -> None:
        if self.components < 1:
            raise ValueError(f'`components` must be 1 or more, got {self.components}')

    def fit(self, calibration: Asked | None = None) -> Fitted:
        """Return the score: it knows what it needs from the samples."""
        return _Likelihoods(self)

    def model(self, known: Floats) -> Any:
        """Return the mixture of the least BIC for features (k, f) of unit deviation.

        Raises:
            ValueError: If scikit-learn is not installed.
        """
        try:
            from sklearn.mixture import GaussianMixture
        except ImportError:
            raise ValueError(
                'the Gaussian mixture needs scikit-learn: pip install "aiida-enne[uncertainty]"'
            ) from None
        sizes = [k for k in (1, 2, 4, 8, 16, 32) if k <= min(self.components, len(known) // 2)]
        models = [
            GaussianMixture(k, random_state=self.seed, reg_covar=1e-5).fit(known)
            for k in sizes or [1]
        ]
        return min(models, key=lambda model: float(model.bic(known)))

    def label(self) -> str:
        """Return what figures and sentences call it."""
        return 'Gaussian mixture'

    def expectations(self, n_members: int) -> dict[str, float]:
        """Return nothing: a score is not compared with errors."""
        return {}


class _Likelihoods:
    """Mixtures of the training features of members, each fitted once."""

    def __init__(self, mixture: Mixture) -> None:
        self.mixture = mixture
        #: By place of the training features in memory; they are held, so that it stays theirs.
        self.models: dict[Any, tuple[Floats, Any, float]] = {}

    def __call__(self, samples: Asked) -> Floats:
        """Return largest log-likelihood of training less that of each sample, ≥ 0, shape (n,).

        Raises:
            ValueError: If scikit-learn is not installed.
        """
        features, trained = trained_features(samples, 'the Gaussian mixture')
        values = np.zeros(len(samples))
        for own, known in zip(features, trained, strict=True):
            scale, centre = _deviation(known), known.mean(axis=0)
            place = known.ctypes.data, known.shape, known.strides
            if place not in self.models:
                fitted = self.mixture.model((known - centre) / scale)
                best = float(fitted.score_samples((known - centre) / scale).max())
                self.models[place] = known, fitted, best
            _, fitted, best = self.models[place]
            values += np.maximum(best - fitted.score_samples((own - centre) / scale), 0)
        return values / len(features)


def _deviation(known: Floats) -> Floats:
    """Return the standard deviation of each feature, 1 where it does not vary, shape (f,)."""
    scale: Floats = known.std(axis=0)
    return np.where(scale > 0, scale, 1.0)
