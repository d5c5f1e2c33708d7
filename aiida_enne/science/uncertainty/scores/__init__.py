"""Scores of an estimator: one file each, found by the entry points `aiida_enne.scores`."""

from __future__ import annotations

import math
from collections.abc import Mapping

from aiida_enne.science.plugins import registered
from aiida_enne.science.uncertainty.scores.interface import Judged, Scalars, Score

GROUP = 'aiida_enne.scores'


def load_scores() -> dict[str, Score]:
    """Return all registered scores by name."""
    return {name: entry.load() for name, entry in registered(GROUP).items()}


def all_scores(judged: Judged, scores: Mapping[str, Score]) -> Scalars:
    """Return what scores say; None where one is not defined.

    Args:
        judged: What they look at.
        scores: See `load_scores`.

    Raises:
        ValueError: If two scores use one name.
    """
    values: Scalars = {}
    for name, score in scores.items():
        found = score(judged)
        if twice := sorted(set(found) & set(values)):
            raise ValueError(f'the score {name!r} gives {twice}, which another score has given')
        values |= found
    return {name: finite(value) for name, value in values.items()}


def finite(value: float | int | None) -> float | int | None:
    """Return the number, or None for what is not finite: JSON knows no NaN."""
    return None if value is None or not math.isfinite(value) else value


__all__ = ['GROUP', 'Judged', 'Scalars', 'Score', 'all_scores', 'finite', 'load_scores']
