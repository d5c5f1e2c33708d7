"""What is not defined is said with its reason; local calibration is that of each domain."""

import numpy as np
import pytest

from aiida_enne.science.uncertainty.audit import audit
from aiida_enne.science.uncertainty.options import AuditOptions
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
