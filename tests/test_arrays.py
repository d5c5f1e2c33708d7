"""The front door for plain arrays: what it says is what an audit of configurations says."""

import numpy as np
import pytest

import aiida_enne
from aiida_enne.science.uncertainty.findings import find
from aiida_enne.science.uncertainty.options import describe

N_ATOMS = np.tile([4, 8], 40)


@pytest.fixture
def committee(rng):
    """Eight members that share an error in the solid: energies, reference, forces and labels."""
    total = int(N_ATOMS.sum())
    reference = -5.0 * N_ATOMS + rng.normal(size=80)
    own = N_ATOMS * 0.02 * rng.normal(size=(9, 80))
    energies = reference + own[1:] - own[0]
    energies[:, 40:] += 0.2 * N_ATOMS[40:]
    labels = rng.normal(size=(total, 3))
    return energies, reference, labels + 0.1 * rng.normal(size=(8, total, 3)), labels


DOMAINS = 40 * ['liquid'] + 40 * ['diamond']


def test_a_committee_is_judged_without_a_database(committee, tmp_path):
    energies, reference, forces, labels = committee
    found = aiida_enne.audit_arrays(
        energies,
        reference,
        N_ATOMS,
        forces=(forces, labels),
        domains=DOMAINS,
        training_domains=['liquid'],
        n_bootstrap=50,
    )
    words = {(row.domain, row.quantity): row.verdict for row in found.verdicts}
    assert words['liquid', 'energy'] == 'believe'
    assert words['diamond', 'energy'] == 'do not believe'
    assert ('diamond', 'force') in words
    per_atom = (energies - reference) / N_ATOMS
    rmse = np.sqrt(np.mean(per_atom[:, 40:].mean(axis=0) ** 2))
    assert found.domains['diamond']['energy_rmse'] == pytest.approx(rmse, rel=1e-12)
    # a name is a name here: this is no curve of one crystal
    assert found.domains['diamond']['n_blocks'] == 40
    text = aiida_enne.as_table(found)
    assert '✕ do not believe' in text
    # what was not asked is said; it caps nothing
    assert 'unknown: training: no predictions of training frames' in text
    assert 'unknown: epochs' in text
    files = aiida_enne.save_figures(found, tmp_path / 'figures')
    assert [path.name for path in files] == [
        'error_and_spread_energy.png',
        'error_and_spread_force.png',
        'coverage.png',
    ]
    assert all(path.stat().st_size > 1000 for path in files)


def test_energies_alone_are_enough_and_relatives_count_once(committee, tmp_path):
    energies, reference, *_ = committee
    found = aiida_enne.audit_arrays(
        energies, reference, N_ATOMS, domains=DOMAINS, blocks=np.arange(80) // 20, n_bootstrap=0
    )
    assert {row.quantity for row in found.verdicts} == {'energy'}
    assert found.domains['diamond']['n_trajectories'] == 2
    assert len(aiida_enne.save_figures(found, tmp_path)) == 2


def test_snapshots_of_one_training_are_compared_with_the_members(committee, rng):
    energies, reference, forces, labels = committee
    several = energies[:1] + 0.02 * N_ATOMS * rng.normal(size=(5, 80))
    moved = forces[:1] + 0.1 * rng.normal(size=(5, *labels.shape))
    asked = {'domains': DOMAINS, 'training_domains': ['liquid'], 'n_bootstrap': 20}
    given = energies, reference, N_ATOMS
    both = {'forces': (forces, labels), 'snapshots': (several, moved)}
    found = aiida_enne.audit_arrays(*given, **both, **asked)
    for row in found.verdicts:
        assert 'snapshots' in row.estimators, row.domain
    judged = aiida_enne.audit_arrays(
        *given,
        snapshots=(several, None),
        estimator='snapshots',
        calibration_domain='liquid',
        **asked,
    )
    size = (several / N_ATOMS).std(axis=0, ddof=1)
    error = (energies.mean(axis=0) - reference) / N_ATOMS
    factor = np.sqrt(np.mean((error / size)[:40] ** 2))
    np.testing.assert_allclose(judged.arrays['energy_spread'], factor * size, rtol=1e-9)
    assert judged.domains['diamond']['energy_rmse_over_spread'] > 2
    with pytest.raises(ValueError, match=r'`snapshots` must hold forces \(K, N, 3\), too'):
        aiida_enne.audit_arrays(*given, forces=(forces, labels), snapshots=(several, None), **asked)
    with pytest.raises(ValueError, match='`energies` and `forces` of snapshots must have'):
        aiida_enne.audit_arrays(*given, snapshots=(several[:, :7], None), **asked)


