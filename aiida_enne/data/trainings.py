"""What members were trained on: datasets and the parts of their splits, and copies of these."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
from aiida import orm

from aiida_enne.data.base_model import BaseModelData
from aiida_enne.data.dataset import DatasetData
from aiida_enne.data.model import ModelData
from aiida_enne.data.split import SplitData
from aiida_enne.families import models_in
from aiida_enne.families.nequip.training import FINISHED_MODELS
from aiida_enne.science.data.copies import find_copies
from aiida_enne.science.data.splits import PARTS
from aiida_enne.science.fields import Integers
from aiida_enne.science.structures.domains import Domain


def find_trainings(weights: Iterable[str]) -> dict[str, tuple[str, str]]:
    """Return the UUIDs of dataset and split that each member was trained on, by its weights.

    Members are found by content: one whose training is not in the profile is left out.
    """
    return _trainings('attributes.weights_sha256', weights)


def _trainings(name: str, values: Iterable[str]) -> dict[str, tuple[str, str]]:
    """Return the UUIDs of dataset and split by one attribute of models that has such a value."""
    query, wanted = orm.QueryBuilder(), sorted(set(values))
    if not wanted:
        return {}
    query.append(ModelData, filters={name: {'in': wanted}}, tag='model', project=name)
    query.append(orm.CalcJobNode, with_outgoing='model', tag='job')
    query.append(DatasetData, with_outgoing='job', project='uuid')
    query.append(SplitData, with_outgoing='job', project='uuid')
    # cached copies of a job have equal inputs: the first by UUID stands for all
    found: dict[str, tuple[str, str]] = {}
    for value, dataset, split in sorted(query.iterall()):
        found.setdefault(value, (dataset, split))
    return found


def find_earlier(weights: Iterable[str]) -> dict[str, set[str]]:
    """Return the weights that each member began with, those before them too, by its own weights.

    Members that began anew are left out.
    """
    direct: dict[str, set[str]] = {}
    wanted = set(weights)
    while wanted:
        found = _initial(wanted)
        direct |= found
        wanted = {one for before in found.values() for one in before} - direct.keys()
    earlier = {}
    for own in direct:
        reached, open_ends = set[str](), set(direct[own])
        while open_ends:
            reached |= open_ends
            open_ends = {e for one in open_ends for e in direct.get(one, ())} - reached
        earlier[own] = reached
    return earlier


def _initial(weights: Iterable[str]) -> dict[str, set[str]]:
    """Return the weights of the models that a training took for its members, by the members'."""
    key, found = 'attributes.weights_sha256', dict[str, set[str]]()
    query = orm.QueryBuilder()
    query.append(ModelData, filters={key: {'in': sorted(weights)}}, tag='model', project=key)
    query.append(orm.CalcJobNode, with_outgoing='model', edge_project='label', tag='job')
    query.append(
        ModelData,
        with_outgoing='job',
        edge_filters={'label': {'or': [{'like': 'initial_models__%'}, {'==': 'base_model'}]}},
        edge_project='label',
        project=key,
    )
    for own, before, member, port in query.iterall():
        # models__seed_1, snapshots__seed_1__epoch_9
        if port in (f'initial_models__{member.split("__")[1]}', 'base_model'):
            found.setdefault(own, set()).add(before)
    return found


def _from_packages(weights: Iterable[str]) -> set[str]:
    """Return which members were tuned from a package, of whose data the graph knows nothing."""
    key, query = 'attributes.weights_sha256', orm.QueryBuilder()
    query.append(ModelData, filters={key: {'in': sorted(weights)}}, tag='model', project=key)
    query.append(orm.CalcJobNode, with_outgoing='model', tag='job')
    query.append(BaseModelData, with_outgoing='job')
    return set(query.all(flat=True))


