"""Proper scores: the error of a normal distribution of the claimed width, in one number."""

import numpy as np
from scipy import stats

from aiida_enne.science.fields import Floats
from aiida_enne.science.uncertainty.scores.bootstrap import mean_interval
from aiida_enne.science.uncertainty.scores.interface import Judged, Scalars


def crps_normal(error: Floats, width: Floats) -> Floats:
    """Return the continuous ranked probability score of N(0, width²) at ε, in the unit of ε.

    σ [z (2 Φ(z) - 1) + 2 φ(z) - 1/√π], z = ε/σ (Gneiting et al., Mon. Weather Rev. 133, 1098,
    2005, Eq. 5); |ε| where the width is 0.
    """
    safe = np.where(width > 0, width, 1.0)
    z = error / safe
    scaled = z * (2 * stats.norm.cdf(z) - 1) + 2 * stats.norm.pdf(z) - 1 / np.sqrt(np.pi)
    values: Floats = np.where(width > 0, safe * scaled, np.abs(error))
    return values


def nll_normal(error: Floats, width: Floats) -> Floats:
    """Return -ln N(ε; 0, width²) of the samples with width > 0."""
    known = width > 0
    e, w = error[known], width[known]
    values: Floats = 0.5 * np.log(2 * np.pi * w**2) + e**2 / (2 * w**2)
    return values


def interval_score(error: Floats, half_width: Floats, level: float) -> Floats:
    """Return the interval score of ±half-width about the prediction, in the unit of ε.

    2 h + 2/(1 - level) max(|ε| - h, 0): narrow is good, missing costs (Gneiting & Raftery, J. Am.
    Stat. Assoc. 102, 359, 2007, Eq. 43). Its mean is least for the interval of that coverage.

    Args:
        error: ε, shape (n,).
        half_width: h, shape (n,).
        level: Coverage that the interval promises.
    """
    missed = np.maximum(np.abs(error) - half_width, 0.0)
    values: Floats = 2 * half_width + 2 / (1 - level) * missed
    return values


def mean_crps(error: Floats, width: Floats) -> float:
    """Return the mean of `crps_normal`."""
    return float(crps_normal(error, width).mean())


def mean_nll(error: Floats, width: Floats) -> float:
    """Return the mean of `nll_normal`; NaN where every width is 0."""
    values = nll_normal(error, width)
    return float(values.mean()) if len(values) else float('nan')


def score(judged: Judged) -> Scalars:
    """Return CRPS (in the unit of ε) and NLL with their intervals.

    The width of the normal distribution is that of the estimator times the RMSE that an honest one
    has in its units: √(1 + 1/M) s for an ensemble. None for estimators that do not say that.
    """
    options, names = judged.options, ('crps', 'nll')
    expected = judged.estimator.expectations(len(judged.errors)).get('rmse_over_spread')
    if expected is None or not judged.is_width:
        return {f'{name}{end}': None for name in names for end in ('', '_low', '_high')}
    width, known = expected * judged.width, judged.width > 0
    samples = {
        'crps': (crps_normal(judged.error, width), judged.block),
        'nll': (nll_normal(judged.error, width), judged.block[known]),
    }
    values: Scalars = {}
    for name, (each, block) in samples.items():
        values[name] = float(each.mean()) if len(each) else None
        values[f'{name}_low'], values[f'{name}_high'] = mean_interval(
            each, block, options.n_bootstrap, options.seed, options.interval_level
        )
    return values
