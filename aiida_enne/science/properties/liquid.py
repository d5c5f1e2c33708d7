"""Structure and motion of liquids, and whether a trajectory is one of a liquid at all."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.random import SeedSequence

from aiida_enne.science.checks import finite
from aiida_enne.science.data.configurations import Configurations
from aiida_enne.science.fields import Floats
from aiida_enne.science.options import Options, option

#: Where the first peak of g(r) is sought, in units of the mean distance (V/N)^(1/3): it lies at
#: 0.87 in diamond, 1.09 in bcc, 1.12 in fcc, and below the second one everywhere.
FIRST_PEAK = 1.3
#: Where crystals have their gap, in units of the first peak's distance: up to the second shell of
#: fcc at 1.41; that of diamond is at 1.63.
GAP = 1.4
#: Frames that a radial distribution is averaged over, spread over the trajectory.
N_FRAMES = 200
#: Lags at which the displacement is given.
N_LAGS = 100
NOT_NEGATIVE = partial(finite, minimum=0)


@dataclass(frozen=True)
class MeltCriteria(Options):
    """What a trajectory must fulfil to be one of a liquid.

    Attributes:
        min_displacement: Mean square displacement over half of the trajectory, in units of the
            squared distance of nearest neighbours. A crystal at its melting point has about 0.05
            (twice Lindemann's 0.15 squared) however long one waits.
        min_gap: Smallest g(r) between the first two peaks. It is next to 0 in a crystal, above
            0.5 in liquid silicon.
        r_max: Cutoff of g(r) in Å.
        bin_width: Width of its bins in Å.

    Raises:
        ValueError: If a value is not a number or negative, or there are fewer than 10 bins.
    """

    min_displacement: float = option(NOT_NEGATIVE, 0.08)
    min_gap: float = option(NOT_NEGATIVE, 0.2)
    r_max: float = option(NOT_NEGATIVE, 8.0)
    bin_width: float = option(NOT_NEGATIVE, 0.1)

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.bin_width == 0 or self.r_max / self.bin_width < 10:
            raise ValueError(
                f'`r_max` must be at least 10 times `bin_width`, got {self.r_max}, {self.bin_width}'
            )


@dataclass(frozen=True, slots=True)
class Melt:
    """Verdict on a trajectory: whether it is molten, from which numbers, and what speaks against.

    Attributes:
        displacement: Mean square displacement over half of the trajectory, Å².
        neighbor_distance: Distance of nearest neighbours, the first peak of g(r), Å.
        gap: Smallest g(r) between the first two peaks.
        coordination: Neighbours up to `GAP` times that distance.
    """

    molten: bool
    displacement: float
    neighbor_distance: float
    gap: float
    coordination: float
    reasons: tuple[str, ...]


def unwrap(positions: Floats, cells: Floats) -> Floats:
    """Undo the wrapping of atoms into the cell: every step is the shortest of its images.

    Args:
        positions: Shape (n_frames, n_atoms, 3), Å.
        cells: Lattice vectors as rows, shape (n_frames, 3, 3), Å. They may change.

    Returns:
        Continuous positions in Å, shape (n_frames, n_atoms, 3). They are right as long as no atom
        goes farther between two frames than half of the smallest height of the cell.
    """
    fractional = np.einsum('fai,fij->faj', positions, np.linalg.inv(cells))
    steps = np.diff(fractional, axis=0)
    steps -= np.round(steps)
    path = np.concatenate([fractional[:1], fractional[:1] + np.cumsum(steps, axis=0)])
    unwrapped: Floats = np.einsum('fai,fij->faj', path, cells)
    return unwrapped


def mean_square_displacement(positions: Floats, cells: Floats, lags: list[int]) -> Floats:
    """Return ⟨|r(t + lag) - r(t)|²⟩ over atoms and all t, without drift of the mean position.

    Args:
        positions: Shape (n_frames, n_atoms, 3), Å, wrapped or not.
        cells: Lattice vectors as rows, shape (n_frames, 3, 3), Å.
        lags: In frames, each from 0 to n_frames - 1.

    Returns:
        Å², shape (n_lags,).

    Raises:
        ValueError: If a lag is longer than the trajectory.
    """
    n_frames = len(positions)
    if any(not 0 <= lag < n_frames for lag in lags):
        raise ValueError(f'lags must be from 0 to {n_frames - 1}, got {lags}')
    path = unwrap(positions, cells)
    path = path - path.mean(axis=1, keepdims=True)
    return np.array(
        [((path[lag:] - path[: n_frames - lag]) ** 2).sum(axis=2).mean() for lag in lags]
    )


def radial_distribution(
    positions: Floats, cells: Floats, r_max: float, bin_width: float
) -> tuple[Floats, Floats]:
    """Return the radial distribution function of a periodic system of any cell.

    g(r) = V / N² Σ_i Σ_j≠i δ(r - r_ij) / (4π r²), images included, averaged over frames; in an
    ideal gas it is 1 - 1/N up to the nearest image of an atom itself.

    Args:
        positions: Shape (n_frames, n_atoms, 3), Å.
        cells: Lattice vectors as rows, shape (n_frames, 3, 3), Å.
        r_max: Cutoff in Å; may exceed half of the cell.
        bin_width: In Å; a last bin that `r_max` would cut is left out.

    Returns:
        Middle of the bins in Å and g(r), both of shape (n_bins,).
    """
    n_bins, n_atoms = int(round(r_max / bin_width, 9)), positions.shape[1]
    edges = np.arange(n_bins + 1) * bin_width
    counts = np.zeros(n_bins)
    volumes = np.abs(np.linalg.det(cells))
    first, second = np.triu_indices(n_atoms, k=1)
    for frame, cell, volume in zip(positions, cells, volumes, strict=True):
        fractional = frame @ np.linalg.inv(cell)
        apart = fractional[first] - fractional[second]
        apart -= np.round(apart)
        for image in _images(cell, float(edges[-1])):
            pairs = np.linalg.norm((apart + image) @ cell, axis=1)
            found = 2.0 * _count(pairs, bin_width, n_bins)
            if image.any():
                found += n_atoms * _count(np.linalg.norm([image @ cell], axis=1), bin_width, n_bins)
            counts += found * volume
    shells = 4 / 3 * np.pi * np.diff(edges**3)
    return (edges[:-1] + edges[1:]) / 2, counts / (shells * n_atoms**2 * len(positions))


def _images(cell: Floats, r_max: float) -> Floats:
    """Return the shifts, in lattice vectors, that bring the nearest image within a distance."""
    heights = 1 / np.linalg.norm(np.linalg.inv(cell), axis=0)
    ranges = [np.arange(-n, n + 1) for n in np.floor(r_max / heights + 0.5).astype(int)]
    return np.stack(np.meshgrid(*ranges, indexing='ij'), axis=-1).reshape(-1, 3).astype(np.float64)


def _count(distances: Floats, bin_width: float, n_bins: int) -> Floats:
    # a distance on an edge belongs to the bin above it, whatever its last digit
    bins = np.floor(np.ravel(distances) / bin_width + 1e-9).astype(np.int64)
    counts: Floats = np.bincount(bins[bins < n_bins], minlength=n_bins).astype(np.float64)
    return counts


def coordination_number(r: Floats, g: Floats, density: float, r_cut: float) -> float:
    """Return the neighbours up to a distance: ∫ 4π n r² g(r) dr over whole bins.

    Args:
        r: Middle of bins of equal width from 0, Å, shape (n_bins,).
        g: Radial distribution function, shape (n_bins,).
        density: Number density n, 1/Å³.
        r_cut: Distance in Å; bins whose middle lies below are counted.
    """
    edges = np.arange(len(r) + 1) * 2 * r[0]
    inside = r < r_cut
    return float((4 / 3 * np.pi * np.diff(edges**3) * density * g)[inside].sum())


def is_molten(
    displacement: float, r: Floats, g: Floats, density: float, criteria: MeltCriteria
) -> Melt:
    """Tell a liquid from a crystal: its atoms leave their places, and its shells overlap.

    Args:
        displacement: Mean square displacement over half of the trajectory, Å².
        r: Middle of the bins of g(r), Å, shape (n_bins,).
        g: Radial distribution function, shape (n_bins,).
        density: Number density, 1/Å³.
        criteria: What is asked for.

    Raises:
        ValueError: If g(r) does not reach beyond the first peak.
    """
    near = r < FIRST_PEAK * density ** (-1 / 3)
    peak = float(r[near][np.argmax(g[near])])
    between = (r > peak) & (r <= GAP * peak)
    if r[-1] < GAP * peak:
        raise ValueError(f'g(r) ends at {r[-1]} Å, which is within {GAP} times {peak} Å')
    lowest = int(np.argmin(np.where(between, g, np.inf)))
    reasons = []
    asked = criteria.min_displacement * peak**2
    if displacement < asked:
        reasons.append(f'mean square displacement {displacement:.3g} Å², below {asked:.3g} Å²')
    if g[lowest] < criteria.min_gap:
        reasons.append(
            f'g(r) falls to {g[lowest]:.2g} at {r[lowest]:.2f} Å, below {criteria.min_gap:g}'
        )
    neighbors = coordination_number(r, g, density, GAP * peak)
    return Melt(not reasons, displacement, peak, float(g[lowest]), neighbors, tuple(reasons))


def analyse(trajectory: Configurations, criteria: MeltCriteria) -> dict[str, Any]:
    """Return displacement, g(r) and the verdict on one trajectory, as plain values.

    Args:
        trajectory: Frames of one system at equal steps; `info['time']` in ps.
        criteria: What is asked of a liquid.

    Returns:
        `lag` (ps) and `displacement` (Å²), `r` (Å) and `g`, `melt` (see `Melt`), `criteria`,
        `n_frames`, `number_density` (1/Å³) and `temperature` (K, mean; None if unknown).

    Raises:
        ValueError: If there are fewer than 2 frames, or the frames differ in their atoms.
    """
    n = len(trajectory)
    if n < 2 or len(set(trajectory.n_atoms.tolist())) > 1:
        raise ValueError(f'a trajectory needs 2 frames of the same atoms or more, got {n}')
    positions = trajectory.positions.reshape(n, -1, 3)
    half = max(n // 2, 1)
    lags = sorted({int(lag) for lag in np.linspace(0, half, min(half, N_LAGS) + 1)})
    displacement = mean_square_displacement(positions, trajectory.cells, lags)
    chosen = np.unique(np.linspace(0, n - 1, min(n, N_FRAMES)).astype(int))
    r, g = radial_distribution(
        positions[chosen], trajectory.cells[chosen], criteria.r_max, criteria.bin_width
    )
    density = float(trajectory.n_atoms[0] / trajectory.volumes.mean())
    melt = is_molten(float(displacement[-1]), r, g, density, criteria)
    times = trajectory.info['time']
    interval = float(times[-1] - times[0]) / (n - 1)
    temperatures = trajectory.info.get('temperature', np.array([np.nan]))
    known = np.isfinite(temperatures).any()
    return {
        'lag': [lag * interval for lag in lags],
        'displacement': displacement.tolist(),
        'r': r.tolist(),
        'g': g.tolist(),
        'melt': asdict(melt) | {'reasons': list(melt.reasons)},
        'criteria': asdict(criteria),
        'n_frames': n,
        'number_density': density,
        'temperature': float(np.nanmean(temperatures)) if known else None,
    }


def trajectory_seed(seed: int, density: float, temperature: float | None = None) -> int:
    """Return the seed of one of many trajectories, from 0 to 2^31 - 1.

    It depends on the trajectory alone, so that others can be added without changing any.

    Args:
        seed: Of all trajectories.
        density: In g/cm³.
        temperature: In K, of those that start from a melt.
    """
    words = [seed, round(density * 1e6), 0 if temperature is None else 1 + round(temperature * 1e3)]
    return int(SeedSequence(words).generate_state(1)[0] >> 1)
