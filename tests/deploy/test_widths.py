"""Tests for estimators that are fitted to stored predictions."""

import numpy as np
import pytest
from aiida import orm
from aiida.common import LinkType
from aiida.common.exceptions import NotExistent

from aiida_enne.deploy.widths import Choice, fit_judge, fit_portable
from aiida_enne.provenance import find_ensemble, gather_rows
from tests.audited import store_audit


@pytest.fixture
def process(dataset):
    return store_audit(dataset, shared=3.0)[0]


def factors(process, domain):
    return fit_portable(process.pk, Choice('recalibrated', domain))['widths']


def test_the_factor_is_that_of_the_samples_of_the_domain(process, dataset):
    """α² = -1/M + (M - 3)/(M - 1) ⟨ε²/s²⟩ in NumPy, on the stored predictions."""
    rows = gather_rows(find_ensemble(process.pk), dataset)
    frames = rows.configurations
    domain = frames.domains[0]
    inside = frames.domains == domain
    members = (rows.energies / frames.n_atoms)[:, inside]
    error = members.mean(axis=0) - (frames.energies / frames.n_atoms)[inside]
    m = len(members)
    square = -1 / m + (m - 3) / (m - 1) * np.mean((error / members.std(axis=0, ddof=1)) ** 2)
    assert factors(process, domain)['energy']['factor'] == pytest.approx(np.sqrt(square), rel=1e-12)
    width = fit_judge(process.pk, 'recalibrated', domain).widths['energy']
    expected = np.sqrt(square) * members.std(axis=0, ddof=1)
    np.testing.assert_allclose(width(members), expected, rtol=1e-12)


def test_an_estimator_that_learns_nothing_needs_no_domain(process):
    width = fit_judge(process.pk, 'ensemble', options={'ddof': 1}).widths['forces']
    members = np.random.default_rng(0).normal(size=(5, 7))
    np.testing.assert_allclose(width(members), members.std(axis=0, ddof=1), rtol=1e-12)


def test_a_domain_that_nobody_predicted_is_named_with_those_there_are(process, dataset):
    with pytest.raises(NotExistent, match="no configuration of 'gas'") as caught:
        factors(process, 'gas')
    for domain in dataset.domains:
        assert domain in str(caught.value)


def test_an_estimator_without_its_domain_is_refused(process):
    with pytest.raises(ValueError, match='needs a calibration domain'):
        fit_judge(process.pk, 'recalibrated')


def test_what_was_trained_on_teaches_nothing(process, dataset, split, aiida_localhost):
    """All cold configurations were trained or validated on, all hot ones are tested."""
    before = {domain: factors(process, domain) for domain in ('cold', 'hot')}
    for member in find_ensemble(process.pk).members:
        job = orm.CalcJobNode(computer=aiida_localhost)
        for port, node in (('dataset', dataset), ('split', split)):
            job.base.links.add_incoming(node, LinkType.INPUT_CALC, port)
        job.store()
        copy = orm.load_node(member.uuid).clone()
        copy.base.links.add_incoming(job, LinkType.CREATE, 'models__x')
        copy.store()
    assert factors(process, 'hot') == before['hot']
    with pytest.raises(NotExistent, match="no configuration of 'cold' that was not trained on"):
        factors(process, 'cold')
