"""What spglib and the neighbour list say of a structure."""

import numpy as np
import pytest
import spglib
from ase.neighborlist import neighbor_list


def _symmetry(atoms):
    cell = (atoms.cell[:], atoms.get_scaled_positions(), atoms.numbers)
    return spglib.get_symmetry_dataset(cell, symprec=1e-4)


def _neighbours(atoms, cutoff):
    return np.bincount(neighbor_list('i', atoms, cutoff), minlength=len(atoms)).tolist()


@pytest.fixture
def symmetry():
    return _symmetry


@pytest.fixture
def neighbours():
    return _neighbours
