"""Estimators on last-layer features against their formulas, and an audit that is given features."""

from dataclasses import replace

import numpy as np
import pytest
from scipy import stats
from scipy.spatial.distance import cdist

from aiida_enne.science.uncertainty.audit import audit
from aiida_enne.science.uncertainty.estimators import Asked, contract, make_estimator
from aiida_enne.science.uncertainty.estimators.features import leverage
from aiida_enne.science.uncertainty.features import Features, group_by_density, mean_by
from aiida_enne.science.uncertainty.options import AuditOptions
from tests.science.conftest import make_ensemble

LIQUID, HOT = 'liquid 2000 K, 2.57 g/cm3', 'liquid 2600 K, 2.57 g/cm3'


@pytest.fixture
def gaussian(rng):
    """Return one member whose features are normal, and as many as it was trained on."""
    turn = rng.normal(size=(4, 4))
    known, asked = (rng.normal(size=(1, n, 4)) @ turn + 3.0 for n in (20_000, 2000))
    return Asked(np.zeros((1, 2000)), np.arange(2000), None, asked, known)


def test_the_squared_mahalanobis_distance_of_normal_features_is_chi_square(gaussian):
    square = make_estimator('mahalanobis').fit(None)(gaussian) ** 2
    assert stats.kstest(square, stats.chi2(4).cdf).pvalue > 0.01


def test_one_gaussian_is_half_the_squared_mahalanobis_distance(gaussian):
    pytest.importorskip('sklearn', reason='the extra `uncertainty` is not installed')
    square = make_estimator('mahalanobis').fit(None)(gaussian) ** 2
    values = make_estimator('mixture', {'components': 1}).fit(None)(gaussian)
    np.testing.assert_allclose(np.diff(values), np.diff(square / 2), rtol=1e-3, atol=1e-3)


def test_neighbours_are_the_nearest_of_all(rng):
    samples = contract.make_samples(1)
    by_hand = np.zeros(len(samples))
    for own, known in zip(samples.features, samples.trained, strict=True):
        apart = np.sort(cdist(own / known.std(axis=0), known / known.std(axis=0)), axis=1)
        by_hand += apart[:, :3].mean(axis=1) / len(samples.members)
    found = make_estimator('neighbours', {'k': 3}).fit(None)(samples)
    np.testing.assert_allclose(found, by_hand, rtol=1e-12)


def make_left_out(rng, wrong):
    """Return samples of three members; `wrong` is the error by feature in each of two domains."""
    known, asked = rng.normal(size=(3, 200, 2)), rng.normal(size=(3, 50, 2))
    domain = np.repeat(['dense', 'thin'], 100)
    weights = np.where((domain == 'dense')[:, None], *wrong)
    errors = (known * weights).sum(axis=2)
    members = 0.1 * rng.normal(size=(3, 50))
    return Asked(members, np.arange(50), None, asked, known, errors, 3 * [domain])


def test_a_mistake_of_all_domains_alike_is_no_reason_to_doubt(rng):
    """A refit without any of them makes the same correction."""
    samples = make_left_out(rng, ([0.5, -2.0], [0.5, -2.0]))
    values = make_estimator('left_out', {'ridge': 1e-12}).fit(None)(samples)
    np.testing.assert_allclose(values, samples.members.std(axis=0), rtol=1e-6)


def test_what_only_one_domain_teaches_widens_the_spread_where_its_features_are(rng):
    samples = make_left_out(rng, ([1.0, 0.0], [0.0, 0.0]))
    values = make_estimator('left_out').fit(None)(samples)
    added = values**2 - samples.members.var(axis=0)
    # Δ_d - Δ by hand: the corrections of either domain are exact, that of both is between them
    size = np.zeros(50)
    for own, known, error in zip(
        samples.features, samples.trained, samples.trained_errors, strict=True
    ):
        design = np.column_stack([known, np.ones(200)])
        whole, dense, thin = (
            np.linalg.lstsq(design[part], -error[part])[0]
            for part in (slice(None), slice(100), slice(100, None))
        )
        np.testing.assert_allclose([dense, thin], [[-1, 0, 0], [0, 0, 0]], atol=1e-10)
        asked = np.column_stack([own, np.ones(50)])
        for other in (dense, thin):
            size += (asked @ (other - whole)) ** 2 / 6
    np.testing.assert_allclose(added, size, rtol=1e-4, atol=1e-8)


