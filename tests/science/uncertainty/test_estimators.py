"""Tests of every registered estimator, of one that is added here, and of a score that is."""

from dataclasses import dataclass, replace
from importlib.metadata import entry_points

import numpy as np
import pytest

from aiida_enne.science.uncertainty import ensemble, estimators, scores
from aiida_enne.science.uncertainty.alignment import reference_offset
from aiida_enne.science.uncertainty.audit import audit
from aiida_enne.science.uncertainty.best import find_all
from aiida_enne.science.uncertainty.estimators import Asked, contract, make_estimator
from aiida_enne.science.uncertainty.findings import find
from aiida_enne.science.uncertainty.options import AuditOptions
from aiida_enne.science.uncertainty.samples import gather
from aiida_enne.science.uncertainty.scores.contract import check_score

#: A domain to learn from, and two to judge.
LIQUID, HOT, SOLID = 'liquid 2000 K, 2.57 g/cm3', 'liquid 2600 K, 2.57 g/cm3', 'cubic diamond'
NAMES = sorted(entry.name for entry in entry_points(group=estimators.GROUP))


@pytest.fixture
def silicon_like(request):
    """Return configurations, energies and forces of a made-up ensemble."""
    return request.getfixturevalue('ensemble')


@pytest.mark.parametrize('name', NAMES)
def test_estimators_keep_the_contract(name):
    if name == 'mixture':
        pytest.importorskip('sklearn', reason='the extra `uncertainty` is not installed')
    contract.check_estimator(name)


def test_the_spread_is_that_of_the_members_with_its_ddof():
    samples = contract.make_samples(0)
    for ddof in (0, 1):
        values = make_estimator('ensemble', {'ddof': ddof}).fit(None)(samples)
        np.testing.assert_array_equal(values, samples.members.std(axis=0, ddof=ddof))
        assert make_estimator('ensemble', {'ddof': ddof}).label() == f'σ (ddof {ddof})'


def test_a_recalibrated_spread_makes_the_calibration_errors_those_of_its_width():
    """The factor is 1 for a truth like the members, and larger for larger errors."""
    rng = np.random.default_rng(0)
    m, n = 20, 40_000
    members, truth = rng.normal(size=(m, n)), rng.normal(size=n)
    asked = Asked(members, np.arange(n), truth)
    fitted = make_estimator('recalibrated').fit(asked)
    spread = ensemble.spread(members, ddof=1)
    assert np.allclose(fitted(asked) / spread, (fitted(asked) / spread)[0])
    assert (fitted(asked) / spread)[0] == pytest.approx(1, abs=0.02)
    worse = Asked(members, np.arange(n), 3 * truth)
    factor = (make_estimator('recalibrated').fit(worse)(worse) / spread)[0]
    error = ensemble.error(members, 3 * truth)
    assert np.sqrt(np.mean(error**2)) / np.sqrt(np.mean((factor * spread) ** 2)) == pytest.approx(
        1, abs=0.05
    )


def test_the_spread_of_snapshots_has_the_errors_of_its_calibration():
    learnt, judged = contract.make_samples(1), contract.make_samples(2)
    fitted = make_estimator('snapshots').fit(learnt)
    spread = np.asarray(learnt.snapshots).std(axis=0, ddof=1)
    error = learnt.members.mean(axis=0) - learnt.reference
    factor = np.sqrt(np.mean((error / spread) ** 2))
    expected = factor * np.asarray(judged.snapshots).std(axis=0, ddof=1)
    np.testing.assert_allclose(fitted(judged), expected, rtol=1e-12)
    assert np.mean((error / fitted(learnt)) ** 2) == pytest.approx(1)
    with pytest.raises(ValueError, match='what the snapshots of a member predicted'):
        fitted(replace(judged, snapshots=None))
    same = replace(learnt, snapshots=np.ones((5, len(learnt))))
    with pytest.raises(ValueError, match='samples on which they differ'):
        make_estimator('snapshots').fit(same)


def test_snapshots_are_compared_with_the_members_in_each_domain(silicon_like, rng):
    configurations, energies, forces = silicon_like
    rivals = tuple(one[:2] + 0.01 * rng.normal(size=one[:2].shape) for one in (energies, forces))
    options = AuditOptions(training_domains=(LIQUID,))
    offsets = reference_offset(configurations, energies, SOLID, snapshots=rivals[0])
    quantities = gather(configurations, energies, forces, offsets, options, snapshots=rivals)
    found = find_all(quantities, np.unique(configurations.domains).tolist(), options)
    for quantity in ('energy', 'aligned', 'force'):
        assert 'snapshots' in found[HOT, quantity].scores
    asked = AuditOptions(estimator='snapshots', calibration_domain=LIQUID)
    with pytest.raises(ValueError, match='what the snapshots of a member predicted'):
        gather(configurations, energies, forces, None, asked)


@pytest.mark.parametrize(
    ('samples', 'reason'),
    [
        (Asked(np.eye(3), np.arange(3), np.zeros(3)), '4 or more members, got 3'),
        (Asked(np.zeros((5, 3)), np.arange(3), np.ones(3)), 'on which the members differ'),
        (Asked(np.tile([[1.0], [-1.0]], (3, 4)), np.arange(4), np.zeros(4)), 'not defined: α² = -'),
        (Asked(np.eye(5), np.arange(5)), 'needs labelled samples'),
    ],
)
def test_what_a_factor_cannot_be_fitted_to_is_said(samples, reason):
    with pytest.raises(ValueError, match=reason):
        make_estimator('recalibrated').fit(samples)


