"""From the provenance graph to plain tables and arrays: every read is a query, no job is run."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from aiida import orm
from aiida.common.exceptions import NotExistent
from aiida.common.links import LinkType

from aiida_enne.calculations.audits import Table, align, tabulate
from aiida_enne.data.dataset import DatasetData
from aiida_enne.data.model import ModelData
from aiida_enne.data.prediction import PredictionData
from aiida_enne.data.statistics import StatisticsData
from aiida_enne.science.audit import Audit, AuditOptions, audit


@dataclass(frozen=True, slots=True)
class Member:
    """One trained member, as its node's attributes tell it."""

    label: str
    uuid: str
    seed: int
    weights_sha256: str
    attributes: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Ensemble:
    """The members that one work chain handed out or was given."""

    uuid: str
    members: tuple[Member, ...]

    @property
    def weights(self) -> list[str]:
        """Digests of the members' weights: what every prediction carries."""
        return [member.weights_sha256 for member in self.members]


@dataclass(frozen=True, slots=True)
class Statistics:
    """One statistics node with the identities of all that it came from."""

    label: str
    uuid: str
    attributes: dict[str, Any]
    sources: dict[str, str]

    @property
    def domains(self) -> dict[str, dict[str, Any]]:
        """Scalars by name, by domain."""
        return dict(self.attributes['domains'])

    def load_audit(self) -> Audit:
        """Return the audit as the science made it."""
        node = orm.load_node(self.uuid)
        return Audit(
            domains=self.attributes['domains'],
            pooled=self.attributes['pooled'],
            arrays=node.get_arrays(),
            parameters=self.attributes['parameters'],
        )


def find_ensemble(identifier: str | int) -> Ensemble:
    """Return the members of an ensemble, by seed.

    Args:
        identifier: PK or UUID of a work chain that returns models (a training, a study) or was
            given them (a prediction, an audit).

    Raises:
        NotExistent: If there is no such work chain or it knows no models.
    """
    process = orm.load_node(identifier)
    returned = _linked(process, ModelData, 'models', LinkType.RETURN)
    found = returned or _linked(process, ModelData, 'models', LinkType.INPUT_WORK)
    if not found:
        raise NotExistent(
            f'{process.process_label or process.node_type} <{process.uuid}> has no models: '
            'expected a training, a prediction, an audit or a study'
        )
    members = [
        Member(label, uuid, attributes['seed'], attributes['weights_sha256'], attributes)
        for label, uuid, attributes in found
    ]
    return Ensemble(process.uuid, tuple(sorted(members, key=lambda member: member.seed)))


def find_predictions(
    ensemble: Ensemble, dataset_sha256: str, n_frames: int | None = None
) -> dict[str, str]:
    """Return the UUID of each member's prediction on a dataset, by the member's label.

    Predictions are found by content, so that cached copies, or predictions made elsewhere and
    imported, count alike. Where a member has several, the one on most configurations is taken.
    """
    query = orm.QueryBuilder().append(
        PredictionData,
        filters={
            'attributes.dataset_sha256': dataset_sha256,
            'attributes.weights_sha256': {'in': ensemble.weights},
        },
        project=['uuid', 'attributes.weights_sha256', 'attributes.n_frames'],
    )
    best: dict[str, tuple[int, str]] = {}
    for uuid, weights, size in query.iterall():
        if n_frames is None or size == n_frames:
            best[weights] = max(best.get(weights, (0, '')), (size, uuid))
    return {
        member.label: best[member.weights_sha256][1]
        for member in ensemble.members
        if member.weights_sha256 in best
    }


def gather(ensemble: Ensemble, dataset: DatasetData) -> Table:
    """Return the configurations and all members' raw predictions on a dataset.

    Returns:
        Labelled configurations, energies (M, n) in eV, forces (M, N, 3) in eV/Å.

    Raises:
        NotExistent: If a member never predicted the dataset.
    """
    found = find_predictions(ensemble, dataset.sha256)
    missing = [member.label for member in ensemble.members if member.label not in found]
    if missing:
        raise NotExistent(f'the members {missing} have no prediction on dataset <{dataset.uuid}>')
    return tabulate(dataset, {label: orm.load_node(uuid) for label, uuid in found.items()})


def audit_again(
    ensemble: Ensemble,
    datasets: Iterable[DatasetData],
    options: AuditOptions | None = None,
    alignment: dict[str, str] | None = None,
) -> dict[str, Audit]:
    """Audit stored predictions anew, e.g. with another ddof; nothing is run or stored.

    Returns:
        The audit by the UUID of the dataset.

    Raises:
        NotExistent: If a member never predicted one of the datasets.
        ValueError: If the reference domain of the alignment is not there.
    """
    tables = {dataset.uuid: gather(ensemble, dataset) for dataset in datasets}
    offsets = align(tables, **alignment) if alignment else None
    chosen = options or AuditOptions()
    return {uuid: audit(*table, options=chosen, offsets=offsets) for uuid, table in tables.items()}


