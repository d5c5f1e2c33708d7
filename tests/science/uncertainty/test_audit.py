"""The audit is recomputed with plain numpy, then held to its laws."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from aiida_enne.science.uncertainty.alignment import reference_offset
from aiida_enne.science.uncertainty.audit import audit
from aiida_enne.science.uncertainty.options import AuditOptions
from tests.science.conftest import make_ensemble

FAST = AuditOptions(n_subsets=5, n_bootstrap=20)
VACANCY = 'vacancy in diamond, 3x3x3 conventional cells'


def test_twenty_lines_of_numpy_give_the_same_numbers(ensemble, audited):
    configurations, energies, forces = ensemble
    for name, scalars in audited.domains.items():
        own = np.flatnonzero(configurations.domains == name)
        per_atom = energies[:, own] / configurations.n_atoms[own]
        labels = configurations.energies[own] / configurations.n_atoms[own]
        atoms = np.repeat(configurations.domains, configurations.n_atoms) == name
        quantities = {'energy': per_atom - labels}
        if np.abs(configurations.forces[atoms]).max() > 0:
            difference = forces[:, atoms] - configurations.forces[atoms]
            quantities['force'] = difference.reshape(len(forces), -1)
        for prefix, errors in quantities.items():
            epsilon, sigma = errors.mean(axis=0), errors.std(axis=0)
            pairs = np.corrcoef(errors)[np.triu_indices(len(errors), 1)]
            by_hand = {
                'mae': np.abs(epsilon).mean(),
                'rmse': np.sqrt((epsilon**2).mean()),
                'bias': epsilon.mean(),
                'error_max': np.abs(epsilon).max(),
                'spread_mean': sigma.mean(),
                'spread_rms': np.sqrt((sigma**2).mean()),
                'spread_max': sigma.max(),
                'cone_coverage': (np.abs(epsilon) <= sigma).mean(),
                'mean_squared_z': (epsilon**2 / sigma**2).mean(),
                'member_correlation_mean': pairs.mean(),
                'member_correlation_std': pairs.std(),
                'identity_mean_squared_error': (epsilon**2).mean(),
                'identity_mean_squared_spread': (sigma**2).mean(),
            }
            for key, value in by_hand.items():
                found = scalars[f'{prefix}_{key}']
                assert found == pytest.approx(value, rel=1e-11, abs=1e-12), key


def test_scalars_are_json_and_the_same_in_every_domain(audited):
    json.dumps([audited.domains, audited.pooled, audited.parameters], allow_nan=False)
    names = {frozenset(scalars) for scalars in audited.domains.values()}
    assert len(names) == 1
    assert all(array.dtype != object for array in audited.arrays.values())


def test_the_audit_is_deterministic(ensemble):
    first, second = (audit(*ensemble, options=FAST) for _ in range(2))
    assert (first.domains, first.pooled) == (second.domains, second.pooled)
    for name, array in first.arrays.items():
        np.testing.assert_array_equal(array, second.arrays[name])


def test_the_order_of_members_and_configurations_does_not_matter(ensemble, rng):
    configurations, energies, forces = ensemble
    plain = audit(*ensemble, options=FAST)
    members, order = rng.permutation(len(energies)), rng.permutation(len(configurations))
    moved = audit(
        configurations.select(order),
        energies[members][:, order],
        forces[members][:, configurations.atom_index(order)],
        options=FAST,
    )
    # intervals are not among them: the frames of a trajectory have an order
    kept = ('mae', 'rmse', 'spread_max', 'cone_coverage', 'member_correlation_mean', 'ence')
    for name, scalars in plain.domains.items():
        for key in (f'{prefix}_{key}' for prefix in ('energy', 'force') for key in kept):
            assert (moved.domains[name][key] or 0) == pytest.approx(scalars[key] or 0, rel=1e-9), (
                key
            )


def test_forces_that_a_constraint_hides_are_not_judged(ensemble, rng):
    """Whatever members say there, and the rest is what it is without these components."""
    configurations, energies, forces = ensemble
    hidden = rng.random(forces.shape[1:]) < 0.2
    some = replace(configurations, forces=np.where(hidden, np.nan, configurations.forces))
    found = audit(some, energies, forces, options=FAST)
    wild = audit(some, energies, np.where(hidden, 1e3, forces), options=FAST)
    assert (found.domains, found.pooled) == (wild.domains, wild.pooled)
    assert [row.reason for row in found.verdicts] == [row.reason for row in wild.verdicts]
    for name, scalars in found.domains.items():
        own = np.repeat(configurations.domains == name, configurations.n_atoms)
        error = forces[:, own].mean(axis=0) - configurations.forces[own]
        judged = ~hidden[own] & (np.abs(configurations.forces[own]) > 0)
        assert scalars['n_force_components'] == judged.sum()
        if judged.any():
            rmse = np.sqrt(np.mean(error[judged] ** 2))
            assert scalars['force_rmse'] == pytest.approx(rmse, rel=1e-11)
    whole = audit(*ensemble, options=FAST)
    for name, scalars in whole.domains.items():
        assert found.domains[name]['energy_rmse'] == scalars['energy_rmse']


def test_units_scale_what_has_units(ensemble):
    configurations, energies, forces = ensemble
    plain, scaled = (
        audit(
            replace(
                configurations,
                energies=factor * configurations.energies,
                forces=factor * configurations.forces,
            ),
            factor * energies,
            factor * forces,
            options=FAST,
        )
        for factor in (1.0, 4.0)
    )
    for name, scalars in plain.domains.items():
        for key in ('energy_rmse', 'energy_spread_mean', 'energy_rmse_low'):
            assert scaled.domains[name][key] == pytest.approx(4 * scalars[key], rel=1e-9)
        for key in ('energy_cone_coverage', 'energy_mean_squared_z', 'energy_rank_correlation'):
            assert scaled.domains[name][key] == pytest.approx(scalars[key], rel=1e-9)


def test_forces_that_symmetry_makes_zero_are_left_out_and_counted(audited):
    solid, liquid = audited.domains['cubic diamond'], audited.domains['liquid 2000 K, 2.57 g/cm3']
    assert (solid['n_force_components'], solid['force_n_masked']) == (0, 15 * 8 * 3)
    assert solid['force_mae'] is None
    assert (liquid['n_force_components'], liquid['force_n_masked']) == (60 * 16 * 3, 0)


def test_a_zero_that_one_member_breaks_counts(ensemble):
    configurations, energies, forces = ensemble
    first = configurations.offsets[np.flatnonzero(configurations.domains == 'cubic diamond')[0]]
    broken = forces.copy()
    broken[5, first, 1] = 0.1
    found = audit(configurations, energies, broken, options=FAST).domains['cubic diamond']
    assert found['n_force_components'] == 1
    assert found['force_error_max'] == pytest.approx(0.1 / len(forces))


def test_blocks_are_those_of_the_domain(audited):
    vacancy = audited.domains[VACANCY]
    assert vacancy['n_trajectories'] == 10
    assert 10 <= vacancy['n_blocks'] <= 30  # at least two frames each, as they forget at once
    assert audited.pooled['n_blocks'] == sum(s['n_blocks'] for s in audited.domains.values())
    assert audited.pooled['n_configurations'] == 5 * 60 + 4 * 15


def test_the_threshold_is_the_largest_spread_trained_on(ensemble, audited):
    trained = audited.domains['liquid 2000 K, 2.57 g/cm3']
    assert trained['energy_spread_threshold'] == trained['energy_spread_max']
    assert trained['energy_flagged'] == 0
    own = audited.arrays['domain_names'].tolist().index(VACANCY)
    spread = audited.arrays['energy_spread'][audited.arrays['domain_index'] == own]
    flagged = np.mean(spread > trained['energy_spread_max'])
    assert audited.domains[VACANCY]['energy_flagged'] == pytest.approx(flagged)
    assert audited.domains[VACANCY]['energy_flagged_accurate'] == 0
    without = audit(*ensemble, options=FAST).domains[VACANCY]
    assert without['energy_flagged'] is None


def test_curves_end_at_the_spread_of_all_members(audited):
    for index, name in enumerate(audited.arrays['domain_names'].tolist()):
        last = audited.arrays['energy_spread_by_size'][index, -1]
        assert last == pytest.approx(audited.domains[name]['energy_spread_mean'], rel=1e-9)
    growth = audited.domains['liquid 2000 K, 2.57 g/cm3']['force_spread_growth']
    assert growth == pytest.approx(audited.pooled['expected_spread_growth'], rel=0.01)


def test_histograms_hold_every_component(audited):
    arrays = audited.arrays
    for index, name in enumerate(arrays['domain_names'].tolist()):
        count = audited.domains[name]['n_force_components']
        assert arrays['force_parity_counts'][index].sum() == count
        assert arrays['force_cone_counts'][index].sum() == count
        if count:
            widths = np.diff(arrays['force_error_edges'][index])
            integral = (widths * arrays['force_error_density'][index]).sum()
            assert integral == pytest.approx(0.998, abs=1e-3)


def test_one_configuration_and_two_members_are_enough(ensemble):
    configurations, energies, forces = ensemble
    atoms = configurations.atom_index([0])
    found = audit(configurations.select([0]), energies[:2, :1], forces[:2, atoms], options=FAST)
    scalars = found.pooled
    assert scalars['energy_member_correlation_mean'] is None
    assert scalars['energy_rmse'] == pytest.approx(abs(scalars['energy_bias']))
    assert scalars['expected_mean_squared_z'] is None


def test_bad_input_is_named(ensemble):
    configurations, energies, forces = ensemble
    with pytest.raises(ValueError, match='labelled'):
        audit(configurations.unlabelled(), energies, forces)
    with pytest.raises(ValueError, match='must have the shapes'):
        audit(configurations, energies, forces[:, :-1])
    with pytest.raises(ValueError, match='2 or more members, got 1'):
        audit(configurations, energies[:1], forces[:1])
    lost = forces.copy()
    lost[2, 5] = np.inf
    with pytest.raises(ValueError, match=r'`forces` of the members \[2\] are not finite'):
        audit(configurations, energies, lost)


#: Choices that version 0.1.0 did not have.
NEW_CHOICES = {'energy_tolerance': 0.01, 'force_tolerance': 0.1, 'stress_tolerance': 0.5}


def is_corrected(name):
    """Return whether version 0.1.0 had the number by a wrong definition: intervals and nulls."""
    return name.endswith(('_low', '_high', 'expected_rank_correlation', 'n_blocks'))


def test_numbers_are_those_of_the_first_release():
    """Scalars, choices and sums of arrays as version 0.1.0 gave them, but for what was wrong."""
    stored = json.loads((Path(__file__).parent / 'stored_audit.json').read_text())
    configurations, energies, forces = make_ensemble(n_members=5, per_domain=18)
    trained = ('liquid 2000 K, 2.57 g/cm3',)
    found = audit(
        configurations,
        energies,
        forces,
        options=AuditOptions(training_domains=trained, n_subsets=20, n_bootstrap=50),
        offsets=reference_offset(configurations, energies, 'cubic diamond'),
    )
    assert found.parameters == stored['parameters'] | NEW_CHOICES
    pairs = [(found.pooled, stored['pooled'])]
    pairs += [(found.domains[name], scalars) for name, scalars in stored['domains'].items()]
    for one, other in pairs:
        kept = {name: value for name, value in other.items() if not is_corrected(name)}
        assert {k for k in kept if one[k] is None} == {k for k, v in kept.items() if v is None}
        known = {name: value for name, value in kept.items() if value is not None}
        assert {name: one[name] for name in known} == pytest.approx(known, rel=1e-14)
    for name, total in stored['sums'].items():
        assert float(np.nansum(found.arrays[name])) == pytest.approx(total, rel=1e-12)
