"""How nodes are stored, anew or from the cache, without doing anything twice."""

import copy
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, BinaryIO

from aiida import orm
from aiida.common.links import LinkType
from aiida.orm.entities import from_backend_entity
from aiida.orm.utils.mixins import Sealable
from aiida.repository.backend import AbstractRepositoryBackend, DiskObjectStoreRepositoryBackend
from disk_objectstore.exceptions import NotExistent

#: Objects that are named by this digest of their content.
BY_DIGEST = 'sha256'


def store(node: orm.Node, clean: bool = True) -> orm.Node:
    """Store a node as AiiDA does; its hash is computed before, and so it is written once."""
    node.base.repository._store()
    entity: Any = node.backend_entity
    if clean:
        entity.clean_values()
    entity.set_extra(node.base.caching._HASH_EXTRA_KEY, node.base.caching._compute_hash())
    entity.store(node.base.links.incoming_cache, clean=False)
    node.base.links.incoming_cache = []
    return node


def store_from_cache(node: orm.Node, known: orm.Node) -> None:
    """Store a node as AiiDA does that equals a known one; its attributes are set together.

    Raises:
        ValueError: If the known one is a work chain.
    """
    if known.base.links.get_outgoing(link_type=LinkType.RETURN, only_uuid=True).all():
        raise ValueError('Cannot use cache from nodes with RETURN links.')
    node.label, node.description = known.label, known.description
    node.base.repository._copy(known.base.repository)
    attributes = known.base.attributes.all
    attributes.pop(Sealable.SEALED_KEY, None)
    node.base.attributes.set_many(attributes)
    node._store(clean=False)
    add_outputs_from_cache(node, known)
    node.base.extras.set(node.base.caching.CACHED_FROM_KEY, known.uuid)


def add_outputs_from_cache(node: orm.Node, known: orm.Node) -> None:
    """Give a node the outputs of a known one; their files are there already and are not copied."""
    for entry in known.base.links.get_outgoing(link_type=LinkType.CREATE):
        output: Any = entry.node
        clone: Any = from_backend_entity(type(output), output.backend_entity.clone())
        clone.base.attributes.reset(copy.deepcopy(output.base.attributes.all))
        clone.base.repository._copy(output.base.repository)
        clone.base.links.add_incoming(node, LinkType.CREATE, entry.link_label)
        clone.store()


def hash_object(backend: DiskObjectStoreRepositoryBackend, key: str) -> str:
    """Return the digest of an object, which is its name."""
    if backend._container.hash_type == BY_DIGEST:
        return key
    return AbstractRepositoryBackend.get_object_hash(backend, key)


@contextmanager
def open_object(backend: DiskObjectStoreRepositoryBackend, key: str) -> Iterator[BinaryIO]:
    """Open an object without looking for it before.

    Raises:
        FileNotFoundError: If it does not exist.
    """
    with backend._container as container:
        try:
            stream: Any = container.get_object_stream(key)
            handle = stream.__enter__()
        except NotExistent as exception:
            raise FileNotFoundError(f'object with key `{key}` does not exist.') from exception
        try:
            yield handle
        finally:
            stream.__exit__(None, None, None)


#: Methods of AiiDA, and what can take their place with any storage.
CHANGES: list[tuple[Any, str, Any]] = [
    (orm.Node, '_store', store),
    (orm.Node, '_store_from_cache', store_from_cache),
    (orm.Node, '_add_outputs_from_cache', add_outputs_from_cache),
    (DiskObjectStoreRepositoryBackend, 'get_object_hash', hash_object),
    (DiskObjectStoreRepositoryBackend, 'open', open_object),
]
