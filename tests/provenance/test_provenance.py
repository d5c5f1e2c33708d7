"""Tests for the queries: what is stored is found, by content, without a job."""

import numpy as np
import pytest
from aiida.common.exceptions import NotExistent

from aiida_enne import provenance
from aiida_enne.science.uncertainty.audit import AuditOptions
from tests.studied import train


def test_members_are_found_from_either_side(audited):
    _, training = audited
    found = [provenance.find_ensemble(node.uuid) for node in audited]
    assert [m.seed for m in found[0].members] == [1, 2, 3, 4, 5]
    assert found[0].members == found[1].members
    assert found[1].uuid == training.uuid


def test_statistics_know_their_sources(audited, dataset):
    (statistics,) = provenance.find_statistics(audited[0].uuid)
    assert statistics.label == 'study'
    assert statistics.sources['datasets'] == dataset.uuid
    assert sum(name.startswith('predictions.') for name in statistics.sources) == 5


def test_stored_statistics_equal_those_computed_anew(audited, dataset):
    (statistics,) = provenance.find_statistics(audited[0].uuid)
    ensemble = provenance.find_ensemble(audited[0].uuid)
    again = provenance.audit_again(ensemble, [dataset])[dataset.uuid]
    for domain, scalars in statistics.domains.items():
        # the database keeps 14 digits
        for name, value in scalars.items():
            expected = value if value is None else pytest.approx(value, rel=1e-13)
            assert again.domains[domain][name] == expected, (domain, name)
    for name, value in statistics.load_audit().arrays.items():
        np.testing.assert_array_equal(again.arrays[name], value, err_msg=name)


def test_another_ddof_needs_no_job(audited, dataset):
    ensemble = provenance.find_ensemble(audited[0].uuid)
    one, other = (
        provenance.audit_again(ensemble, [dataset], AuditOptions(ddof=ddof))[dataset.uuid]
        for ddof in (0, 1)
    )
    ratio = other.domains['cold']['force_spread_rms'] / one.domains['cold']['force_spread_rms']
    assert ratio == pytest.approx(np.sqrt(5 / 4), rel=1e-12)


def test_twenty_lines_of_numpy_agree(audited, dataset):
    (statistics,) = provenance.find_statistics(audited[0].uuid)
    ensemble = provenance.find_ensemble(audited[0].uuid)
    rows = provenance.gather_rows(ensemble, dataset)
    configurations, energies = rows.configurations, rows.energies
    forces = provenance.gather_forces(ensemble, rows)
    cold = configurations.domains == 'cold'
    per_atom = energies[:, cold] / configurations.n_atoms[cold]
    reference = configurations.energies[cold] / configurations.n_atoms[cold]
    spread = np.sqrt(((per_atom - per_atom.mean(axis=0)) ** 2).mean(axis=0))
    error = per_atom.mean(axis=0) - reference
    atoms = np.repeat(cold, configurations.n_atoms)
    force_error = (forces.mean(axis=0) - configurations.forces)[atoms]
    pairs = np.corrcoef((forces - configurations.forces)[:, atoms].reshape(5, -1))
    scalars = statistics.domains['cold']
    expected = {
        'energy_spread_mean': spread.mean(),
        'energy_spread_max': spread.max(),
        'energy_rmse': np.sqrt((error**2).mean()),
        'energy_mae': np.abs(error).mean(),
        'energy_cone_coverage': (np.abs(error) <= spread).mean(),
        'force_mae': np.abs(force_error).mean(),
        'force_member_correlation_mean': pairs[np.triu_indices(5, 1)].mean(),
    }
    for name, value in expected.items():
        assert scalars[name] == pytest.approx(value, abs=1e-12), name


def test_a_missing_prediction_is_named(audited, dataset, configurations):
    ensemble = provenance.find_ensemble(audited[0].uuid)
    other = type(dataset).from_configurations(configurations.select([0, 1])).store()
    with pytest.raises(NotExistent, match='seed_1'):
        provenance.gather_rows(ensemble, other)


def test_the_youngest_audit_is_found(audited):
    assert provenance.latest_audited() == audited[0].uuid


@pytest.mark.usefixtures('aiida_profile_clean')
def test_an_empty_profile_says_so():
    with pytest.raises(NotExistent, match='no audit has finished'):
        provenance.latest_audited()


def test_scalars_of_all_predictions_are_one_projection(audited, dataset):
    ensemble = provenance.find_ensemble(audited[0].uuid)
    rows = provenance.prediction_scalars([ensemble])
    assert len(rows) == 5
    assert {row[1] for row in rows} == {dataset.sha256}
    assert {row[3] for row in rows} == {0.1}


def test_stored_predictions_of_trained_frames_are_audited_knowingly_only(
    audited, dataset, split, aiida_localhost
):
    """The members of the fixture are those that `train` makes: they are found by their weights."""
    train(dataset, split, range(1, 6), aiida_localhost)
    ensemble = provenance.find_ensemble(audited[0].uuid)
    with pytest.raises(ValueError, match='knows 8 of the 10 configurations'):
        provenance.audit_again(ensemble, [dataset])
    with pytest.raises(ValueError, match="got 'leave'"):
        provenance.audit_again(ensemble, [dataset], trained_frames='leave')

    def counts(way):
        found = provenance.audit_again(ensemble, [dataset], trained_frames=way)[dataset.uuid]
        assert found.parameters['training_domains'] == ['cold']
        return {name: one['n_configurations'] for name, one in found.domains.items()}

    assert counts('exclude') == {'hot': 2}
    assert counts('include') == {'cold': 8, 'hot': 2}
