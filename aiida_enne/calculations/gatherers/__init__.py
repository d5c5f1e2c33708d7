"""Gatherers of labels from finished calculations, found by `aiida_enne.gatherers`."""

from __future__ import annotations

from aiida import orm

from aiida_enne.calculations.gatherers.interface import Gatherer, Source
from aiida_enne.science.plugins import load_registered, registered

GROUP = 'aiida_enne.gatherers'


def load_gatherer(name: str) -> Gatherer:
    """Return a gatherer by its name.

    Raises:
        ValueError: If there is none of this name.
    """
    gatherer: Gatherer = load_registered(GROUP, name, 'a gatherer')
    return gatherer


def gatherer_of(node: orm.Node) -> Gatherer | None:
    """Return the gatherer that takes a node, or None."""
    for name in registered(GROUP):
        gatherer = load_gatherer(name)
        if gatherer.takes(node):
            return gatherer
    return None


__all__ = ['GROUP', 'Gatherer', 'Source', 'gatherer_of', 'load_gatherer']
