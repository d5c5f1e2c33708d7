"""Last-layer features that an ensemble's predictions hold, in the order of rows."""

from __future__ import annotations

from typing import Any

import numpy as np
from aiida import orm
from aiida.common.exceptions import NotExistent

from aiida_enne.data.features import (
    Trained,
    TrainingSet,
    are_summed,
    find_training_sets,
    gather_features,
    gather_trained,
    has_features,
    read_features,
)
from aiida_enne.data.prediction import PredictionData
from aiida_enne.provenance.ensembles import Ensemble
from aiida_enne.provenance.material import Material
from aiida_enne.provenance.predictions import find_predictions, find_trained_predictions
from aiida_enne.provenance.rows import Rows
from aiida_enne.science.fields import Floats
from aiida_enne.science.uncertainty.features import Features

#: What makes them.
_REMEDY = 'audit or predict with `features: per_atom` or `features: summed`'


def stored_features(ensemble: Ensemble, rows: Rows) -> Features:
    """Return features of rows beside those of what each member was trained on.

    Features of atoms are summed over configurations where some predictions hold sums only.

    Raises:
        NotExistent: If a member has no prediction with features of one of the datasets, or of its
            training frames.
    """
    trained = find_trained(ensemble)
    found: dict[str, dict[str, PredictionData]] = {}
    for uuid in np.unique(rows.datasets).tolist():
        dataset: Any = orm.load_node(uuid)
        known = find_predictions(ensemble, dataset.sha256, featured=True)
        if missing := [one.label for one in ensemble.members if one.label not in known]:
            raise NotExistent(f'no features of {missing} on dataset <{uuid}>: {_REMEDY}')
        nodes: dict[str, Any] = {label: orm.load_node(one) for label, one in known.items()}
        found[uuid] = nodes
    every = [node for nodes in found.values() for node in nodes.values()]
    summed = are_summed([*every, *(node for _, node in trained.values())])
    own = [_of_member(label, found, rows, summed) for label in rows.members]
    return gather_features(own, trained, summed=summed)


def trained_features(ensemble: Ensemble) -> Features:
    """Return features of what each member was trained on, beside those of no configuration.

    Raises:
        NotExistent: If the training of a member, or a prediction with features of all of it, is
            not in the profile.
    """
    return gather_trained(find_trained(ensemble))


def known_features(material: Material, rows: Rows) -> Features | None:
    """Return features of rows of a study, read once; None where predictions hold none.

    Args:
        material: Of a study.
        rows: Some of its rows.
    """

    def read() -> Features | None:
        try:
            return stored_features(material.record.ensemble, rows)
        except NotExistent:
            return None

    return material.once(('features', rows.datasets.tobytes(), rows.indices.tobytes()), read)


def find_trained(ensemble: Ensemble) -> Trained:
    """Return what each member was trained on, and its prediction with features of all that.

    Raises:
        NotExistent: If the training of a member, or such a prediction, is not in the profile.
    """
    trained = {
        label: (one.dataset, node)
        for label, (one, node) in _find_trained(ensemble).items()
        # fewer frames have another covariance of features
        if len(node.indices) == len(one.split.get_split().train) and has_features(node)
    }
    if missing := sorted({one.label for one in ensemble.members} - trained.keys()):
        raise NotExistent(f'no features of {missing} on their training frames: {_REMEDY}')
    return trained


def find_fitted(ensemble: Ensemble) -> Trained | None:
    """Return what each member was trained on, and its prediction of frames of that.

    None where a member has none, or its training is not in the profile.
    """
    found = _find_trained(ensemble)
    if any(one.label not in found for one in ensemble.members):
        return None
    return {label: (one.dataset, node) for label, (one, node) in found.items()}


def _find_trained(ensemble: Ensemble) -> dict[str, tuple[TrainingSet, PredictionData]]:
    models: dict[str, Any] = {one.label: orm.load_node(one.uuid) for one in ensemble.members}
    trained: dict[str, tuple[TrainingSet, PredictionData]] = {}
    for one in find_training_sets(models).values():
        train = one.split.get_split().train
        known = find_trained_predictions(ensemble, one.dataset.sha256, train)
        trained |= {label: (one, known[label]) for label in one.members if label in known}
    return trained


def _of_member(
    label: str, found: dict[str, dict[str, PredictionData]], rows: Rows, summed: bool
) -> Floats:
    """Return the features of one member on all rows."""
    frames = rows.configurations
    target: Any = None
    for uuid, nodes in found.items():
        mine = np.flatnonzero(rows.datasets == uuid)
        dataset: Any = orm.load_node(uuid)
        indices = nodes[label].indices
        predicted = dataset.get_configurations().select(indices)
        values = read_features(nodes[label], predicted, summed=summed)
        order = np.argsort(indices)
        at = order[np.searchsorted(indices, rows.indices[mine], sorter=order)]
        where, source = mine, at
        if not summed:
            where, source = frames.atom_index(mine), predicted.atom_index(at)
        if target is None:
            size = len(frames) if summed else int(frames.offsets[-1])
            target = np.empty((size, values.shape[1]), values.dtype)
        target[where] = values[source]
    features: Floats = target
    return features
