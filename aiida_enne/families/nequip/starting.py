"""What a member of a training may begin with instead of weights drawn by its seed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aiida_enne.families import models_in
from aiida_enne.families.nequip.training import FINISHED_MODELS

#: Checkpoint of the model that a member begins with, in its folder.
INITIAL = 'initial.ckpt'
#: Files of a model that all members begin with, in the folder of the job: package, checkpoint.
PACKAGE, CHECKPOINT = 'base.nequip.zip', 'base.ckpt'
#: Stands for the shifts of energies that fit the training data best, less the base model's own.
FITTED = '${base_model:fitted_shifts}'
#: Settings of a model that are numbers in it: they come with the weights.
SHIFTS = ('per_type_energy_scales', 'per_type_energy_shifts')
NUMBERS = ('seed', 'avg_num_neighbors', *SHIFTS, *(f'{name}_trainable' for name in SHIFTS))


def differing(own: Mapping[str, Any], other: Mapping[str, Any]) -> str:
    """Return why a model cannot begin with the weights of another; empty where it can.

    Args:
        own: Complete `training_module.model` of the training.
        other: The same of the model that was trained before.
    """
    for model in (own, other):
        target = str(model.get('_target_'))
        if target.endswith(FINISHED_MODELS) or isinstance(model.get('model'), Mapping):
            return f'{target} takes its weights from elsewhere'
    names = sorted(set(own) | set(other))
    found = [
        f'`{name}` is {own.get(name)!r} here, {other.get(name)!r} there'
        for name in names
        if name not in NUMBERS and own.get(name) != other.get(name)
    ]
    return '; '.join(found)


def resolve(parameters: Mapping[str, Any], base: Mapping[str, Any]) -> dict[str, Any]:
    """Return parameters of a fine-tuning in which the model is that of its base, in clear.

    NequIP's own form, `nequip.model.modify` around `ModelFromPackage` or `ModelFromCheckpoint`, is
    written out: the builder of the base with its sizes, and new shifts and scales. A checkpoint of
    such a model needs no package to be loaded, and members can be trained together.

    Args:
        parameters: Sections of a NequIP configuration; a model of any other form is left as it is.
        base: Complete `training_module.model` of the base model.

    Raises:
        ValueError: If a modifier is not known, or a file is named beside the base model.
    """
    module = parameters['training_module']
    model, modifiers = module['model'], list[Mapping[str, Any]]()
    while str(model.get('_target_', '')).endswith('.modify'):
        modifiers = [*model.get('modifiers', []), *modifiers]
        model = model.get('model', {})
    if not str(model.get('_target_', '')).endswith(FINISHED_MODELS):
        return dict(parameters)
    if paths := sorted(name for name in model if name.endswith('_path')):
        raise ValueError(f'`{paths[0]}` must not be given: the model is the input `base_model`')
    chosen = {name: value for name, value in base.items() if name != 'seed'}
    for one in modifiers:
        chosen |= _modified(one)
    return {**parameters, 'training_module': {**module, 'model': chosen}}


def _modified(modifier: Mapping[str, Any]) -> dict[str, Any]:
    """Return settings of a model that do what a modifier of NequIP does."""
    known = {'shifts', 'scales', 'shifts_trainable', 'scales_trainable'}
    given = {name: value for name, value in modifier.items() if name != 'modifier'}
    if modifier.get('modifier') != 'modify_PerTypeScaleShift' or set(given) - known:
        raise ValueError(
            f'only the modifier `modify_PerTypeScaleShift` with {sorted(known)} can be applied to '
            f'a base model, got {dict(modifier)!r}'
        )
    return {f'per_type_energy_{name}': value for name, value in given.items() if value is not None}


def needs_base(parameters: Mapping[str, Any]) -> bool:
    """Return whether the model of a training, or its shifts, come from a base model."""
    innermost: Mapping[str, Any] = {}
    for model in models_in(parameters):
        if model.get('per_type_energy_shifts') == FITTED:
            return True
        innermost = model
    is_finished = str(innermost.get('_target_', '')).endswith(FINISHED_MODELS)
    return is_finished and not any(name.endswith('_path') for name in innermost)
