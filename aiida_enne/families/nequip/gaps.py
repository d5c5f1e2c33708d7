"""Labels that are missing: what NequIP's loss, metrics and statistics must leave out."""

from __future__ import annotations

import copy
from collections.abc import Collection, Iterator, Mapping
from typing import Any

from aiida_enne.families.nequip.needs import COMPARISONS, OF_FORCES, OF_STRESS

#: Gives frames without a stress one that is NaN, so that they share batches with others.
FILL = {'_target_': 'nequip.data.transforms.AddNaNStressTransform'}
#: Energies by the word that names of metrics begin with.
ENERGIES: dict[str, Any] = {
    'total_energy': 'total_energy',
    'per_atom_energy': {'_target_': 'nequip.data.PerAtomModifier', 'field': 'total_energy'},
}
#: Metrics of `nequip.train` by the word that names of metrics end with.
ERRORS = {
    'rmse': 'RootMeanSquaredError',
    'mae': 'MeanAbsoluteError',
    'maxabserr': 'MaximumAbsoluteError',
}
NEIGHBOURS = {'_target_': 'nequip.data.NumNeighbors'}
#: What `CommonDataStatisticsManager` knows: name, field, function, by type or not.
STATISTICS: tuple[tuple[str, Any, str, bool], ...] = (
    ('num_neighbors_mean', NEIGHBOURS, 'Mean', False),
    ('per_type_num_neighbors_mean', NEIGHBOURS, 'Mean', True),
    ('per_atom_energy_mean', ENERGIES['per_atom_energy'], 'Mean', False),
    ('forces_rms', 'forces', 'RootMeanSquare', False),
    ('per_type_forces_rms', 'forces', 'RootMeanSquare', True),
)
Nested = dict[str, Any]


def leave_out(parameters: Mapping[str, Any], labels: Collection[str]) -> Nested:
    """Return parameters of a training that leaves out labels that are NaN.

    Args:
        parameters: Of a training; `find_needs` says whether its loss and metrics can leave any out.
        labels: Which are missing in part: 'stress', 'forces' or both.
    """
    changed = copy.deepcopy(dict(parameters))
    module, data = changed['training_module'], changed['data']
    for name in COMPARISONS:
        if name in module:
            module[name] = _changed(module[name], labels)
    if 'forces' in labels and 'stats_manager' in data:
        data['stats_manager'] = _changed(data['stats_manager'], labels)
    if 'stress' in labels:
        transforms = list(data.get('transforms') or [])
        data['transforms'] = transforms if FILL in transforms else [*transforms, FILL]
    return changed


def _changed(value: Any, labels: Collection[str]) -> Any:
    """Return nested values in which all that compares one of the labels leaves out NaN."""
    if isinstance(value, list):
        return [_changed(one, labels) for one in value]
    if not isinstance(value, dict):
        return value
    if 'forces' in labels:
        value = _spelt_out(value)
    found = {key: _changed(one, labels) for key, one in value.items()}
    if found.get('_target_') in OF_STRESS:
        found['ignore_nan'] = (found.get('ignore_nan') or {}) | dict.fromkeys(labels, True)
    elif 'metric' in found and _field(found) in labels:
        found['ignore_nan'] = True
    return found


def _field(entry: Nested) -> Any:
    field = entry.get('field')
    return field.get('field') if isinstance(field, dict) else field


def _spelt_out(value: Nested) -> Nested:
    """Return what a short form of NequIP stands for, if it is one that has no `ignore_nan`."""
    target = str(value.get('_target_', ''))
    if target not in (*OF_FORCES, 'nequip.data.CommonDataStatisticsManager'):
        return value
    entries = {'EnergyForceLoss': _loss, 'EnergyForceMetrics': _metrics}.get(
        target.rpartition('.')[2], _statistics
    )
    own = ('coeffs', 'per_atom_energy', 'per_type_forces_coeffs', 'extra_metrics')
    rest = {key: one for key, one in value.items() if key not in own}
    manager = 'nequip.train.MetricsManager'
    if target not in OF_FORCES:
        manager = 'nequip.data.DataStatisticsManager'
    metrics = [*entries(value), *(value.get('extra_metrics') or [])]
    return rest | {'_target_': manager, 'metrics': metrics}


def _loss(value: Nested) -> Iterator[Nested]:
    coeffs = value.get('coeffs') or {'total_energy': 1.0, 'forces': 1.0}
    error: Nested = {'metric': {'_target_': 'nequip.train.MeanSquaredError'}}
    energy = 'per_atom_energy' if value.get('per_atom_energy', True) else 'total_energy'
    known: Nested = {'field': ENERGIES[energy], 'coeff': coeffs['total_energy']}
    yield {'name': f'{energy}_mse'} | known | error
    forces: Nested = {'name': 'forces_mse', 'field': 'forces', 'coeff': coeffs['forces']}
    if by_type := value.get('per_type_forces_coeffs'):
        forces |= {'per_type': True, 'per_type_coeffs': by_type}
    yield forces | error


def _metrics(value: Nested) -> Iterator[Nested]:
    coeffs = value.get('coeffs') or {'total_energy_rmse': 1.0, 'forces_rmse': 1.0}
    for start, field in (ENERGIES | {'forces': 'forces'}).items():
        for end, function in ERRORS.items():
            name, metric = f'{start}_{end}', {'_target_': f'nequip.train.{function}'}
            yield {'name': name, 'field': field, 'coeff': coeffs.get(name), 'metric': metric}


def _statistics(_: Nested) -> Iterator[Nested]:
    for name, field, function, by_type in STATISTICS:
        metric = {'_target_': f'nequip.data.{function}'}
        yield {'name': name, 'field': field, 'metric': metric, 'per_type': by_type}
