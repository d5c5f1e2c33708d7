"""The interval that an estimator means at a nominal level, and how much it covers."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from aiida_enne.science.fields import Floats, Integers
from aiida_enne.science.uncertainty.estimators.interface import Estimator
from aiida_enne.science.uncertainty.scores.bootstrap import share_interval
from aiida_enne.science.uncertainty.scores.calibration import finite_factor
from aiida_enne.science.uncertainty.scores.interface import Judged, Scalars

#: Nominal levels, in percent, of the intervals that are checked.
LEVELS = (50, 68, 90, 95)


def width_factor(estimator: Estimator, n_members: int, level: float, ddof: int = 0) -> float | None:
    """Return what widths are multiplied by to be the half-width of the interval of a level.

    σ of the members has the factor of one more member (Student's t), other standard deviations that
    of normal errors; an interval is its own at its own level. None where the interval of another
    level must be learnt anew, or values only rank.

    Args:
        estimator: What the widths come from.
        n_members: M.
        level: Nominal probability, between 0 and 1.
        ddof: That of σ of the members.
    """
    if estimator.unit is None:
        return None
    own: float | None = getattr(estimator, 'level', None)
    if own is None:
        if estimator.name == 'ensemble':
            return finite_factor(n_members, level, ddof)
        return float(stats.norm.ppf((1 + level) / 2))
    if np.isclose(own, level):
        return 1.0
    if estimator.calibrated:
        return None
    return finite_factor(n_members, level) / finite_factor(n_members, own)


def at_level(estimator: Any, level: float) -> Estimator:
    """Return an estimator of intervals with another level."""
    changed: Estimator = replace(estimator, level=level)
    return changed


def coverages(judged: Judged) -> Scalars:
    """Return the coverage of the interval of every level, with its block-wise interval.

    None where the estimator only ranks, or has learnt from too few blocks for the level.
    """
    values: Scalars = {}
    for level in LEVELS:
        name, found = f'interval_coverage_{level}', _inside(judged, level / 100)
        values |= dict.fromkeys((name, f'{name}_low', f'{name}_high'))
        if found is not None:
            inside, block = found
            low, high = share_interval(inside, block, judged.options.interval_level)
            values |= {name: float(np.mean(inside)), f'{name}_low': low, f'{name}_high': high}
    return values


def _inside(judged: Judged, level: float) -> tuple[NDArray[np.bool_], Integers] | None:
    """Return which samples are inside, and their blocks; those that were asked if it must learn."""
    if not judged.is_width:
        return None
    factor = width_factor(judged.estimator, len(judged.errors), level, judged.options.ddof)
    if factor is not None:
        return np.abs(judged.error) <= factor * judged.width, judged.block
    samples, known = judged.samples, judged.calibration
    if samples is None or known is None:
        return None
    try:
        widths: Floats = at_level(judged.estimator, level).fit(known)(samples)
    except ValueError:
        return None
    error = samples.members.mean(axis=0) - np.asarray(samples.reference)
    return np.abs(error) <= widths, samples.block
