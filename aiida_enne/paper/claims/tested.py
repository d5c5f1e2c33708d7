"""Tests with a stated level that a claim can stand on, and what would decide an open one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import isfinite, isnan
from typing import Literal

import numpy as np
from scipy import stats

from aiida_enne.science.fields import Floats
from aiida_enne.science.properties.scatter import Scatter, exchange_points
from aiida_enne.science.structures.domains import in_order
from aiida_enne.science.uncertainty.exchange import (
    LEVEL,
    Exchange,
    attainable_level,
    members_needed,
)
from aiida_enne.science.uncertainty.findings import MIN_SAMPLES
from aiida_enne.science.uncertainty.scores.calibration import rank_correlation
from aiida_enne.science.uncertainty.wording import chance

#: How a rule names its level.
AT = f'at the {LEVEL:.0%} level'


@dataclass(frozen=True, slots=True)
class Decision:
    """What a test says of a claim.

    Attributes:
        holds: None where it cannot tell.
        why: p or interval; where it cannot tell, the reason and the remedy.
    """

    holds: bool | None
    why: str


def by_exchange(test: Exchange | None, side: Literal['high', 'low']) -> Decision:
    """Decide by the exact test: the claim says that a value is extreme on one side.

    It holds where the truth has a more extreme value than honest ensembles at `LEVEL`, does not
    hold where the value is extreme on the other side at that level, and is open in between.

    Args:
        test: Values of the statistic; None where it is not defined.
        side: Where the claim puts the truth.
    """
    if test is None:
        return Decision(None, 'the test is not defined: it needs three or more members')
    if attainable_level(test.n_members) is None:
        return Decision(
            None,
            f'{test.n_members} members can never show it {AT}; '
            f'{members_needed()} or more members can',
        )
    for_it, against = (test.p_high, test.p_low) if side == 'high' else (test.p_low, test.p_high)
    said = f'an honest ensemble would have {test.median:.3g} (exact test: '
    said += f'{chance(for_it, test.n_members)})'
    if for_it <= LEVEL:
        return Decision(True, said)
    if against <= LEVEL:
        return Decision(False, f'{said}; the value lies on the other side {AT}')
    return Decision(None, f'{said}: chance does as much; more members or samples would decide')


def by_interval(
    interval: tuple[float | None, float | None],
    limits: tuple[float, float],
    remedy: str = 'more independent blocks',
) -> Decision:
    """Decide whether a number lies within limits by its 95 % interval.

    It holds where the whole interval lies within, does not hold where all of it lies outside.

    Args:
        interval: Lower and upper end; None where there is none.
        limits: Smallest and largest value of the claim.
        remedy: What would make the interval narrower.
    """
    low, high = interval
    if low is None or high is None or not isfinite(low) or isnan(high):
        return Decision(None, f'it has no interval; {remedy} would give one')
    if not isfinite(high) and low <= limits[1]:
        said = f'95 % interval from {low:.3g} without an upper end: too few are known'
        return Decision(None, f'{said}; {remedy} would give one')
    ends = f'{low:.3g} to {high:.3g}' if isfinite(high) else f'{low:.3g} or more'
    said = f'95 % interval {ends}'
    if limits[0] <= low and high <= limits[1]:
        return Decision(True, said)
    if high < limits[0] or low > limits[1]:
        return Decision(False, said)
    return Decision(None, f'{said}: it does not decide; {remedy} would')


def all_of(found: Sequence[Decision]) -> Decision:
    """Return that all hold, the first that does not, or else the first that is open."""
    for wanted in (False, None):
        for one in found:
            if one.holds is wanted:
                return one
    return found[0]


def if_also(condition: bool, found: Decision, why: str) -> Decision:
    """Return a decision; one that holds is open where the words of the claim need more.

    Args:
        condition: What the words say beyond the test.
        found: What the test says.
        why: Said where the test holds and the condition does not.
    """
    if found.holds is not True or condition:
        return found
    return Decision(None, f'{found.why}: {why}; the words of the claim say more')


def mean_over_members(values: Floats) -> tuple[float, float]:
    """Return the 95 % t interval of the mean of which members are a sample, values (M,).

    NaN for fewer than two members.
    """
    known = values[np.isfinite(values)]
    if len(known) < 2:
        return float('nan'), float('nan')
    half = stats.t.ppf(1 - LEVEL / 2, len(known) - 1) * known.std(ddof=1) / np.sqrt(len(known))
    return float(known.mean() - half), float(known.mean() + half)


def over_domains(
    points: Scatter,
    measure: Callable[[Floats, Floats], float],
    combine: Callable[[Floats], float],
    at_least: int = 1,
) -> tuple[Exchange | None, list[str]]:
    """Test one number of all domains together.

    Args:
        points: n points.
        measure: Of ε and σ of one domain.
        combine: Of the measures of all domains: their mean, median or so.
        at_least: Points of a domain that is counted.

    Returns:
        The test and the domains that count.
    """
    found = {name: points.domain == name for name in in_order(points.domain.tolist())}
    found = {name: own for name, own in found.items() if own.sum() >= at_least}

    def together(error: Floats, spread: Floats) -> float:
        return combine(np.array([measure(error[own], spread[own]) for own in found.values()]))

    return (exchange_points(points, together) if found else None), list(found)


def ranking(points: Scatter) -> tuple[Exchange | None, list[str]]:
    """Test the mean over domains of Spearman's correlation of |ε| with σ."""
    return over_domains(points, rank_correlation, lambda found: float(np.mean(found)), MIN_SAMPLES)
