"""Tests for error and spread of stresses."""

import numpy as np
import pytest

from aiida_enne.science.fields import GPA_PER_EV_PER_CUBIC_ANGSTROM as GPA
from aiida_enne.science.properties.stresses import COMPONENTS, judge_stresses


def symmetric(values):
    return (values + np.swapaxes(values, -1, -2)) / 2


def test_an_error_of_one_component_is_seen_there_in_gpa():
    reference = np.zeros((4, 3, 3))
    members = np.zeros((3, 4, 3, 3))
    members[:, :, 1, 2] = members[:, :, 2, 1] = np.array([1.0, 2.0, 3.0])[:, None] / GPA
    found = judge_stresses(reference, members)
    assert COMPONENTS == ('xx', 'yy', 'zz', 'yz', 'xz', 'xy')
    np.testing.assert_allclose(found.rmse, [0, 0, 0, 2, 0, 0], atol=1e-12)
    np.testing.assert_allclose(found.spread, [0, 0, 0, np.sqrt(2 / 3), 0, 0], atol=1e-12)
    assert found.ratio == pytest.approx(2 / np.sqrt(2 / 3))
    assert found.pressure_error == 0


def test_a_pressure_is_minus_a_third_of_the_trace():
    reference = np.zeros((2, 3, 3))
    found = judge_stresses(reference, np.broadcast_to(-0.5 * np.eye(3) / GPA, (2, 2, 3, 3)))
    assert found.pressure_error == pytest.approx(0.5)
    assert found.ratio == np.inf


def test_an_honest_ensemble_has_a_ratio_near_one(rng):
    reference = symmetric(rng.normal(size=(4000, 3, 3)))
    middle = symmetric(rng.normal(size=(4000, 3, 3)))
    members = middle + symmetric(rng.normal(size=(40, 4000, 3, 3)))
    truth = middle + symmetric(rng.normal(size=reference.shape))
    assert judge_stresses(truth, members).ratio == pytest.approx(1.0, abs=0.05)


def test_labels_without_a_stress_are_left_out(rng):
    reference, members = rng.normal(size=(5, 3, 3)), rng.normal(size=(4, 5, 3, 3))
    part = judge_stresses(reference[:3], members[:, :3])
    reference[3:] = np.nan
    found = judge_stresses(reference, members)
    assert found.n == 3
    np.testing.assert_array_equal(found.rmse, part.rmse)
    assert judge_stresses(np.full((5, 3, 3), np.nan), members) is None
    with pytest.raises(ValueError, match='are not those of'):
        judge_stresses(reference, members[:, :2])
