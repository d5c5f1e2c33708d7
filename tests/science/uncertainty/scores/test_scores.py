"""Laws of the scores beside calibration: what perfect, useless and undefined widths get."""

import numpy as np
import pytest
from scipy import integrate, stats

from aiida_enne.science.uncertainty.scores import detection, local, proper


@pytest.fixture
def calibrated(rng):
    """Errors that are drawn from their widths."""
    width = np.exp(0.7 * rng.normal(size=20_000))
    return width * rng.normal(size=20_000), width


def test_calibrated_widths_have_no_calibration_error(calibrated):
    error, width = calibrated
    assert local.ence(error, width, 10) < 0.03
    assert local.rce(error, width) == pytest.approx(0, abs=0.03)
    assert local.rce(2 * error, width) == pytest.approx(-1, abs=0.06)
    assert local.ence(2 * error, width, 10) == pytest.approx(1, abs=0.05)


def test_ence_sees_what_the_mean_hides(rng):
    """Widths that vary while errors do not: right on average, wrong in every bin."""
    width = np.where(np.arange(10_000) % 2, 0.5, 1.5)
    error = rng.normal(size=10_000) * np.sqrt(np.mean(width**2))
    assert local.rce(error, width) == pytest.approx(0, abs=0.03)
    assert local.ence(error, width, 2) > 0.5


def test_local_z_finds_where_widths_are_too_small(rng):
    volume = np.linspace(10, 20, 5000)
    error = rng.normal(size=5000) * np.where(volume > 18, 3.0, 1.0)
    found = local.local_mean_squared_z(error, np.ones(5000), volume)
    assert found.value == pytest.approx([1, 1, 1, 1, 9], rel=0.15)
    assert found.centre == pytest.approx([11, 13, 15, 17, 19], rel=0.01)
    assert found.count.sum() == 5000


def test_few_samples_have_no_bins():
    assert local.n_bins(19) == 0
    assert local.n_bins(20) == 2
    assert local.n_bins(10_000) == local.MAX_BINS
    assert np.isnan(local.ence(np.ones(5), np.ones(5), 0))
    assert np.isnan(local.ence(np.ones(4), np.zeros(4), 2))


def test_the_area_under_the_curve_is_a_probability(rng):
    error, width = np.array([0.0, 0.5, 2.0, 3.0]), np.array([1.0, 3.0, 2.0, 4.0])
    pairs = [(2, 0), (2, 1), (3, 0), (3, 1)]
    by_hand = np.mean([width[large] > width[small] for large, small in pairs])
    assert detection.roc_auc(error, width, 1.0) == by_hand
    assert detection.roc_auc(error, np.ones(4), 1.0) == 0.5
    assert np.isnan(detection.roc_auc(error, width, 10.0))
    assert np.isnan(detection.roc_auc(error, width, -1.0))


def test_the_confidence_curve_lies_between_oracle_and_chance(rng, calibrated):
    error, width = calibrated
    assert detection.confidence_area(error, np.abs(error)) == 0
    random = float(np.mean(1 - detection.confidence_curve(error, np.abs(error))))
    shuffled = detection.confidence_area(error, rng.permutation(width))
    assert 0 < detection.confidence_area(error, width) < shuffled
    assert shuffled == pytest.approx(random, rel=0.2)
    by_hand = np.sort(np.abs(error))[: len(error) - int(0.5 * len(error))]
    half = detection.confidence_curve(error, np.abs(error))[10]
    assert half == pytest.approx(np.sqrt(np.mean(by_hand**2) / np.mean(error**2)))
    assert np.isnan(detection.confidence_area(np.zeros(5), np.arange(5.0)))


def test_crps_is_the_integral_that_defines_it(rng):
    for error, width in ((0.3, 1.0), (-2.0, 0.5)):
        value, _ = integrate.quad(
            lambda x, e=error, w=width: (stats.norm.cdf(x, 0, w) - (x >= e)) ** 2,
            -12,
            12,
            points=[error],
        )
        found = proper.crps_normal(np.array([error]), np.array([width]))
        assert found[0] == pytest.approx(value, abs=1e-7)
    assert proper.crps_normal(np.array([-0.4]), np.zeros(1))[0] == 0.4


def test_proper_scores_are_those_of_scoringrules(calibrated):
    rules = pytest.importorskip('scoringrules')
    error, width = (values[:100] for values in calibrated)
    np.testing.assert_allclose(
        proper.crps_normal(error, width), rules.crps_normal(error, 0.0, width), rtol=1e-10
    )
    np.testing.assert_allclose(
        proper.nll_normal(error, width), rules.logs_normal(error, 0.0, width), rtol=1e-10
    )


def test_proper_scores_are_best_for_the_right_width(calibrated):
    error, width = calibrated
    for mean in (proper.mean_crps, proper.mean_nll):
        assert mean(error, width) < min(mean(error, 0.6 * width), mean(error, 1.6 * width))
    assert np.isnan(proper.mean_nll(error[:3], np.zeros(3)))
