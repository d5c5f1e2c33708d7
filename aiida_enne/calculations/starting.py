"""Checks of the models that members of a training begin with."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from aiida import orm

from aiida_enne import families
from aiida_enne.data.base_model import BaseModelData
from aiida_enne.data.dataset import DatasetData
from aiida_enne.data.model import ModelData
from aiida_enne.families.nequip.starting import differing, needs_base


def initial_models() -> dict[str, Any]:
    """Return what describes the namespace of these models."""
    return {
        'valid_type': ModelData,
        'dynamic': True,
        'required': False,
        'help': 'Models whose weights members begin with, by the label of the member: `seed_7`; '
        'the others begin with weights drawn by their seeds.',
    }


def unfit(
    initial: Mapping[str, ModelData],
    labels: Sequence[str],
    parameters: orm.Dict,
    dataset: DatasetData,
) -> str | None:
    """Return why members cannot begin with these models, or None if they can.

    Args:
        initial: By the label of the member.
        labels: Of all members.
        parameters: Of the training.
        dataset: Of the training.
    """
    if unknown := sorted(set(initial) - set(labels)):
        return f'`initial_models` holds {unknown}, the members are {sorted(labels)}'
    values = parameters.get_dict()
    family = families.family_of(values)
    own = family.render(values, seed=0, elements=dataset.elements)['training_module']['model']
    for label, model in sorted(initial.items()):
        if model.family != family.name:
            return (
                f'`initial_models.{label}` is a model of {model.family}, this training is one '
                f'of {family.name}'
            )
        if why := differing(own, model.get_model()):
            return (
                f'the member {label} cannot begin with ModelData<{model.uuid}>: {why}. Train '
                'with the parameters of that model, or without `initial_models`'
            )
    return None


def unfit_base(
    base: BaseModelData | ModelData | None, parameters: orm.Dict, dataset: DatasetData
) -> str | None:
    """Return why members cannot be fine-tuned from a model, or None if they can, or are not.

    Args:
        base: What all members begin with, if anything.
        parameters: Of the training.
        dataset: Of the training.
    """
    values = parameters.get_dict()
    if base is None:
        return '`parameters` ask for a `base_model`: give one' if needs_base(values) else None
    if unknown := sorted(set(dataset.elements) - set(base.elements)):
        return f'the dataset holds {unknown}, the base model knows only {sorted(base.elements)}'
    family = families.family_of(values)
    if base.family != family.name:
        return (
            f'the base model is one of {base.family}, this training is one of {family.name}: take '
            'the protocol `fine-tune`, whose model is the base model'
        )
    own = family.render(values, seed=0, elements=dataset.elements)['training_module']['model']
    if why := differing(own, base.get_model()):
        return f'members cannot begin with the base model: {why}. Take the protocol `fine-tune`'
    return None
