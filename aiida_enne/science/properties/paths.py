"""The path of (σ, ε) of one phase as its volume changes (F5)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from aiida_enne.science.fields import Floats
from aiida_enne.science.properties.curves import Curve
from aiida_enne.science.uncertainty import ensemble
from aiida_enne.science.uncertainty.ensemble import PAPER_DDOF
from aiida_enne.science.uncertainty.scores import calibration


@dataclass(frozen=True, slots=True)
class VolumePath:
    """Spread and error of one phase over its volume.

    Attributes:
        name: The phase.
        volumes: Å³/atom, rising, shape (n,).
        spread: σ in eV/atom, shape (n,).
        error: ε in eV/atom, shape (n,).
        ddof: See `ensemble.spread`.
    """

    name: str
    volumes: Floats
    spread: Floats
    error: Floats
    ddof: int

    @property
    def monotonic(self) -> bool:
        """Whether |ε| never falls where σ rises: what σ must do to tell more from less error."""
        sizes = np.abs(self.error)[np.argsort(self.spread, kind='stable')]
        return bool((np.diff(sizes) >= 0).all())

    @property
    def rank_correlation(self) -> float:
        """Spearman's correlation of |ε| with σ along the path; NaN where it is not defined."""
        return calibration.rank_correlation(self.error, self.spread)

    @property
    def inside(self) -> list[tuple[float, float]]:
        """Intervals of volume in Å³/atom where |ε| < σ, both linear between the volumes."""
        found: list[tuple[float, float]] = []
        edges = _crossings(self.volumes, self.spread, self.error)
        middles = (edges[1:] + edges[:-1]) / 2
        spread = np.interp(middles, self.volumes, self.spread)
        error = np.interp(middles, self.volumes, self.error)
        for low, high, within in zip(edges, edges[1:], np.abs(error) < spread, strict=False):
            if not within:
                continue
            if found and found[-1][1] == low:
                found[-1] = (found[-1][0], float(high))
            else:
                found.append((float(low), float(high)))
        return found

    @property
    def share_inside(self) -> float:
        """Share of the range of volumes where |ε| < σ."""
        lengths = [high - low for low, high in self.inside]
        return float(sum(lengths) / (self.volumes[-1] - self.volumes[0]))


def volume_path(curve: Curve, *, ddof: int = PAPER_DDOF) -> VolumePath:
    """Return the path of one phase, with the zero of energy that the curve has.

    Args:
        curve: E(V); `Curve.own_zeros` or `Curve.shifted` move its zeros.
        ddof: See `ensemble.spread`.

    Raises:
        ValueError: If there are fewer than two volumes.
    """
    if len(curve.volumes) < 2:
        raise ValueError(f'a path needs two or more volumes, got {len(curve.volumes)}')
    spread = ensemble.spread(curve.members, ddof=ddof)
    error = ensemble.error(curve.members, curve.reference)
    return VolumePath(curve.name, curve.volumes, spread, error, ddof)


def _crossings(volumes: Floats, spread: Floats, error: Floats) -> Floats:
    """Return the volumes themselves and, between them, where ε = σ or ε = -σ."""
    edges = [volumes]
    for sign in (1, -1):
        gap = spread - sign * error
        crossed = np.flatnonzero(gap[:-1] * gap[1:] < 0)
        share = gap[crossed] / (gap[crossed] - gap[crossed + 1])
        edges.append(volumes[crossed] + share * np.diff(volumes)[crossed])
    return np.unique(np.concatenate(edges))
