"""Local calibration: do widths tell the size of errors in every part of their own range?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from aiida_enne.science.fields import Floats, Integers
from aiida_enne.science.uncertainty.scores.accuracy import rms
from aiida_enne.science.uncertainty.scores.bootstrap import statistic_intervals
from aiida_enne.science.uncertainty.scores.calibration import mean_squared_z
from aiida_enne.science.uncertainty.scores.interface import Judged, Scalars

#: Samples in a bin at least, and bins at most.
MIN_IN_BIN, MAX_BINS = 10, 10
#: Bins of the local mean of z².
LOCAL_BINS = 5


def n_bins(n: int) -> int:
    """Return the number of bins of equal count for n samples; 0 where there are too few."""
    bins = min(MAX_BINS, n // MIN_IN_BIN)
    return bins if bins > 1 else 0


def ence(error: Floats, width: Floats, bins: int) -> float:
    """Return the expected normalised calibration error (Levi et al., Sensors 22, 5540, 2022).

    The mean over bins of equal count in width of |RMV - RMSE|/RMV. It is not 0 for an honest
    ensemble: compare it with `ence_honest`.

    Args:
        error: ε, shape (n,).
        width: Of each sample, shape (n,).
        bins: Number of bins; with 0 it is NaN, as it is where all widths of a bin are 0.
    """
    if not bins:
        return float('nan')
    parts = np.array_split(np.argsort(width, kind='stable'), bins)
    wide, wrong = (np.array([rms(values[part]) for part in parts]) for values in (width, error))
    return float(np.mean(np.abs(wide - wrong) / wide)) if (wide > 0).all() else float('nan')


def rce(error: Floats, width: Floats) -> float:
    """Return the relative calibration error (RMV - RMSE)/RMV (Pernot, arXiv:2403.00423)."""
    return 1 - rms(error) / rms(width) if rms(width) > 0 else float('nan')


def variation(width: Floats) -> float:
    """Return the standard deviation of widths over their mean: 0 where all are alike."""
    mean = float(width.mean())
    return float(width.std()) / mean if mean > 0 else float('nan')


@dataclass(frozen=True, slots=True)
class LocalZ:
    """⟨ε²/σ²⟩ in bins of equal count of some quantity.

    Attributes:
        centre: Mean of the quantity in each bin, shape (b,).
        value: ⟨ε²/σ²⟩ of each bin, NaN where σ is 0 throughout, shape (b,).
        count: Samples in each bin, shape (b,).
    """

    centre: Floats
    value: Floats
    count: Integers


def local_mean_squared_z(
    error: Floats, width: Floats, by: Floats, bins: int = LOCAL_BINS
) -> LocalZ:
    """Return ⟨ε²/σ²⟩ in bins of equal count of the widths, a volume, a temperature or a density.

    Args:
        error: ε, shape (n,).
        width: Of each sample, shape (n,).
        by: What is binned, shape (n,).
        bins: Number of bins; fewer where there are fewer samples.
    """
    parts = equal_bins(by, bins)
    return LocalZ(
        np.array([by[part].mean() for part in parts]),
        np.array([mean_squared_z(error[part], width[part]) for part in parts]),
        np.array([len(part) for part in parts], dtype=np.int64),
    )


def equal_bins(by: Floats, bins: int = LOCAL_BINS) -> list[Integers]:
    """Return the samples of each bin of equal count, fewer bins where there are fewer samples."""
    order = np.argsort(by, kind='stable').astype(np.int64)
    return list(np.array_split(order, max(1, min(bins, len(by)))))


def score(judged: Judged) -> Scalars:
    """Return ENCE, RCE and the variation of widths (sharpness); None for scores that only rank."""
    error, width, options = judged.error, judged.width, judged.options
    bins = n_bins(len(error))

    def of(chosen: NDArray[Any]) -> dict[str, float]:
        return {
            'ence': ence(error[chosen], width[chosen], bins),
            'rce': rce(error[chosen], width[chosen]),
            'spread_variation': variation(width[chosen]),
        }

    values: Scalars = {**of(np.arange(len(error)))}
    intervals = statistic_intervals(
        of, judged.block, options.n_bootstrap, options.seed, options.interval_level
    )
    for name, (low, high) in intervals.items():
        values[f'{name}_low'], values[f'{name}_high'] = low, high
    return values if judged.is_width else dict.fromkeys(values)
