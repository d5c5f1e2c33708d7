import numpy as np
import pytest

from aiida_enne.science.uncertainty import ensemble
from aiida_enne.science.uncertainty.scores import calibration


@pytest.fixture(scope='module')
def exchangeable():
    """Return truth and members of one distribution by M: the spread is honest."""
    rng = np.random.default_rng(1)

    def draw(n_members, n=200_000):
        drawn = rng.normal(size=(n_members + 1, n)) * rng.uniform(0.5, 2, size=n)
        return drawn[:-1] - drawn[-1]

    return draw


@pytest.mark.parametrize('ddof', [0, 1])
@pytest.mark.parametrize('n_members', [4, 8, 30])
def test_honest_members_reach_what_is_expected(exchangeable, n_members, ddof):
    errors = exchangeable(n_members)
    error, spread = ensemble.mean(errors), ensemble.spread(errors, ddof=ddof)
    expected = calibration.expected_cone_coverage(n_members, ddof=ddof)
    assert calibration.cone_coverage(error, spread) == pytest.approx(expected, abs=4e-3)
    ratio = np.sqrt(np.mean(error**2) / np.mean(spread**2))
    expected = calibration.expected_rmse_over_spread(n_members, ddof=ddof)
    assert ratio == pytest.approx(expected, rel=0.01)
    for level in (0.5, 0.68, 0.95):
        inside = calibration.inside_interval(error, spread, n_members, level=level, ddof=ddof)
        assert inside.mean() == pytest.approx(level, abs=4e-3)
    if n_members > 5:  # below, ε²/σ² has no finite variance to converge with
        expected = calibration.expected_mean_squared_z(n_members, ddof=ddof)
        assert calibration.mean_squared_z(error, spread) == pytest.approx(expected, rel=0.03)


def test_expectations_of_the_paper():
    assert calibration.expected_cone_coverage(30) == pytest.approx(0.659, abs=5e-4)
    assert calibration.expected_cone_coverage(4) == pytest.approx(0.505, abs=5e-4)
    assert calibration.expected_cone_coverage(10**6) == pytest.approx(0.6827, abs=1e-4)
    assert calibration.expected_mean_squared_z(30) == pytest.approx(31 / 27)
    assert calibration.expected_mean_squared_z(3) == np.inf


@pytest.mark.parametrize('n_members', [2, 5, 30])
def test_the_identity_is_exact(rng, n_members):
    shared, bias = rng.normal(size=500), rng.normal(size=(n_members, 1))
    errors = 0.3 + bias + shared + rng.normal(size=(n_members, 500))
    identity = calibration.decompose(errors)
    error, spread = ensemble.mean(errors), ensemble.spread(errors)
    assert identity.mean_squared_error == pytest.approx(np.mean(error**2), rel=1e-12)
    assert identity.mean_squared_spread == pytest.approx(np.mean(spread**2), rel=1e-12)
    covariances = np.cov(errors, ddof=0)
    pairs = covariances[np.triu_indices(n_members, 1)]
    assert identity.variance == pytest.approx(np.trace(covariances) / n_members, rel=1e-12)
    assert identity.covariance == pytest.approx(pairs.mean(), rel=1e-9)
    assert identity.bias == pytest.approx(errors.mean(), rel=1e-12)
    assert identity.bias_variance == pytest.approx(np.var(errors.mean(axis=1)), rel=1e-12)


def test_the_identity_survives_a_bias_far_larger_than_the_errors(rng):
    errors = 1e6 + rng.normal(size=(6, 400))
    plain = calibration.decompose(errors - 1e6)
    shifted = calibration.decompose(errors)
    assert shifted.variance == pytest.approx(plain.variance, rel=1e-8)
    assert shifted.correlation == pytest.approx(plain.correlation, abs=1e-8)


@pytest.mark.parametrize(('rho', 'ratio'), [(0.85, 2.43), (0.88, 2.76)])
def test_correlation_predicts_overconfidence(rng, rho, ratio):
    assert calibration.rmse_over_spread_from_correlation(rho, 30) == pytest.approx(ratio, abs=5e-3)
    shared, own = rng.normal(size=20_000), rng.normal(size=(30, 20_000))
    errors = np.sqrt(rho) * shared + np.sqrt(1 - rho) * own
    assert calibration.decompose(errors).correlation == pytest.approx(rho, abs=0.01)
    error, spread = ensemble.mean(errors), ensemble.spread(errors)
    assert np.sqrt(np.mean(error**2) / np.mean(spread**2)) == pytest.approx(ratio, rel=0.03)
    coverage = {0.85: 0.32, 0.88: 0.28}[rho]
    assert calibration.cone_coverage(error, spread) == pytest.approx(coverage, abs=0.01)


def test_a_spread_that_does_not_vary_ranks_nothing(rng):
    assert np.isnan(calibration.rank_correlation(rng.normal(size=9), np.ones(9)))


def test_what_is_undefined_is_nan():
    assert np.isnan(calibration.decompose(np.zeros((3, 5))).correlation)
    assert np.isnan(calibration.mean_squared_z(np.ones(3), np.zeros(3)))
    assert np.isnan(calibration.rmse_over_spread_from_correlation(1.0, 5))
    assert np.isnan(calibration.rmse_over_spread_from_correlation(-0.9, 5))
