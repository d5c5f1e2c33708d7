"""Where keys of overrides belong: a hint for one that stands in another place."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from aiida.engine import PortNamespace

from aiida_enne.science.options import nearest


def hint(key: str, known: Iterable[str], places: Iterable[str]) -> str:
    """Return a hint at what was meant by an unknown key; it may be empty.

    A key that is known in another place is that one; then comes the most similar one of this
    place, then of all places.

    Args:
        key: The unknown one.
        known: Keys that this place has.
        places: Dotted paths of all that can be set.
    """
    by_name: dict[str, str] = {}
    for path in sorted(places, key=lambda path: (path.count('.'), path)):
        by_name.setdefault(path.rpartition('.')[2], path)
    if key in by_name:
        return f' (did you mean `{by_name[key]}`?)'
    if near := nearest(key, known):
        return near
    similar = nearest(key, by_name).partition('`')[2].partition('`')[0]
    return f' (did you mean `{by_name[similar]}`?)' if similar else ''


def in_values(values: Mapping[str, Any], start: str = '') -> Iterator[str]:
    """Yield the dotted paths of nested mappings."""
    for key, value in values.items():
        yield f'{start}{key}'
        if isinstance(value, Mapping):
            yield from in_values(value, f'{start}{key}.')


def in_ports(ports: PortNamespace, start: str = '') -> Iterator[str]:
    """Yield the dotted paths of the ports of a process."""
    for key, port in ports.items():
        yield f'{start}{key}'
        if isinstance(port, PortNamespace):
            yield from in_ports(port, f'{start}{key}.')
