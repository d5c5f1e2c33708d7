"""Accuracy: how large is the error of the ensemble and of its members?"""

import numpy as np

from aiida_enne.science.fields import Floats
from aiida_enne.science.uncertainty.scores.bootstrap import mean_interval
from aiida_enne.science.uncertainty.scores.interface import Judged, Scalars


def score(judged: Judged) -> Scalars:
    """Return errors of the mean and of the members, and sizes of the estimated widths."""
    error, width = judged.error, judged.width
    member_maes, options = np.abs(judged.errors).mean(axis=1), judged.options
    low, high = mean_interval(
        np.abs(error), judged.block, options.n_bootstrap, options.seed, options.interval_level
    )
    return {
        'mae': float(np.abs(error).mean()),
        'mae_low': low,
        'mae_high': high,
        'rmse': rms(error),
        'bias': float(error.mean()),
        'error_max': float(np.abs(error).max()),
        'member_mae_mean': float(member_maes.mean()),
        'member_mae_max': float(member_maes.max()),
        'spread_mean': float(width.mean()),
        'spread_rms': rms(width),
        'spread_min': float(width.min()),
        'spread_max': float(width.max()),
        'n_zero_spread': int((width == 0).sum()),
    }


def rms(values: Floats) -> float:
    """Return the root mean square."""
    return float(np.sqrt(np.mean(values**2)))
