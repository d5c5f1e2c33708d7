import numpy as np
import pytest

from aiida_enne.science.uncertainty.scores.correlations import (
    centre_within,
    correlation_matrix,
    over_pairs,
)


def test_the_correlation_put_in_is_found(rng):
    shared, own = rng.normal(size=50_000), rng.normal(size=(6, 50_000))
    matrix = correlation_matrix(np.sqrt(0.85) * shared + np.sqrt(0.15) * own, centred=True)
    mean, std = over_pairs(matrix)
    assert mean == pytest.approx(0.85, abs=0.01)
    assert std < 0.01


def test_it_is_pearsons(rng):
    errors = rng.normal(size=(5, 40)) + rng.normal(size=40)
    matrix = correlation_matrix(errors, centred=True)
    assert matrix == pytest.approx(np.corrcoef(errors), abs=1e-12)
    pairs = np.corrcoef(errors)[np.triu_indices(5, 1)]
    assert over_pairs(matrix) == pytest.approx((pairs.mean(), pairs.std()), abs=1e-12)


def test_a_common_bias_shows_only_uncentred(rng):
    errors = 10 + rng.normal(size=(4, 5000))
    assert abs(over_pairs(correlation_matrix(errors, centred=True))[0]) < 0.03
    assert over_pairs(correlation_matrix(errors, centred=False))[0] > 0.98


def test_what_only_differs_between_groups_is_gone_within_them(rng):
    groups = np.repeat(np.arange(50), 100)
    errors = 5 * rng.normal(size=50)[groups] + rng.normal(size=(4, 5000))
    assert over_pairs(correlation_matrix(errors, centred=True))[0] > 0.9
    within = centre_within(errors, groups)
    assert abs(over_pairs(correlation_matrix(within, centred=False))[0]) < 0.03
    for group in (0, 49):
        assert within[:, groups == group].mean(axis=1) == pytest.approx(np.zeros(4), abs=1e-12)


def test_groups_of_one_leave_nothing_to_correlate(rng):
    within = centre_within(rng.normal(size=(3, 10)), np.arange(10))
    assert np.isnan(over_pairs(correlation_matrix(within, centred=False))).all()


def test_a_constant_error_has_no_correlation(rng):
    errors = np.vstack([np.full(30, 0.1), rng.normal(size=(2, 30))])
    matrix = correlation_matrix(errors, centred=True)
    assert np.isnan(matrix[0]).all()
    assert matrix[1, 2] == pytest.approx(np.corrcoef(errors[1:])[0, 1])
