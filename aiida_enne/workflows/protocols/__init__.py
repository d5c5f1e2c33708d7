"""Named sets of inputs, read from the YAML files beside this module."""

from collections.abc import Mapping
from importlib.resources import files
from typing import Any

import yaml


def read(workflow: str) -> dict[str, Any]:
    """Return the whole protocol file of a workflow."""
    return dict(yaml.safe_load((files(__package__) / f'{workflow}.yaml').read_text()))


def load(
    workflow: str, protocol: str | None = None, overrides: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """Return the inputs of a protocol: the defaults, then the protocol, then the overrides.

    Raises:
        ValueError: If the workflow has no protocol of that name.
    """
    book = read(workflow)
    name = protocol or book['default_protocol']
    if name not in book['protocols']:
        raise ValueError(
            f'no protocol `{name}` for `{workflow}`; choose from {sorted(book["protocols"])}'
        )
    return merge(merge(book['default_inputs'], book['protocols'][name]['inputs']), overrides or {})


def merge(base: Mapping[str, Any], update: Mapping[str, Any]) -> dict[str, Any]:
    """Merge nested mappings into a new one; `update` wins."""
    merged = dict(base)
    for key, value in update.items():
        both = isinstance(value, Mapping) and isinstance(merged.get(key), Mapping)
        merged[key] = merge(merged[key], value) if both else value
    return merged