@dataclass(frozen=True, slots=True)
class Overlap:
    """Configurations of a dataset that an ensemble was trained on or validated with.

    Attributes:
        train: Indices into the dataset of copies of training configurations, increasing.
        validation: The same of validation configurations that no training has.
        sources: UUIDs of the datasets that the copies stand in, sorted.
    """

    train: Integers
    validation: Integers
    sources: tuple[str, ...]

    @property
    def indices(self) -> Integers:
        """All of them, in increasing order."""
        return np.sort(np.concatenate([self.train, self.validation]))


@dataclass(frozen=True, slots=True)
class TrainedOn:
    """What the members of an ensemble were trained on, as the graph knows it.

    Attributes:
        sets: Dataset and split of every training; those of equal content once. Of members that
            began with the weights of others, the trainings of these, too.
        unknown: Labels of members whose training is not in the profile, or that began from a
            finished model, of which the graph knows nothing.
    """

    sets: tuple[tuple[DatasetData, SplitData], ...]
    unknown: tuple[str, ...]

    @classmethod
    def of(cls, models: Mapping[str, ModelData]) -> TrainedOn:
        """Find the training of each model, by its weights where its node comes without one.

        Two trainings may end in equal weights, if they differ only in what they validated with.
        """
        own = _trainings('uuid', (model.uuid for model in models.values()))
        known = find_trainings(one.weights_sha256 for one in models.values() if one.uuid not in own)
        found = {
            label: own.get(model.uuid) or known[model.weights_sha256]
            for label, model in models.items()
            if model.uuid in own or model.weights_sha256 in known
        }
        earlier = find_earlier(one.weights_sha256 for one in models.values())
        before = find_trainings(weights for them in earlier.values() for weights in them)
        sets: dict[tuple[str, str], tuple[DatasetData, SplitData]] = {}
        for uuids in sorted({*found.values(), *before.values()}):
            dataset, split = (orm.load_node(uuid) for uuid in uuids)
            if isinstance(dataset, DatasetData) and isinstance(split, SplitData):
                sets.setdefault((dataset.sha256, split.sha256), (dataset, split))
        reached = {
            label: {one.weights_sha256} | earlier.get(one.weights_sha256, set())
            for label, one in models.items()
        }
        tuned = _from_packages(set().union(*reached.values()))
        unknown = [
            label
            for label, model in sorted(models.items())
            if label not in found
            or _began_from_another(model)
            or reached[label] - before.keys() - {model.weights_sha256}
            or reached[label] & tuned
        ]
        return cls(tuple(sets.values()), tuple(unknown))

    def splits_of(self, dataset: DatasetData) -> list[SplitData]:
        """Return the splits by which members were trained on this dataset, each content once."""
        return [split for known, split in self.sets if known.sha256 == dataset.sha256]

    def find_domains(self) -> dict[str, Domain]:
        """Return the domains of all training configurations, with what each is, by label."""
        found: dict[str, Domain] = {}
        for dataset, split in self.sets:
            domains = dataset.get_configurations().domains[split.get_split().train]
            found |= {name: dataset.kinds[name] for name in sorted(set(domains.tolist()))}
        return found

    def find_overlap(self, dataset: DatasetData, indices: Integers) -> Overlap:
        """Return which of some configurations of a dataset are copies of trained ones.

        Args:
            dataset: Any dataset: copies are found by content, see `science.data.copies`.
            indices: The configurations in question.
        """
        asked = dataset.get_configurations().select(indices)
        seen, sources = np.full(len(indices), len(PARTS)), set[str]()
        for node, split_node in self.sets:
            known, split = node.get_configurations(), split_node.get_split()
            for number, part in enumerate((split.train, split.validation)):
                copies = find_copies(asked, known.select(part)) >= 0
                if copies.any():
                    sources.add(node.uuid)
                seen = np.where(copies, np.minimum(seen, number), seen)
        train, validation = (np.sort(indices[seen == number]) for number in (0, 1))
        return Overlap(train, validation, tuple(sorted(sources)))


def _began_from_another(model: ModelData) -> bool:
    """Return whether a training began from a finished model that is a file, not a node."""
    return any(
        str(one.get('_target_', '')).endswith(FINISHED_MODELS)
        for one in models_in(model.get_config())
    )
