"""Descriptors of structures whose surroundings are known."""

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk, molecule

from aiida_enne.science.data.frames import from_atoms
from aiida_enne.science.structures.descriptors import describe


def of(*structures):
    for index, atoms in enumerate(structures):
        atoms.info = {'domain': 'any', 'block': index}
    return describe(from_atoms(list(structures)))


def test_crystals_have_their_coordination_and_order():
    diamond, fcc = bulk('Si', cubic=True), bulk('Si', 'fcc', a=3.9)
    found = of(diamond, fcc)
    assert found.names[:2] == ('volume (Å³/atom)', 'coordination')
    np.testing.assert_allclose(found.values[0], [5.43**3 / 8, 4, 0, 1], atol=1e-9)
    np.testing.assert_allclose(found.values[1, :3], [3.9**3 / 4, 12, 0])
    assert found.values[1, 3] < 0.8


def test_descriptors_see_no_choice_of_cell_order_or_orientation(rng):
    atoms = bulk('Si', cubic=True)
    atoms.positions += rng.normal(scale=0.2, size=atoms.positions.shape)
    turned = atoms.copy()
    turned.rotate(37, (1, 2, 3), rotate_cell=True)
    twice, other = atoms.repeat((2, 1, 1)), atoms[rng.permutation(8)]
    found = of(atoms, turned, twice, other).values
    for row in found[1:]:
        np.testing.assert_allclose(row, found[0], rtol=1e-9)


def test_random_directions_have_no_order(rng):
    """In the mean over an ideal gas q is 0 (Errington & Debenedetti)."""
    gas = Atoms('Si4000', positions=rng.uniform(0, 45, (4000, 3)), cell=[45] * 3, pbc=True)
    assert of(gas).values[0, 3] == pytest.approx(0, abs=0.03)


def test_molecules_have_no_volume():
    found = of(molecule('CH4'), molecule('H2'))
    assert 'volume (Å³/atom)' not in found.names
    # carbon is bound to four, each hydrogen to one; two atoms have no four neighbours
    np.testing.assert_allclose(found.values[:, 0], [8 / 5, 1])
    assert found.values[1, 2] == 0
