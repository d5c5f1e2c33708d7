import numpy as np
import pytest

from aiida_enne.science.uncertainty.growth import grow


def test_independent_members_grow_as_the_null(rng):
    found = grow({'liquid': rng.normal(size=(30, 3000)), 'vacancy': rng.normal(size=(30, 3000))})
    assert found.expected_ratio == pytest.approx(1.22, abs=0.005)
    for system in ('liquid', 'vacancy'):
        assert found.ratio(system) == pytest.approx(found.expected_ratio, rel=0.01)
        curve = found.curves[system]
        assert curve.sizes.tolist() == list(range(2, 31))
        assert curve.means / curve.means[-1] == pytest.approx(found.null, abs=0.02)


def test_one_member_far_off_makes_the_spread_grow_more(rng):
    """A member that is off by far joins few subsets of four but is always among the thirty."""
    members = rng.normal(size=(30, 500))
    members[7] += 30
    found = grow({'all': members, 'good': np.delete(np.vstack([members, members[:1]]), 7, axis=0)})
    assert found.ratio('all') > 1.5
    assert found.ratio('good') < 1.3


def test_units_do_not_matter(rng):
    members = rng.normal(size=(6, 50))
    found = grow({'eV': members, 'meV': 1000 * members + 5})
    assert found.ratio('eV') == pytest.approx(found.ratio('meV'))
    assert found.small == 4


def test_few_members_have_no_ratio(rng):
    found = grow({'liquid': rng.normal(size=(4, 50))})
    assert found.ratio('liquid') is None
    assert found.expected_ratio is None


def test_systems_of_different_members_are_refused(rng):
    for systems in ({}, {'a': rng.normal(size=(4, 5)), 'b': rng.normal(size=(3, 5))}):
        with pytest.raises(ValueError, match='the same members'):
            grow(systems)
