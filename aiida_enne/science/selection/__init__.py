"""Selectors of configurations to label: one file each, entry points `aiida_enne.selectors`."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any

from aiida_enne.science.options import refuse_unknown
from aiida_enne.science.plugins import load_registered
from aiida_enne.science.selection.interface import Candidates, Chosen, Selector

GROUP = 'aiida_enne.selectors'


def make_selector(given: Mapping[str, Any]) -> Selector:
    """Return the selector of plain values: `kind` is its name, the others are its options.

    Raises:
        ValueError: If there is no such selector, or an option is unknown or of no use.
    """
    if not isinstance(given, Mapping) or 'kind' not in given:
        raise ValueError(f'a selection must be a mapping with its `kind`, got {given!r}')
    name = str(given['kind'])
    kind = load_registered(GROUP, name, 'a selector of configurations')
    options = {key: value for key, value in given.items() if key != 'kind'}
    refuse_unknown(f'the selector {name!r}', options, inspect.signature(kind).parameters)
    selector: Selector = kind(**options)
    return selector


__all__ = ['GROUP', 'Candidates', 'Chosen', 'Selector', 'make_selector']
