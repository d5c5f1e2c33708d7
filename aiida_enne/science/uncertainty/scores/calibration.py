"""How well the spread of an ensemble predicts its error, and what a perfect one would score."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from aiida_enne.science.fields import Floats
from aiida_enne.science.uncertainty.ensemble import PAPER_DDOF
from aiida_enne.science.uncertainty.scores.accuracy import rms
from aiida_enne.science.uncertainty.scores.bootstrap import (
    Interval,
    block_intervals,
    mean_interval,
)
from aiida_enne.science.uncertainty.scores.interface import Judged, Scalars


@dataclass(frozen=True, slots=True)
class Identity:
    """Terms of the bias–variance–covariance identity, in squared units of the errors.

    Attributes:
        bias: b̄, mean error of all members.
        variance: v, mean over members of the variance of their errors over the samples.
        covariance: ρ̄ v, mean over pairs of members of the covariance of their errors.
        bias_variance: Var_m(b_m), population variance of the members' mean errors.
        n_members: M.
    """

    bias: float
    variance: float
    covariance: float
    bias_variance: float
    n_members: int

    @property
    def correlation(self) -> float:
        """ρ̄ = mean pair covariance / v; NaN where errors do not vary."""
        return self.covariance / self.variance if self.variance > 0 else float('nan')

    @property
    def mean_squared_error(self) -> float:
        """⟨ε²⟩ = b̄² + v [ρ̄ + (1 - ρ̄)/M]."""
        independent = (self.variance - self.covariance) / self.n_members
        return self.bias**2 + self.covariance + independent

    @property
    def mean_squared_spread(self) -> float:
        """⟨σ²⟩ = Var_m(b_m) + v (1 - ρ̄)(1 - 1/M), `ddof` 0."""
        own = self.variance - self.covariance
        return self.bias_variance + own * (1 - 1 / self.n_members)


def decompose(errors: Floats) -> Identity:
    """Split error and spread into what members share and what is their own.

    Args:
        errors: Errors of the members, shape (M, n).
    """
    n_members, n = errors.shape
    biases = errors.mean(axis=1)
    centred = errors - biases[:, None]
    variance = float(np.einsum('mi,mi->', centred, centred)) / (n * n_members)
    # the sum of all covariances is the variance of the sum: no M x M matrix is needed
    shared = float(np.mean(centred.mean(axis=0) ** 2))
    covariance = (n_members * shared - variance) / (n_members - 1)
    return Identity(float(biases.mean()), variance, covariance, float(np.var(biases)), n_members)


def rmse_over_spread_from_correlation(
    correlation: float, n_members: int, *, ddof: int = PAPER_DDOF
) -> float:
    """Return RMSE/σ that the identity predicts for members without bias.

    √{[ρ̄ + (1 - ρ̄)/M] / [(1 - ρ̄)(1 - 1/M)]}: 2.43 at ρ̄ = 0.85 and M = 30. NaN where ρ̄ is 1 or
    below -1/(M - 1), which no errors have.
    """
    shared = correlation + (1 - correlation) / n_members
    own = (1 - correlation) * (n_members - 1) / (n_members - ddof)
    return float(np.sqrt(shared / own)) if own > 0 and shared >= 0 else float('nan')


def cone_coverage(error: Floats, spread: Floats) -> float:
    """Return P(|ε| ≤ σ), the share of samples inside the cone of figure F7."""
    return float(np.mean(np.abs(error) <= spread))


def rmse_over_spread(error: Floats, spread: Floats) -> float:
    """Return RMSE/rms σ; NaN where σ is zero throughout."""
    square = float(np.mean(spread**2))
    return float(np.sqrt(np.mean(error**2) / square)) if square > 0 else float('nan')


def expected_cone_coverage(n_members: int, *, ddof: int = PAPER_DDOF) -> float:
    """Return P(|ε| ≤ σ) for a truth exchangeable with M Gaussian members.

    ε/(s √(1 + 1/M)) follows Student's t with M - 1 degrees of freedom: 0.659 at M = 30, 0.505 at
    M = 4 (`ddof` 0), 0.683 only for infinitely many.
    """
    half_width = np.sqrt((n_members - 1) / (n_members - ddof) * n_members / (n_members + 1))
    return float(2 * stats.t.cdf(half_width, n_members - 1) - 1)


def expected_rmse_over_spread(n_members: int, *, ddof: int = PAPER_DDOF) -> float:
    """Return RMSE/rms σ for a truth exchangeable with M members, Gaussian or not.

    √[(M + 1)(M - ddof)/(M (M - 1))]: 1.034 at M = 30, 1.134 at M = 8 (`ddof` 0), not 1.
    """
    return float(np.sqrt((n_members + 1) * (n_members - ddof) / (n_members * (n_members - 1))))


def rank_correlation(error: Floats, spread: Floats) -> float:
    """Return Spearman's correlation of |ε| with σ; NaN where either does not vary."""
    size = np.abs(error)
    if len(size) < 2 or np.ptp(size) == 0 or np.ptp(spread) == 0:
        return float('nan')
    return float(stats.spearmanr(size, spread).statistic)


