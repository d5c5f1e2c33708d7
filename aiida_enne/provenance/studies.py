"""A study: every dataset that an ensemble was asked about, its scans and its statistics."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from aiida import orm
from aiida.common.exceptions import NotExistent
from aiida.common.links import LinkType

from aiida_enne.data.dataset import DatasetData
from aiida_enne.data.prediction import TRAIN, PredictionData
from aiida_enne.data.scan import ScanData
from aiida_enne.data.trainings import find_trainings
from aiida_enne.provenance.ensembles import Ensemble, find_ensemble
from aiida_enne.provenance.links import linked
from aiida_enne.provenance.statistics import Statistics, find_statistics
from aiida_enne.science.plans.points import Trained
from aiida_enne.science.plans.scans import KINDS
from aiida_enne.science.structures.domains import Domain, dataset_role, kinds_of

#: What a scan may vary.
SCANS = tuple(KINDS)
#: Nodes of a scan; before version 0.2 it was a plain one.
NODES = (orm.Dict, ScanData)


@dataclass(frozen=True, slots=True)
class Dataset:
    """One dataset of a study, as its node's attributes tell it.

    Attributes:
        role: What it is to the study, e.g. 'liquid', 'eos_diamond'.
        uuid: Its node.
        sha256: Digest of its content: what predictions refer to.
        level_of_theory: What its labels are.
        domains: Number of configurations by domain.
        kinds: What every domain is.
        predicted: Whether every member of the ensemble predicted it, or a part of it.
    """

    role: str
    uuid: str
    sha256: str
    level_of_theory: str
    domains: dict[str, int]
    kinds: dict[str, Domain]
    predicted: bool


@dataclass(frozen=True, slots=True)
class Scan:
    """Ensembles that differ in one or two choices.

    Attributes:
        name: What the study calls it.
        uuid: Its node.
        kind: One of `SCANS`.
        points: By label.
        roles: Digests of the datasets that its members predicted, by role.
    """

    name: str
    uuid: str
    kind: str
    points: dict[str, Trained]
    roles: dict[str, str]


@dataclass(frozen=True, slots=True)
class StudyRecord:
    """All that a study holds, as identities and scalars: no array has been read.

    Attributes:
        process: UUID of the work chain.
        ensemble: The main ensemble.
        datasets: By role.
        scans: By name.
        statistics: Stored audits, by role.
        training: Digests of the datasets that the main ensemble was trained on.
    """

    process: str
    ensemble: Ensemble
    datasets: dict[str, Dataset]
    scans: dict[str, Scan]
    statistics: dict[str, Statistics]
    training: tuple[str, ...]


def find_study(identifier: str | int) -> StudyRecord:
    """Return what a study, or any ensemble, was trained on and asked about.

    A work chain that returns `datasets` is a study and names their roles itself. Of any other
    that knows an ensemble (a training, an audit, a demo) the graph is asked: all datasets that
    every member predicted; a role is then the label of an audit, or what the domains say.

    Raises:
        NotExistent: If there is no such work chain or it knows no models.
    """
    ensemble = find_ensemble(identifier)
    process = orm.load_node(ensemble.uuid)
    trained = {dataset for dataset, _ in find_trainings(ensemble.weights).values()}
    predicted = set(predicted_datasets(ensemble))
    own = linked(process, DatasetData, 'datasets', LinkType.RETURN)
    if own:
        roles = {uuid: label for label, uuid, _ in own}
        nodes = _datasets('uuid', {*roles, *trained})
    else:
        nodes = _datasets('attributes.sha256', predicted) | _datasets('uuid', trained)
        inputs = linked(process, DatasetData, 'datasets', LinkType.INPUT_WORK)
        roles = {uuid: label for label, uuid, _ in inputs}
    datasets: dict[str, Dataset] = {}
    for uuid, attributes in _one_per_content(nodes, roles).items():
        kinds = kinds_of(attributes['domains'], attributes.get('roles'))
        role = roles.get(uuid) or _unique(dataset_role(kinds.values()), datasets)
        datasets[role] = Dataset(
            role,
            uuid,
            attributes['sha256'],
            attributes['level_of_theory'],
            dict(attributes['domains']),
            kinds,
            attributes['sha256'] in predicted,
        )
    try:
        statistics = {found.label: found for found in find_statistics(process.uuid)}
    except NotExistent:
        statistics = {}
    return StudyRecord(
        process.uuid,
        ensemble,
        dict(sorted(datasets.items())),
        find_scans(process, {dataset.sha256 for dataset in datasets.values()}),
        statistics,
        tuple(sorted({nodes[uuid]['sha256'] for uuid in trained})),
    )


def predicted_datasets(ensemble: Ensemble) -> list[str]:
    """Return the digests of the datasets that every member predicted, or a part of them.

    What members said of their own training frames alone is no answer about a dataset.
    """
    query = orm.QueryBuilder().append(
        PredictionData,
        filters={'attributes.weights_sha256': {'in': ensemble.weights}},
        project=['attributes.dataset_sha256', 'attributes.weights_sha256', 'attributes.part'],
    )
    members: dict[str, set[str]] = {}
    for dataset, weights, part in query.distinct().iterall():
        if part != TRAIN:
            members.setdefault(dataset, set()).add(weights)
    everyone = set(ensemble.weights)
    return sorted(dataset for dataset, found in members.items() if found == everyone)


def find_scans(process: orm.Node, datasets: Iterable[str]) -> dict[str, Scan]:
    """Return the scans that a process returned or, if it returned none, all on its datasets.

    Args:
        process: A study, a scan, or any work chain that knows an ensemble.
        datasets: Digests of its datasets.
    """
    rows = [row for row in linked(process, NODES, 'scans', LinkType.RETURN) if _is_scan(row[2])]
    rows += [
        (content['kind'], uuid, content)
        for _, uuid, content in linked(process, NODES, 'summary', LinkType.RETURN)
        if _is_scan(content)
    ]
    if not rows:
        query = orm.QueryBuilder().append(
            NODES,
            filters={'attributes.kind': {'in': list(SCANS)}},
            project=['attributes.kind', 'uuid', 'attributes'],
        )
        known = set(datasets)
        rows = [
            (row[0], row[1], row[2])
            for row in sorted(query.iterall(), key=lambda row: row[:2])
            if _is_scan(row[2]) and known & set(row[2]['roles'].values())
        ]
    found: dict[str, Scan] = {}
    for label, uuid, content in rows:
        name = _unique(label, found)
        points = {one: Trained.from_dict(point, one) for one, point in content['points'].items()}
        found[name] = Scan(name, uuid, content['kind'], points, content['roles'])
    return found


def _unique(name: str, taken: Mapping[str, Any]) -> str:
    """Return the name, or the first of name_2, name_3 … that is free."""
    number, chosen = 1, name
    while chosen in taken:
        number += 1
        chosen = f'{name}_{number}'
    return chosen


def _datasets(key: str, values: Iterable[str]) -> dict[str, dict[str, Any]]:
    """Return the attributes of the datasets with one of the values, by UUID, the oldest first."""
    if not (wanted := sorted(set(values))):
        return {}
    query = orm.QueryBuilder().append(
        DatasetData, filters={key: {'in': wanted}}, project=['uuid', 'attributes', 'ctime']
    )
    rows = sorted(query.iterall(), key=lambda row: (row[2], row[0]))
    return {uuid: attributes for uuid, attributes, _ in rows}


def _one_per_content(
    nodes: Mapping[str, dict[str, Any]], roles: Mapping[str, str]
) -> dict[str, dict[str, Any]]:
    """Return one node of each content: one with a role, else the oldest.

    Nodes of equal content but two roles are both kept: a study may name one thing twice.
    """
    chosen = {uuid: nodes[uuid] for uuid in roles if uuid in nodes}
    known = {attributes['sha256'] for attributes in chosen.values()}
    for uuid, attributes in nodes.items():
        if attributes['sha256'] not in known:
            chosen[uuid] = attributes
            known.add(attributes['sha256'])
    return chosen


def _is_scan(content: Mapping[str, Any]) -> bool:
    parts = [content.get(name) for name in ('points', 'roles')]
    return content.get('kind') in SCANS and all(isinstance(part, dict) for part in parts)
