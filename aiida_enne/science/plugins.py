"""What is registered by entry points: ours and what other packages bring, found by name."""

from __future__ import annotations

import sys
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from typing import Any

from aiida_enne.science.options import nearest


def registered(group: str) -> dict[str, Any]:
    """Return the entry points of a group by name, in alphabetical order.

    Raises:
        ValueError: If two packages register one name.
    """
    found: dict[str, Any] = {}
    for entry in _entries(group, tuple(sys.path)):
        if entry.name in found:
            raise ValueError(
                f'two packages register {entry.name!r} in {group!r}: {found[entry.name].value} and '
                f'{entry.value}; rename or uninstall one'
            )
        found[entry.name] = entry
    return found


@cache
def _entries(group: str, _: tuple[str, ...]) -> list[EntryPoint]:
    """Return the entry points of a group in order; they are looked for once for a search path."""
    return sorted(entry_points(group=group), key=lambda one: one.name)


def load_registered(group: str, name: str, what: str) -> Any:
    """Return what is registered under a name.

    Args:
        group: Of entry points.
        name: Of one of them.
        what: What it is, in words: 'a family of models'.

    Raises:
        ValueError: If there is none of this name; the message names the nearest and all known ones.
    """
    found = registered(group)
    if name not in found:
        raise ValueError(f'{name!r} is not {what}{nearest(name, found)}; registered: {list(found)}')
    return found[name].load()


def versions(group: str) -> dict[str, str]:
    """Return which package, of which version, registers each name of a group."""
    return {
        name: f'{entry.dist.name} {entry.dist.version}' for name, entry in registered(group).items()
    }
