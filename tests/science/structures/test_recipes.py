"""Recipes: plain values that say which structures to build."""

import numpy as np
import pytest

from aiida_enne.science.structures.recipes import build


@pytest.mark.parametrize('repeats', [1, 2])
def test_a_phase_is_repeated_without_a_change_of_its_density(repeats):
    built = build([{'kind': 'phase', 'phase': 'hcp', 'volumes': [14.0, 16.0], 'repeats': repeats}])
    np.testing.assert_array_equal(built.n_atoms, 2 * repeats**3)
    volumes = np.abs(np.linalg.det(built.cells)) / built.n_atoms
    np.testing.assert_allclose(volumes, [14.0, 16.0])
    assert set(built.domains) == {'hcp'}


def test_repeats_below_one_are_refused():
    with pytest.raises(ValueError, match='repeats must be an integer of at least 1, got 0'):
        build([{'kind': 'phase', 'phase': 'fcc', 'volumes': [15.0], 'repeats': 0}])
