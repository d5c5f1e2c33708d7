"""What AiiDA's own bookkeeping can be spared while processes run in this interpreter."""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from typing import Any

from aiida import orm
from aiida.common.links import LinkType, validate_link_label
from aiida.engine import Process
from aiida.engine import utils as engine_utils
from aiida.manage import get_manager
from aiida.orm.convert import get_orm_entity
from aiida.orm.nodes.links import NodeLinks
from aiida.orm.utils import links as link_utils
from aiida.orm.utils import serialize
from aiida.storage.psql_dos.backend import PsqlDosBackend
from aiida.storage.psql_dos.orm.extras_mixin import ExtrasMixin
from aiida.storage.psql_dos.orm.nodes import SqlaNode
from aiida.storage.psql_dos.orm.utils import ModelWrapper
from sqlalchemy import event, insert, select

from aiida_enne.aiida_private import storing
from aiida_enne.libyaml import emitting

#: Links by which a process hands out nodes.
HANDED_OUT = (LinkType.CREATE, LinkType.RETURN)
#: Seconds between two notes of when any process last changed its state.
NOTE_EVERY = 1.0
#: Fields of a stored `Data` that nobody changes any more.
FIXED = {('attributes',), ('repository_metadata',)}
#: Methods that change what was read earlier, and the field that they change.
LATE = (
    (ExtrasMixin, 'set_extra_many', 'extras'),
    (ExtrasMixin, 'delete_extra_many', 'extras'),
    (SqlaNode, 'set_attribute_many', 'attributes'),
    (SqlaNode, 'delete_attribute_many', 'attributes'),
)


@contextmanager
def lean_bookkeeping() -> Iterator[None]:
    """Spare AiiDA's own bookkeeping what cannot matter, as long as the context is open.

    - A link of a node that is not stored closes no cycle: the recursive query that looks for one,
      for each input of each process, is left out.
    - A process without new outputs has none to attach: nothing is read at each change of state.
      What a work chain returns is linked to it in one go.
    - Links are read by a query that is at hand, not by one that is built anew.
    - A node is hashed before it is stored, and so written once. What comes from the cache takes its
      files over as they are: they are neither read nor written.
    - A file is not looked for before it is opened, and its digest is its name.
    - Checkpoints are written by libyaml, where PyYAML has it; their content is the same.
    - What was read stays known after a commit. What may change is read again each time that it is
      asked for, as ever; what a stored `Data` holds does not.
    - When any process last changed its state is noted once a second.
    """
    changes: list[tuple[Any, str, Any]] = [
        (NodeLinks, 'validate_incoming', _validate_incoming(NodeLinks.validate_incoming)),
        (Process, 'update_outputs', _update_outputs(Process.update_outputs)),
        (serialize, 'AiiDADumper', emitting(serialize.AiiDADumper)),
        (engine_utils, 'set_process_state_change_timestamp', _now_and_then()),
        *storing.CHANGES,
    ]
    storage = get_manager().get_profile_storage()
    if isinstance(storage, PsqlDosBackend):  # that of SQLite is one, too
        changes += [
            (NodeLinks, 'get_stored_link_triples', _links(NodeLinks.get_stored_link_triples)),
            (link_utils, 'link_triple_exists', _exists),
            (ModelWrapper, '_ensure_model_uptodate', _renew(ModelWrapper._ensure_model_uptodate)),
        ]
        changes += [(one, name, _late(getattr(one, name), field)) for one, name, field in LATE]
    kept = [(owner, name, getattr(owner, name)) for owner, name, _ in changes]
    with _remembering(storage) if isinstance(storage, PsqlDosBackend) else nullcontext():
        try:
            for change in changes:
                setattr(*change)
            yield
        finally:
            for change in kept:
                setattr(*change)


@contextmanager
def _remembering(storage: Any) -> Iterator[None]:
    """Keep what was read beyond a commit; rows that a query returns replace it."""
    session = storage.get_session()
    kept, session.expire_on_commit = session.expire_on_commit, False
    event.listen(session, 'do_orm_execute', _replace_known)
    try:
        yield
    finally:
        event.remove(session, 'do_orm_execute', _replace_known)
        session.expire_on_commit = kept
        session.expire_all()


def _replace_known(state: Any) -> None:
    if state.is_select and not (state.is_column_load or state.is_relationship_load):
        state.update_execution_options(populate_existing=True)


def _renew(whole: Any) -> Callable[..., None]:
    def ensure_model_uptodate(wrapper: ModelWrapper, fields: Any = None) -> None:
        kind = getattr(wrapper._model, 'node_type', None)
        if fields not in FIXED or kind is None or not kind.startswith('data.'):
            whole(wrapper, fields)

    return ensure_model_uptodate


