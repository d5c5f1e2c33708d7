"""Ranking: do larger widths go with larger errors?"""

from typing import Any

from numpy.typing import NDArray

from aiida_enne.science.uncertainty.scores.bootstrap import statistic_intervals
from aiida_enne.science.uncertainty.scores.calibration import rank_correlation
from aiida_enne.science.uncertainty.scores.interface import Judged, Scalars


def score(judged: Judged) -> Scalars:
    """Return Spearman's correlation of |ε| with the widths, and its interval.

    What an honest ensemble has is `rank_correlation_honest`, see `exchangeability`.
    """

    def of(chosen: NDArray[Any]) -> dict[str, float]:
        return {'rank_correlation': rank_correlation(judged.error[chosen], judged.width[chosen])}

    options = judged.options
    (interval,) = statistic_intervals(
        of, judged.block, options.n_bootstrap, options.seed, options.interval_level
    ).values()
    return {
        'rank_correlation': rank_correlation(judged.error, judged.width),
        'rank_correlation_low': max(interval[0], -1.0),
        'rank_correlation_high': min(interval[1], 1.0),
    }
