"""Tests for neighbours and for atoms that have none."""

import numpy as np
from ase import Atoms
from ase.build import bulk

from aiida_enne.science.data.frames import from_atoms
from aiida_enne.science.data.neighbours import hold_lone_atom, lone_atoms, neighbours


def far(distance, pbc=False):
    """Return two atoms so far apart, in a cell twice as large."""
    positions = [[0, 0, 0], [distance, 0, 0]]
    return Atoms('Cu2', positions=positions, cell=3 * [2 * distance], pbc=pbc)


def test_an_atom_is_alone_beyond_the_cutoff_and_not_within():
    frames = from_atoms([far(3.0), far(5.0), far(3.0, pbc=True), Atoms('Cu'), bulk('Cu')])
    assert hold_lone_atom(frames, 4.0).tolist() == [False, True, False, True, False]
    assert hold_lone_atom(frames, 5.1).tolist() == [False, False, False, True, False]
    assert hold_lone_atom(frames, 2.0).all()


def test_one_atom_of_many_that_is_alone_is_found():
    slab = bulk('Cu', cubic=True)
    slab.set_cell([3.6, 3.6, 30])
    slab += Atoms('Cu', positions=[[0, 0, 15]])
    slab.pbc = [False, False, True]
    assert hold_lone_atom(from_atoms([slab]), 4.0).all()
    slab.pop()
    assert not hold_lone_atom(from_atoms([slab]), 4.0).any()


def test_pairs_are_those_of_the_distances():
    atoms = far(2.0)
    first, second, distance = neighbours(
        'ijd', atoms.numbers, atoms.positions, np.zeros((3, 3)), atoms.pbc, 2.5
    )
    assert (first.tolist(), second.tolist()) == ([0, 1], [1, 0])
    np.testing.assert_allclose(distance, 2.0)


def test_domains_with_lone_atoms_are_named_with_counts():
    frames = from_atoms([far(3.0), far(5.0), far(6.0)], domains=['gas', 'gas', 'vapour'])
    one, two = lone_atoms(frames, 4.0)
    assert one.startswith('1 of 2 configurations of gas hold an atom without a neighbour within 4')
    assert two.startswith('1 of 1 configurations of vapour')
    assert lone_atoms(frames, 7.0) == []
