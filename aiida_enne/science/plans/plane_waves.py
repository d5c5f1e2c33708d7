"""What a label by plane waves costs: plane waves, bands, k-points and iterations, counted."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import spglib
from ase import Atoms
from ase.units import Bohr

#: Iterations to self-consistency of a new structure, and of the next step of a relaxation.
ITERATIONS, NEXT_ITERATIONS = 11.0, 8.0
#: Applications of the Hamiltonian to a band in an iteration, by Davidson's method.
APPLICATIONS = 3.5
#: Seconds of one quiet core: a point and its logarithm of a Fourier transform, a product of two
#: coefficients, and what a run takes whatever it computes. Fitted to pw.x 6.7 with norm-conserving
#: silicon: 27 and 39 s of 64 atoms at the Gamma point at 16 and 20 Ry, 8 s of eight atoms with
#: 2×2×2 k-points at 20 Ry. A machine with more work than cores takes two to four times as long.
TRANSFORM, PRODUCT, START = 1.5e-9, 3.0e-10, 0.5


@dataclass(frozen=True, slots=True)
class PlaneWaves:
    """How an engine of plane waves computes.

    Attributes:
        cutoff: Of the wave functions, Ry.
        density_cutoff: Of the density, Ry.
        valence: Electrons by chemical symbol.
        mesh: k-points along each reciprocal vector; None where a distance makes them.
        distance: Largest distance of k-points, 1/Å, 2π included.
        extra_bands: Share of empty bands beside the occupied ones.
    """

    cutoff: float
    density_cutoff: float
    valence: dict[str, float]
    mesh: tuple[int, int, int] | None = None
    distance: float = 0.2
    extra_bands: float = 0.0

    def mesh_of(self, atoms: Atoms) -> tuple[int, int, int]:
        """Return the k-points along each reciprocal vector of a cell."""
        if self.mesh is not None:
            return self.mesh
        lengths = 2 * math.pi * np.linalg.norm(atoms.cell.reciprocal(), axis=1)
        a, b, c = (max(1, math.ceil(round(one / self.distance, 5))) for one in lengths)
        return a, b, c

    def seconds(self, atoms: Atoms, *, moved: bool = False) -> float:
        """Return the time of one core for energy, forces and stress of a structure.

        The model: in each iteration, for every band and k-point, the Hamiltonian is applied by two
        Fourier transforms of the grid, and bands are made orthogonal by products of their plane
        waves, whose number grows as volume times cutoff to 1.5. Real wave functions at the Gamma
        point alone take half of it.

        Args:
            atoms: The structure.
            moved: Whether it is a step of a relaxation, that begins with the last density.
        """
        mesh = self.mesh_of(atoms)
        volume = atoms.get_volume() / Bohr**3
        waves = volume * self.cutoff**1.5 / (6 * math.pi**2)
        grid = count_points(atoms, self.density_cutoff)
        occupied = math.ceil(sum(self.valence[one] for one in atoms.get_chemical_symbols()) / 2)
        bands = occupied + max(4, math.ceil(self.extra_bands * occupied))
        transforms = 2 * APPLICATIONS * bands * grid * math.log2(max(grid, 2)) * TRANSFORM
        products = APPLICATIONS * bands**2 * waves * PRODUCT
        share = 0.5 if mesh == (1, 1, 1) else 1.0
        each = share * count_kpoints(atoms, mesh) * (transforms + products)
        return float(START + (NEXT_ITERATIONS if moved else ITERATIONS) * each)


def count_points(atoms: Atoms, density_cutoff: float) -> int:
    """Return the points of the grid of Fourier transforms: edges are products of 2, 3 and 5.

    Args:
        atoms: The structure.
        density_cutoff: In Ry.
    """
    edges = atoms.cell.lengths() / Bohr * math.sqrt(density_cutoff) / math.pi + 1
    return math.prod(_good_edge(math.floor(edge)) for edge in edges)


def _good_edge(least: int) -> int:
    edge = least
    while True:
        rest = edge
        for factor in (2, 3, 5):
            while rest % factor == 0:
                rest //= factor
        if rest == 1:
            return edge
        edge += 1


def count_kpoints(atoms: Atoms, mesh: tuple[int, int, int]) -> int:
    """Return how many k-points of a mesh about Gamma differ by symmetry, inversion included."""
    if mesh == (1, 1, 1):
        return 1
    cell = (atoms.cell.array, atoms.get_scaled_positions(), atoms.numbers)
    mapping, _ = spglib.get_ir_reciprocal_mesh(list(mesh), cell, is_time_reversal=True)
    return len(np.unique(mapping))
