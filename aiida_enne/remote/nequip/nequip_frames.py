"""Configurations on the remote side: batches of them, and their neighbours as NequIP wants them."""

import functools
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
from ase import Atoms
from ase.geometry import complete_cell
from nequip.data import from_ase
from nequip_private import basic_transforms

#: Rattling of the configuration that ways to predict are compared on, in Å: where symmetry makes
#: all forces zero, wrong weights would go unseen.
RATTLE = 0.05


class Geometry(NamedTuple):
    """All that the neighbours of an atom depend on: members with equal ones share the lists."""

    r_max: float
    per_edge_type_cutoff: str | None
    type_names: tuple[str, ...]


class Frames:
    """The configurations of the job, from the arrays that were uploaded."""

    def __init__(self, arrays: dict[str, Any]) -> None:
        self.indices = arrays['indices']
        self.n_atoms = arrays['n_atoms']
        self.numbers, self.positions = arrays['numbers'], arrays['positions']
        self.cells, self.pbc = arrays['cells'], arrays['pbc']
        self.offsets = np.concatenate([[0], np.cumsum(self.n_atoms)])

    def __len__(self) -> int:
        return len(self.n_atoms)

    @property
    def is_periodic(self) -> bool:
        """Whether every configuration repeats in all directions, so that it has a stress."""
        return bool(self.pbc.all())

    def batches(self, n_atoms: int) -> Iterator[range]:
        """Cut into stretches of at most so many atoms, but at least one configuration."""
        first, atoms = 0, 0
        for index, count in enumerate(self.n_atoms.tolist()):
            if index > first and atoms + count > n_atoms:
                yield range(first, index)
                first, atoms = index, 0
            atoms += count
        if len(self):
            yield range(first, len(self))

    def atoms(self, index: int) -> Atoms:
        """Return one structure, with a cell of full rank even where it does not repeat.

        Raises:
            ValueError: If it repeats along a lattice vector that is zero.
        """
        first, last = self.offsets[index : index + 2]
        cell, pbc = self.cells[index], self.pbc[index]
        if (pbc & ~cell.any(axis=1)).any():
            raise ValueError(
                f'configuration {self.indices[index]} repeats along a lattice vector that is zero'
            )
        return Atoms(
            self.numbers[first:last],
            positions=self.positions[first:last],
            cell=complete_cell(cell),
            pbc=pbc,
        )

    def prepare(self, index: int, geometry: Geometry) -> Any:
        """Return the input of a model for one configuration, neighbours included."""
        return to_input(self.atoms(index), geometry)


def to_input(atoms: Atoms, geometry: Geometry) -> Any:
    """Return the input of a model for a structure, neighbours included."""
    data = from_ase(atoms)
    for step in transforms(geometry):
        data = step(data)
    return data


def example(geometry: Geometry) -> Atoms:
    """Return a structure on which ways to predict are compared: 27 atoms of all types, rattled."""
    side, names = 0.45 * geometry.r_max, geometry.type_names
    grid = np.stack(np.meshgrid(*[np.arange(3)] * 3), axis=-1).reshape(-1, 3)
    symbols = [names[index % len(names)] for index in range(len(grid))]
    atoms = Atoms(symbols, positions=side * grid, cell=3 * side * np.eye(3), pbc=True)
    atoms.rattle(0.05 * side, seed=0)
    return atoms


@functools.cache
def transforms(geometry: Geometry) -> list[Any]:
    """Return NequIP's own steps from a structure to the input of a model."""
    names = list(geometry.type_names)
    metadata = {'per_edge_type_cutoff': geometry.per_edge_type_cutoff}
    steps = basic_transforms(metadata, geometry.r_max, names, {name: name for name in names})
    return list(steps)
