"""Tests for copies: the same atoms in the same places, wherever they stand."""

import dataclasses

import numpy as np
import pytest

from aiida_enne.science.data.configurations import concatenate
from aiida_enne.science.data.copies import TOLERANCE, find_copies
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
