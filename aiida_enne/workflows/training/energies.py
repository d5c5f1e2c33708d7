"""Energies of elements as the shifts that a model of an ensemble starts from."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aiida_enne.data.dataset import DatasetData
from aiida_enne.data.split import SplitData
from aiida_enne.science.data.atomic_energies import atomic_energies


def put_energies(
    inputs: dict[str, Any],
    how: str | Mapping[str, Any],
    dataset: DatasetData,
    split: SplitData | Mapping[str, SplitData],
) -> None:
    """Write energies of elements into the parameters of a training, in place of one mean for all.

    Args:
        inputs: Of an ensemble; changed.
        how: See `science.data.atomic_energies`.
        dataset: Of the training.
        split: One for all members, or one each, to which no energies are fitted.

    Raises:
        ValueError: If the energies cannot be had, or the shifts are those of a base model.
    """
    train = inputs['training']['train']
    if 'base_model' in train:
        raise ValueError(
            '`atomic_energies` are for models that begin anew: shifts of a base model are moved by '
            '`shifts` of the modifier `modify_PerTypeScaleShift`'
        )
    if isinstance(split, Mapping):
        if not isinstance(how, Mapping):
            raise ValueError(
                f'`atomic_energies` {how!r} are had of one split, but members have a split each: '
                'give energies by element'
            )
        split = next(iter(split.values()))
    found = atomic_energies(how, dataset.get_configurations(), split.get_split().train)
    module = train['parameters']['training_module']
    model = module['model'] | {'per_type_energy_shifts': found}
    module = module | {'model': model}
    train['parameters'] = train['parameters'] | {'training_module': module}
