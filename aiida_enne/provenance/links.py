"""Nodes that a process was given or handed out, by the names of its ports."""

from typing import Any

from aiida import orm
from aiida.common.links import LinkType


def linked(
    process: orm.Node,
    node_class: type[orm.Data] | tuple[type[orm.Data], ...],
    namespace: str,
    link: LinkType,
) -> list[tuple[str, str, dict[str, Any]]]:
    """Return (label, UUID, attributes) of the nodes in one namespace of ports, by label.

    The namespace may be one port, too, whose node then has the port's name as its label.
    """
    direction = 'with_incoming' if link is LinkType.RETURN else 'with_outgoing'
    joined: dict[str, Any] = {direction: 'process'}
    query = orm.QueryBuilder()
    query.append(orm.ProcessNode, filters={'uuid': process.uuid}, tag='process')
    query.append(
        node_class,
        **joined,
        edge_filters={
            'type': link.value,
            'or': [{'label': namespace}, {'label': {'like': f'{namespace}\\_\\_%'}}],
        },
        edge_project='label',
        project=['uuid', 'attributes'],
    )
    prefix = f'{namespace}__'
    rows = [
        (label.removeprefix(prefix), uuid, attributes)
        for uuid, attributes, label in query.iterall()
    ]
    # a query has no order: an archive answers in another one than the profile it came from
    return sorted(rows, key=lambda row: row[:2])
