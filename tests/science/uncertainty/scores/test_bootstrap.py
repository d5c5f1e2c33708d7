import numpy as np
import pytest
from scipy import stats

from aiida_enne.science.uncertainty.scores.bootstrap import (
    block_intervals,
    mean_interval,
    share_interval,
    statistic_intervals,
)


@pytest.mark.parametrize('n_blocks', [5, 8, 20, 60])
def test_intervals_hold_the_truth_as_often_as_they_say(rng, n_blocks):
    """Percentiles of the bootstrap would hold it in 77 % of the cases for 5 blocks."""
    hits = {'rmse': 0, 'spread_mean': 0, 'rmse_over_spread': 0, 'cone_coverage': 0}
    blocks = np.repeat(np.arange(n_blocks), 5)
    for trial in range(200):
        # one amplitude per block: its samples are relatives and no independent evidence
        scale = rng.uniform(0.5, 1.5, size=n_blocks)[blocks]
        spread, error = scale, scale * rng.normal(size=5 * n_blocks)
        found = block_intervals(error, spread, blocks, n_bootstrap=200, seed=trial)
        truth = {
            'rmse': np.sqrt(13 / 12),
            'spread_mean': 1.0,
            'rmse_over_spread': 1.0,
            'cone_coverage': 0.6827,
        }
        for name, (low, high) in found.items():
            hits[name] += low <= truth[name] <= high
    for name, count in hits.items():
        assert 0.88 <= count / 200 <= 1.0, name


def test_relatives_widen_the_interval(rng):
    block_error = rng.normal(size=20)
    error, spread = np.repeat(block_error, 50), np.ones(1000)
    widths = []
    for blocks in (np.repeat(np.arange(20), 50), np.arange(1000)):
        low, high = block_intervals(error, spread, blocks, n_bootstrap=300, seed=0)['rmse']
        widths.append(high - low)
    assert widths[0] > 4 * widths[1]


def test_it_is_what_resampling_whole_blocks_gives(rng):
    blocks = np.repeat(np.arange(8), [3, 1, 4, 1, 5, 9, 2, 6])
    error, spread = rng.normal(size=31), rng.uniform(1, 2, size=31)
    found = block_intervals(error, spread, blocks, n_bootstrap=4000, seed=3)
    low, high = found['rmse']
    assert np.sqrt(low * high) == pytest.approx(np.sqrt(np.mean(error**2)))
    by_hand = []
    for _ in range(4000):
        chosen = np.concatenate([np.flatnonzero(blocks == b) for b in rng.integers(0, 8, size=8)])
        by_hand.append(np.sqrt(np.mean(error[chosen] ** 2)))
    half = stats.t.ppf(0.975, 7) * np.std(np.log(by_hand)) * np.sqrt(8 / 7)
    assert np.log(high / low) / 2 == pytest.approx(half, rel=0.05)


def test_a_share_of_all_or_none_is_as_sure_as_there_are_blocks():
    blocks = np.repeat(np.arange(10), 30)
    low, high = share_interval(np.ones(300, dtype=bool), blocks)
    assert (low, high) == (pytest.approx(0.025 ** (1 / 10)), 1.0)
    assert share_interval(np.zeros(300, dtype=bool), blocks) == (0.0, pytest.approx(1 - low))


def test_the_interval_of_any_statistic_is_that_of_a_mean_where_it_is_one(rng):
    blocks, values = np.repeat(np.arange(12), 4), rng.normal(size=48)
    found = statistic_intervals(
        lambda chosen: {'mean': values[chosen].mean()}, blocks, 100, 0, 0.95
    )
    known = mean_interval(values, blocks, 100, 0, 0.95)
    assert found['mean'] == pytest.approx(known)


def test_too_few_blocks_give_no_interval(rng):
    blocks = np.repeat(np.arange(4), 100)
    found = block_intervals(rng.normal(size=400), np.ones(400), blocks, n_bootstrap=50, seed=0)
    assert np.isnan(list(found.values())).all()


def test_the_numbers_of_the_blocks_do_not_matter(rng):
    error, spread, blocks = rng.normal(size=60), np.ones(60), np.repeat(np.arange(6), 10)
    same = [
        block_intervals(error, spread, numbers, n_bootstrap=50, seed=5)
        for numbers in (blocks, 7 * blocks + 1000)
    ]
    assert same[0] == same[1]
