"""Last-layer features of predictions and of what the members were trained on, from their nodes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from aiida import orm

from aiida_enne.data.dataset import DatasetData
from aiida_enne.data.model import ModelData
from aiida_enne.data.prediction import PER_ATOM, SUMMED, PredictionData
from aiida_enne.data.split import SplitData
from aiida_enne.data.trainings import find_trainings
from aiida_enne.science.data.configurations import Configurations
from aiida_enne.science.fields import Floats
from aiida_enne.science.uncertainty.features import Features, group_by_density
from aiida_enne.science.uncertainty.gates import Gate, refit_gate, training_gate

#: By member: what it was trained on, and its prediction of the training part.
Trained = Mapping[str, tuple[DatasetData, PredictionData]]


@dataclass(frozen=True, slots=True)
class TrainingSet:
    """Members that were trained on one part of one dataset.

    Attributes:
        dataset: The dataset.
        split: The split of which they were trained on the training part.
        members: Their labels.
    """

    dataset: DatasetData
    split: SplitData
    members: tuple[str, ...]


def find_training_sets(models: Mapping[str, ModelData]) -> dict[str, TrainingSet]:
    """Return what members were trained on, by `set_0` and so on; those of unknown training not."""
    found = find_trainings(model.weights_sha256 for model in models.values())
    groups: dict[tuple[str, str], list[str]] = {}
    for label, model in sorted(models.items()):
        if model.weights_sha256 in found:
            groups.setdefault(found[model.weights_sha256], []).append(label)
    sets = {}
    for number, ((dataset_uuid, split_uuid), labels) in enumerate(groups.items()):
        dataset, split = orm.load_node(dataset_uuid), orm.load_node(split_uuid)
        if isinstance(dataset, DatasetData) and isinstance(split, SplitData):
            sets[f'set_{number}'] = TrainingSet(dataset, split, tuple(labels))
    return sets


def are_summed(nodes: Iterable[PredictionData]) -> bool:
    """Return whether features must be summed over configurations: one node has them only so.

    Raises:
        ValueError: If a node has none.
    """
    kinds = [node.base.attributes.get('features', None) for node in nodes]
    if None in kinds:
        raise ValueError(
            'predictions without last-layer features cannot be compared: predict again with '
            f'`features: {PER_ATOM}` or `features: {SUMMED}`'
        )
    return SUMMED in kinds


def read_features(node: PredictionData, frames: Configurations, *, summed: bool) -> Floats:
    """Return the features of a prediction of atoms (N, f), or summed over configurations (n, f).

    Args:
        node: Of one member.
        frames: The n configurations that it predicted, in its order.
        summed: Whether to sum them; see `are_summed`.
    """
    if node.base.attributes.get('features') == SUMMED:
        return node.get_arrays(['summed_features'])['summed_features']
    features = node.get_arrays(['features'])['features']
    if not summed:
        return features
    sums: Floats = np.add.reduceat(features, frames.offsets[:-1], axis=0, dtype=np.float64)
    return sums


def gather_features(own: Sequence[Floats], trained: Trained, *, summed: bool) -> Features:
    """Return features of members beside those of what each was trained on, with its errors there.

    Args:
        own: Of each member, in alphabetical order of the labels, see `read_features`.
        trained: By label of the member.
        summed: Whether all are sums.

    Raises:
        ValueError: If a prediction belongs to another dataset.
    """
    known, counts, errors = [], [], []
    domains, groups = [], []
    for label in sorted(trained):
        dataset, node = trained[label]
        if node.base.attributes.get('dataset_sha256') != dataset.sha256:
            raise ValueError(f'the prediction <{node.uuid}> belongs to another dataset')
        arrays = node.get_arrays(['indices', 'energies'])
        frames = dataset.get_configurations().select(arrays['indices'])
        known.append(read_features(node, frames, summed=summed))
        counts.append(frames.n_atoms)
        errors.append((arrays['energies'] - np.asarray(frames.energies)) / frames.n_atoms)
        domains.append(frames.domains)
        groups.append(group_by_density(frames.domains, frames.volumes / frames.n_atoms))
    return Features(list(own), known, counts, summed, errors, domains, groups)


def trained_gates(features: Features, tolerance: float) -> list[Gate]:
    """Return whether the members fit what they were trained on, where that is the same for all.

    Args:
        features: With the errors on training frames.
        tolerance: τ in eV/atom.
    """
    errors, domains = features.trained_errors, features.trained_domains
    widths = {one.shape[1] for one in features.trained}
    if errors is None or domains is None or len({one.tobytes() for one in domains}) > 1:
        return []
    stacked = np.stack(list(errors))
    gates = [training_gate(stacked, domains[0], tolerance)]
    if len(widths) == 1:
        each = np.ones(stacked.shape[1], dtype=np.int64)
        means = np.stack(features.trained_means())
        gates.append(refit_gate(means, each, stacked))
    return gates
