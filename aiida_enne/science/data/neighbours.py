"""Neighbours of atoms, and the atoms that have none."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
from ase import Atoms
from ase.geometry import complete_cell
from matscipy.neighbours import neighbour_list
from numpy.typing import ArrayLike, NDArray

from aiida_enne.science.data.configurations import Configurations
from aiida_enne.science.structures.domains import in_order


def neighbours(
    quantities: str,
    numbers: ArrayLike,
    positions: ArrayLike,
    cell: ArrayLike,
    pbc: ArrayLike,
    cutoff: float,
) -> Any:
    """Return pairs of atoms of one structure, as `matscipy.neighbours.neighbour_list` does.

    Args:
        quantities: Letters of what is returned: 'i', 'j', 'd', 'D'.
        numbers: Atomic numbers, shape (N,).
        positions: In Å, shape (N, 3).
        cell: Lattice vectors in Å, shape (3, 3); of any rank where it does not repeat.
        pbc: Periodic directions, shape (3,).
        cutoff: In Å.
    """
    atoms = Atoms(numbers, positions=positions, cell=complete_cell(cell), pbc=pbc)
    with warnings.catch_warnings():
        warnings.simplefilter('ignore', RuntimeWarning)  # much vacuum is slow, but right
        return neighbour_list(quantities, atoms, cutoff)


def neighbours_in(
    quantities: str, configurations: Configurations, index: int, cutoff: float
) -> Any:
    """Return pairs of atoms of one of many configurations, see `neighbours`."""
    atoms = configurations.atom_index([index])
    return neighbours(
        quantities,
        configurations.numbers[atoms],
        configurations.positions[atoms],
        configurations.cells[index],
        configurations.pbc[index],
        cutoff,
    )


def hold_lone_atom(configurations: Configurations, cutoff: float) -> NDArray[np.bool_]:
    """Return which configurations hold an atom without a neighbour within a cutoff in Å, (n,)."""
    found = np.zeros(len(configurations), dtype=bool)
    for index, count in enumerate(configurations.n_atoms.tolist()):
        centres = neighbours_in('i', configurations, index, cutoff)
        found[index] = len(np.unique(centres)) < count
    return found


def lone_atoms(configurations: Configurations, cutoff: float) -> list[str]:
    """Return a sentence on each domain with atoms that have no neighbour within a cutoff in Å."""
    alone = hold_lone_atom(configurations, cutoff)
    sentences = []
    for domain in in_order(configurations.domains[alone].tolist()):
        inside = configurations.domains == domain
        sentences.append(
            f'{alone[inside].sum()} of {inside.sum()} configurations of {domain} hold an atom '
            f'without a neighbour within {cutoff:g} Å: to a model its energy is a constant of its '
            'element and its force is zero, nothing more can be learnt of it'
        )
    return sentences
