"""Detection: are the samples with large errors those with large widths?"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from aiida_enne.science.fields import Floats
from aiida_enne.science.uncertainty.scores.bootstrap import statistic_intervals
from aiida_enne.science.uncertainty.scores.interface import Judged, Scalars

#: Shares of samples that a confidence curve removes.
REMOVED = np.arange(20) / 20


def roc_auc(error: Floats, width: Floats, tolerance: float) -> float:
    """Return the area under the receiver's curve of "|ε| > τ" by width.

    The probability that a sample beyond the tolerance has the larger width of the two; ties count
    half (Mann and Whitney's U). NaN where all samples are beyond it, or none.

    Args:
        error: ε, shape (n,).
        width: Values that rank, shape (n,).
        tolerance: τ, in the unit of the errors.
    """
    large = np.abs(error) > tolerance
    n_large = int(large.sum())
    if not 0 < n_large < len(error):
        return float('nan')
    ranks = stats.rankdata(width)
    above = float(ranks[large].sum()) - n_large * (n_large + 1) / 2
    return above / (n_large * (len(error) - n_large))


def confidence_curve(error: Floats, order: Floats) -> Floats:
    """Return RMSE of what is left when the shares `REMOVED` of largest `order` are removed.

    In units of the RMSE of all, so that it starts at 1 (Ilg et al. 2018; Pernot 2022).

    Args:
        error: ε, shape (n,), not all of them 0.
        order: By which samples are removed, shape (n,): widths, or |ε| for the oracle.
    """
    square = error[np.argsort(-order, kind='stable')] ** 2
    left = np.cumsum(square[::-1])[::-1]  # sums from each sample to the last
    n = len(error)
    start = np.minimum((REMOVED * n + 1e-9).astype(np.int64), n - 1)
    curve: Floats = np.sqrt(left[start] / (n - start) / square.mean())
    return curve


def confidence_area(error: Floats, width: Floats) -> float:
    """Return the area between the confidence curve and that of the oracle, 0 at best.

    NaN where there is no error, or nothing to order by.
    """
    if len(error) < 2 or not np.any(error) or np.ptp(width) == 0:
        return float('nan')
    return float(np.mean(confidence_curve(error, width) - confidence_curve(error, np.abs(error))))


def score(judged: Judged) -> Scalars:
    """Return ROC-AUC for |ε| > τ, the area of the confidence curve and that of no order at all."""
    error, width, options = judged.error, judged.width, judged.options

    def of(chosen: NDArray[Any]) -> dict[str, float]:
        return {
            'roc_auc': roc_auc(error[chosen], width[chosen], judged.tolerance),
            'confidence_area': confidence_area(error[chosen], width[chosen]),
        }

    found = of(np.arange(len(error)))
    share = float(np.mean(np.abs(error) > judged.tolerance))
    values: Scalars = {**found, 'share_intolerable': share}
    intervals = statistic_intervals(
        of, judged.block, options.n_bootstrap, options.seed, options.interval_level
    )
    for name, (low, high) in intervals.items():
        values[f'{name}_low'], values[f'{name}_high'] = low, high
    values['confidence_area_random'] = (
        float(np.mean(1 - confidence_curve(error, np.abs(error)))) if np.any(error) else None
    )
    return values