@pytest.mark.parametrize(
    'chosen',
    [
        {'estimator': 'conformal'},
        {'estimator': 'conformal', 'estimator_options': {'score': 'absolute'}},
        {'estimator': 'recalibrated'},
    ],
)
def test_an_estimator_that_learns_needs_no_forces(committee, chosen):
    energies, reference, *_ = committee
    options = {'domains': DOMAINS, 'n_bootstrap': 0, 'calibration_domain': 'liquid'}
    found = aiida_enne.audit_arrays(energies, reference, N_ATOMS, **options, **chosen)
    plain = aiida_enne.audit_arrays(energies, reference, N_ATOMS, domains=DOMAINS, n_bootstrap=0)
    name = 'energy_rmse'
    assert found.domains['diamond'][name] == plain.domains['diamond'][name]
    assert found.domains['diamond']['force_rmse'] is None
    assert 'labelled samples' in found.why('diamond', 'force_rmse')
    assert list(found.parameters['unfitted']) == ['force']
    said = [one.text for one in find(found.domains, found.parameters)]
    assert any(one.startswith('The estimator says nothing of force: ') for one in said)
    assert 'labelled samples' not in describe(found.parameters)
    few = {**options, 'blocks': np.arange(80) // 20}
    if chosen['estimator'] == 'conformal':
        with pytest.raises(ValueError, match='2 independent blocks cannot bound'):
            aiida_enne.audit_arrays(energies, reference, N_ATOMS, **few, **chosen)


def test_members_that_do_not_fit_their_training_frames_cap_all_verdicts(committee):
    energies, reference, *_ = committee
    options = {'domains': DOMAINS, 'n_bootstrap': 0, 'energy_tolerance': 0.04}
    known = energies[:, :30], reference[:30], N_ATOMS[:30]
    good = aiida_enne.audit_arrays(energies, reference, N_ATOMS, trained=known, **options)
    wrong = energies[:, :30] + 0.05 * N_ATOMS[:30], *known[1:]
    bad = aiida_enne.audit_arrays(energies, reference, N_ATOMS, trained=wrong, **options)
    states = [{gate.name: gate.state for gate in one.gates['energy']} for one in (good, bad)]
    assert [state['training'] for state in states] == ['passed', 'failed']
    assert 'unknown: training: ' not in aiida_enne.as_table(good)
    assert any(row.verdict == 'believe' for row in good.verdicts)
    assert {row.verdict for row in bad.verdicts} == {'cannot say'}
    assert 'meV/atom on training frames' in aiida_enne.as_table(bad)


def test_wrong_shapes_and_choices_are_named(committee):
    energies, reference, *_ = committee
    with pytest.raises(ValueError, match=r'must have the shape \(M, 80\)'):
        aiida_enne.audit_arrays(energies.T, reference, N_ATOMS)
    with pytest.raises(ValueError, match=r'of `trained` must have the shape \(8, 80\)'):
        aiida_enne.audit_arrays(
            energies, reference, N_ATOMS, trained=(energies[:5], reference, N_ATOMS)
        )
    with pytest.raises(ValueError, match='did you mean `force_tolerance`'):
        aiida_enne.audit_arrays(energies, reference, N_ATOMS, forces_tolerance=1.0)
