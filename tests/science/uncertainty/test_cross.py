import numpy as np
import pytest

from aiida_enne.science.structures.domains import Domain, kinds_of
from aiida_enne.science.uncertainty.cross import correlate, density_groups, join


def ensembles(rng, within, across, k=3, members=5, n=40_000):
    """Return errors of unit variance, correlated by what all and what each ensemble shares."""
    everyone = np.sqrt(across) * rng.normal(size=n)
    made = {}
    for index in range(k):
        shared = everyone + np.sqrt(within - across) * rng.normal(size=n)
        made[f'set {index}'] = shared + np.sqrt(1 - within) * rng.normal(size=(members, n))
    return made


def test_the_correlations_put_in_are_found(rng):
    found = correlate(ensembles(rng, 0.85, 0.6))
    assert set(found.centred.within) == {'set 0', 'set 1', 'set 2'}
    for pairs in found.centred.within.values():
        assert len(pairs) == 10
        assert pairs.mean() == pytest.approx(0.85, abs=0.01)
    assert len(found.centred.all_within) == 30
    assert len(found.centred.across) == 3 * 25
    assert found.centred.across.mean() == pytest.approx(0.6, abs=0.01)
    assert found.uncentred.across == pytest.approx(found.centred.across, abs=0.01)
    assert (found.n_samples, found.n_members) == (40_000, dict.fromkeys(found.n_members, 5))
    assert found.within_groups is None


def test_numbers_of_pairs_are_the_papers(rng):
    one = correlate({'one': rng.normal(size=(30, 50))})
    assert len(one.centred.within['one']) == 435
    assert one.centred.across.size == 0
    eight = correlate({str(k): rng.normal(size=(30, 50)) for k in range(8)})
    assert len(eight.centred.all_within) + len(eight.centred.across) == 240 * 239 // 2


def test_pearson_removes_a_bias_and_groups_remove_what_differs_between_them(rng):
    errors = {name: 3 + rng.normal(size=(4, 2000)) for name in 'ab'}
    found = correlate(errors)
    assert abs(found.centred.across.mean()) < 0.05
    assert found.uncentred.across.mean() > 0.8
    groups = np.repeat([0, 1], 1000)
    mixed = {name: np.where(groups, 5.0, -5.0) + rng.normal(size=(4, 2000)) for name in 'ab'}
    found = correlate(mixed, groups)
    assert found.centred.across.mean() > 0.9
    assert abs(found.within_groups.across.mean()) < 0.05
    assert abs(found.within_groups.all_within.mean()) < 0.05


def test_the_pairs_of_one_ensemble_stand_beside_those_across_others(rng):
    groups = np.repeat([0, 1], 200)
    one = correlate({'main': ensembles(rng, 0.8, 0.1, k=1, members=30, n=400)['set 0']}, groups)
    others = correlate(ensembles(rng, 0.9, 0.6, members=3, n=500), np.repeat([0, 1], 250))
    found = join(one, others)
    assert len(found.centred.all_within) == 435
    for kind in ('centred', 'uncentred', 'within_groups'):
        assert np.array_equal(getattr(found, kind).all_within, getattr(one, kind).all_within)
        assert np.array_equal(getattr(found, kind).across, getattr(others, kind).across)
    assert (found.n_samples, found.n_samples_across) == (400, 500)
    assert found.errors == {'within': one.errors['within'], 'across': others.errors['across']}
    assert found.n_units == {'within': 30, 'across': 3}
    assert np.array_equal(found.means, others.means)
    assert others.n_samples_across == 500


def test_it_is_pearsons_whatever_the_order(rng):
    errors = {name: rng.normal(size=(3, 20)) for name in 'ab'}
    found = correlate(errors).centred
    matrix = np.corrcoef(np.concatenate(list(errors.values())))
    assert found.within['b'] == pytest.approx(matrix[3:, 3:][np.triu_indices(3, 1)])
    assert sorted(found.across) == pytest.approx(sorted(matrix[:3, 3:].ravel()))
    turned = correlate({'b': errors['b'], 'a': errors['a'][::-1]}).centred
    assert sorted(turned.across) == pytest.approx(sorted(found.across))
    assert sorted(turned.within['a']) == pytest.approx(sorted(found.within['a']))


def test_members_whose_errors_do_not_vary_are_left_out(rng):
    errors = rng.normal(size=(4, 20))
    errors[1] = 0.5
    assert len(correlate({'a': errors}).centred.within['a']) == 3


def test_groups_are_densities():
    domains = [
        'liquid 2.57 g/cm³, 2000 K',
        'liquid 1.89 g/cm³, 2000 K',
        'liquid 2.57 g/cm³, 1600 K',
        'diamond',
    ]
    groups = density_groups(domains, kinds_of(domains))
    assert groups[0] == groups[2]
    assert len(set(groups.tolist())) == 3


def test_densities_are_those_of_the_roles_whatever_the_names():
    kinds = {name: Domain('liquid', 'liquid', density=2.5) for name in ('one run', 'another')}
    assert density_groups(['one run', 'another'], kinds).tolist() == [0, 0]


@pytest.mark.parametrize(
    ('shapes', 'groups', 'message'),
    [
        ([], None, 'the same samples'),
        ([(3, 10), (3, 9)], None, 'the same samples'),
        ([(3, 10), (1, 10)], None, 'two or more members'),
        ([(3, 10)], np.zeros(9, dtype=int), '9 groups do not fit 10 samples'),
    ],
)
def test_what_cannot_be_compared_is_refused(shapes, groups, message):
    errors = {str(k): np.zeros(shape) for k, shape in enumerate(shapes)}
    with pytest.raises(ValueError, match=message):
        correlate(errors, groups)


def test_failed_members_must_be_left_out():
    with pytest.raises(ValueError, match='finite'):
        correlate({'a': np.full((2, 3), np.nan)})


def test_means_of_ensembles_share_more_than_single_members(rng):
    shared = rng.normal(size=3000)
    errors = {name: shared + 2 * rng.normal(size=(10, 3000)) for name in 'abcd'}
    found = correlate(errors)
    assert len(found.means) == 6
    assert found.means.mean() == pytest.approx(1 / (1 + 4 / 10), abs=0.03)
    assert found.centred.across.mean() == pytest.approx(1 / 5, abs=0.03)


def test_the_jackknife_error_is_that_of_new_ensembles(rng):
    def draw():
        # how much a member shares varies from member to member
        weight = 1 + 0.3 * rng.normal(size=(12, 1))
        return correlate({'a': weight * rng.normal(size=2000) + rng.normal(size=(12, 2000))})

    found = [draw() for _ in range(60)]
    seen = np.std([one.centred.all_within.mean() for one in found])
    told = np.mean([one.errors['within'] for one in found])
    assert told == pytest.approx(seen, rel=0.4)
    assert found[0].n_units == {'within': 12, 'across': 1}
    assert np.isnan(found[0].errors['across'])


def test_the_jackknife_error_knows_that_samples_are_few(rng):
    """Members that are all alike: the mean varies by what they share on other samples alone."""

    def draw():
        return correlate({'a': rng.normal(size=100) + rng.normal(size=(40, 100))})

    found = [draw() for _ in range(60)]
    seen = np.std([one.centred.all_within.mean() for one in found])
    told = np.mean([one.errors['within'] for one in found])
    assert told == pytest.approx(seen, rel=0.4)
