import itertools

import numpy as np
import pytest

from aiida_enne.science.uncertainty import ensemble


@pytest.fixture
def predictions(rng):
    return rng.normal(-5.0, 0.1, size=(7, 300))


def test_the_order_of_the_members_does_not_matter(predictions, rng):
    shuffled = predictions[rng.permutation(7)]
    assert ensemble.spread(shuffled) == pytest.approx(ensemble.spread(predictions), rel=1e-12)
    assert ensemble.mean(shuffled) == pytest.approx(ensemble.mean(predictions), rel=1e-12)


@pytest.mark.parametrize('factor', [1e-3, 27.2])
def test_units_scale_the_spread(predictions, factor):
    scaled = ensemble.spread(factor * predictions)
    assert scaled == pytest.approx(factor * ensemble.spread(predictions), rel=1e-12)


def test_a_shift_common_to_all_members_leaves_the_spread_and_moves_the_error(predictions):
    assert ensemble.spread(predictions + 3) == pytest.approx(ensemble.spread(predictions), rel=1e-9)
    moved = ensemble.error(predictions + 3, np.zeros(300))
    assert moved - ensemble.error(predictions, np.zeros(300)) == pytest.approx(3)


def test_ddof_is_the_divisor(predictions):
    ratio = ensemble.spread(predictions, ddof=1) / ensemble.spread(predictions)
    assert ratio == pytest.approx(np.sqrt(7 / 6), rel=1e-12)
    assert ensemble.spread(predictions) == pytest.approx(predictions.std(axis=0), rel=1e-12)


@pytest.mark.parametrize(('members', 'ddof'), [(1, 0), (3, 2)])
def test_what_has_no_spread_is_refused(members, ddof):
    with pytest.raises(ValueError, match='member'):
        ensemble.spread(np.ones((members, 4)), ddof=ddof)


def test_a_failed_member_is_named(predictions):
    predictions[3, 17] = np.nan
    with pytest.raises(ValueError, match=r'\[3\] are not finite'):
        ensemble.check_members(predictions, 'energies')
    with pytest.raises(ValueError, match='needs 2 or more members, got 1'):
        ensemble.check_members(predictions[:1], 'energies')
    with pytest.raises(ValueError, match='got 3'):
        ensemble.check_members(predictions[:2], 'energies', ddof=3)


@pytest.mark.parametrize('ddof', [0, 1])
def test_few_subsets_are_all_taken(predictions, ddof):
    curve = ensemble.spread_by_size(predictions, n_subsets=100, seed=0, ddof=ddof)
    for size, mean, std in zip(curve.sizes, curve.means, curve.stds, strict=True):
        every = [
            predictions[list(chosen)].std(axis=0, ddof=ddof).mean()
            for chosen in itertools.combinations(range(7), size)
        ]
        assert mean == pytest.approx(np.mean(every), rel=1e-9)
        assert std == pytest.approx(np.std(every), rel=1e-6, abs=1e-12)


def test_subsets_depend_on_the_seed_alone(rng):
    predictions = rng.normal(size=(20, 50))
    first, again, other = (
        ensemble.spread_by_size(predictions, n_subsets=10, seed=seed).means for seed in (1, 1, 2)
    )
    assert (first == again).all()
    assert not (first == other).all()
    assert first[-1] == pytest.approx(predictions.std(axis=0).mean(), rel=1e-12)


def test_independent_members_follow_the_null(rng):
    predictions = rng.normal(size=(30, 4000))
    curve = ensemble.spread_by_size(predictions, n_subsets=30, seed=0)
    null = ensemble.null_spread(curve.sizes)
    assert curve.means / curve.means[-1] == pytest.approx(null, rel=5e-3)


def test_the_null_grows_by_1_22_from_4_to_30_members():
    null = ensemble.null_spread([4, 30])
    assert null[1] == 1
    assert null[1] / null[0] == pytest.approx(1.2217, abs=1e-4)
    # with ddof 1 only the bias of the square root is left
    assert 1 / ensemble.null_spread([4, 30], ddof=1)[0] == pytest.approx(
        0.99142 / 0.92132, rel=1e-4
    )
