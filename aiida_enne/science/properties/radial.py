"""Radial distribution functions of the liquids, averaged over their frames (F1)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from aiida_enne.science.data.configurations import Configurations
from aiida_enne.science.fields import Floats
from aiida_enne.science.properties.liquid import N_FRAMES, radial_distribution


@dataclass(frozen=True, slots=True)
class RadialCurve:
    """g(r) of one liquid.

    Attributes:
        domain: Its domain.
        density: g/cm³.
        temperature: K; None where the domain does not tell.
        r: Middle of the bins in Å, shape (b,).
        g: g(r), shape (b,).
        n_frames: Frames averaged over.
    """

    domain: str
    density: float
    temperature: float | None
    r: Floats
    g: Floats
    n_frames: int


def radial_curves(
    configurations: Configurations,
    *,
    r_max: float = 8.0,
    bin_width: float = 0.1,
    n_frames: int = N_FRAMES,
) -> list[RadialCurve]:
    """Return g(r) of every liquid, by rising density and temperature.

    Args:
        configurations: Of any domains; those of liquids in the reference's geometries are used.
        r_max: Cutoff in Å; may exceed half of the cell.
        bin_width: In Å.
        n_frames: Frames per liquid at most, spread evenly over those that there are.

    Raises:
        ValueError: If the frames of a liquid differ in their number of atoms.
    """
    found = []
    for name, kind in configurations.kinds.items():
        if kind.density is None or kind.own:
            continue
        chosen = np.flatnonzero(configurations.domains == name)
        chosen = chosen[
            np.unique(np.linspace(0, len(chosen) - 1, min(len(chosen), n_frames)).astype(int))
        ]
        frames = configurations.select(chosen)
        if len(set(frames.n_atoms.tolist())) > 1:
            raise ValueError(f'{name}: frames of one liquid must have equal numbers of atoms')
        positions = frames.positions.reshape(len(frames), -1, 3)
        r, g = radial_distribution(positions, frames.cells, r_max, bin_width)
        found.append(RadialCurve(name, kind.density, kind.temperature, r, g, len(frames)))
    return sorted(found, key=lambda curve: (curve.density, curve.temperature or 0.0))
