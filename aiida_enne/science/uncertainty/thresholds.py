"""The threshold rule: whatever is less certain than all that was trained on is flagged."""

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from aiida_enne.science.fields import Floats
from aiida_enne.science.uncertainty.samples import Samples
from aiida_enne.science.uncertainty.scores import Scalars, finite

#: Share of the training domains' samples below the threshold that does not grow with them.
QUANTILE = 0.99


def flag(samples: Samples, inside: NDArray[np.bool_], known: NDArray[np.bool_]) -> Scalars:
    """Flag samples whose σ is above the largest of the training domains ('Disc').

    Args:
        samples: One quantity, n samples.
        inside: Which samples are judged, shape (n,).
        known: Which samples belong to the training domains, shape (n,).

    Returns:
        `spread_threshold` and `error_threshold`, the largest σ and |ε| of the training domains;
        `flagged`, the share of samples above the first; `flagged_accurate`, the share of these
        that errs no more than the second. A maximum grows with the number of samples: beside it
        `spread_quantile`, the `QUANTILE` of σ there with its 95 % interval `…_low`, `…_high`, and
        `flagged_by_quantile`. None where there is nothing to compare.
    """
    blocks = samples.block[known]
    error = samples.mean - samples.reference
    return flag_errors(error, samples.spread, inside, known, len(np.unique(blocks)))


def quantile_interval(
    values: Floats, share: float = QUANTILE, n_blocks: int | None = None
) -> tuple[float, float, float]:
    """Return a quantile and its 95 % interval, infinite where the samples do not bound it.

    By ranks, whatever the distribution (e.g. Hahn & Meeker, Statistical Intervals, 5.2).

    Args:
        values: Of the samples, shape (n,), n ≥ 1.
        share: Share of samples below.
        n_blocks: As many samples as count as independent; all by default.
    """
    n = len(values) if n_blocks is None else min(n_blocks, len(values))
    ordered = np.sort(values)
    low, high = (int(one) for one in stats.binom.ppf([0.025, 0.975], n, share))

    def at(rank: int) -> float:
        return float(ordered[min(int(np.ceil(rank / n * len(values))), len(values)) - 1])

    upper = at(high + 1) if high + 1 <= n else float('inf')
    return float(np.quantile(values, share)), at(low) if low else 0.0, upper


def flag_errors(
    error: Floats,
    spread: Floats,
    inside: NDArray[np.bool_],
    known: NDArray[np.bool_],
    n_blocks: int | None = None,
) -> Scalars:
    """Flag as `flag` does, from ε and σ of the samples, both of shape (n,).

    Args:
        error: ε of the samples.
        spread: σ of the samples.
        inside: Which samples are judged, shape (n,).
        known: Which samples belong to the training domains, shape (n,).
        n_blocks: Independent blocks of these; all samples by default.
    """
    names = (
        'spread_threshold', 'error_threshold', 'flagged', 'flagged_accurate', 'spread_quantile',
        'spread_quantile_low', 'spread_quantile_high', 'flagged_by_quantile',
    )  # fmt: skip
    if not (inside.any() and known.any()):
        return dict.fromkeys(names)
    size = np.abs(error)
    threshold, tolerated = float(spread[known].max()), float(size[known].max())
    flagged = spread[inside] > threshold
    share = float(np.mean(size[inside][flagged] <= tolerated)) if flagged.any() else None
    quantile, low, high = quantile_interval(spread[known], n_blocks=n_blocks)
    by_quantile = float(np.mean(spread[inside] > quantile))
    found = (threshold, tolerated, float(flagged.mean()), share, quantile, low, high, by_quantile)
    return {name: finite(value) for name, value in zip(names, found, strict=True)}
