"""The threshold rule: whatever is less certain than all that was trained on is flagged."""

import numpy as np
from numpy.typing import NDArray

from aiida_enne.science.fields import Floats
from aiida_enne.science.uncertainty.samples import Samples
from aiida_enne.science.uncertainty.scores import Scalars


def flag(samples: Samples, inside: NDArray[np.bool_], known: NDArray[np.bool_]) -> Scalars:
    """Flag samples whose σ is above the largest of the training domains ('Disc').

    Args:
        samples: One quantity, n samples.
        inside: Which samples are judged, shape (n,).
        known: Which samples belong to the training domains, shape (n,).

    Returns:
        `spread_threshold` and `error_threshold`, the largest σ and |ε| of the training domains;
        `flagged`, the share of samples above the first; `flagged_accurate`, the share of these
        that errs no more than the second. None where there is nothing to compare.
    """
    return flag_errors(samples.mean - samples.reference, samples.spread, inside, known)


def flag_errors(
    error: Floats, spread: Floats, inside: NDArray[np.bool_], known: NDArray[np.bool_]
) -> Scalars:
    """Flag as `flag` does, from ε and σ of the samples, both of shape (n,)."""
    names = ('spread_threshold', 'error_threshold', 'flagged', 'flagged_accurate')
    if not (inside.any() and known.any()):
        return dict.fromkeys(names)
    size = np.abs(error)
    threshold, tolerated = float(spread[known].max()), float(size[known].max())
    flagged = spread[inside] > threshold
    share = float(np.mean(size[inside][flagged] <= tolerated)) if flagged.any() else None
    return dict(zip(names, (threshold, tolerated, float(flagged.mean()), share), strict=True))
