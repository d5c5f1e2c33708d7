"""What a member of a training may begin with instead of weights drawn by its seed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aiida_enne.families.nequip.training import FINISHED_MODELS

#: Checkpoint of the model that a member begins with, in its folder.
INITIAL = 'initial.ckpt'
#: Settings of a model that are numbers in it: they come with the weights.
NUMBERS = ('seed', 'per_type_energy_scales', 'per_type_energy_shifts', 'avg_num_neighbors')


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
