"""What snapshots of one training predicted is found, and judged anew as the audit judged it."""

import numpy as np
import pytest
from aiida import orm
from aiida.common import LinkType
from aiida.common.exceptions import NotExistent

from aiida_enne import provenance
from aiida_enne.calculations.audits import judges_of
from aiida_enne.calculations.functions import audit_ensemble
from aiida_enne.data.dataset import DatasetData
from aiida_enne.data.prediction import PredictionData
from aiida_enne.science.uncertainty.options import AuditOptions
from tests.audited import chain, link, model

OPTIONS = {'estimator': 'snapshots', 'calibration_domain': 'cold', 'n_bootstrap': 0, 'n_subsets': 2}
ALIGNED = {'domain': 'cold', 'by': 'minimum'}


def predict(node, dataset, rng):
    frames = dataset.get_configurations()
    arrays = {
        'indices': np.arange(len(frames)),
        'energies': frames.energies + 0.1 * rng.normal(size=len(frames)),
        'forces': frames.forces + 0.1 * rng.normal(size=frames.forces.shape),
    }
    known = {'weights_sha256': node.weights_sha256, 'seed': node.seed, 'part': 'all'}
    return PredictionData.from_arrays(arrays, dataset_sha256=dataset.sha256, **known).store()


def ask(models, dataset, rng):
    return {label: predict(node, dataset, rng) for label, node in models.items()}


@pytest.fixture
def trained(dataset, aiida_localhost):
    """Return three members by label, and three snapshots of each of the last two, by epoch."""
    models, rivals = {}, {}
    for number in (1, 2, 3):
        label = f'seed_{number}'
        job = orm.CalcJobNode(
            computer=aiida_localhost, process_type='aiida.calculations:enne.nequip.train'
        )
        job.base.links.add_incoming(dataset, LinkType.INPUT_CALC, 'dataset')
        job.store()
        models[label] = model(number)
        models[label].base.links.add_incoming(job, LinkType.CREATE, f'models__{label}')
        models[label].store()
        rivals[label] = {}
        for epoch in () if number == 1 else (7, 8, 9):
            node = model(100 * number + epoch)
            port = f'snapshots__{label}__epoch_{epoch}'
            node.base.links.add_incoming(job, LinkType.CREATE, port)
            rivals[label][f'epoch_{epoch}'] = node.store()
    training = chain('EnsembleWorkChain', {'dataset': dataset})
    link(training, {f'models__{label}': node for label, node in models.items()})
    return provenance.find_ensemble(training.uuid), models, rivals


def audit(dataset, models, rivals, rng):
    """Return the statistics, with own zeros, of members and snapshots that predict now."""
    options = orm.Dict(OPTIONS | {'alignment': ALIGNED})
    found = audit_ensemble(
        options,
        judges_of(options),
        datasets={'all': dataset},
        predictions={'all': ask(models, dataset, rng)},
        snapshots={'all': ask(rivals, dataset, rng)},
    )
    return found['all']


def test_an_audit_by_snapshots_is_the_same_anew(dataset, trained, rng):
    """Raw energies, forces and own zeros."""
    ensemble, models, rivals = trained
    stored = audit(dataset, models, rivals['seed_3'], rng).domains['hot']
    again = provenance.audit_again(
        ensemble, [dataset], AuditOptions.from_dict(OPTIONS), ALIGNED, 'include'
    )[dataset.uuid]
    for name, value in stored.items():
        expected = value if value is None else pytest.approx(value, rel=1e-12)
        assert again.domains['hot'][name] == expected, name
    for quantity in ('energy', 'aligned', 'force'):
        assert stored[f'{quantity}_rmse_over_spread'] > 0


def test_what_the_estimators_are_compared_on_has_own_zeros_of_snapshots(dataset, trained, rng):
    _, models, rivals = trained
    statistics = audit(dataset, models, rivals['seed_3'], rng)
    inputs = {f'models__{label}': node for label, node in models.items()}
    node = chain('AuditWorkChain', inputs | {'datasets__all': dataset})
    link(node, {'statistics__all': statistics})
    rows, quantities = provenance.joint_quantities(provenance.Material.of(node.pk))
    (known,) = provenance.stored_snapshots(trained[0], rows)
    own = known.energies / rows.configurations.n_atoms
    own -= own[:, rows.configurations.domains == 'cold'].min(axis=1, keepdims=True)
    np.testing.assert_allclose(quantities['aligned'].snapshots, own, atol=1e-12)


def test_snapshots_are_of_one_member_that_predicted_all(dataset, trained, configurations, rng):
    ensemble, models, rivals = trained
    other = DatasetData.from_configurations(configurations.select([1, 9]), level_of_theory='EMT')
    sets = [dataset, other.store()]
    for one in sets:
        ask(models, one, rng)
    ask(rivals['seed_2'], dataset, rng)
    rows = [provenance.gather_rows(ensemble, one) for one in sets]
    assert provenance.stored_snapshots(ensemble, *rows) is None
    options = AuditOptions.from_dict(OPTIONS)
    with pytest.raises(
        NotExistent, match=r'no member has snapshots that all predicted .*audit with'
    ):
        provenance.audit_again(ensemble, sets, options, trained_frames='include')
    nodes = [ask(rivals['seed_3'], one, rng) for one in sets]
    found = provenance.stored_snapshots(ensemble, *rows)
    for several, known in zip(found, nodes, strict=True):
        expected = [known[label].get_arrays()['energies'] for label in sorted(known)]
        np.testing.assert_array_equal(several.energies, expected)
