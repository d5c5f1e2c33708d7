"""Model families: one folder each, with all that the package knows of its models and trainer.

A family is found by the entry points `aiida_enne.families`, a strategy of another package by
`aiida_enne.strategies`; see `interface`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

from aiida_enne.families.interface import Family, Strategy
from aiida_enne.science.plugins import load_registered, registered

GROUP, STRATEGIES = 'aiida_enne.families', 'aiida_enne.strategies'


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
        ValueError: If there is none, or more than one.
    """
    owners = [family for family in map(load, names()) if family.owns(target)]
    if not owners:
        raise ValueError(
            f'no family has the model {target!r}; registered: {names()}. '
            f'A package that brings one registers it as an entry point of {GROUP!r}'
        )
    if len(owners) > 1:
        raise ValueError(
            f'the model {target!r} is of more than one family: {[one.name for one in owners]}; '
            'uninstall the package of all but one'
        )
    return owners[0]


def strategies_of(family: Family) -> dict[str, Strategy]:
    """Return how members can share a job: the family's own ways and those of other packages.

    Raises:
        ValueError: If a package registers one under a name that the family has itself.
    """
    found = {name: Strategy([family.name], own) for name, own in family.strategies.items()}
    for name in registered(STRATEGIES):
        strategy: Strategy = load_registered(STRATEGIES, name, 'a strategy')
        if family.name in strategy.families:
            if name in found:
                raise ValueError(
                    f'the strategy {name!r} of {family.name} is registered again in '
                    f'{STRATEGIES!r}; rename that one or uninstall its package'
                )
            found[name] = strategy
    return found


def scripts_of(family: Family, strategy: str) -> dict[str, str]:
    """Return the texts of the scripts of a training job by file name; the first is run."""
    chosen = strategies_of(family)[strategy]
    own = [name for name in chosen.scripts if name not in chosen.texts]
    texts = {name: family.script(name) for name in own} | dict(chosen.texts)
    return {name: texts[name] for name in chosen.scripts}


def step_seconds(model: Mapping[str, Any]) -> float:
    """Return the seconds of a training step of 64 atoms on one core.

    Raises:
        ValueError: If the family or the size of the model is not known.
    """
    return of_target(str(model.get('_target_', ''))).step_seconds(model)


def inference_seconds(model: Mapping[str, Any]) -> float:
    """Return the seconds of energy and forces of 64 atoms on one core; errors as above."""
    return of_target(str(model.get('_target_', ''))).inference_seconds(model)


def gain(model: Mapping[str, Any]) -> float:
    """Return how many times less a member takes where all are computed at once; errors as above."""
    return of_target(str(model.get('_target_', ''))).gain


def models_in(parameters: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield the model of a training and those nested in it, e.g. under `nequip.model.modify`."""
    model = parameters['training_module'].get('model')
    while isinstance(model, dict):
        yield model
        model = model.get('model')
