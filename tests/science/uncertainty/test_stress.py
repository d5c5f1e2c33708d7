"""Stress is audited as energies and forces are: laws on members and references made by chance."""

import numpy as np
import pytest

from aiida_enne import audit_arrays
from aiida_enne.science.data.configurations import Configurations
from aiida_enne.science.fields import GPA_PER_EV_PER_CUBIC_ANGSTROM as GPA
from aiida_enne.science.uncertainty.audit import audit
from aiida_enne.science.uncertainty.options import AuditOptions


def drawn(rng, *, n=30, n_members=20, scale=1.0, shared=0.0):
    """Return stresses in eV/Å³ of members and of a reference that is one more of them, in GPa.

    `shared` is an error in GPa that all members have in common.
    """
    values = rng.normal(scale=scale, size=(n_members + 1, n, 3, 3)) / GPA
    values = (values + values.swapaxes(2, 3)) / 2
    members = values[1:] + shared / GPA
    return members, values[0]


def judged(rng, stresses, **options):
    members, truth = stresses
    n = len(truth)
    energies = rng.normal(size=(len(members), n))
    return audit_arrays(
        energies,
        energies.mean(axis=0),
        np.ones(n),
        stresses=stresses,
        n_bootstrap=20,
        n_subsets=10,
        **options,
    )


def row_of(found):
    (row,) = [one for one in found.verdicts if one.quantity == 'stress']
    return row


def test_an_honest_reference_is_never_called_wrong(rng):
    """Of ensembles whose reference is one more member none is told not to be believed."""
    words = []
    for _ in range(6):
        found = judged(rng, drawn(rng, scale=3.0))
        scalars = found.domains['all']
        words.append(row_of(found).verdict)
        expected = scalars['expected_rmse_over_spread']
        assert scalars['stress_rmse_over_spread'] == pytest.approx(expected, rel=0.25)
        assert scalars['n_stress_components'] == 6 * 30
    assert 'do not believe' not in words


def test_snapshots_judge_stresses_where_they_have_them(rng):
    """Else nothing of stress is judged, and the rest is."""
    members, truth = drawn(rng)
    energies, n = rng.normal(size=(20, 30)), np.ones(30, dtype=int)
    frames = Configurations(
        n_atoms=n, numbers=14 * n, positions=np.zeros((30, 3)), cells=np.zeros((30, 3, 3)),
        pbc=np.zeros((30, 3), bool), domains=np.repeat(['a', 'b'], 15), blocks=np.arange(30),
        energies=energies.mean(axis=0) + 0.1, forces=np.ones((30, 3)), stresses=truth,
    )  # fmt: skip
    forces = 1 + 0.1 * rng.normal(size=(20, 30, 3))
    options = AuditOptions(
        estimator='snapshots', calibration_domain='a', n_bootstrap=0, n_subsets=2
    )
    rival = energies[:4], forces[:4]
    for given, known in ((rival, False), ((*rival, members[:4]), True)):
        found = audit(
            frames, energies, forces, options=options, stresses=members, snapshots=given
        ).domains['b']
        assert (found['stress_rmse_over_spread'] is not None) == known
        assert found['energy_rmse_over_spread'] > 0


def test_an_error_that_all_members_share_is_not_believed(rng):
    row = row_of(judged(rng, drawn(rng, shared=5.0)))
    assert row.verdict == 'do not believe'
    assert row.rmse == pytest.approx(5.0, rel=0.1)
    assert 'GPa' in row.reason


def test_an_error_within_the_tolerance_is_believed_whatever_sigma(rng):
    stresses = drawn(rng, scale=0.01, shared=0.2)
    assert row_of(judged(rng, stresses)).verdict == 'believe'
    assert row_of(judged(rng, stresses, stress_tolerance=0.1)).verdict == 'do not believe'


def test_only_what_has_a_label_is_judged(rng):
    members, truth = drawn(rng)
    truth[:10] = np.nan
    some = judged(rng, (members, truth)).domains['all']
    assert some['n_stress_components'] == 6 * 20
    rest = judged(rng, (members[:, 10:], truth[10:])).domains['all']
    assert some['stress_rmse'] == pytest.approx(rest['stress_rmse'])
    nothing = judged(rng, (members, np.full_like(truth, np.nan)))
    assert 'stress_rmse' not in nothing.domains['all']
    assert {row.quantity for row in nothing.verdicts} == {'energy'}


def test_components_that_symmetry_makes_zero_do_not_count(rng):
    members, truth = drawn(rng)
    for one in (members, truth):
        for i, j in ((0, 1), (0, 2), (1, 2)):
            one[..., i, j] = one[..., j, i] = 0.0
    assert judged(rng, (members, truth)).domains['all']['n_stress_components'] == 3 * 30


def test_what_cannot_be_used_is_named(rng):
    members, truth = drawn(rng)
    with pytest.raises(ValueError, match='`stresses` must have the shape'):
        judged(rng, (members[:, :3], truth))
    members[0, 0] = np.nan
    with pytest.raises(ValueError, match='must be finite where there are labels'):
        judged(rng, (members, truth))
    with pytest.raises(ValueError, match='`stress_tolerance`'):
        AuditOptions(stress_tolerance=0.0)
