"""Phonons of a crystal by the reference and by every member, from forces on displaced atoms.

All frequencies that a supercell has are those of its commensurate wave vectors.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import spglib
from ase.cell import Cell
from ase.data import atomic_masses
from numpy.typing import NDArray

from aiida_enne.science.fields import Floats, Integers
from aiida_enne.science.properties import bands
from aiida_enne.science.uncertainty.ensemble import PAPER_DDOF, OfMembers

#: √(eV/Å²/u)/2π in THz (CODATA 2018).
THZ = 15.633302
#: Displacements smaller than this are none, Å.
STILL = 1e-6
#: Positions closer than this are the same, Å.
SAME = 1e-3
#: Wave vectors in units of the supercell's are whole numbers to this.
WHOLE = 1e-6


@dataclass(frozen=True)
class Phonons(OfMembers):
    """Frequencies in THz in rising order, imaginary ones as negative.

    Attributes:
        name: The crystal.
        reference: Of the reference, shape (n,); None where nothing is labelled.
        members: Of the members, shape (M, n).
        ddof: See `ensemble.spread`.
        points: The same at the points of high symmetry that fit into the supercell, by their names.
        constants: Force constants of the members in eV/Å², shape (M, N, 3, N, 3); empty for points.
        reference_constants: The same of the reference, shape (N, 3, N, 3).
    """

    name: str
    reference: Floats | None
    members: Floats
    ddof: int = PAPER_DDOF
    points: Mapping[str, Phonons] = field(default_factory=dict)
    constants: Floats = field(default_factory=lambda: np.empty(0))
    reference_constants: Floats | None = None


@dataclass(frozen=True, slots=True)
class Displaced:
    """A supercell, and copies of it with displaced atoms.

    Attributes:
        cell: Of the supercell in Å, rows are vectors, shape (3, 3).
        numbers: Atomic numbers, shape (N,).
        positions: Of every displaced supercell in Å, shape (n, N, 3).
        rest: Of the supercell at rest in Å, shape (N, 3), where displacements are no more than
            symmetry needs; None where every atom of a cell is displaced along all axes.
    """

    cell: Floats
    numbers: Integers
    positions: Floats
    rest: Floats | None = None

    @property
    def sites(self) -> Floats:
        """Positions at rest in Å, shape (N, 3)."""
        return self.positions.mean(axis=0) if self.rest is None else self.rest


def force_constants(displaced: Displaced, forces: Floats) -> Floats:
    """Return the force constants of a supercell in eV/Å².

    The atoms that are not displaced follow by translations or, where displacements are reduced, by
    all symmetries, which takes phonopy. The sum of forces is made zero, the constants symmetric.

    Args:
        displaced: The supercells.
        forces: In eV/Å, shape (n, N, 3).

    Returns:
        Shape (N, 3, N, 3).

    Raises:
        ValueError: If an atom is not displaced along all axes, forwards and backwards, or the
            atoms displaced are not those of one cell; if displacements are reduced and phonopy is
            not installed, or the symmetry does not do.
    """
    rest = displaced.sites
    if displaced.rest is None:
        constants = _by_translations(displaced, forces)
    else:
        shifts = displaced.positions - rest
        constants = bands.expand(displaced.cell, rest, displaced.numbers, shifts, forces)
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
    matrix = _dynamical(constants, numbers)
    return _in_thz(np.linalg.eigvalsh((matrix + matrix.T) / 2))


def special_points(displaced: Displaced) -> dict[str, Floats]:
    """Return the points of high symmetry whose waves fit into the supercell, by their names.

    Names are those of Setyawan and Curtarolo, Comput. Mater. Sci. 49, 299 (2010), as ASE has them.

    Returns:
        Wave vectors without 2π in 1/Å, shape (3,) each, Γ first.
    """
    fractions = np.linalg.solve(displaced.cell.T, displaced.sites.T).T
    crystal: Any = (displaced.cell, fractions, displaced.numbers)
    found = spglib.standardize_cell(crystal, to_primitive=True, no_idealize=True, symprec=SAME)
    lattice = displaced.cell if found is None else found[0]
    path = Cell(lattice).bandpath(npoints=0)
    waves = {'Γ': np.zeros(3)}
    for name, point in path.special_points.items():
        wave = np.linalg.solve(lattice, point)
        if np.abs(wave).max() > 0 and _is_whole(displaced.cell @ wave):
            waves[name] = wave
    return waves


def frequencies_at(constants: Floats, displaced: Displaced, wave: Floats) -> Floats:
    """Return the frequencies of waves that fit into the supercell in THz, rising.

    Args:
        constants: Force constants in eV/Å², shape (N, 3, N, 3).
        displaced: The supercell.
        wave: Wave vector without 2π in 1/Å, shape (3,).

    Returns:
        Shape (3p,) for p atoms in a primitive cell.

    Raises:
        ValueError: If the wave does not fit into the supercell.
    """
    if not _is_whole(displaced.cell @ wave):
        raise ValueError(f'the wave {wave} does not fit into the supercell')
    rest = displaced.sites
    images = np.array(_translations(displaced.cell, rest, displaced.numbers))
    atoms = np.unique(images.min(axis=0))
    shifts = rest[images[:, atoms]] - rest[atoms]
    basis = np.zeros((len(rest), len(atoms)), dtype=np.complex128)
    phases = np.exp(2j * np.pi * shifts @ wave) / np.sqrt(len(images))
    basis[images[:, atoms], np.arange(len(atoms))] = phases
    whole = np.kron(basis, np.eye(3))
    matrix = whole.conj().T @ _dynamical(constants, displaced.numbers) @ whole
    return _in_thz(np.linalg.eigvalsh((matrix + matrix.conj().T) / 2))


def phonons(
    name: str,
    displaced: Displaced,
    reference: Floats | None,
    members: Floats,
    *,
    ddof: int = PAPER_DDOF,
) -> Phonons:
    """Return the frequencies of the reference and of every member.

    Args:
        name: The crystal.
        displaced: The supercells.
        reference: Forces in eV/Å, shape (n, N, 3); None where nothing is labelled.
        members: Forces in eV/Å, shape (M, n, N, 3).
        ddof: See `ensemble.spread`.

    Raises:
        ValueError: As `force_constants` does.
    """
    true = None if reference is None else force_constants(displaced, reference)
    own = np.array([force_constants(displaced, one) for one in members])
    points = {}
    for label, wave in special_points(displaced).items():
        point = None if true is None else frequencies_at(true, displaced, wave)
        theirs = np.array([frequencies_at(one, displaced, wave) for one in own])
        points[label] = Phonons(name, point, theirs, ddof)
    numbers = displaced.numbers
    whole = None if true is None else frequencies(true, numbers)
    all_own = np.array([frequencies(one, numbers) for one in own])
    return Phonons(name, whole, all_own, ddof, points, own, true)


def _is_whole(values: Floats) -> bool:
    return bool(np.abs(values - np.round(values)).max() < WHOLE)


def _dynamical(constants: Floats, numbers: Integers) -> Floats:
    """Return the constants over the roots of the masses, shape (3N, 3N)."""
    roots = np.repeat(np.sqrt(atomic_masses[numbers]), 3)
    matrix: Floats = constants.reshape(len(roots), -1) / np.outer(roots, roots)
    return matrix


def _in_thz(squares: NDArray[np.floating[Any]]) -> Floats:
    found: Floats = THZ * np.sign(squares) * np.sqrt(np.abs(squares))
    return found


def _by_translations(displaced: Displaced, forces: Floats) -> Floats:
    """Return the force constants where every atom of a cell is displaced along all axes."""
    rest = displaced.sites
    moved, vectors = _displacements(displaced.positions - rest)
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
    images = _translations(displaced.cell, rest, displaced.numbers)
    covered = np.unique(np.concatenate([image[atoms] for image in images]))
    if len(images) * len(atoms) != len(rest) or len(covered) != len(rest):
        raise ValueError(
            f'{len(atoms)} displaced atoms and {len(images)} translations do not make the '
            f'{len(rest)} atoms of the supercell: displace all atoms of one primitive cell'
        )
    for image in images:
        for atom, block in own.items():
            constants[image[atom], :, image] = block.swapaxes(0, 1)
    return constants


def _displacements(shifts: Floats) -> tuple[Integers, Floats]:
    """Return the atom that each frame displaces, and how far, from shifts (n, N, 3)."""
    sizes = np.linalg.norm(shifts, axis=2)
    moved = sizes.argmax(axis=1)
    rows = np.arange(len(moved))
    if ((sizes > STILL).sum(axis=1) > 1).any():
        raise ValueError(
            'each supercell must have one displaced atom, and each displacement its opposite'
        )
    vectors: Floats = shifts[rows, moved]
    return moved.astype(np.int64), vectors


def _translations(cell: Floats, rest: Floats, numbers: Integers) -> list[Integers]:
    """Return, for each translation that keeps the supercell, the atom that each becomes."""
    fractions = np.linalg.solve(cell.T, rest.T).T
    images = []
    for target in range(len(rest)):
        moved = fractions + fractions[target] - fractions[0]
        apart = moved[:, None] - fractions[None]
        apart -= np.round(apart)
        distances = np.linalg.norm(apart @ cell, axis=2)
        image = distances.argmin(axis=1)
        if (distances.min(axis=1) < SAME).all() and (numbers[image] == numbers).all():
            images.append(image.astype(np.int64))
    return images
