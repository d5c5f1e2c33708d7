"""What each rival of σ must give on made-up samples with known answers."""

from dataclasses import replace

import numpy as np
import pytest

from aiida_enne.science.uncertainty import ensemble
from aiida_enne.science.uncertainty.audit import audit
from aiida_enne.science.uncertainty.estimators import Asked, contract, make_estimator
from aiida_enne.science.uncertainty.estimators.conformal import TooFew, conformal_quantile
from aiida_enne.science.uncertainty.estimators.features import leverage
from aiida_enne.science.uncertainty.features import Features, mean_by
from aiida_enne.science.uncertainty.options import AuditOptions
from tests.science.conftest import make_ensemble

LIQUID = 'liquid 2000 K, 2.57 g/cm3'


@pytest.mark.parametrize('name', ['conformal', 'finite', 'llpr', 'mixture', 'neighbours'])
@pytest.mark.parametrize('other', [False, True])
def test_estimators_keep_the_contract_with_other_options(name, other):
    if name == 'mixture':
        pytest.importorskip('sklearn', reason='the extra `uncertainty` is not installed')
    options = {
        'conformal': {'score': 'leverage', 'mondrian': True, 'level': 0.5},
        'finite': {'level': 0.5},
        'llpr': {'ridge': 1e-2},
        'mixture': {'components': 2},
        'neighbours': {'k': 1},
    }
    contract.check_estimator(name, options[name] if other else {})


@pytest.mark.parametrize('members', [4, 30])
@pytest.mark.parametrize('level', [0.5, 0.9])
def test_the_finite_interval_holds_a_truth_like_the_members(rng, members, level):
    drawn = rng.normal(size=(members + 1, 20_000))
    widths = make_estimator('finite', {'level': level}).fit(None)(Asked(drawn[1:], np.arange(9)))
    inside = np.abs(ensemble.mean(drawn[1:]) - drawn[0]) <= widths
    assert inside.mean() == pytest.approx(level, abs=0.012)


@pytest.mark.parametrize('score', ['spread', 'absolute'])
def test_a_conformal_width_covers_what_it_promises_whatever_the_errors(rng, score):
    """Heavy tails and a scale that is off by five do not matter within one domain."""
    covered = []
    for _ in range(300):
        members = rng.normal(size=(5, 60)) * np.exp(rng.normal(size=60))
        truth = 5 * members.std(axis=0) * rng.standard_t(2, size=60)
        samples = Asked(members, np.arange(60), truth)
        first, second = samples.select(np.arange(30)), samples.select(np.arange(30, 60))
        fitted = make_estimator('conformal', {'level': 0.8, 'score': score}).fit(first)
        inside = np.abs(ensemble.error(second.members, second.reference)) <= fitted(second)
        covered.append(inside.mean())
    assert 0.8 - 0.02 < np.mean(covered) < 0.8 + 1 / 31 + 0.02


@pytest.mark.parametrize('scaled', [True, False])
def test_conformal_widths_are_those_of_crepes(rng, scaled):
    crepes = pytest.importorskip('crepes')
    members, truth = rng.normal(size=(6, 80)), rng.normal(size=80)
    samples = Asked(members, np.arange(80), truth)
    sigma = members.std(axis=0, ddof=1) if scaled else None
    theirs = crepes.ConformalRegressor().fit(residuals=members.mean(0) - truth, sigmas=sigma)
    found = theirs.predict_int(y_hat=np.zeros(80), sigmas=sigma, confidence=0.9)
    score = 'spread' if scaled else 'absolute'
    ours = make_estimator('conformal', {'score': score}).fit(samples)(samples)
    np.testing.assert_allclose(ours, found[:, 1], rtol=1e-12)


def test_relatives_are_no_more_calibration_samples_than_there_are_blocks(rng):
    scores, few = rng.random(90), np.repeat(np.arange(9), 10)
    assert conformal_quantile(scores, few, 0.9) == scores.max()
    assert conformal_quantile(scores, np.arange(90), 0.9) == np.sort(scores)[81]
    with pytest.raises(TooFew, match=r'8 independent blocks cannot bound .* 9 or more'):
        conformal_quantile(scores[:80], few[:80], 0.9)


def test_mondrian_widths_cover_each_domain_by_its_own_quantile(rng):
    domain = np.repeat([0, 1], 200)
    truth = np.where(domain == 0, 1.0, 10.0) * rng.normal(size=400)
    samples = Asked(rng.normal(size=(5, 400)), np.arange(400), truth, domain=domain)
    for mondrian, apart in ((False, 1.0), (True, 10.0)):
        options = {'score': 'absolute', 'mondrian': mondrian}
        widths = make_estimator('conformal', options).fit(samples)(samples)
        assert widths[-1] / widths[0] == pytest.approx(apart, rel=0.2)


