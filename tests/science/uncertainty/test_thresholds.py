"""The threshold that does not grow with the number of samples, and how well it is known."""

import numpy as np
import pytest

from aiida_enne.science.uncertainty.thresholds import flag_errors, quantile_interval


def test_the_interval_of_a_quantile_holds_the_truth(rng):
    hits = 0
    for _ in range(400):
        _, low, high = quantile_interval(rng.random(800), 0.99)
        hits += low <= 0.99 <= high
    assert 0.93 <= hits / 400 <= 0.99


def test_few_samples_do_not_bound_a_quantile(rng):
    value, low, high = quantile_interval(rng.random(50), 0.99)
    assert 0 < low <= value
    assert high == np.inf
    many = quantile_interval(rng.random(2000), 0.99)
    assert np.isfinite(many[2])
    # relatives are no more samples than there are blocks
    assert quantile_interval(rng.random(2000), 0.99, n_blocks=50)[2] == np.inf


def test_the_largest_grows_with_the_samples_and_the_quantile_does_not(rng):
    grown = {}
    for n in (1000, 100_000):
        spread = np.exp(rng.normal(size=n))
        known = np.ones(n, dtype=bool)
        found = flag_errors(rng.normal(size=n), spread, known, known)
        grown[n] = found['spread_threshold'], found['spread_quantile']
        assert found['flagged'] == 0
        assert found['flagged_by_quantile'] == pytest.approx(0.01, abs=0.002)
    assert grown[100_000][0] > 2 * grown[1000][0]
    assert grown[100_000][1] == pytest.approx(np.exp(2.326), rel=0.05)
    assert grown[1000][1] == pytest.approx(np.exp(2.326), rel=0.3)
