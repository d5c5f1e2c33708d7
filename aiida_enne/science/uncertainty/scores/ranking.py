"""Ranking: do larger widths go with larger errors?"""

from aiida_enne.science.uncertainty.scores.calibration import (
    expected_rank_correlation,
    rank_correlation,
)
from aiida_enne.science.uncertainty.scores.interface import Judged, Scalars


def score(judged: Judged) -> Scalars:
    """Return Spearman's correlation of |ε| with the widths, and that of perfect widths."""
    expected = None
    if judged.is_width:
        expected = expected_rank_correlation(judged.width, seed=judged.options.seed)
    return {
        'rank_correlation': rank_correlation(judged.error, judged.width),
        'expected_rank_correlation': expected,
    }
