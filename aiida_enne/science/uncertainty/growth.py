"""σ over the number of members for every system and property (S3)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from aiida_enne.science.fields import Floats
from aiida_enne.science.uncertainty.ensemble import (
    PAPER_DDOF,
    SizeCurve,
    null_spread,
    spread_by_size,
)
from aiida_enne.science.uncertainty.summary import SMALL_ENSEMBLE, spread_growth


@dataclass(frozen=True, slots=True)
class Growth:
    """How σ grows with the number of members.

    Attributes:
        curves: Mean σ of ensembles of each size, by system, each in its own unit.
        null: What independent Gaussian members would have, 1 at the largest size, shape (s,).
        ddof: See `ensemble.spread`.
    """

    curves: dict[str, SizeCurve]
    null: Floats
    ddof: int

    def ratio(self, system: str) -> float | None:
        """Return σ(M)/σ(4) of a system; None where it is not defined."""
        curve = self.curves[system]
        return spread_growth(curve.means, curve.sizes)

    @property
    def expected_ratio(self) -> float | None:
        """σ(M)/σ(4) of independent Gaussian members: 1.22 for M = 30; None for M ≤ 4."""
        sizes = next(iter(self.curves.values())).sizes
        return spread_growth(self.null, sizes)

    @property
    def small(self) -> int:
        """Size that the largest is compared with."""
        return SMALL_ENSEMBLE


def grow(
    predictions: Mapping[str, Floats],
    *,
    n_subsets: int = 500,
    seed: int = 0,
    ddof: int = PAPER_DDOF,
) -> Growth:
    """Return σ(M) of every system, averaged over random subsets of the members.

    Args:
        predictions: Predictions (or errors) of the same M members, shape (M, n), by system.
        n_subsets: Subsets to draw per size.
        seed: The same arguments always give the same curves.
        ddof: See `ensemble.spread`.

    Raises:
        ValueError: If there is no system, there are fewer than two members, or numbers of members
            differ.
    """
    if len({len(one) for one in predictions.values()}) != 1:
        raise ValueError('σ(M) needs one or more systems, all predicted by the same members')
    curves = {
        name: spread_by_size(one, n_subsets=n_subsets, seed=seed, ddof=ddof)
        for name, one in predictions.items()
    }
    sizes = next(iter(curves.values())).sizes
    return Growth(curves, null_spread(sizes, ddof=ddof), ddof)
