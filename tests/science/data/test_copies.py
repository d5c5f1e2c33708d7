"""Tests for copies: the same atoms in the same places, wherever they stand."""

import dataclasses

import numpy as np
import pytest

from aiida_enne.science.data.configurations import concatenate
from aiida_enne.science.data.copies import TOLERANCE, find_copies, find_equivalent
from aiida_enne.science.data.frames import from_atoms
from tests.members import alloys


@pytest.fixture(scope='module')
def known(labelled_frames):
    """Cells of four atoms of copper, of alloys, and of eight atoms."""
    pairs = [atoms.repeat((1, 1, 2)) for atoms in labelled_frames[:4]]
    return concatenate(
        [
            from_atoms(labelled_frames).unlabelled(),
            from_atoms(alloys(6)).unlabelled(),
            from_atoms(pairs).unlabelled(),
        ]
    )


def test_every_configuration_is_its_own_copy_in_any_order(known, rng):
    order = rng.permutation(len(known))
    np.testing.assert_array_equal(find_copies(known.select(order), known), order)


def test_what_is_not_among_the_known_is_no_copy(known):
    chosen = np.arange(len(known)) % 2 == 0
    found = find_copies(known, known.select(np.flatnonzero(chosen)))
    np.testing.assert_array_equal(found >= 0, chosen)


@pytest.mark.parametrize(('shift', 'is_copy'), [(0.5, True), (0.99, True), (1.5, False)])
def test_the_tolerance_is_that_of_every_coordinate(known, rng, shift, is_copy):
    moved = known.positions + shift * TOLERANCE * rng.choice([-1, 1], known.positions.shape)
    assert (find_copies(dataclasses.replace(known, positions=moved), known) >= 0).all() == is_copy


def test_a_file_of_six_decimals_changes_nothing(known):
    rounded = dataclasses.replace(
        known, positions=known.positions.round(6), cells=known.cells.round(6)
    )
    np.testing.assert_array_equal(find_copies(rounded, known), np.arange(len(known)))


def test_other_elements_or_cells_make_another_configuration(known):
    other = dataclasses.replace(known, numbers=np.where(known.numbers == 13, 29, 47))
    assert (find_copies(other, known) == -1).all()
    assert (find_copies(dataclasses.replace(known, cells=1.001 * known.cells), known) == -1).all()


def test_of_several_copies_the_first_is_named_and_none_of_nothing(known):
    twice = concatenate([known, known])
    np.testing.assert_array_equal(find_copies(twice, twice), np.tile(np.arange(len(known)), 2))
    assert find_copies(known.select([]), known).tolist() == []
    assert (find_copies(known, known.select([])) == -1).all()


def moved(configurations, rng):
    """Return each moved as a whole, its atoms in another order and moved by lattice vectors."""
    parts = []
    for i in range(len(configurations)):
        one = configurations.select([i])
        order = rng.permutation(int(one.n_atoms[0]))
        lattice = rng.integers(-2, 3, (len(order), 3)) @ one.cells[0]
        positions = one.positions[order] + rng.uniform(-5, 5, 3) + lattice
        parts.append(dataclasses.replace(one, positions=positions, numbers=one.numbers[order]))
    return concatenate(parts)


def test_a_crystal_is_known_wherever_it_stands_and_however_its_atoms_are_numbered(known, rng):
    asked = moved(known, rng)
    np.testing.assert_array_equal(find_equivalent(asked, known), np.arange(len(known)))
    others = np.arange(len(known)) % 2 == 0
    found = find_equivalent(asked, known.select(np.flatnonzero(others)))
    np.testing.assert_array_equal(found >= 0, others)


def test_one_atom_elsewhere_makes_another_crystal(known, rng):
    asked = moved(known, rng)
    asked.positions[asked.offsets[:-1]] += [0.0, 0.0, 0.01]
    assert (find_equivalent(asked, known) == -1).all()


def test_what_is_not_periodic_has_no_lattice(known):
    pair = known.select([0])
    free = dataclasses.replace(pair, pbc=np.zeros((1, 3), dtype=bool))
    shifted = free.positions + np.array([0.3, 0.2, 0.1])
    assert find_equivalent(dataclasses.replace(free, positions=shifted), free).tolist() == [0]
    assert find_equivalent(free, pair).tolist() == [-1]
    shifted[0] += free.cells[0, 0]
    assert find_equivalent(dataclasses.replace(free, positions=shifted), free).tolist() == [-1]
