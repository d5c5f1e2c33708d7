"""Last-layer features of predictions and of what the members were trained on, from their nodes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from aiida import orm

from aiida_enne.data.dataset import DatasetData
from aiida_enne.data.model import ModelData
from aiida_enne.data.prediction import PER_ATOM, SUMMED, PredictionData
from aiida_enne.data.split import SplitData
from aiida_enne.data.trainings import find_trainings
from aiida_enne.science.data.configurations import Configurations
from aiida_enne.science.fields import Floats, Integers
from aiida_enne.science.uncertainty.features import Features
from aiida_enne.science.uncertainty.fit import Fit
from aiida_enne.science.uncertainty.gates import Gate, refit_gate, training_gate
from aiida_enne.science.uncertainty.options import AuditOptions

#: Training frames, evenly spread, whose forces are read.
FORCE_FRAMES = 200
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


def has_features(node: PredictionData) -> bool:
    """Return whether a prediction holds last-layer features."""
    return node.base.attributes.get('features', None) is not None


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
    known, counts = _read_trained(trained, summed=summed)
    fit = read_fit(trained)
    return Features(list(own), known, counts, summed, fit.errors, fit.groups)


def gather_trained(trained: Trained) -> Features:
    """Return features of what members were trained on, with their errors there, and of nothing.

    Features of atoms are summed over configurations where some predictions hold sums only.

    Args:
        trained: By label of the member.

    Raises:
        ValueError: If a prediction belongs to another dataset, or has no features.
    """
    summed = are_summed(node for _, node in trained.values())
    known, counts = _read_trained(trained, summed=summed)
    fit = read_fit(trained)
    nothing = [own[:0] for own in known]
    return Features(nothing, known, counts, summed, fit.errors, fit.groups)


def _read_trained(trained: Trained, *, summed: bool) -> tuple[list[Floats], list[Integers]]:
    """Return features and atoms of training frames, by member in alphabetical order."""
    known, counts = [], []
    for label in sorted(trained):
        dataset, node = trained[label]
        frames = dataset.get_configurations().select(node.indices)
        known.append(read_features(node, frames, summed=summed))
        counts.append(frames.n_atoms)
    return known, counts


def read_fit(trained: Trained) -> Fit:
    """Return the errors of members on frames of their training.

    Args:
        trained: By label of the member; one or more.

    Raises:
        ValueError: If a prediction belongs to another dataset.
    """
    errors, groups, seen = [], [], set()
    for label in sorted(trained):
        dataset, node = trained[label]
        if node.base.attributes.get('dataset_sha256') != dataset.sha256:
            raise ValueError(f'the prediction <{node.uuid}> belongs to another dataset')
        arrays = node.get_arrays(['indices', 'energies'])
        frames = dataset.get_configurations().select(arrays['indices'])
        own = Fit.of(frames, arrays['energies'][None])
        errors.append(own.errors[0])
        groups.append(own.groups[0])
        seen.add((dataset.sha256, arrays['indices'].tobytes()))
    return Fit(errors, groups, shared=len(seen) == 1)


def read_force_fit(trained: Trained) -> Fit:
    """Return the errors of force components of members on at most `FORCE_FRAMES` of these frames.

    Args:
        trained: By label of the member; one or more.
    """
    found, seen = [], set()
    for label in sorted(trained):
        dataset, node = trained[label]
        arrays = node.get_arrays(['indices', 'forces'])
        frames = dataset.get_configurations().select(arrays['indices'])
        some = np.unique(np.linspace(0, len(frames) - 1, FORCE_FRAMES).astype(np.int64))
        forces = arrays['forces'][None, frames.atom_index(some)]
        found.append(Fit.of_forces(frames.select(some), forces.astype(np.float64)))
        seen.add((dataset.sha256, arrays['indices'].tobytes()))
    errors, groups = [one.errors[0] for one in found], [one.groups[0] for one in found]
    return replace(found[0], errors=errors, groups=groups, shared=len(seen) == 1)


def trained_gates(
    trained: Trained,
    features: Features | None,
    options: AuditOptions,
    held_out: tuple[Configurations, Floats, Floats] | None = None,
) -> list[Gate]:
    """Return whether the members fit what they were trained on.

    Args:
        trained: By label of the member; one or more.
        features: Of the same frames: what a refit of the last layer gains where all saw the same.
        options: Choices of the audit: what is tolerated, and which domains were trained on.
        held_out: Other frames, energies (M, n) in eV and forces (M, N, 3) in eV/Å of the members.
    """
    fit, others, force_others = read_fit(trained), None, None
    if held_out is not None:
        frames, energies, forces = held_out
        others = Fit.of(frames, energies, options.training_domains)
        force_others = Fit.of_forces(frames, forces, options.training_domains)
    gates = [
        training_gate(fit, options.energy_tolerance, others),
        *_force_gates(read_force_fit(trained), options.force_tolerance, force_others),
    ]
    if features is None or not fit.shared or len({one.shape[1] for one in features.trained}) > 1:
        return gates
    each = np.ones(len(fit), dtype=np.int64)
    means = np.stack(features.trained_means())
    return [*gates, refit_gate(means, each, np.stack(list(fit.errors)))]


def _force_gates(fit: Fit, tolerance: float, held_out: Fit | None) -> list[Gate]:
    """Return the gate of forces; nothing where no training frame has one that is not zero."""
    return [training_gate(fit, tolerance, held_out)] if len(fit) else []
