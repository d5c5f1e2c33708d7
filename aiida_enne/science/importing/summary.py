"""What a set of configurations holds, by domain: the table that a person checks."""

from dataclasses import dataclass

import numpy as np

from aiida_enne.science.data.configurations import Configurations
from aiida_enne.science.structures.domains import in_order


@dataclass(frozen=True, slots=True)
class DomainSummary:
    """One domain; energies in eV per atom, forces in eV/Å, NaN where nothing is labelled.

    Attributes:
        domain: Label.
        n_frames: Number of configurations.
        n_blocks: Number of trajectory blocks.
        n_atoms: Fewest and most atoms of a configuration.
        elements: Symbols that occur.
        volume_per_atom: Mean in Å³, 0 where there is no cell.
        energy_per_atom: Mean, lowest and highest.
        force_rms: Root mean square of the components.
        stress_rms: Root mean square of the components in eV/Å³.
        n_stress: Number of configurations with a stress.
    """

    domain: str
    n_frames: int
    n_blocks: int
    n_atoms: tuple[int, int]
    elements: tuple[str, ...]
    volume_per_atom: float
    energy_per_atom: tuple[float, float, float]
    force_rms: float
    stress_rms: float
    n_stress: int


def summarize_domains(configurations: Configurations) -> list[DomainSummary]:
    """Return one summary per domain, in natural order."""
    return [
        _summarize(label, configurations.select(np.flatnonzero(chosen)))
        for label in in_order(configurations.domains.tolist())
        for chosen in [configurations.domains == label]
    ]


def _summarize(label: str, part: Configurations) -> DomainSummary:
    energies, rms = np.array([np.nan]), np.nan
    if part.energies is not None and part.forces is not None:
        energies = part.energies / part.n_atoms
        rms = float(np.sqrt(np.nanmean(part.forces**2)))
    stresses = part.stresses if part.stresses is not None else np.full((1, 3, 3), np.nan)
    known = stresses[np.isfinite(stresses).all(axis=(1, 2))]
    return DomainSummary(
        domain=label,
        n_frames=len(part),
        n_blocks=len(np.unique(part.blocks)),
        n_atoms=(int(part.n_atoms.min()), int(part.n_atoms.max())),
        elements=tuple(part.elements),
        volume_per_atom=float(np.mean(part.volumes / part.n_atoms)),
        energy_per_atom=(float(energies.mean()), float(energies.min()), float(energies.max())),
        force_rms=rms,
        stress_rms=float(np.sqrt(np.mean(known**2))) if len(known) else np.nan,
        n_stress=len(known),
    )
