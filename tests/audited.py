"""A stored audit on synthetic predictions: the graph as the work chains leave it."""

import hashlib

import numpy as np
from aiida import orm
from aiida.common import LinkType

from aiida_enne.calculations.audits import judges_of
from aiida_enne.calculations.functions import audit_ensemble
from aiida_enne.data.model import ModelData
from aiida_enne.data.prediction import PredictionData

LABEL = 'study'


def store_audit(dataset, n_members=5, parameters=None, seed=0, shared=0.0, own=1.0, **attributes):
    """Store members, predictions, a training and an audit; return audit and training.

    All members have in common an error of `shared` in eV (energies) and eV/Å (forces), and each has
    errors of its own, of `own` in eV and a tenth of it in eV/Å. Models and
    predictions have the `attributes`.
    """
    rng = np.random.default_rng(seed)
    training = chain('EnsembleWorkChain', {'dataset': dataset})
    numbers = range(1, n_members + 1)
    models = {f'seed_{number}': model(number, **attributes).store() for number in numbers}
    link(training, {f'models__{label}': node for label, node in models.items()})
    errors = {'shared': shared, 'own': own}
    return _audit(models, {LABEL: dataset}, parameters, rng, errors, attributes), training


def audit_members(models, dataset, seed=0):
    """Store an audit of any members, on one dataset."""
    errors = {'shared': 0.0, 'own': 1.0}
    return _audit(models, {LABEL: dataset}, None, np.random.default_rng(seed), errors, {})


def audit_of(audit, datasets, parameters=None, seed=0, shared=0.0):
    """Store another audit of the members of an audit, on datasets by label."""
    found = audit.base.links.get_incoming(link_type=LinkType.INPUT_WORK).nested()['models']
    return _audit(
        dict(found),
        datasets,
        parameters,
        np.random.default_rng(seed),
        {'shared': shared, 'own': 1.0},
        {},
    )


def _audit(models, datasets, parameters, rng, errors, attributes):
    predictions = {
        role: {
            label: _predict(node, dataset, rng, attributes, **errors)
            for label, node in models.items()
        }
        for role, dataset in datasets.items()
    }
    inputs = {f'models__{label}': node for label, node in models.items()}
    audit = chain('AuditWorkChain', inputs | {f'datasets__{k}': v for k, v in datasets.items()})
    options = orm.Dict(parameters or {})
    statistics = audit_ensemble(
        options, judges_of(options), datasets=datasets, predictions=predictions
    )
    link(audit, {f'statistics__{label}': node for label, node in statistics.items()})
    return audit


def _predict(member, dataset, rng, attributes, *, shared, own):
    configurations = dataset.get_configurations()
    energies = shared + own * rng.normal(size=len(configurations))
    forces = shared + 0.1 * own * rng.normal(size=configurations.forces.shape)
    arrays = {
        'indices': np.arange(len(configurations)),
        'energies': configurations.energies + energies,
        'forces': configurations.forces + forces,
    }
    return PredictionData.from_arrays(
        arrays,
        dataset_sha256=dataset.sha256,
        weights_sha256=member.weights_sha256,
        seed=member.seed,
        force_mae=0.1,
        energy_mae=0.1,
        **attributes,
    ).store()


def model(number, **attributes):
    """Return an unstored model whose checkpoint is never read."""
    digest = hashlib.sha256(str(number).encode()).hexdigest()
    return ModelData.from_files(
        b'weights',
        {'training_module': {}},
        identity=digest,
        seed=number,
        weights_sha256=digest,
        elements=['Cu'],
        complete=True,
        epochs=3,
        best_epoch=2,
        **attributes,
    )


def chain(label, inputs):
    """Return a finished work chain with inputs."""
    node = orm.WorkChainNode(process_type=f'aiida.workflows:enne.{label}')
    node.base.attributes.set_many(
        {'process_label': label, 'process_state': 'finished', 'exit_status': 0}
    )
    for port, value in inputs.items():
        node.base.links.add_incoming(value, LinkType.INPUT_WORK, port)
    return node.store()


def link(process, outputs):
    """Return nodes from a work chain."""
    for port, node in outputs.items():
        node.base.links.add_incoming(process, LinkType.RETURN, port)
    process.seal()