def inside_interval(
    error: Floats, spread: Floats, n_members: int, *, level: float, ddof: int = PAPER_DDOF
) -> NDArray[np.bool_]:
    """Return which samples are inside the finite-M interval of a nominal level, shape (n,).

    P̄ ± t_{M-1} s √((M + 1)/M), s the standard deviation with `ddof` 1.

    Args:
        error: ε, shape (n,).
        spread: σ with the given `ddof`, shape (n,).
        n_members: M.
        level: Nominal probability, between 0 and 1.
        ddof: That of `spread`; the result does not depend on it.
    """
    inside: NDArray[np.bool_] = np.abs(error) <= finite_factor(n_members, level, ddof) * spread
    return inside


def finite_factor(n_members: int, level: float, ddof: int = PAPER_DDOF) -> float:
    """Return the half-width of the finite-M interval in units of σ with the given `ddof`."""
    quantile = stats.t.ppf(0.5 + level / 2, n_members - 1)
    scale = np.sqrt((n_members - ddof) / (n_members - 1) * (n_members + 1) / n_members)
    return float(quantile * scale)


def _z_interval(judged: Judged) -> Interval:
    options, known = judged.options, judged.width > 0
    square = (judged.error[known] / judged.width[known]) ** 2
    return mean_interval(
        square, judged.block[known], options.n_bootstrap, options.seed, options.interval_level
    )


def mean_squared_z(error: Floats, spread: Floats) -> float:
    """Return ⟨ε²/σ²⟩ over the samples with σ > 0; NaN where there are none."""
    known = spread > 0
    return float(np.mean((error[known] / spread[known]) ** 2)) if known.any() else float('nan')


def expected_mean_squared_z(n_members: int, *, ddof: int = PAPER_DDOF) -> float:
    """Return ⟨ε²/σ²⟩ for a truth exchangeable with M Gaussian members; infinite for M ≤ 3.

    (M + 1)(M - ddof)/[M (M - 3)], i.e. (M + 1)/(M - 3) at `ddof` 0: 1.148 at M = 30.
    """
    if n_members <= 3:
        return float('inf')
    return (n_members + 1) * (n_members - ddof) / (n_members * (n_members - 3))


def score(judged: Judged) -> Scalars:
    """Return how widths compare with errors; None for values that only rank."""
    options = judged.options
    error, width = judged.error, judged.width
    square = float(np.mean(width**2))
    values: Scalars = {
        'rmse_over_spread': rms(error) / rms(width) if square > 0 else None,
        'cone_coverage': cone_coverage(error, width),
        'mean_squared_z': mean_squared_z(error, width),
    }
    values['mean_squared_z_low'], values['mean_squared_z_high'] = _z_interval(judged)
    intervals = block_intervals(
        error,
        width,
        judged.block,
        n_bootstrap=options.n_bootstrap,
        seed=options.seed,
        level=options.interval_level,
    )
    for name, (low, high) in intervals.items():
        values[f'{name}_low'], values[f'{name}_high'] = low, high
    if not judged.is_width:
        compared = [name for name in values if not name.startswith(('rmse_low', 'rmse_high'))]
        values |= dict.fromkeys(compared)
    return values
