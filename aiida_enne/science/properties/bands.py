"""Phonons by phonopy: displacements that symmetry leaves, dispersion and density of states."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from typing import Any

import numpy as np
from ase import Atoms
from ase.cell import Cell
from ase.data import chemical_symbols

from aiida_enne.science.checks import count, positive
from aiida_enne.science.fields import Floats, Integers
from aiida_enne.science.uncertainty.ensemble import PAPER_DDOF, OfMembers

#: What installs phonopy.
EXTRA = "pip install 'aiida-enne[phonons]'"
#: Displacements smaller than this are none, Å.
STILL = 1e-6
#: Wave vectors on a path.
N_WAVES = 120
#: Length in Å of the mesh of a density of states, as phonopy counts it.
MESH = 60.0
#: Smearing of a density of states, as a share of its range.
SMEARING = 0.01


@dataclass(frozen=True)
class Dispersion(OfMembers):
    """Frequencies along a path through points of high symmetry.

    Waves that do not fit into the supercell are Fourier sums of its force constants.

    Attributes:
        name: The crystal.
        at: Distance along the path in 1/Å, shape (k,).
        ticks: Name and distance of each point of high symmetry.
        waves: Wave vectors without 2π in 1/Å, shape (k, 3).
        reference: In THz, imaginary ones as negative, shape (k, 3p); None without labels.
        members: The same of the members, shape (M, k, 3p).
        ddof: See `ensemble.spread`.
    """

    name: str
    at: Floats
    ticks: Sequence[tuple[str, float]]
    waves: Floats
    reference: Floats | None
    members: Floats
    ddof: int = PAPER_DDOF


@dataclass(frozen=True)
class Density(OfMembers):
    """Density of states of phonons.

    Attributes:
        name: The crystal.
        at: Frequencies in THz, shape (k,).
        reference: States per THz and primitive cell, shape (k,); None without labels.
        members: The same of the members, shape (M, k).
        ddof: See `ensemble.spread`.
    """

    name: str
    at: Floats
    reference: Floats | None
    members: Floats
    ddof: int = PAPER_DDOF


def is_available() -> bool:
    """Return whether phonopy is installed."""
    return find_spec('phonopy') is not None


def check_available(what: str) -> None:
    """Refuse what takes phonopy where it is not installed.

    Raises:
        ValueError: If it is not; the message says how to install it.
    """
    if not is_available():
        raise ValueError(f'{what} need phonopy: {EXTRA}')


def displace_by_symmetry(atoms: Atoms, displacement: float, repeats: int) -> list[Atoms]:
    """Return a supercell at rest, then copies with the displacements that symmetry leaves.

    Args:
        atoms: A crystal that repeats in all directions.
        displacement: In Å.
        repeats: Cells along each edge of the supercell.

    Raises:
        ValueError: If a number is not positive, the crystal does not repeat, or there is no
            phonopy.
    """
    positive('displacement', displacement)
    count('repeats', repeats)
    if not atoms.pbc.all():
        raise ValueError(f'phonons need a crystal that repeats, got pbc {atoms.pbc}')
    whole = atoms.repeat(repeats)
    phonon = _phonon(whole.cell.array, whole.positions, whole.numbers, 'reduced displacements')
    phonon.generate_displacements(distance=displacement)
    frames = [whole]
    for one in phonon.dataset['first_atoms']:
        frame = whole.copy()
        frame.positions[one['number']] += one['displacement']
        frames.append(frame)
    return frames


def expand(cell: Floats, rest: Floats, numbers: Integers, shifts: Floats, forces: Floats) -> Floats:
    """Return force constants in eV/Å² by all symmetries of a supercell.

    Args:
        cell: Of the supercell in Å, shape (3, 3).
        rest: Positions of its atoms in Å, shape (N, 3).
        numbers: Atomic numbers, shape (N,).
        shifts: Displacements in Å, one atom in each of n supercells, shape (n, N, 3).
        forces: In eV/Å, shape (n, N, 3).

    Returns:
        Shape (N, 3, N, 3).

    Raises:
        ValueError: If there is no phonopy, several atoms of a supercell are displaced, or the
            displacements do not determine the constants.
    """
    phonon = _phonon(cell, rest, numbers, 'reduced displacements')
    sizes = np.linalg.norm(shifts, axis=2)
    if ((sizes > STILL).sum(axis=1) != 1).any():
        raise ValueError('each supercell must have one displaced atom')
    moved = sizes.argmax(axis=1)
    phonon.dataset = {
        'natom': len(rest),
        'first_atoms': [
            {'number': int(atom), 'displacement': shift[atom], 'forces': one}
            for atom, shift, one in zip(moved, shifts, forces, strict=True)
        ],
    }
    try:
        phonon.produce_force_constants(show_drift=False)
    except (RuntimeError, np.linalg.LinAlgError) as exception:
        raise ValueError(
            f'{len(shifts)} displacements do not give all force constants: {exception}'
        ) from None
    constants: Floats = np.asarray(phonon.force_constants).transpose(0, 2, 1, 3)
    return np.ascontiguousarray(constants)


def dispersion(
    name: str,
    crystal: tuple[Floats, Floats, Integers],
    reference: Floats | None,
    members: Floats,
    *,
    ddof: int = PAPER_DDOF,
) -> Dispersion:
    """Return the frequencies along the path of a lattice through its points of high symmetry.

    Args:
        name: The crystal.
        crystal: Cell (3, 3) and positions (N, 3) of the supercell in Å, and atomic numbers (N,).
        reference: Force constants in eV/Å², shape (N, 3, N, 3); None where nothing is labelled.
        members: Those of the members, shape (M, N, 3, N, 3).
        ddof: See `ensemble.spread`.

    Raises:
        ValueError: If there is no phonopy.
    """
    phonon = _phonon(*crystal, 'phonon bands')
    path = Cell(phonon.primitive.cell).bandpath(npoints=N_WAVES)
    at, ticks, names = path.get_linear_kpoint_axis()

    def along(constants: Floats) -> Floats:
        phonon.force_constants = _square(constants)
        phonon.run_qpoints(path.kpts)
        found: Floats = np.sort(np.asarray(phonon.qpoints.frequencies), axis=1)
        return found

    labels = [name.replace('G', 'Γ') for name in names]
    own = np.array([along(one) for one in members])
    true = None if reference is None else along(reference)
    where = list(zip(labels, np.asarray(ticks).tolist(), strict=True))
    waves = np.linalg.solve(phonon.primitive.cell, path.kpts.T).T
    return Dispersion(name, at, where, waves, true, own, ddof)


def density(
    name: str,
    crystal: tuple[Floats, Floats, Integers],
    reference: Floats | None,
    members: Floats,
    *,
    ddof: int = PAPER_DDOF,
) -> Density:
    """Return the densities of states, by Gaussians on a mesh, all at the same frequencies.

    Arguments and errors are those of `dispersion`.
    """
    phonon = _phonon(*crystal, 'densities of phonon states')
    known = [*([] if reference is None else [reference]), *members]
    ends = []
    for constants in known:
        phonon.force_constants = _square(constants)
        phonon.run_mesh(MESH)
        values = phonon.mesh.frequencies
        ends.append((values.min(), values.max()))
    low, high = min(min(ends)[0], 0.0), max(high for _, high in ends)
    width = SMEARING * (high - low)
    at = np.linspace(low - 3 * width, high + 3 * width, 201)
    found = []
    for constants in known:
        phonon.force_constants = _square(constants)
        phonon.run_mesh(MESH)
        phonon.run_total_dos(
            sigma=width,
            freq_min=at[0],
            freq_max=at[-1] + width / 100,
            freq_pitch=at[1] - at[0],
            use_tetrahedron_method=False,
        )
        found.append(np.asarray(phonon.total_dos.dos)[: len(at)])
    true = None if reference is None else found.pop(0)
    return Density(name, at, true, np.array(found), ddof)


def _square(constants: Floats) -> Floats:
    """Return constants (N, 3, N, 3) as phonopy has them, (N, N, 3, 3)."""
    return np.ascontiguousarray(constants.transpose(0, 2, 1, 3))


def _phonon(cell: Floats, rest: Floats, numbers: Integers, what: str) -> Any:
    """Return phonopy's object of a supercell, whose primitive cell symmetry finds."""
    check_available(what)
    symbols = [chemical_symbols[number] for number in numbers]
    fractions = np.linalg.solve(cell.T, rest.T).T
    atoms = import_module('phonopy.structure.atoms').PhonopyAtoms
    unit = atoms(symbols=symbols, cell=cell, scaled_positions=fractions)
    phonopy = import_module('phonopy')
    return phonopy.Phonopy(unit, supercell_matrix=np.eye(3, dtype=int), primitive_matrix='auto')