def test_one_domain_cannot_be_left_out(rng):
    samples = make_left_out(rng, ([1.0, 0.0], [0.0, 0.0]))
    one = replace(samples, trained_group=3 * [np.repeat('dense', 200)])
    with pytest.raises(ValueError, match=r"or densities, all are of \['dense'\]"):
        make_estimator('left_out').fit(None)(one)
    with pytest.raises(ValueError, match='needs the errors of the members on their training'):
        make_estimator('left_out').fit(None)(replace(samples, trained_errors=None))
    with pytest.raises(ValueError, match='`ridge` must be positive, got 0'):
        make_estimator('left_out', {'ridge': 0})


def test_members_may_differ_in_features_and_training(rng):
    """As those of several architectures, and of one split a member, do."""
    own = [rng.normal(size=(9, 3)), rng.normal(size=(9, 5))]
    known = [rng.normal(size=(30, 3)), rng.normal(size=(40, 5))]
    both = Asked(np.zeros((2, 9)), np.arange(9), None, own, known)
    alone = [
        leverage(Asked(np.zeros((1, 9)), np.arange(9), None, [a], [b]))
        for a, b in zip(own, known, strict=True)
    ]
    np.testing.assert_allclose(leverage(both), np.mean(alone, axis=0))
    np.testing.assert_array_equal(both.select(np.arange(4)).features[1], own[1][:4])
    features = Features(own, known, [np.full(6, 5), np.full(8, 5)])
    assert [one.shape for one in features.frames(np.full(3, 3))[1]] == [(6, 3), (8, 5)]


@pytest.fixture(scope='module')
def audited():
    """Return a made-up ensemble with features: of atoms, and summed over configurations."""
    configurations, energies, forces = make_ensemble(n_members=4, per_domain=18)
    rng, counts = np.random.default_rng(3), np.full(40, 8)
    atoms = rng.normal(size=(4, len(configurations.numbers), 3)).astype(np.float32)
    trained = rng.normal(size=(4, 320, 3)).astype(np.float32)
    errors = 0.01 * rng.normal(size=(4, 40))
    domains = 4 * [np.repeat(['a', 'b'], 20)]
    known = errors, domains
    by_atom = Features(atoms, trained, counts, False, *known)
    sums = [mean_by(one, counts) * 8 for one in trained]
    own = [mean_by(one, configurations.n_atoms) * configurations.n_atoms[:, None] for one in atoms]
    return (
        (configurations, energies, forces),
        by_atom,
        Features(own, sums, counts, True, *known),
    )


def run(table, features, **options):
    few = AuditOptions(n_bootstrap=0, n_subsets=2, **options)
    return audit(*table, options=few, features=features)


def test_sums_serve_energies_as_atoms_do_and_forces_are_left_undefined(audited):
    table, by_atom, summed = audited
    options = {'estimator': 'llpr', 'calibration_domain': LIQUID}
    one, other = run(table, by_atom, **options), run(table, summed, **options)
    for name in ('energy_rmse_over_spread', 'energy_rank_correlation', 'energy_crps'):
        assert other.domains[HOT][name] == pytest.approx(one.domains[HOT][name], rel=1e-5)
    assert one.domains[HOT]['force_rmse_over_spread'] > 0
    assert other.domains[HOT]['force_rmse_over_spread'] is None
    assert 'the estimator has no values' in other.why(HOT, 'force_rmse_over_spread')
    # verdicts are on σ of the members, which needs no features
    assert [row.verdict for row in one.verdicts] == [row.verdict for row in other.verdicts]


def test_an_audit_with_domains_left_out_judges_energies(audited):
    table, by_atom, _ = audited
    found = run(table, by_atom, estimator='left_out')
    plain = run(table, None)
    ratio = 'energy_rmse_over_spread'
    assert 0 < found.domains[HOT][ratio] < plain.domains[HOT][ratio]
    assert found.domains[HOT]['force_rmse_over_spread'] is None


def test_features_of_other_atoms_are_refused(audited):
    table, by_atom, _ = audited
    fewer = replace(by_atom, atoms=by_atom.atoms[:, 1:])
    with pytest.raises(ValueError, match=r'features must have \d+ rows of each of 4 members'):
        run(table, fewer, estimator='neighbours')


def test_groups_are_densities_of_domains():
    domains = np.array(['liquid', 'liquid', 'liquid', 'solid', 'solid'])
    found = group_by_density(domains, np.array([20.0, 20.1, 22.0, 20.0, 0.0]))
    assert found[0] == found[1]
    assert len(set(found.tolist())) == 4
