"""What a label costs engines that are no plane waves: by k-points, or by the members of a model."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from ase import Atoms

#: k-points of a mesh of 2×2×2 about Gamma: each is its own inverse.
REFERENCE_POINTS = 8


@dataclass(frozen=True, slots=True)
class Meshed:
    """Local orbitals with k-points: each costs as much as any other, and k and -k are one.

    Attributes:
        label_seconds: Energy and forces of 64 atoms with 2×2×2 k-points, of one core.
        step_seconds: The same of a step of dynamics, which begins with the last density.
        exponent: A label of n atoms costs (n/64) to this power.
        density: k-points per Å⁻¹ of reciprocal length, 2π included.
        mesh: k-points along each reciprocal vector, where it is one for all.
    """

    label_seconds: float
    step_seconds: float
    exponent: float
    density: float
    mesh: tuple[int, int, int] | None = None

    def seconds(self, atoms: Atoms, *, moved: bool = False) -> float:
        """Return the time of one core for a structure, or for the next step of one."""
        mesh = self.mesh or self._mesh_of(atoms)
        own = math.prod(1 if n % 2 else 2 for n in mesh)
        share = (math.prod(mesh) + own) / 2 / REFERENCE_POINTS
        each = self.step_seconds if moved else self.label_seconds
        return float(each * share * (len(atoms) / 64) ** self.exponent)

    def _mesh_of(self, atoms: Atoms) -> tuple[int, int, int]:
        lengths = 2 * math.pi * np.linalg.norm(atoms.cell.reciprocal(), axis=1)
        a, b, c = (max(1, math.ceil(round(float(one) * self.density, 5))) for one in lengths)
        return a, b, c


@dataclass(frozen=True, slots=True)
class Members:
    """An ensemble as an engine: every member is asked about every structure.

    Attributes:
        n: Number of members.
        per_64: Seconds of one core for 64 atoms, of all members.
    """

    n: int
    per_64: float

    def seconds(self, atoms: Atoms, *, moved: bool = False) -> float:
        """Return the time of one core for a structure; a step is as dear as any label."""
        return self.per_64 * len(atoms) / 64
