"""Is it plausible? The bounds outside which a number is questioned, all in this one place."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from ase.data import chemical_symbols, covalent_radii
from ase.geometry import complete_cell

from aiida_enne.science.data.neighbours import neighbours as find_neighbours
from aiida_enne.science.fields import GPA_PER_EV_PER_CUBIC_ANGSTROM
from aiida_enne.science.importing.frame import Frame

#: Largest coordinate in Å.
FARTHEST = 1e4
#: Two atoms are at least this share of the sum of their covalent radii apart: 1.33 Å for silicon,
#: 0.37 Å for hydrogen.
NEAREST = 0.6
#: A crystal has at least this share of the volume of its covalent spheres, and at most so many Å³
#: per atom.
DENSEST, THINNEST = 0.6, 1e5
#: A periodic cell is at least this high in Å: less is a vector in another unit or a broken number.
LOWEST_CELL = 0.3
#: Largest force on an atom in eV/Å.
STRONGEST = 500.0
#: Largest component of a stress in eV/Å³: 320 GPa.
STIFFEST = 2.0
#: An energy is an outlier if it is so far, in eV/atom, from the median of its composition, and so
#: many times the median distance; asked of compositions with so many frames.
OUTLYING, TIMES, ENOUGH = 15.0, 20.0, 4


def implausible(frame: Frame) -> list[str]:
    """Return one sentence for everything in a frame that is not plausible."""
    reasons = _geometry(frame)
    strongest = float(np.nanmax(np.abs(frame.forces)))
    if strongest > STRONGEST:
        reasons.append(
            f'a force of {strongest:.4g} eV/Å, more than {STRONGEST:g}: is its unit another '
            '(`force_unit`)?'
        )
    stress = float(np.abs(frame.stress).max())
    if stress > STIFFEST:
        reasons.append(
            f'a stress of {stress:.4g} eV/Å³ ({stress * GPA_PER_EV_PER_CUBIC_ANGSTROM:.4g} GPa), '
            f'more than {STIFFEST:g}: is its unit another (`stress_unit`), or is it a virial '
            '(`virial_key`)?'
        )
    return [f'implausible: {reason} (`allow_implausible`)' for reason in reasons]


def energy_outliers(frames: Sequence[Frame]) -> dict[int, str]:
    """Return what is wrong with energies that lie far outside the rest of their composition."""
    groups: dict[tuple[tuple[int, int], ...], list[int]] = {}
    for index, frame in enumerate(frames):
        numbers, counts = np.unique(frame.numbers, return_counts=True)
        share = counts // math.gcd(*counts.tolist())
        pairs = zip(numbers.tolist(), share.tolist(), strict=True)
        groups.setdefault(tuple(pairs), []).append(index)
    found: dict[int, str] = {}
    for members in groups.values():
        if len(members) < ENOUGH:
            continue
        energies = np.array([frames[i].energy / len(frames[i].numbers) for i in members])
        median = float(np.median(energies))
        distance = np.abs(energies - median)
        limit = max(OUTLYING, TIMES * float(np.median(distance)))
        for place in np.flatnonzero(distance > limit).tolist():
            found[members[place]] = (
                f'implausible: an energy of {energies[place]:.6g} eV/atom, where the median of its '
                f'composition is {median:.6g} (`allow_implausible`)'
            )
    return dict(sorted(found.items()))


def neighbours(quantities: str, frame: Frame, cutoff: float) -> Any:
    """Return pairs of atoms within a cutoff in Å, as `matscipy.neighbours` does."""
    return find_neighbours(
        quantities, frame.numbers, frame.positions, frame.cell, frame.pbc, cutoff
    )


def _geometry(frame: Frame) -> list[str]:
    farthest = float(np.abs(frame.positions).max())
    if farthest > FARTHEST:
        return [f'a coordinate of {farthest:.4g} Å, more than {FARTHEST:g}']
    if frame.pbc.any():
        heights = 1 / np.linalg.norm(np.linalg.inv(complete_cell(frame.cell)), axis=0)
        lowest = float(heights[frame.pbc].min())
        if lowest < LOWEST_CELL:
            return [f'a cell that is {lowest:.4g} Å high, less than {LOWEST_CELL:g}']
    if frame.pbc.all() and (reason := _volume(frame)):
        return [reason]
    return _nearest(frame)


def _volume(frame: Frame) -> str | None:
    n, radii = len(frame.numbers), covalent_radii[frame.numbers]
    volume = abs(float(np.linalg.det(frame.cell))) / n
    least = DENSEST * float(np.mean(4 / 3 * np.pi * radii**3))
    if least <= volume <= THINNEST:
        return None
    return (
        f'{volume:.4g} Å³/atom, not between {least:.3g} and {THINNEST:g}: is the unit another '
        '(`length_unit`)?'
    )


def _nearest(frame: Frame) -> list[str]:
    radii = covalent_radii[frame.numbers]
    first, second, distances = neighbours('ijd', frame, float(2 * NEAREST * radii.max()))
    excess = distances - NEAREST * (radii[first] + radii[second])
    if not (excess < 0).any():
        return []
    worst = int(np.argmin(excess))
    i, j = int(first[worst]), int(second[worst])
    names = [f'{chemical_symbols[frame.numbers[k]]} {k}' for k in (i, j)]
    return [
        f'atoms {names[0]} and {names[1]} are {distances[worst]:.4g} Å apart, less than '
        f'{NEAREST * (radii[i] + radii[j]):.3g}'
    ]
