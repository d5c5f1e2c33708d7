"""Model families: one folder each, with all that the package knows of its models and trainer.

A family is found by the entry points `aiida_enne.families`; see `interface.Family`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

from aiida_enne.families.interface import Family
from aiida_enne.science.plugins import load_registered, registered

GROUP = 'aiida_enne.families'


def names() -> list[str]:
    """Return the names of all registered families."""
    return list(registered(GROUP))


@cache
def load(name: str) -> Family:
    """Return a family by its name.

    Raises:
        ValueError: If there is none of this name.
    """
    family: Family = load_registered(GROUP, name, 'a family of models')
    return family


def family_of(parameters: Mapping[str, Any]) -> Family:
    """Return the family of the model that these parameters train.

    Args:
        parameters: Of a training, with the section `training_module.model`.

    Raises:
        ValueError: If no registered family has this model.
    """
    try:
        targets = [str(model.get('_target_', '')) for model in models_in(parameters)]
    except (KeyError, TypeError, AttributeError) as exception:
        raise ValueError(
            '`parameters` lacks `training_module.model`; it needs the sections `data`, `trainer` '
            'and `training_module`'
        ) from exception
    return of_target(targets[-1] if targets else '')


def of_target(target: str) -> Family:
    """Return the family that has a model, by the import path of its builder.

    Raises:
        ValueError: If there is none.
    """
    for name in names():
        if (family := load(name)).owns(target):
            return family
    raise ValueError(
        f'no family has the model {target!r}; registered: {names()}. '
        f'A package that brings one registers it as an entry point of {GROUP!r}'
    )


def step_seconds(model: Mapping[str, Any]) -> float:
    """Return the seconds of a training step of 64 atoms on one core.

    Raises:
        ValueError: If the family or the size of the model is not known.
    """
    return of_target(str(model.get('_target_', ''))).step_seconds(model)


def inference_seconds(model: Mapping[str, Any]) -> float:
    """Return the seconds of energy and forces of 64 atoms on one core; errors as above."""
    return of_target(str(model.get('_target_', ''))).inference_seconds(model)


def models_in(parameters: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield the model of a training and those nested in it, e.g. under `nequip.model.modify`."""
    model = parameters['training_module'].get('model')
    while isinstance(model, dict):
        yield model
        model = model.get('model')
