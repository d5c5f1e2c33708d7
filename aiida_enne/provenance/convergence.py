"""How far a reference is from converged: what was stated of the datasets of a study."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from aiida import orm
from aiida.common.links import LinkType

from aiida_enne.data.dataset import DatasetData
from aiida_enne.provenance.links import linked
from aiida_enne.provenance.material import Material

#: The calculation function that states it.
MAKER = 'state_convergence'


@dataclass(frozen=True, slots=True)
class Convergence:
    """What `calculations.convergence.state_convergence` said once.

    Attributes:
        label: The part of the study that it is about, or that of its datasets.
        uuid: Its node.
        content: What it holds.
    """

    label: str
    uuid: str
    content: dict[str, Any]


def find_convergences(material: Material) -> list[Convergence]:
    """Return what the study itself found of its parts; else the latest on each of its datasets."""

    def make() -> list[Convergence]:
        record = material.record
        process = orm.load_node(record.process)
        own = linked(process, orm.Dict, 'convergence', LinkType.RETURN)
        if own:
            return [Convergence(*row) for row in own]
        roles = {one.uuid: role for role, one in record.datasets.items()}
        query = orm.QueryBuilder()
        known = {'uuid': {'in': sorted(roles) or ['']}}
        query.append(DatasetData, filters=known, tag='dataset', project='uuid')
        query.append(
            orm.CalcFunctionNode,
            filters={'attributes.process_label': MAKER},
            with_incoming='dataset',
            edge_filters={'label': {'like': 'datasets\\_\\_%'}},
            tag='maker',
        )
        query.append(orm.Dict, with_incoming='maker', project=['uuid', 'attributes', 'ctime'])
        found: dict[str, dict[str, Any]] = {}
        asked: dict[str, set[str]] = {}
        for dataset, uuid, content, _ in sorted(query.all(), key=lambda row: (row[3], row[0])):
            found[uuid] = content
            asked.setdefault(uuid, set()).add(roles[dataset])
        latest = {', '.join(sorted(asked[uuid])): uuid for uuid in found}
        return [Convergence(label, uuid, found[uuid]) for label, uuid in sorted(latest.items())]

    return material.once('convergence', make)
