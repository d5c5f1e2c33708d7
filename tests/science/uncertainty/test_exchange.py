"""The exact test has the size that it states, for any statistic and any dependence of samples."""

import numpy as np
import pytest
from scipy import stats

from aiida_enne.science.uncertainty import ensemble
from aiida_enne.science.uncertainty.estimators import Asked, make_estimator
from aiida_enne.science.uncertainty.exchange import (
    attainable_level,
    exchange,
    exchange_fits,
    exchange_widths,
    members_needed,
)
from aiida_enne.science.uncertainty.scores.exchangeability import TESTED

REPEATS = 300


def smooth(rng, k, n, length):
    """Draw k curves of n points that a length correlates, with one amplitude by point."""
    x = np.linspace(0, 1, n)[:, None]
    kernel = np.exp(-0.5 * ((x - x.T) / length) ** 2) + 1e-8 * np.eye(n)
    curves = rng.normal(size=(k, n)) @ np.linalg.cholesky(kernel).T
    return curves * np.exp(0.5 * rng.normal(size=n))


@pytest.mark.parametrize(('members', 'length'), [(8, 0.02), (8, 0.4), (30, 0.4)])
def test_honest_ensembles_are_refused_as_often_as_the_level_says(rng, members, length):
    """Where every point of a smooth curve counts as independent, they would be in 28 to 100 %."""
    level = attainable_level(members, 2 / 9)
    refused = dict.fromkeys(TESTED, 0)
    for _ in range(REPEATS):
        potentials = smooth(rng, members + 1, 20, length)
        found = exchange_widths(potentials[1:] - potentials[0], ensemble.spread, TESTED)
        for name, one in found.items():
            refused[name] += one.p_high <= level + 1e-9
    low, high = stats.binom.interval(0.999, REPEATS, level)
    for name, count in refused.items():
        # ties count as larger, so that a share of a few samples is refused less often
        assert count <= high, name
        if name != 'cone_coverage':
            assert count >= low, name


@pytest.mark.parametrize(
    ('name', 'options'),
    [
        ('recalibrated', {}),
        ('conformal', {'level': 0.8}),
        ('conformal', {'level': 0.8, 'score': 'absolute'}),
        ('conformal', {'level': 0.8, 'score': 'leverage'}),
        ('llpr', {}),
        ('neighbours', {}),
    ],
)
def test_what_learns_is_refused_as_often_as_the_level_says(rng, name, options):
    """Fitted anew in every role; samples depend on each other, calibration and judged too."""
    members, level, estimator = 8, 2 / 9, make_estimator(name, options)
    asked = {one: TESTED[one] for one in ('cone_coverage', 'rmse_over_spread')}
    refused, defined = dict.fromkeys(asked, 0), dict.fromkeys(asked, 0)
    trained = [rng.normal(size=(40, 3)) for _ in range(members)]
    block = np.repeat(np.arange(10), 3)
    for _ in range(REPEATS // 2):
        potentials = smooth(rng, members + 1, 60, 0.2)
        errors = potentials[1:] - potentials[0]
        own = [1 + rng.random((60, 3)) for _ in range(members)]
        known, judged = (
            Asked(errors[:, part], block, np.zeros(30), [one[part] for one in own], trained)
            for part in (slice(30), slice(30, 60))
        )
        for one, found in exchange_fits(judged, known, estimator, asked).items():
            if found is not None:  # what is defined in every role is so whichever is the truth
                defined[one] += 1
                refused[one] += found.p_high <= level + 1e-9
    assert min(defined.values()) > REPEATS // 10
    for one, count in refused.items():
        assert count <= stats.binom.ppf(0.9995, defined[one], level), one
    # shares of a few samples tie, and ties count as larger
    ratio = 'rmse_over_spread'
    assert refused[ratio] >= stats.binom.ppf(0.0005, defined[ratio], level)


def test_a_shared_bias_is_found_by_what_learns_where_there_is_none(rng):
    """The calibration domain is honest, the judged one is not: the width does not carry over."""
    members = 30
    honest, own = (rng.normal(size=(members, 60)) for _ in range(2))
    truth, bias = rng.normal(size=60), 4 * rng.normal(size=60)
    block = np.arange(60)
    known = Asked(honest - truth, block, np.zeros(60))
    judged = Asked(own - bias, block, np.zeros(60))
    for name in ('recalibrated', 'conformal'):
        found = exchange_fits(judged, known, make_estimator(name), TESTED)
        assert found['cone_coverage'].p_low == pytest.approx(1 / 31), name
        by_hand = make_estimator(name).fit(known)(judged)
        error = judged.members.mean(axis=0)
        assert found['cone_coverage'].truth == np.mean(np.abs(error) <= by_hand)


def test_what_cannot_be_fitted_in_every_role_has_no_reference(rng):
    few = Asked(rng.normal(size=(3, 20)), np.arange(20), np.zeros(20))
    found = exchange_fits(few, few, make_estimator('recalibrated'), TESTED)
    assert set(found.values()) == {None}  # it takes four members


def test_ranks_of_an_honest_truth_are_uniform(rng):
    ranks = []
    for _ in range(REPEATS):
        potentials = smooth(rng, 5, 6, 0.3)
        found = exchange(potentials[1:], potentials[0], lambda m, t: float(np.max(m.mean(0) - t)))
        ranks.append(round(found.p_high / found.resolution))
    assert stats.chisquare(np.bincount(ranks, minlength=6)[1:]).pvalue > 1e-3


def test_a_bias_that_all_members_share_is_found_with_its_size(rng):
    shared, own = rng.normal(size=(1, 200)), rng.normal(size=(30, 200))
    found = exchange_widths(3 * shared + own, ensemble.spread, TESTED)
    one = found['rmse_over_spread']
    assert one.p_high == one.resolution == pytest.approx(1 / 31)
    assert one.p_low == 1
    assert one.effect == pytest.approx(3, rel=0.1)
    assert found['cone_coverage'].p_low == pytest.approx(1 / 31)


def test_predictions_serve_as_errors_do(rng):
    truth, members = rng.normal(size=30), rng.normal(size=(6, 30))

    def ratio(m, t):
        return float(np.sqrt(np.mean((m.mean(0) - t) ** 2) / np.mean(m.var(0))))

    one = exchange(members, truth, ratio)
    other = exchange_widths(members - truth, ensemble.spread, TESTED)['rmse_over_spread']
    np.testing.assert_allclose([one.truth, *one.members], [other.truth, *other.members])


def test_few_members_reach_no_small_level():
    assert members_needed() == 19
    assert attainable_level(18) is None
    assert attainable_level(19) == pytest.approx(0.05)
    assert attainable_level(30) == pytest.approx(1 / 31)
    assert attainable_level(2) is None


def test_what_is_undefined_for_one_is_undefined(rng):
    def odd(members, truth):
        return float('nan') if truth[0] > 0 else 0.0

    assert exchange(np.array([[1.0], [-1.0]]), np.array([-1.0]), odd) is None
