"""A few numbers that say what a configuration is: density, coordination, order of bond angles."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from ase.data import covalent_radii

from aiida_enne.science.data.configurations import Configurations
from aiida_enne.science.data.neighbours import neighbours_in
from aiida_enne.science.fields import Floats

#: Two atoms are bound up to this share of the sum of their covalent radii: 2.78 Å for silicon.
BOUND = 1.25
#: Neighbours are looked for up to this share: the four nearest of an atom are among them.
REACH = 2.0


@dataclass(frozen=True, slots=True)
class Descriptors:
    """Numbers of n configurations.

    Attributes:
        names: What each is, with its unit, d of them.
        values: Shape (n, d), all finite.
    """

    names: tuple[str, ...]
    values: Floats

    def extended(self, name: str, values: Floats) -> Descriptors:
        """Return these and one more."""
        return Descriptors((*self.names, name), np.column_stack([self.values, values]))


def describe(configurations: Configurations) -> Descriptors:
    """Return volume per atom, coordination (mean and deviation over atoms) and angular order.

    An atom's coordination is its number of bonds, pairs up to `BOUND` times the sum of covalent
    radii. The order of its bond angles is q = 1 - 3/8 Σ (cos θ + 1/3)² over the six pairs of its
    four nearest neighbours: 1 for a tetrahedron, 0 in the mean for random directions (Errington &
    Debenedetti, Nature 409, 318, 2001); 0 where there are fewer than four.

    Args:
        configurations: n of them. Those that do not repeat in three directions have no volume: it
            is left out for all.
    """
    names = ['coordination', 'deviation of coordination', 'tetrahedral order q']
    rows = [_of_one(configurations, index) for index in range(len(configurations))]
    values = np.array(rows, dtype=np.float64).reshape(len(rows), len(names))
    if configurations.pbc.all():
        names.insert(0, 'volume (Å³/atom)')
        volume = configurations.volumes / configurations.n_atoms
        values = np.column_stack([volume, values])
    return Descriptors(tuple(names), values)


def _of_one(configurations: Configurations, index: int) -> tuple[float, float, float]:
    numbers = configurations.numbers[configurations.atom_index([index])]
    radii = covalent_radii[numbers]
    first, second, distance, vector = neighbours_in(
        'ijdD', configurations, index, 2 * REACH * float(radii.max())
    )
    bound = distance <= BOUND * (radii[first] + radii[second])
    count = np.bincount(first[bound], minlength=len(numbers))
    order = np.lexsort((distance, first))
    first, unit = first[order], (vector / distance[:, None])[order]
    starts = np.searchsorted(first, np.arange(len(numbers) + 1))
    known = np.flatnonzero(np.diff(starts) >= 4)
    nearest = unit[starts[known, None] + np.arange(4)]
    cosine = np.einsum('aik,ajk->aij', nearest, nearest)[:, *np.triu_indices(4, 1)]
    order_of_angles = np.zeros(len(numbers))
    order_of_angles[known] = 1 - 3 / 8 * ((cosine + 1 / 3) ** 2).sum(axis=1)
    return float(count.mean()), float(count.std()), float(order_of_angles.mean())
