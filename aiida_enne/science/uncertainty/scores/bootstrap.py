"""Intervals by resampling whole trajectory blocks: neighbours in time are no new evidence."""

import numpy as np

from aiida_enne.science.fields import Floats, Integers

#: Fewer blocks give no interval: resampling them says nothing about blocks never seen.
MIN_BLOCKS = 5

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
    """Return percentile intervals from a block bootstrap.

    Args:
        error: ε of the samples, shape (n,).
        spread: σ of the samples, shape (n,).
        blocks: Number of the trajectory block of each sample, from 0, shape (n,).
        n_bootstrap: Number of resamplings.
        seed: The same arguments always give the same intervals.
        level: Probability of the interval.

    Returns:
        Lower and upper bounds of `rmse`, `spread_mean`, `rmse_over_spread` (RMSE/rms σ) and
        `cone_coverage`; NaN where there are fewer than `MIN_BLOCKS` blocks.
    """
    names = ('rmse', 'spread_mean', 'rmse_over_spread', 'cone_coverage')
    _, blocks = np.unique(blocks, return_inverse=True)
    n_blocks = int(blocks.max()) + 1 if len(blocks) else 0
    if n_blocks < MIN_BLOCKS or n_bootstrap < 1:
        return dict.fromkeys(names, UNKNOWN)
    samples = (np.ones_like(error), error**2, spread, spread**2, np.abs(error) <= spread)
    sums = np.array([np.bincount(blocks, weights=sample) for sample in samples]).T
    rng = np.random.default_rng(seed)
    # drawing blocks with replacement is drawing how often each of them occurs
    times = rng.multinomial(n_blocks, np.full(n_blocks, 1 / n_blocks), size=n_bootstrap)
    count, square_error, first, square_spread, hits = (times @ sums).T
    with np.errstate(divide='ignore', invalid='ignore'):
        ratio = np.sqrt(square_error / square_spread)
    values = (np.sqrt(square_error / count), first / count, ratio, hits / count)
    tail = 100 * (1 - level) / 2
    intervals = {}
    for name, value in zip(names, values, strict=True):
        known = np.isfinite(value).all()
        low, high = np.percentile(value, [tail, 100 - tail]) if known else UNKNOWN
        intervals[name] = (float(low), float(high))
    return intervals
