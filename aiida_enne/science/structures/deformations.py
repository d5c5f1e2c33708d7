"""Strained cells and displaced atoms of a crystal, whose stresses and forces give its stiffness."""

from __future__ import annotations

import numpy as np
from ase import Atoms

from aiida_enne.science.checks import count, positive
from aiida_enne.science.fields import Floats

#: Domains of these cells, before the name of the crystal; the last is a supercell at rest, where
#: displacements are no more than symmetry needs.
STRAINED, DISPLACED, AT_REST = 'strained', 'displaced', 'at rest'
#: Pairs of axes in Voigt's order.
VOIGT = ((0, 0), (1, 1), (2, 2), (1, 2), (0, 2), (0, 1))
#: Strain, and displacement in Å, by default: errors of higher order are below 1 %.
STRAIN, DISPLACEMENT = 0.005, 0.02


def strain_cells(atoms: Atoms, strain: float = STRAIN) -> list[Atoms]:
    """Return twelve cells: each of Voigt's six strains, positive and negative.

    Positions follow the cell: ions are clamped.

    Args:
        atoms: A crystal that repeats in all directions.
        strain: Size of ε, without unit; of shears it is ε_ij, half of Voigt's γ.

    Raises:
        ValueError: If the strain is not positive, or the crystal does not repeat.
    """
    positive('strain', strain)
    if not atoms.pbc.all():
        raise ValueError(f'elastic constants need a crystal that repeats, got pbc {atoms.pbc}')
    frames = []
    for i, j in VOIGT:
        for sign in (1, -1):
            deformation = np.eye(3)
            deformation[i, j] += sign * strain
            deformation[j, i] = deformation[i, j]
            frame = atoms.copy()
            frame.set_cell(atoms.cell.array @ deformation, scale_atoms=True)
            frames.append(frame)
    return frames


def displace_atoms(
    atoms: Atoms, displacement: float = DISPLACEMENT, repeats: int = 2
) -> list[Atoms]:
    """Return supercells: each atom of one cell moved along each axis, forwards and backwards.

    Args:
        atoms: A crystal, its primitive cell best.
        displacement: In Å.
        repeats: Cells along each edge of the supercell.

    Raises:
        ValueError: If a number is not positive, or the crystal does not repeat.
    """
    positive('displacement', displacement)
    count('repeats', repeats)
    if not atoms.pbc.all():
        raise ValueError(f'phonons need a crystal that repeats, got pbc {atoms.pbc}')
    whole, frames = atoms.repeat(repeats), []
    for number in range(len(atoms)):
        for axis in range(3):
            for sign in (1, -1):
                frame = whole.copy()
                frame.positions[number, axis] += sign * displacement
                frames.append(frame)
    return frames


def strains_of(cells: Floats) -> Floats:
    """Return Voigt's strains (n, 6) of cells (n, 3, 3) in Å, relative to their mean."""
    deformations = np.linalg.inv(cells.mean(axis=0)) @ cells
    symmetric = (deformations + deformations.swapaxes(1, 2)) / 2 - np.eye(3)
    strains: Floats = np.stack([symmetric[:, i, j] * (1 if i == j else 2) for i, j in VOIGT], 1)
    return strains
