"""What is not defined is said with its reason; local calibration is that of each domain."""

import numpy as np
import pytest

from aiida_enne.science.uncertainty.audit import audit
from aiida_enne.science.uncertainty.options import AuditOptions
from aiida_enne.science.uncertainty.scores.detection import roc_auc
from tests.science.conftest import make_ensemble

LIQUID, SOLID = 'liquid 2000 K, 2.57 g/cm3', 'cubic diamond'


def test_everything_undefined_has_a_reason(audited):
    for name, scalars in audited.domains.items():
        for score, value in scalars.items():
            reason = audited.why(name, score)
            assert (reason is None) == (value is not None), score


@pytest.mark.parametrize(
    ('domain', 'name', 'said'),
    [
        (SOLID, 'force_rmse', 'no samples'),
        (SOLID, 'energy_ence', '15 samples do not fill two bins of 10'),
        (SOLID, 'energy_roc_auc', 'all errors are larger than τ'),
    ],
)
def test_the_reason_is_the_one(audited, domain, name, said):
    assert audited.domains[domain][name] is None
    assert said in audited.why(domain, name)


def test_few_members_and_few_blocks_are_reasons():
    configurations, energies, forces = make_ensemble(n_members=2, per_domain=6)
    found = audit(configurations, energies, forces, options=AuditOptions(n_subsets=2))
    assert '2 members cannot change places' in found.why(LIQUID, 'energy_crps_p_high')
    assert 'independent blocks: 5 are needed' in found.why(LIQUID, 'energy_rmse_low')
    with pytest.raises(KeyError):
        found.why(LIQUID, 'energy_oracle')


def test_local_calibration_is_by_domain_and_of_equal_count(ensemble, audited):
    names = audited.arrays['domain_names'].tolist()
    own = ensemble[0].domains == LIQUID
    error = (audited.arrays['energy_mean'] - audited.arrays['energy_reference'])[own]
    spread = audited.arrays['energy_spread'][own]
    order = np.array_split(np.argsort(spread, kind='stable'), 5)
    by_hand = [np.mean(error[part] ** 2 / spread[part] ** 2) for part in order]
    found = audited.arrays['energy_local_z_spread'][names.index(LIQUID)]
    np.testing.assert_allclose(found, by_hand, rtol=1e-10)
    counts = audited.arrays['energy_local_z_volume_count'][names.index(SOLID)]
    assert counts.tolist() == [3, 3, 3, 3, 3]
    assert np.isnan(audited.arrays['force_local_z_spread'][names.index(SOLID)]).all()
    assert 'energy_local_z_temperature' not in audited.arrays


def test_bins_of_local_calibration_have_an_interval_and_an_honest_value(ensemble, audited):
    """Each member is the truth once, the real truth among the others: the median, by hand."""
    index = audited.arrays['domain_names'].tolist().index(LIQUID)
    configurations, energies, _ = ensemble
    own = configurations.domains == LIQUID
    members = energies[:, own] / configurations.n_atoms[own]
    reference = configurations.energies[own] / configurations.n_atoms[own]
    values = []
    for number, truth in enumerate(members):
        others = np.concatenate([[reference], np.delete(members, number, axis=0)])
        error, width = others.mean(axis=0) - truth, others.std(axis=0)
        bins = np.array_split(np.argsort(width, kind='stable'), 5)
        values.append([np.mean((error[part] / width[part]) ** 2) for part in bins])
    name = 'energy_local_z_spread'
    honest = audited.arrays[f'{name}_honest'][index]
    np.testing.assert_allclose(honest, np.median(values, axis=0), rtol=1e-6)
    low, value, high = (audited.arrays[f'{name}{end}'][index] for end in ('_low', '', '_high'))
    known = np.isfinite(low)
    assert known.any()
    assert (low[known] < value[known]).all()
    assert (value[known] < high[known]).all()


def test_the_relative_calibration_error_of_few_members_has_its_honest_value(rng, ensemble):
    """1 - RMSE/σ: with four members an honest one is far from 0, and has the same rank."""
    configurations, energies, _ = ensemble
    forces = configurations.forces + rng.normal(size=(4, *configurations.forces.shape))
    found = audit(configurations, energies[:4], forces).domains[LIQUID]
    ratio = found['force_rmse_over_spread_honest']
    assert found['force_rce_honest'] == pytest.approx(1 - ratio)
    assert found['force_rce_honest'] < -0.1
    assert found['force_rce_p_low'] == found['force_rmse_over_spread_p_high']
    assert found['force_rce_honest_low'] <= found['force_rce_honest']


def test_the_area_under_the_curve_has_an_honest_value_where_members_err_beyond_the_tolerance(
    ensemble, audited
):
    configurations, energies, _ = ensemble
    own = configurations.domains == LIQUID
    members = energies[:, own] / configurations.n_atoms[own]
    reference = configurations.energies[own] / configurations.n_atoms[own]
    each = []
    for number, truth in enumerate(members):
        others = np.concatenate([[reference], np.delete(members, number, axis=0)])
        each.append(roc_auc(others.mean(axis=0) - truth, others.std(axis=0), 0.001))
    options = AuditOptions(n_subsets=2, n_bootstrap=0, energy_tolerance=0.001)
    found = audit(*ensemble, options=options)
    assert found.domains[LIQUID]['energy_roc_auc_honest'] == pytest.approx(np.median(each))
    assert 'with a member as the truth' in audited.why(LIQUID, 'energy_roc_auc_honest')
