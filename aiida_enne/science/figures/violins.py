"""Distributions as violins show them: density, quartiles and whiskers."""

from dataclasses import dataclass

import numpy as np
from scipy.stats import gaussian_kde

from aiida_enne.science.fields import Floats

#: Points of the outline.
N_GRID = 101

#: Whiskers, in percent: the paper's.
WHISKERS = (5.0, 95.0)


@dataclass(frozen=True, slots=True)
class Violin:
    """One distribution, in the unit of its values.

    Attributes:
        n: Number of values.
        mean: Their mean.
        median: Their median.
        quartiles: 25 % and 75 %.
        whiskers: 5 % and 95 %.
        grid: Where the density is given, from the lowest to the highest value, shape (g,).
        density: Gaussian kernel density with Scott's width, shape (g,); of values that are all
            the same there is one point, of density 1.
    """

    n: int
    mean: float
    median: float
    quartiles: tuple[float, float]
    whiskers: tuple[float, float]
    grid: Floats
    density: Floats


def summarise(values: Floats) -> Violin:
    """Summarise a distribution.

    Args:
        values: Shape (n,), n ≥ 1.

    Raises:
        ValueError: If there are no values, or one is not finite.
    """
    if values.ndim != 1 or not values.size or not np.isfinite(values).all():
        raise ValueError(f'a violin needs one or more finite values, got {values!r}')
    low, first, middle, third, high = np.percentile(
        values, [WHISKERS[0], 25, 50, 75, WHISKERS[1]]
    ).tolist()
    ends = float(values.min()), float(values.max())
    if ends[1] - ends[0] > 1e-12 * max(map(abs, ends)):
        grid = np.linspace(*ends, N_GRID)
        # less the median, so that a large common value costs no digits
        density = gaussian_kde(values - middle)(grid - middle)
    else:
        grid, density = np.array([middle]), np.ones(1)
    return Violin(
        len(values), float(values.mean()), middle, (first, third), (low, high), grid, density
    )
