"""Phonons of a crystal by the reference and by every member, from forces on displaced atoms.

All frequencies that a supercell has are those of its commensurate wave vectors.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from ase.data import atomic_masses

from aiida_enne.science.fields import Floats, Integers
from aiida_enne.science.uncertainty.ensemble import PAPER_DDOF, OfMembers

#: √(eV/Å²/u)/2π in THz (CODATA 2018).
THZ = 15.633302
#: Displacements smaller than this are none, Å.
STILL = 1e-6
#: Positions closer than this are the same, Å.
SAME = 1e-3


@dataclass(frozen=True)
class Phonons(OfMembers):
    """Frequencies in THz in rising order, imaginary ones as negative.

    Attributes:
        name: The crystal.
        reference: Of the reference, shape (n,).
        members: Of the members, shape (M, n).
        ddof: See `ensemble.spread`.
    """

    name: str
    reference: Floats
    members: Floats
    ddof: int = PAPER_DDOF


def force_constants(cell: Floats, positions: Floats, numbers: Integers, forces: Floats) -> Floats:
    """Return the force constants of a supercell in eV/Å².

    Its atoms that are displaced are those of one cell; the others follow by translations. The sum
    of forces is made zero, the constants symmetric.

    Args:
        cell: Of the supercell in Å, rows are vectors, shape (3, 3).
        positions: Of every displaced supercell in Å, shape (n, N, 3).
        numbers: Atomic numbers, shape (N,).
        forces: In eV/Å, shape (n, N, 3).

    Returns:
        Shape (N, 3, N, 3).

    Raises:
        ValueError: If an atom is not displaced along all axes, forwards and backwards, or the
            atoms displaced are not those of one cell.
    """
    rest = positions.mean(axis=0)
    moved, vectors = _displacements(positions - rest)
    atoms = np.unique(moved)
    constants = np.zeros((len(rest), 3, len(rest), 3))
    own: dict[int, Floats] = {}
    for atom in atoms.tolist():
        mine = moved == atom
        if np.linalg.matrix_rank(vectors[mine], tol=STILL) < 3 or len(vectors[mine]) < 6:
            raise ValueError(
                f'atom {atom} must be displaced along three axes, forwards and backwards; '
                f'{int(mine.sum())} displacements are there'
            )
        centred = forces[mine] - forces[mine].mean(axis=0)
        slopes = np.linalg.lstsq(vectors[mine], centred.reshape(mine.sum(), -1), rcond=None)[0]
        own[atom] = -slopes.reshape(3, len(rest), 3)
    for image in _translations(cell, rest, numbers, atoms):
        for atom, block in own.items():
            constants[image[atom], :, image] = block.swapaxes(0, 1)
    constants = (constants + constants.transpose(2, 3, 0, 1)) / 2
    diagonal = np.arange(len(rest))
    constants[diagonal, :, diagonal] -= constants.sum(axis=2)
    return constants


def frequencies(constants: Floats, numbers: Integers) -> Floats:
    """Return the frequencies in THz, rising, imaginary ones as negative, shape (3N,).

    Args:
        constants: Force constants in eV/Å², shape (N, 3, N, 3).
        numbers: Atomic numbers, shape (N,); masses are the standard ones.
    """
    roots = np.repeat(np.sqrt(atomic_masses[numbers]), 3)
    matrix = constants.reshape(len(roots), -1) / np.outer(roots, roots)
    squares = np.linalg.eigvalsh((matrix + matrix.T) / 2)
    found: Floats = THZ * np.sign(squares) * np.sqrt(np.abs(squares))
    return found


def phonons(
    name: str,
    cell: Floats,
    positions: Floats,
    numbers: Integers,
    forces: tuple[Floats, Floats],
    *,
    ddof: int = PAPER_DDOF,
) -> Phonons:
    """Return the frequencies of the reference and of every member.

    Args:
        name: The crystal.
        cell: Of the supercell in Å, shape (3, 3).
        positions: Of every displaced supercell in Å, shape (n, N, 3).
        numbers: Atomic numbers, shape (N,).
        forces: Of the reference (n, N, 3) and of the members (M, n, N, 3), eV/Å.
        ddof: See `ensemble.spread`.

    Raises:
        ValueError: As `force_constants` does.
    """
    reference, *members = (
        frequencies(force_constants(cell, positions, numbers, one), numbers)
        for one in (forces[0], *forces[1])
    )
    return Phonons(name, reference, np.array(members), ddof)


def _displacements(shifts: Floats) -> tuple[Integers, Floats]:
    """Return the atom that each frame displaces, and how far, from shifts (n, N, 3)."""
    sizes = np.linalg.norm(shifts, axis=2)
    moved = sizes.argmax(axis=1)
    rows = np.arange(len(moved))
    if (np.sort(sizes, axis=1)[:, -2] > STILL).any():
        raise ValueError(
            'each supercell must have one displaced atom, and each displacement its opposite'
        )
    vectors: Floats = shifts[rows, moved]
    return moved.astype(np.int64), vectors


def _translations(cell: Floats, rest: Floats, numbers: Integers, atoms: Integers) -> list[Integers]:
    """Return, for each translation that keeps the supercell, the atom that each becomes."""
    fractions = np.linalg.solve(cell.T, rest.T).T
    images = []
    for target in range(len(rest)):
        moved = fractions + fractions[target] - fractions[atoms[0]]
        apart = moved[:, None] - fractions[None]
        apart -= np.round(apart)
        distances = np.linalg.norm(apart @ cell, axis=2)
        image = distances.argmin(axis=1)
        if (distances.min(axis=1) < SAME).all() and (numbers[image] == numbers).all():
            images.append(image.astype(np.int64))
    covered = np.unique(np.concatenate([image[atoms] for image in images]))
    if len(images) * len(atoms) != len(rest) or len(covered) != len(rest):
        raise ValueError(
            f'{len(atoms)} displaced atoms and {len(images)} translations do not make the '
            f'{len(rest)} atoms of the supercell: displace all atoms of one primitive cell'
        )
    return images
