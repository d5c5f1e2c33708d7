"""Stored audits with the identities of all that they came from."""

import json
from dataclasses import dataclass
from typing import Any

from aiida import orm
from aiida.common.exceptions import NotExistent
from aiida.common.links import LinkType

from aiida_enne.data.model import join_digests
from aiida_enne.data.statistics import StatisticsData
from aiida_enne.provenance.ensembles import Ensemble
from aiida_enne.provenance.links import linked
from aiida_enne.science.structures.domains import in_order
from aiida_enne.science.uncertainty.audit import Audit
from aiida_enne.science.uncertainty.gates import Gate
from aiida_enne.science.uncertainty.rule import Row

#: What work chains call their audits.
PORT = 'statistics'


@dataclass(frozen=True, slots=True)
class Statistics:
    """One statistics node with the identities of all that it came from."""

    label: str
    uuid: str
    attributes: dict[str, Any]
    sources: dict[str, str]

    @property
    def domains(self) -> dict[str, dict[str, Any]]:
        """Scalars by name, by domain in natural order."""
        stored = self.attributes['domains']
        return {name: stored[name] for name in in_order(stored)}

    def load_audit(self) -> Audit:
        """Return the audit as the science made it."""
        node = orm.load_node(self.uuid)
        return Audit(
            domains=self.domains,
            pooled=self.attributes['pooled'],
            arrays=node.get_arrays(),
            parameters=self.attributes['parameters'],
            # audits of version 0.1.0 have no verdicts
            verdicts=[Row.from_dict(one) for one in self.attributes.get('verdicts', [])],
            gates={
                name: [Gate(**one) for one in gates]
                for name, gates in self.attributes.get('gates', {}).items()
            },
        )


def find_statistics(identifier: str | int) -> list[Statistics]:
    """Return the statistics that an audit or a study returned, by the label of the dataset.

    Raises:
        NotExistent: If there is no such work chain or it returned no statistics.
    """
    process = orm.load_node(identifier)
    found = linked(process, StatisticsData, PORT, LinkType.RETURN)
    if not found:
        what = getattr(process, 'process_label', None) or type(process).__name__
        raise NotExistent(
            f'{what} <{process.uuid}> returned no statistics: expected a finished audit or study'
        )
    return [
        Statistics(label, uuid, attributes, _sources(uuid, label))
        for label, uuid, attributes in sorted(found)
    ]


def find_audits(ensemble: Ensemble) -> list[Statistics]:
    """Return all audits of the members of an ensemble, whichever process made them, by label.

    They are found by the digests of the weights, so that a training knows the audits that came
    after it. Of several with the same choices on the same configurations it is that of the
    process itself, else the most recent one.

    Args:
        ensemble: Of any work chain that knows it.
    """
    query = orm.QueryBuilder()
    query.append(
        StatisticsData,
        filters={'attributes.ensemble_sha256': join_digests(ensemble.weights)},
        tag='statistics',
        project=['id', 'uuid', 'attributes'],
    )
    query.append(
        orm.WorkChainNode,
        with_outgoing='statistics',
        edge_filters={'type': LinkType.RETURN.value, 'label': {'like': f'{PORT}\\_\\_%'}},
        edge_project='label',
        project='uuid',
    )
    found: dict[tuple[str, str], tuple[bool, int, Statistics]] = {}
    for pk, uuid, attributes, process, port in query.iterall():
        label = port.removeprefix(f'{PORT}__')
        one = Statistics(label, uuid, attributes, _sources(uuid, label))
        key = attributes['dataset_sha256'], json.dumps(attributes['parameters'], sort_keys=True)
        row = process == ensemble.uuid, pk, one
        found[key] = max(row, found.get(key, row), key=lambda known: known[:2])
    return sorted((one for *_, one in found.values()), key=lambda one: (one.label, one.uuid))


def created(uuid: str) -> str:
    """Return when a node was made, to the second, in ISO 8601."""
    return str(orm.load_node(uuid).ctime.isoformat(timespec='seconds'))


def latest_audited() -> str:
    """Return the UUID of the most recent work chain that returned statistics, or of its caller.

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
