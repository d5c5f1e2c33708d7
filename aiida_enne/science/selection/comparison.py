"""Did choosing beat chance? Errors over labels of every arm, compared repeat by repeat."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.stats import t as student

from aiida_enne.science.fields import Floats

#: Repeats below which there is no interval.
MIN_REPEATS = 3
LEVEL = 0.95


@dataclass(frozen=True, slots=True)
class Curve:
    """The error on the held-out set after each round of one arm in one repeat.

    Attributes:
        arm: Name of the arm.
        repeat: Number of the repeat.
        labels: Labels bought so far, increasing from 0, shape (r,).
        errors: RMSE of forces in eV/Å, shape (r,).
    """

    arm: str
    repeat: int
    labels: Sequence[int]
    errors: Sequence[float]


def compare(curves: Sequence[Curve], chance: str) -> dict[str, dict[str, Any]]:
    """Compare every arm with the one that chooses by chance.

    For each repeat it is the mean of ln(error / error by chance) over the rounds that bought
    labels, at equal numbers of labels; then the mean over repeats with its t interval at 95 %. An
    arm is better where the whole interval is below zero.

    Args:
        curves: Of all arms and repeats.
        chance: Name of the arm that chooses by chance.

    Returns:
        By arm: `verdict` ('better than chance', 'worse than chance', 'undecided'), `reason`,
        `ratio` with `ratio_low` and `ratio_high` (error over that by chance), `labels_saved` with
        its interval (labels that chance needs more for the smallest error that both reach, linear
        in ln(error) between rounds), `n_repeats`.
    """
    by_repeat: dict[str, dict[int, Curve]] = {}
    for curve in curves:
        by_repeat.setdefault(curve.arm, {})[curve.repeat] = curve
    reference = by_repeat.get(chance, {})
    return {
        arm: _judge(
            [(own[one], reference[one]) for one in sorted(own.keys() & reference.keys())], chance
        )
        for arm, own in sorted(by_repeat.items())
        if arm != chance
    }


def sentence(arm: str, found: Mapping[str, Any], chance: str) -> str:
    """Say whether choosing by an arm beat chance, and by how many labels.

    Args:
        arm: Its name.
        found: What `compare` says of it.
        chance: Name of the arm that chooses by chance.
    """
    text = f'`{arm}` against `{chance}`: {found["verdict"]}; {found["reason"]}.'
    if (saved := found.get('labels_saved')) is None:
        return text
    text += f' Labels saved on the way to the same error: {saved:.1f}'
    if 'labels_saved_low' in found:
        text += f' ({found["labels_saved_low"]:.1f} to {found["labels_saved_high"]:.1f})'
    return f'{text}, mean of {found["n_repeats"]}.'


def _judge(pairs: Sequence[tuple[Curve, Curve]], chance: str) -> dict[str, Any]:
    known = [pair for pair in pairs if min(len(one.labels) for one in pair) > 1]
    ratios = np.array([_log_ratio(*pair) for pair in known])
    saved = np.array([_saved(*pair) for pair in known])
    found: dict[str, Any] = {'n_repeats': len(known)}
    if not known:
        reason = f'no repeat has rounds of both this arm and `{chance}`'
        return found | {'verdict': 'undecided', 'reason': reason}
    mean, low, high = _interval(ratios)
    found['ratio'] = float(np.exp(mean))
    found['labels_saved'], *limits = _interval(saved)
    if low is None or high is None:
        plural = 'repeat' if len(known) == 1 else 'repeats'
        reason = (
            f'{len(known)} {plural}: an interval needs {MIN_REPEATS}; set `repeats: {MIN_REPEATS}`'
        )
        return found | {'verdict': 'undecided', 'reason': reason}
    found |= {'ratio_low': float(np.exp(low)), 'ratio_high': float(np.exp(high))}
    found |= dict(zip(('labels_saved_low', 'labels_saved_high'), limits, strict=True))
    interval = f'{found["ratio_low"]:.2f} to {found["ratio_high"]:.2f} at {LEVEL:.0%}'
    if low <= 0 <= high:
        reason = f'the error is {found["ratio"]:.2f} times that by chance, {interval}: 1 is within'
        return found | {'verdict': 'undecided', 'reason': reason}
    verdict = 'better than chance' if high < 0 else 'worse than chance'
    return found | {
        'verdict': verdict,
        'reason': f'the error is {found["ratio"]:.2f} times that by chance, {interval}',
    }


def _log_ratio(own: Curve, other: Curve) -> float:
    """Return the mean of ln(own error / other's) where both have bought labels."""
    last = min(own.labels[-1], other.labels[-1])
    at = np.array([n for n in own.labels[1:] if n <= last] or [last])
    return float(np.mean(_log_errors(own, at) - _log_errors(other, at)))


def _log_errors(curve: Curve, at: Floats) -> Floats:
    """Return ln(error) at numbers of labels, linear between those that are known."""
    found: Floats = np.interp(at, curve.labels, np.log(curve.errors))
    return found


def _saved(own: Curve, other: Curve) -> float:
    """Return how many labels more the other needs for the smallest error that both reach."""
    target = max(np.log(own.errors[-1]), np.log(other.errors[-1]))
    return _labels_for(other, target) - _labels_for(own, target)


def _labels_for(curve: Curve, target: float) -> float:
    """Return after how many labels ln(error) is at its target for the first time."""
    errors = np.log(curve.errors)
    last = int(np.flatnonzero(errors <= target)[0])
    if last == 0:
        return float(curve.labels[0])
    share = (errors[last - 1] - target) / (errors[last - 1] - errors[last])
    step = curve.labels[last] - curve.labels[last - 1]
    return float(curve.labels[last - 1] + share * step)


def _interval(values: Floats) -> tuple[float, float | None, float | None]:
    """Return the mean and its t interval; None where there are too few values for one."""
    mean = float(values.mean())
    if len(values) < MIN_REPEATS:
        return mean, None, None
    error = values.std(ddof=1) / np.sqrt(len(values))
    reach = float(student.ppf(0.5 + LEVEL / 2, len(values) - 1) * error)
    return mean, mean - reach, mean + reach


def pooled_rmse(domains: Mapping[str, Mapping[str, Any]]) -> float:
    """Return the RMSE of force components over all domains of an audit in eV/Å.

    Args:
        domains: Scalars `force_rmse` and `n_force_components` by domain.

    Raises:
        ValueError: If no domain has forces that count.
    """
    known = [
        (float(one['n_force_components']), float(one['force_rmse']))
        for one in domains.values()
        if one.get('force_rmse') is not None
    ]
    total = sum(n for n, _ in known)
    if not total:
        raise ValueError(f'no force component of {sorted(domains)} counts: there is no error')
    return float(np.sqrt(sum(n * rmse**2 for n, rmse in known) / total))