def find_statistics(identifier: str | int) -> list[Statistics]:
    """Return the statistics that an audit or a study returned, by the label of the dataset.

    Raises:
        NotExistent: If there is no such work chain or it returned no statistics.
    """
    process = orm.load_node(identifier)
    found = _linked(process, StatisticsData, 'statistics', LinkType.RETURN)
    if not found:
        raise NotExistent(f'work chain <{process.uuid}> returned no statistics')
    return [
        Statistics(label, uuid, attributes, _sources(uuid, label))
        for label, uuid, attributes in sorted(found)
    ]


def find_histories(ensemble: Ensemble) -> dict[str, str]:
    """Return the UUID of each member's training history, by the member's label.

    A member that was continued has one history per attempt; the youngest tells all epochs.
    """
    query = orm.QueryBuilder()
    uuids = {member.uuid: member.label for member in ensemble.members}
    query.append(ModelData, filters={'uuid': {'in': list(uuids)}}, tag='model', project='uuid')
    query.append(orm.CalcJobNode, with_outgoing='model', edge_project='label', tag='job')
    query.append(orm.ArrayData, with_incoming='job', edge_project='label', project='uuid')
    found = {}
    for model, history, model_port, history_port in query.iterall():
        if model_port.removeprefix('models__') == history_port.removeprefix('histories__'):
            found[uuids[model]] = history
    return dict(sorted(found.items()))


def load_histories(
    uuids: dict[str, str], metric: str = 'val0_epoch_forces_mae'
) -> dict[str, tuple[Any, Any]]:
    """Return the epochs and one metric of every history that has it, by the member's label."""
    histories = {}
    for label, uuid in uuids.items():
        node = orm.load_node(uuid)
        if metric in node.get_arraynames():
            values = node.get_array(metric)
            known = np.isfinite(values)
            histories[label] = (node.get_array('epoch')[known], values[known])
    return histories


def created(uuid: str) -> str:
    """Return when a node was made, to the second, in ISO 8601."""
    return str(orm.load_node(uuid).ctime.isoformat(timespec='seconds'))


def latest_audited() -> str:
    """Return the UUID of the youngest work chain that returned statistics, or of its caller.

    Raises:
        NotExistent: If there is none.
    """
    query = orm.QueryBuilder()
    query.append(orm.WorkChainNode, tag='chain', project=['uuid', 'ctime'])
    query.append(StatisticsData, with_incoming='chain', edge_filters={'type': 'return'})
    query.distinct()
    found = sorted((ctime, uuid) for uuid, ctime in query.iterall())
    if not found:
        raise NotExistent('no audit has finished in this profile')
    audited = {uuid for _, uuid in found}
    chosen = str(found[-1][1])
    while (caller := orm.load_node(chosen).caller) is not None and caller.uuid in audited:
        chosen = caller.uuid
    return chosen


def prediction_scalars(
    ensembles: Iterable[Ensemble], names: tuple[str, ...] = ('energy_mae', 'force_mae')
) -> list[tuple[Any, ...]]:
    """Return (weights, dataset, scalars…) of every prediction of the ensembles: one projection."""
    weights = [digest for ensemble in ensembles for digest in ensemble.weights]
    query = orm.QueryBuilder().append(
        PredictionData,
        filters={'attributes.weights_sha256': {'in': weights}},
        project=[
            'attributes.weights_sha256',
            'attributes.dataset_sha256',
            *(f'attributes.{name}' for name in names),
        ],
    )
    return [tuple(row) for row in query.iterall()]


def _linked(
    process: orm.ProcessNode, node_class: type[orm.Data], namespace: str, link: LinkType
) -> list[tuple[str, str, dict[str, Any]]]:
    """Return (label, UUID, attributes) of the nodes in one namespace of ports."""
    direction = 'with_incoming' if link is LinkType.RETURN else 'with_outgoing'
    query = orm.QueryBuilder()
    query.append(orm.ProcessNode, filters={'uuid': process.uuid}, tag='process')
    query.append(
        node_class,
        **{direction: 'process'},
        edge_filters={'type': link.value, 'label': {'like': f'{namespace}\\_\\_%'}},
        edge_project='label',
        project=['uuid', 'attributes'],
    )
    prefix = f'{namespace}__'
    return [
        (label.removeprefix(prefix), uuid, attributes)
        for uuid, attributes, label in query.iterall()
    ]


def _sources(uuid: str, label: str) -> dict[str, str]:
    """Return the UUIDs of the calculation, dataset and predictions behind a statistics node."""
    query = orm.QueryBuilder()
    query.append(orm.Node, filters={'uuid': uuid}, tag='statistics')
    query.append(orm.CalcFunctionNode, with_outgoing='statistics', tag='audit', project='uuid')
    query.append(orm.Data, with_outgoing='audit', project='uuid', edge_project='label')
    sources = {}
    for audit_uuid, source, port in query.iterall():
        sources['audit'] = audit_uuid
        namespace, _, rest = port.partition('__')
        dataset, _, member = rest.partition('__')
        if dataset == label:
            sources[f'{namespace}.{member}' if member else namespace] = source
    return sources
