"""What the parameters of NequIP's trainer ask of the data."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from aiida_enne.families import models_in
from aiida_enne.families.nequip.training import FINISHED_MODELS
from aiida_enne.science.data.trainable import Needs

#: Sections of `training_module` that compare predictions with labels in a training.
COMPARISONS = ('loss', 'train_metrics', 'val_metrics')
#: Builders of NequIP that compare energies and forces alone.
OF_FORCES = ('nequip.train.EnergyForceLoss', 'nequip.train.EnergyForceMetrics')
#: Builders of NequIP that compare stresses, too, and can leave some out.
OF_STRESS = ('nequip.train.EnergyForceStressLoss', 'nequip.train.EnergyForceStressMetrics')


def find_needs(parameters: Mapping[str, Any]) -> Needs:
    """Return what a training asks of its data.

    Args:
        parameters: Sections of a NequIP configuration, Allegro's the same.
    """
    module = parameters['training_module']
    models = list(models_in(parameters))
    r_max = next((model['r_max'] for model in models if 'r_max' in model), None)
    scales = json.dumps([model.get('per_type_energy_scales') for model in models])
    per_type = 'type' if 'per_type_forces_rms' in scales else ''
    return Needs(
        r_max=float(r_max) if isinstance(r_max, int | float) else None,
        force_scale=per_type or ('all' if 'forces_rms' in scales else ''),
        stress=_asking(module, 'stress'),
        stress_gaps=_can_leave_out(module, 'stress'),
        forces=next(iter(_asking(module, 'forces')), ''),
        force_gaps=_can_leave_out(module, 'forces'),
        elements_known=any(
            str(model.get('_target_', '')).endswith(FINISHED_MODELS) for model in models
        ),
    )


def _asking(module: Mapping[str, Any], label: str) -> tuple[str, ...]:
    """Return the sections that compare a label."""
    return tuple(
        name
        for name in COMPARISONS
        if any(compares(one, label) for one in mappings(module.get(name)))
    )


def _can_leave_out(module: Mapping[str, Any], label: str) -> bool:
    """Return whether all that compares a label can leave out those that are NaN."""
    return all(
        'field' in one or one.get('_target_') in (*OF_FORCES, *OF_STRESS)
        for name in COMPARISONS
        for one in mappings(module.get(name))
        if compares(one, label)
    )


def compares(section: Mapping[str, Any], label: str) -> bool:
    """Return whether a mapping of the loss or of metrics compares a label."""
    target = str(section.get('_target_', ''))
    if label == 'stress' and target in OF_STRESS:
        return True
    coeffs = section.get('coeffs')
    named = isinstance(coeffs, Mapping) and any(
        str(name).startswith(label) and value for name, value in coeffs.items()
    )
    return named or section.get('field') == label


def mappings(value: Any) -> Iterator[dict[str, Any]]:
    """Yield all mappings in nested values."""
    if isinstance(value, dict):
        yield value
        for one in value.values():
            yield from mappings(one)
    elif isinstance(value, list):
        for one in value:
            yield from mappings(one)
