"""Energies of elements as the shifts that a model of an ensemble starts from."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from aiida import orm

from aiida_enne.calculations.ports import plain, validator_of
from aiida_enne.data.dataset import DatasetData
from aiida_enne.data.split import SplitData
from aiida_enne.science.data.atomic_energies import atomic_energies, check_way

#: Why there is nothing to put in.
OF_BASE = (
    '`atomic_energies` are for models that begin anew: shifts of a base model are moved by '
    '`shifts` of the modifier `modify_PerTypeScaleShift`'
)


def port_of_energies() -> dict[str, Any]:
    """Return what describes the input of an ensemble."""
    return {
        'valid_type': (orm.Str, orm.Dict),
        'serializer': orm.to_aiida_type,
        'validator': validator_of(check_way),
        'required': False,
        'help': 'Energies of elements that models start from, had of the training data: '
        '`least_squares`, `isolated`, or eV by element.',
    }


def with_energies(
    parameters: Mapping[str, Any], given: Mapping[str, Any], dataset: DatasetData, split: SplitData
) -> dict[str, Any]:
    """Return the parameters of a training with the energies that the inputs ask for, if any.

    Args:
        parameters: Of the trainer.
        given: Inputs of an ensemble, perhaps with `atomic_energies`.
        dataset: Of the training.
        split: Of the training.

    Raises:
        ValueError: If the energies cannot be had.
    """
    if 'atomic_energies' not in given:
        return dict(parameters)
    train = split.get_split().train
    found = atomic_energies(plain(given['atomic_energies']), dataset.get_configurations(), train)
    return _started(parameters, found)


def why_no_energies(
    given: Mapping[str, Any], dataset: DatasetData, splits: Iterable[SplitData]
) -> str | None:
    """Return why the energies that the inputs of an ensemble ask for cannot be had, or None."""
    if 'atomic_energies' not in given:
        return None
    if 'base_model' in given['training']['train']:
        return OF_BASE
    try:
        for split in splits:
            with_energies({'training_module': {'model': {}}}, given, dataset, split)
    except ValueError as exception:
        return str(exception)
    return None


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
        raise ValueError(OF_BASE)
    if isinstance(split, Mapping):
        if not isinstance(how, Mapping):
            raise ValueError(
                f'`atomic_energies` {how!r} are had of one split, but members have a split each: '
                'give energies by element'
            )
        split = next(iter(split.values()))
    found = atomic_energies(how, dataset.get_configurations(), split.get_split().train)
    train['parameters'] = _started(train['parameters'], found)


def _started(parameters: Mapping[str, Any], found: Mapping[str, float]) -> dict[str, Any]:
    """Return parameters whose model starts from energies of elements."""
    module = dict(parameters['training_module'])
    module['model'] = {**module['model'], 'per_type_energy_shifts': dict(found)}
    return {**parameters, 'training_module': module}