def test_one_quantity_without_values_leaves_the_others(rng, silicon_like):
    """By energies members differ more than they err: α² is negative, that of forces is not."""
    configurations, energies, forces = silicon_like
    liquid = configurations.domains == LIQUID
    mean = energies.mean(axis=0)
    wide = np.where(liquid, configurations.energies + 50 * (energies - mean), energies)
    options = AuditOptions(estimator='recalibrated', calibration_domain=LIQUID, n_bootstrap=0)
    found = audit(configurations, wide, forces, options=options)
    plain = audit(configurations, energies, forces, options=options)
    assert found.domains[SOLID]['energy_rmse_over_spread'] is None
    assert 'they differ by more than they err' in found.why(SOLID, 'energy_rmse_over_spread')
    name = 'force_rmse_over_spread'
    assert found.domains[SOLID][name] == plain.domains[SOLID][name]
    assert np.isnan(found.arrays['energy_spread']).all()
    assert 'unfitted' not in plain.parameters


def test_misspelt_estimators_and_options_are_named_with_the_nearest():
    with pytest.raises(ValueError, match='did you mean `recalibrated`'):
        make_estimator('recalibratd')
    with pytest.raises(ValueError, match=r'unknown dof \(did you mean `ddof`'):
        make_estimator('ensemble', {'dof': 1})
    with pytest.raises(ValueError, match='needs a `calibration_domain`'):
        AuditOptions(estimator='recalibrated')
    with pytest.raises(ValueError, match='has no use for a `calibration_domain`'):
        AuditOptions(calibration_domain='liquid')
    with pytest.raises(ValueError, match='did you mean `estimator`'):
        AuditOptions.from_dict({'estimater': 'ensemble'})


def test_an_audit_takes_an_estimator_by_name_and_never_judges_what_it_learnt_from(silicon_like):
    configurations, energies, forces = silicon_like
    options = AuditOptions(estimator='recalibrated', calibration_domain=LIQUID, n_bootstrap=50)
    found = audit(configurations, energies, forces, options=options)
    plain = audit(configurations, energies, forces, options=AuditOptions(ddof=1, n_bootstrap=50))
    assert found.domains[LIQUID]['energy_rmse'] is None
    assert found.domains[LIQUID]['force_rmse'] is None
    assert found.width_label == 'recalibrated σ'
    for name in (SOLID, HOT):
        one, other = found.domains[name], plain.domains[name]
        assert one['energy_rmse'] == other['energy_rmse']
        assert one['expected_rmse_over_spread'] == 1.0
        factors = [one[f'energy_spread_{k}'] / other[f'energy_spread_{k}'] for k in ('min', 'max')]
        assert factors[0] == pytest.approx(factors[1])
    assert any(
        'recalibrated σ' in finding.text for finding in find(found.domains, found.parameters)
    )
    with pytest.raises(ValueError, match="'gas' is not a domain of the data"):
        audit(
            configurations,
            energies,
            forces,
            options=AuditOptions(estimator='recalibrated', calibration_domain='gas'),
        )


@dataclass
class Norm:
    """How far the features are from zero: a score that only ranks."""

    power: int = 1
    name, unit, needs, calibrated = 'norm', None, ('members',), False

    def fit(self, calibration):
        return lambda samples: np.abs(samples.members.mean(axis=0)) ** self.power

    def label(self):
        return 'norm'

    def expectations(self, n_members):
        return {}


def largest(judged):
    """A score: the error of the sample with the largest width."""
    return {'error_of_largest': float(np.abs(judged.error)[np.argmax(judged.width)])}


def clash(judged):
    """A score that uses a name of another."""
    return {'mae': 0.0}


@pytest.fixture
def added(install):
    """Install an estimator and a score."""
    install(
        {
            estimators.GROUP: {'norm': f'{__name__}:Norm'},
            scores.GROUP: {'largest': f'{__name__}:largest'},
        }
    )


def test_an_estimator_and_a_score_are_added_without_touching_the_package(added, silicon_like):
    contract.check_estimator('norm', {'power': 2})
    check_score('largest')
    options = AuditOptions(estimator='norm', estimator_options={'power': 2}, n_bootstrap=20)
    found = audit(*silicon_like, options=options)
    for scalars in found.domains.values():
        assert scalars['energy_error_of_largest'] <= scalars['energy_error_max']
        assert scalars['energy_rank_correlation'] is not None
        # values that only rank are never compared with errors
        assert scalars['energy_rmse_over_spread'] is None
        assert scalars['energy_cone_coverage'] is None
        assert scalars['expected_rmse_over_spread'] is None
    assert found.parameters['estimator'] == 'norm'
    assert find(found.domains, found.parameters)


def test_two_scores_of_one_name_are_refused(install, silicon_like):
    install({scores.GROUP: {'zzz': f'{__name__}:clash'}}, 'clashing')
    with pytest.raises(ValueError, match=r"'zzz' gives \['mae'\]"):
        audit(*silicon_like)


def test_what_breaks_the_contract_is_named(added, monkeypatch):
    monkeypatch.setattr(Norm, 'fit', lambda self, _: lambda samples: samples.members[0])
    with pytest.raises(contract.ContractError, match='values must be ≥ 0'):
        contract.check_estimator('norm')
    monkeypatch.setattr(
        Norm, 'fit', lambda self, _: lambda samples: np.abs(samples.members[0]) + 1e-9
    )
    with pytest.raises(contract.ContractError, match='members have no order'):
        contract.check_estimator('norm')