def test_the_leverage_is_that_of_each_member_with_its_own_features(rng):
    samples = contract.make_samples(3)
    by_hand = np.zeros(len(samples))
    for own, known in zip(samples.features, samples.trained, strict=True):
        normal = known.T @ known
        normal += 1e-6 * np.trace(normal) / 5 * np.eye(5)
        by_hand += [np.sqrt(one @ np.linalg.solve(normal, one)) / 8 for one in own]
    np.testing.assert_allclose(leverage(samples), by_hand, rtol=1e-10)
    # a member's features may be turned by any invertible matrix: the last layer turns back
    turned = rng.normal(size=(5, 5))
    other = replace(samples, features=samples.features @ turned, trained=samples.trained @ turned)
    np.testing.assert_allclose(leverage(other, 1e-14), leverage(samples, 1e-14), rtol=1e-6)


def test_llpr_of_a_linear_model_has_the_width_of_its_errors(rng):
    """The last layer is the model itself: LLPR is exact up to its one factor."""
    trained, asked = rng.normal(size=(1, 60, 4)), 3 * rng.normal(size=(1, 4000, 4))
    noise = 0.1 * rng.normal(size=(60, 500))
    weights = np.linalg.lstsq(trained[0], noise, rcond=None)[0]
    error = np.einsum('nf,fn->n', asked[0], weights[:, np.arange(4000) % 500])
    samples = Asked(error[None], np.arange(4000), np.zeros(4000), asked, trained)
    half = samples.select(np.arange(2000))
    width = make_estimator('llpr').fit(half)(samples.select(np.arange(2000, 4000)))
    assert np.sqrt(np.mean((error[2000:] / width) ** 2)) == pytest.approx(1, abs=0.05)
    assert (width / leverage(samples)[2000:]).mean() == pytest.approx(0.1, rel=0.06)


@pytest.mark.parametrize('name', ['mahalanobis', 'neighbours', 'mixture'])
def test_scores_of_features_tell_inside_from_outside(rng, name):
    if name == 'mixture':
        pytest.importorskip('sklearn', reason='the extra `uncertainty` is not installed')
    trained = rng.normal(size=(3, 300, 4))
    asked = np.concatenate([rng.normal(size=(3, 50, 4)), 6 + rng.normal(size=(3, 50, 4))], axis=1)
    samples = Asked(np.zeros((3, 100)), np.arange(100), None, asked, trained)
    values = make_estimator(name).fit(None)(samples)
    assert values[50:].min() > values[:50].max()


def test_without_features_it_is_said_what_is_missing():
    samples = replace(contract.make_samples(0), trained=None)
    with pytest.raises(ValueError, match='features of the samples and of the training frames'):
        make_estimator('neighbours').fit(None)(samples)
    with pytest.raises(ValueError, match=r'`score` must be one of .*got .sigma.'):
        make_estimator('conformal', {'score': 'sigma'})
    with pytest.raises(ValueError, match='between 0 and 1, got 90'):
        make_estimator('finite', {'level': 90})


def test_an_audit_judges_estimators_on_features(rng):
    configurations, energies, forces = make_ensemble(n_members=4, per_domain=18)
    total = len(configurations.numbers)
    features = Features(rng.normal(size=(4, total, 3)), rng.normal(size=(4, 60, 3)), np.full(6, 10))
    ranked = audit(
        configurations,
        energies,
        forces,
        options=AuditOptions(estimator='neighbours', n_bootstrap=0, n_subsets=2),
        features=features,
    )
    assert ranked.domains[LIQUID]['energy_rank_correlation'] is not None
    assert ranked.domains[LIQUID]['energy_rmse_over_spread'] is None
    scaled = audit(
        configurations,
        energies,
        forces,
        options=AuditOptions(
            estimator='llpr', calibration_domain=LIQUID, n_bootstrap=0, n_subsets=2
        ),
        features=features,
    )
    hot = scaled.domains['liquid 2600 K, 2.57 g/cm3']
    assert hot['energy_crps'] > 0
    assert 0 < hot['energy_rmse_over_spread_p_high'] <= 1  # fitted anew in every role
    with pytest.raises(ValueError, match='which these predictions do not hold'):
        audit(configurations, energies, forces, options=AuditOptions(estimator='neighbours'))


def test_means_over_atoms_are_those_of_each_frame(rng):
    values = rng.normal(size=(2, 7, 3))
    found = mean_by(values, np.array([3, 4]))
    np.testing.assert_allclose(found[:, 1], values[:, 3:].mean(axis=1))
    with pytest.raises(ValueError, match='sum to 5 atoms, expected 7'):
        Features(values, values, np.array([2, 3]))
    with pytest.raises(ValueError, match='2 frames, expected 7'):
        Features(values, values, np.array([2, 3]), summed=True)
