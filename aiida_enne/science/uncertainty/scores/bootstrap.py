"""Intervals from independent blocks: frames close in time are not independent."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from aiida_enne.science.fields import Floats, Integers

#: Fewer blocks give no interval: resampling them says nothing about blocks never seen.
MIN_BLOCKS = 5
#: Resamplings and samples of statistics other than sample means.
N_RESAMPLED, N_SAMPLES = 100, 4000

Interval = tuple[float, float]
UNKNOWN: Interval = (float('nan'), float('nan'))


def block_intervals(
    error: Floats,
    spread: Floats,
    blocks: Integers,
    *,
    n_bootstrap: int,
    seed: int,
    level: float = 0.95,
) -> dict[str, Interval]:
    """Return intervals of error, spread and their agreement.

    Args:
        error: ε of the samples, shape (n,).
        spread: σ of the samples, shape (n,).
        blocks: Number of the independent block of each sample, from 0, shape (n,).
        n_bootstrap: Number of resamplings.
        seed: The same arguments always give the same intervals.
        level: Probability of the interval.

    Returns:
        Lower and upper bounds of `rmse`, `spread_mean`, `rmse_over_spread` (RMSE/rms σ) and
        `cone_coverage`; NaN where there are fewer than `MIN_BLOCKS` blocks. The first three are
        t intervals of the logarithm (see `t_interval`), the last is `share_interval`.
    """
    names = ('rmse', 'spread_mean', 'rmse_over_spread', 'cone_coverage')
    times = draw(blocks, n_bootstrap, seed)
    if times is None:
        return dict.fromkeys(names, UNKNOWN)
    inside = np.abs(error) <= spread
    rows = np.stack([np.ones_like(error), error**2, spread, spread**2])
    sums = block_sums(rows, blocks)
    drawn, own = times @ sums, sums.sum(axis=0)
    with np.errstate(divide='ignore', invalid='ignore'):
        values = {
            'rmse': (np.sqrt(own[1] / own[0]), np.sqrt(drawn[:, 1] / drawn[:, 0])),
            'spread_mean': (own[2] / own[0], drawn[:, 2] / drawn[:, 0]),
            'rmse_over_spread': (np.sqrt(own[1] / own[3]), np.sqrt(drawn[:, 1] / drawn[:, 3])),
        }
    n_blocks = times.shape[1]
    found = {
        name: t_interval(float(value), one, n_blocks, level, is_positive=True)
        for name, (value, one) in values.items()
    }
    return found | {'cone_coverage': share_interval(inside, blocks, level)}


def draw(blocks: Integers, n_bootstrap: int, seed: int) -> NDArray[np.int64] | None:
    """Return how often each block occurs in each resampling, shape (r, B).

    None where there are too few blocks, or nothing is to be resampled.
    """
    n_blocks = len(np.unique(blocks))
    if n_blocks < MIN_BLOCKS or n_bootstrap < 1:
        return None
    rng = np.random.default_rng(seed)
    # drawing blocks with replacement is drawing how often each of them occurs
    return rng.multinomial(n_blocks, np.full(n_blocks, 1 / n_blocks), size=n_bootstrap)


def block_sums(rows: Floats, blocks: Integers) -> Floats:
    """Return sums over the samples of each block, shape (B, k), of k rows (k, n)."""
    inside = np.unique(blocks, return_inverse=True)[1].reshape(-1)
    return np.array([np.bincount(inside, weights=row) for row in rows]).T


def t_interval(
    value: float, drawn: Floats, n_blocks: int, level: float, *, is_positive: bool = False
) -> Interval:
    """Return value ± t_{B-1} s √(B/(B - 1)), s the standard deviation of its resamplings.

    Percentiles of resamplings hold the truth in 0.72 of the cases where they say 0.95 for 5 blocks
    and in 0.85 for 20; these hold it in 0.87 to 0.93.

    Args:
        value: Of all samples.
        drawn: Of the resamplings, shape (r,).
        n_blocks: B.
        level: Probability of the interval.
        is_positive: Whether the interval is one of the logarithm.
    """
    if is_positive:
        if not (value > 0 and (drawn > 0).all()):
            return UNKNOWN
        value, drawn = float(np.log(value)), np.log(drawn)
    if not (np.isfinite(value) and np.isfinite(drawn).all()):
        return UNKNOWN
    quantile = float(stats.t.ppf((1 + level) / 2, n_blocks - 1))
    half = quantile * float(drawn.std()) * float(np.sqrt(n_blocks / (n_blocks - 1)))
    ends = (value - half, value + half)
    return (float(np.exp(ends[0])), float(np.exp(ends[1]))) if is_positive else ends


def share_interval(hits: NDArray[np.bool_], blocks: Integers, level: float = 0.95) -> Interval:
    """Return the block-wise binomial interval of a share (Korn & Graubard 1998).

    Clopper and Pearson's for as many samples as would vary as much if they were independent; where
    all or none are hits, for as many as there are blocks.

    Args:
        hits: Of each sample, shape (n,).
        blocks: Number of the independent block of each sample, shape (n,).
        level: Probability of the interval.
    """
    n_blocks, n = len(np.unique(blocks)), len(hits)
    if n_blocks < MIN_BLOCKS:
        return UNKNOWN
    share, tail = float(np.mean(hits)), (1 - level) / 2
    count, total = block_sums(np.stack([hits.astype(np.float64), np.ones(n)]), blocks).T
    variance = n_blocks / (n_blocks - 1) * float(np.sum((count - share * total) ** 2)) / n**2
    size = float(n_blocks)
    if 0 < share < 1 and variance > 0:
        shrunk = stats.t.ppf(tail, n - 1) / stats.t.ppf(tail, n_blocks - 1)
        size = min(share * (1 - share) / variance * float(shrunk) ** 2, float(n))
    low = float(stats.beta.ppf(tail, share * size, (1 - share) * size + 1)) if share > 0 else 0.0
    high = (
        float(stats.beta.ppf(1 - tail, share * size + 1, (1 - share) * size)) if share < 1 else 1.0
    )
    return low, high


def mean_interval(
    values: Floats, blocks: Integers, n_bootstrap: int, seed: int, level: float
) -> Interval:
    """Return the t interval of a mean over samples, values of shape (n,)."""
    times = draw(blocks, n_bootstrap, seed)
    if times is None:
        return UNKNOWN
    sums = block_sums(np.stack([np.ones_like(values), values]), blocks)
    drawn = times @ sums
    return t_interval(float(values.mean()), drawn[:, 1] / drawn[:, 0], times.shape[1], level)


def statistic_intervals(
    statistics: Callable[[NDArray[Any]], dict[str, float]],
    blocks: Integers,
    n_bootstrap: int,
    seed: int,
    level: float,
) -> dict[str, Interval]:
    """Return t intervals of any statistics of samples.

    At most `N_SAMPLES` samples, drawn once, and `N_RESAMPLED` resamplings are used.

    Args:
        statistics: Of the samples with given indices, by name.
        blocks: Number of the independent block of each sample, shape (n,).
        n_bootstrap: Number of resamplings asked for.
        seed: The same arguments always give the same intervals.
        level: Probability of the intervals.
    """
    rng = np.random.default_rng(seed)
    chosen = np.arange(len(blocks))
    if len(chosen) > N_SAMPLES:
        chosen = rng.choice(len(chosen), N_SAMPLES, replace=False)
    value = statistics(chosen)
    inside = np.unique(blocks[chosen], return_inverse=True)[1].reshape(-1)
    times = draw(inside, min(n_bootstrap, N_RESAMPLED), seed)
    if times is None:
        return dict.fromkeys(value, UNKNOWN)
    drawn = [statistics(np.repeat(chosen, row[inside])) for row in times]
    found = {}
    for name in value:
        known = np.array([one[name] for one in drawn])
        # a resampling that leaves a statistic undefined says nothing of how it varies
        known = known[np.isfinite(known)]
        enough = len(known) >= len(drawn) / 2
        found[name] = t_interval(value[name], known, times.shape[1], level) if enough else UNKNOWN
    return found
