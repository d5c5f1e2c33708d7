"""An arm beats chance only where repeats say so; the size of the test is nominal."""

import numpy as np
import pytest

from aiida_enne.science.selection.comparison import Curve, compare, pooled_rmse

LABELS = [0, 8, 16, 24]


def curves(factor, repeats, noise=0.0, seed=0):
    """Return two arms whose errors fall with labels; one has `factor` times the other's."""
    rng = np.random.default_rng(seed)
    found = []
    for repeat in range(1, repeats + 1):
        for arm, scale in (('random', 1.0), ('sigma', factor)):
            errors = np.exp(-np.array(LABELS) / 16) * np.exp(noise * rng.normal(size=4))
            errors[1:] *= scale
            found.append(Curve(arm, repeat, LABELS, errors.tolist()))
    return found


def test_a_factor_is_found_with_the_labels_that_it_saves():
    found = compare(curves(np.exp(-0.25), 4, noise=1e-9), 'random')['sigma']
    assert found['verdict'] == 'better than chance'
    assert found['ratio'] == pytest.approx(np.exp(-0.25), rel=1e-6)
    # chance ends at ln(error) -1.5, where the arm is after 20 labels
    assert found['labels_saved'] == pytest.approx(4, abs=1e-5)
    worse = compare(curves(np.exp(0.25), 4, noise=1e-9), 'random')['sigma']
    assert worse['verdict'] == 'worse than chance'
    assert worse['labels_saved'] == pytest.approx(-4, abs=1e-5)


def test_labels_saved_are_read_between_rounds():
    fast = Curve('sigma', 1, [0, 8], [1.0, np.exp(-1.25)])  # where chance is after 20
    slow = Curve('random', 1, LABELS, np.exp(-np.array(LABELS) / 16).tolist())
    found = compare([fast, slow], 'random')['sigma']
    assert found['labels_saved'] == pytest.approx(20 - 8)


def test_fewer_than_three_repeats_decide_nothing():
    found = compare(curves(0.1, 2), 'random')['sigma']
    assert found['verdict'] == 'undecided'
    assert '2 repeats: an interval needs 3; set `repeats: 3`' in found['reason']


def test_without_chance_nothing_is_compared():
    found = compare([Curve('sigma', 1, LABELS, [1.0, 0.5, 0.3, 0.2])], 'random')['sigma']
    assert found == {
        'n_repeats': 0,
        'verdict': 'undecided',
        'reason': 'no repeat has rounds of both this arm and `random`',
    }


@pytest.mark.parametrize('repeats', [3, 5])
def test_arms_with_one_and_the_same_curve_are_never_told_apart(repeats):
    found = compare(curves(1.0, repeats), 'random')['sigma']
    assert found['verdict'] == 'undecided'
    assert (found['ratio_low'], found['ratio_high'], found['labels_saved']) == (1.0, 1.0, 0.0)


def test_arms_that_are_alike_are_told_apart_as_often_as_the_level_says():
    rng = np.random.default_rng(1)
    n = 1500
    wrong = sum(
        compare(curves(1.0, 4, noise=0.2, seed=int(rng.integers(2**31))), 'random')['sigma'][
            'verdict'
        ]
        != 'undecided'
        for _ in range(n)
    )
    assert abs(wrong - 0.05 * n) < 4 * np.sqrt(0.05 * 0.95 * n)


def test_errors_are_pooled_over_components():
    domains = {
        'a': {'force_rmse': 1.0, 'n_force_components': 30},
        'b': {'force_rmse': 2.0, 'n_force_components': 10},
        'c': {'force_rmse': None, 'n_force_components': 0},
    }
    assert pooled_rmse(domains) == pytest.approx(np.sqrt((30 + 40) / 40))
    with pytest.raises(ValueError, match='there is no error'):
        pooled_rmse({'c': domains['c']})