def _late(method: Any, field: str) -> Callable[[Any, Any], None]:
    def change(entity: Any, values: Any) -> None:
        getattr(entity.model, field)  # reads it again: others may have written since
        method(entity, values)

    return change


def _validate_incoming(whole: Any) -> Callable[..., None]:
    def validate_incoming(
        links: NodeLinks, source: orm.Node, link_type: LinkType, link_label: str
    ) -> None:
        node = links._node
        if node.is_stored and source.is_stored:
            whole(links, source, link_type, link_label)
        else:
            link_utils.validate_link(source, node, link_type, link_label, backend=node.backend)

    return validate_incoming


def _links(whole: Any) -> Callable[..., list[link_utils.LinkTriple]]:
    def get_stored_link_triples(
        links: NodeLinks,
        node_class: type[orm.Node] | None = None,
        link_type: LinkType | Sequence[LinkType] = (),
        link_label_filter: str | None = None,
        link_direction: str = 'incoming',
        only_uuid: bool = False,
    ) -> list[link_utils.LinkTriple]:
        if node_class is not None:
            found: list[link_utils.LinkTriple] = whole(
                links, node_class, link_type, link_label_filter, link_direction, only_uuid
            )
            return found
        storage: Any = links._node.backend
        entity: Any = links._node.backend_entity
        model, link = entity.MODEL_CLASS, entity.LINK_CLASS
        ends = link.output_id, link.input_id
        here, there = ends if link_direction == 'incoming' else ends[::-1]
        query = select(model.uuid if only_uuid else model, link.type, link.label)
        query = query.join(link, there == model.id).where(here == entity.id).order_by(link.id)
        types = [link_type] if isinstance(link_type, LinkType) else link_type
        if types:
            query = query.where(link.type.in_([one.value for one in types]))
        if link_label_filter:
            query = query.where(link.label.like(link_label_filter, escape='\\'))
        read: Any = str if only_uuid else _node_of(storage)
        return [
            link_utils.LinkTriple(read(row), LinkType(kind), label)
            for row, kind, label in storage.get_session().execute(query).all()
        ]

    return get_stored_link_triples


def _node_of(storage: Any) -> Callable[[Any], Any]:
    return lambda row: get_orm_entity(storage.get_backend_entity(row))


def _exists(
    source: orm.Node, target: orm.Node, link_type: LinkType, link_label: str, backend: Any = None
) -> bool:
    if link_utils.LinkTriple(source, link_type, link_label) in target.base.links.incoming_cache:
        return True
    entity: Any = target.backend_entity
    link, session = entity.LINK_CLASS, entity.backend.get_session()
    wanted = {'input_id': source.pk, 'output_id': target.pk, 'label': link_label}
    query = select(link.id).filter_by(type=link_type.value, **wanted).limit(1)
    return None not in wanted.values() and session.execute(query).first() is not None


def _update_outputs(whole: Any) -> Callable[[Process], None]:
    def update_outputs(process: Process) -> None:
        if not process.outputs or not process.metadata.store_provenance:
            return
        node: orm.ProcessNode = process.node
        known = node.base.links.get_outgoing(link_type=HANDED_OUT, only_uuid=True)
        labels = set(known.all_link_labels())
        new = {k: one for k, one in process._flat_outputs().items() if k not in labels}
        if not new:
            return
        if isinstance(node, orm.WorkflowNode) and isinstance(node.backend, PsqlDosBackend):
            _link_returned(node, new)
        else:
            whole(process)

    return update_outputs


def _link_returned(node: orm.WorkflowNode, outputs: dict[str, orm.Data]) -> None:
    """Store links from a work chain to what it returns, which it has not returned before."""
    entity: Any = node.backend_entity
    rows = []
    for label, output in outputs.items():
        node.base.links.validate_outgoing(output, LinkType.RETURN, label)
        validate_link_label(label)
        ends = {'input_id': node.pk, 'output_id': output.pk}
        rows.append({**ends, 'label': label, 'type': LinkType.RETURN.value})
    session = entity.backend.get_session()
    session.execute(insert(entity.LINK_CLASS), rows)
    session.commit()


def _now_and_then() -> Callable[[orm.ProcessNode], None]:
    whole, last = engine_utils.set_process_state_change_timestamp, -NOTE_EVERY

    def set_process_state_change_timestamp(node: orm.ProcessNode) -> None:
        nonlocal last
        if time.monotonic() >= last + NOTE_EVERY:
            last = time.monotonic()
            whole(node)

    return set_process_state_change_timestamp
