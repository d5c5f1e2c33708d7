"""What a prediction job reads and writes, as plain bytes, mappings and arrays."""

import json
from collections.abc import Sequence
from typing import Any

import numpy as np

from aiida_enne.families.nequip.training import OutputError
from aiida_enne.remote import MEMBERS_SCRIPTS
from aiida_enne.science import npz
from aiida_enne.science.data.configurations import Configurations
from aiida_enne.science.fields import Integers

SCRIPTS = (
    'nequip_predict.py',
    'nequip_predict_together.py',
    'nequip_compiled.py',
    'nequip_artefact.py',
    'nequip_memory.py',
    *MEMBERS_SCRIPTS,
)
SETTINGS, CONFIGURATIONS, RESULT = 'predict.json', 'configurations.npz', 'result.json'
MEMBERS, PREDICTIONS = 'members', 'predictions'
#: Part of a split that is predicted unless another is named.
DEFAULT_PART = 'test'

#: `auto` vectorises over members, or compiles, where that gains more than it costs; results are
#: equal but for rounding.
MODES = ('auto', 'eager', 'vectorised', 'compiled')
#: Last-layer features that a job keeps, float32: none, those of every atom (with the energies of
#: the atoms), or their sum over the atoms of a configuration.
FEATURES = NO_FEATURES, PER_ATOM, SUMMED = 'none', 'per_atom', 'summed'
#: What may become of a member.
STATUSES = ('finished', 'failed', 'not_finite', 'out_of_memory')

#: Raised when the scripts change in a way that changes what they give.
VERSION = 1


def render_configurations(configurations: Configurations, indices: Integers) -> bytes:
    """Return the upload: structures without labels, and the indices that they have in the dataset.

    Raises:
        ValueError: If an index points beyond the last configuration or before the first.
    """
    arrays = configurations.select(indices).unlabelled().as_arrays()
    needed = ('n_atoms', 'numbers', 'positions', 'cells', 'pbc')
    return npz.dumps({'indices': indices} | {name: arrays[name] for name in needed})


def render_settings(labels: Sequence[str], *, features: str, **settings: Any) -> str:
    """Return the settings of the scripts; each member's checkpoint is a file of its label."""
    members = {label: f'{MEMBERS}/{label}.ckpt' for label in sorted(labels)}
    return json.dumps({'members': members, 'features': features} | settings, indent=1)


def read_result(text: str) -> dict[str, Any]:
    """Read what the scripts say of the job and of each member.

    Raises:
        OutputError: If the text is cut off or says less than it should.
    """
    try:
        result = json.loads(text)
        statuses = {label: member['status'] for label, member in result['members'].items()}
    except (ValueError, KeyError, TypeError, AttributeError) as exception:
        raise OutputError(f'`{RESULT}` is not complete: {exception!r}') from exception
    for label, status in statuses.items():
        if status not in STATUSES:
            raise OutputError(f'the status of {label} must be one of {STATUSES}, got {status!r}')
    return dict(result)


def read_prediction(content: bytes, configurations: Configurations) -> npz.Arrays:
    """Read the predictions of one member for (a part of) the configurations of a dataset.

    Raises:
        OutputError: If the file is damaged or its shapes are not those of the configurations.
    """
    try:
        arrays = npz.loads(content)
        indices = arrays['indices']
    except (ValueError, KeyError) as exception:
        raise OutputError(str(exception)) from exception
    if missing := sorted({'energies', 'forces'} - arrays.keys()):
        raise OutputError(f'the prediction lacks {missing}')
    n, known = len(indices), len(configurations)
    if n and not (indices.min() >= 0 and indices.max() < known):
        raise OutputError(
            f'`indices` reach from {indices.min()} to {indices.max()}, '
            f'the dataset has {known} configurations'
        )
    total = int(configurations.n_atoms[indices].sum())
    shapes = {'energies': (n,), 'forces': (total, 3), 'stresses': (n, 3, 3)}
    shapes |= {'atomic_energies': (total,)}
    for name, shape in shapes.items():
        if name in arrays and arrays[name].shape != shape:
            raise OutputError(f'`{name}` must have the shape {shape}, got {arrays[name].shape}')
    for name, rows in {'features': total, 'summed_features': n}.items():
        if name in arrays and len(arrays[name]) != rows:
            raise OutputError(f'`{name}` must have {rows} rows, got {len(arrays[name])}')
    return arrays


def errors(arrays: npz.Arrays, configurations: Configurations) -> dict[str, float]:
    """Return the errors of one member where labels are known, to query by; empty otherwise.

    `energy_mae` is in eV/atom; `force_mae` and `force_rmse`, over components, are in eV/Å.
    """
    labels = configurations.select(arrays['indices'])
    if labels.energies is None or labels.forces is None:
        return {}
    per_atom = (arrays['energies'] - labels.energies) / labels.n_atoms
    forces = (arrays['forces'] - labels.forces)[labels.known_forces]
    return {
        'energy_mae': float(np.abs(per_atom).mean()),
        'force_mae': float(np.abs(forces).mean()),
        'force_rmse': float(np.sqrt(np.mean(forces**2))),
    }
