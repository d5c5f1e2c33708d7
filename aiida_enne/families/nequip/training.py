"""What a NequIP training job reads and writes, as plain text, mappings and arrays."""

import copy
import csv
import hashlib
import io
import json
import math
import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from aiida_enne.families import models_in

Nested = dict[str, Any]

SCRIPTS = (
    'nequip_train.py',
    'nequip_train_member.py',
    'nequip_base.py',
    'nequip_keeper.py',
    'nequip_gpus.py',
    'nequip_initial.py',
    'nequip_memory.py',
    'nequip_private.py',
    'nequip_product.py',
    'nequip_signatures.py',
    'nequip_trust.py',
    'nequip_weights.py',
)
#: Added where members are trained each with a faster tensor product.
FUSED_SCRIPTS = (
    'nequip_faster.py',
    'nequip_fused.py',
    'nequip_product.cpp',
)
#: Added where members are trained together.
VECTORISED_SCRIPTS = (
    *FUSED_SCRIPTS,
    'nequip_together.py',
    'nequip_single.py',
    'nequip_settings.py',
    'nequip_stack.py',
    'nequip_geometry.py',
    'nequip_adam.py',
    'nequip_codegen.py',
    'nequip_forces.py',
    'nequip_forces.cpp',
    'nequip_linear.py',
    'nequip_linear.cpp',
    'nequip_radial.py',
    'nequip_radial.cpp',
)
#: What the script is told where a strategy is more than processes.
OPTIONS = {'vectorised': '--together', 'fused': '--fused'}
#: Members whose steps are one: more of them gain nothing and cost memory.
GROUP = 32
#: Folder of compiled code, beside the jobs of the same computer.
ARTEFACTS = '../../../enne_artefacts'
TRAIN, VALIDATION = 'train.xyz', 'validation.xyz'
MEMBERS, CHECKPOINTS, BEST = 'members', 'checkpoints', 'best.ckpt'
#: Of the model of one epoch, in the same folder.
SNAPSHOT = 'epoch_{}.ckpt'
CONFIG, HISTORY, PROGRESS, RESULT = 'config.yaml', 'history.csv', 'progress.json', 'result.json'
#: Says how members share the job, and why; its text heads the job's output.
STRATEGY = 'strategy.txt'
SECTIONS = ('data', 'trainer', 'training_module')
#: The metric that says which epoch is best, unless a `ModelCheckpoint` names another.
MONITOR = 'val0_epoch/weighted_sum'

#: Raised when the scripts change in a way that changes what they give.
VERSION = 1

#: Options that the job must own, and what to use instead.
OWNED = {
    'run': 'the job trains; predictions are jobs of their own',
    'ckpt_path': 'use the input `parent_folder`',
    'hydra': 'the job sets the folders',
    'data.seed': 'use the input `seeds`',
    'data.train_file_path': 'use the inputs `dataset` and `split`',
    'data.val_file_path': 'use the inputs `dataset` and `split`',
    'data.test_file_path': 'use the inputs `dataset` and `split`',
    'data.predict_file_path': 'use the inputs `dataset` and `split`',
    'data.split_dataset': 'use the inputs `dataset` and `split`',
    'trainer.max_time': 'use `metadata.options.max_wallclock_seconds`',
    'trainer.default_root_dir': 'the job sets the folders',
    'trainer.inference_mode': 'NequIP sets it',
    'trainer.enable_checkpointing': 'the job keeps the best and the last checkpoint itself',
    'training_module.model.seed': 'use the input `seeds`',
}
#: Sizes of a model, and the least that each can be.
SIZES = {'r_max': 0, 'l_max': 0, 'num_layers': 1, 'num_features': 1}
#: Builders that take a finished model and with it neither a seed nor the names of the types.
FINISHED_MODELS = ('ModelFromCheckpoint', 'ModelFromPackage')

#: What may become of a member.
STATUSES = ('finished', 'unfinished', 'diverged', 'out_of_memory', 'failed')


class OutputError(ValueError):
    """A file that the job left does not hold what it should."""


def check_parameters(parameters: Mapping[str, Any]) -> str | None:
    """Return why these cannot be the parameters of a training, or None if they can."""
    if missing := [name for name in SECTIONS if not isinstance(parameters.get(name), Mapping)]:
        return f'`parameters` lacks the sections {missing}; it needs {list(SECTIONS)}'
    if not isinstance(parameters['training_module'].get('model'), Mapping):
        return '`parameters` lacks the section `training_module.model`'
    for path, instead in OWNED.items():
        *parents, last = path.split('.')
        place: Any = parameters
        for name in parents:
            place = place[name]
        if last in place:
            return f'`parameters` must not hold `{path}`: {instead}'
    trainer = parameters['trainer']
    for name in ('devices', 'num_nodes'):
        if trainer.get(name, 1) != 1 and not (
            isinstance(trainer[name], list) and len(trainer[name]) == 1
        ):
            return (
                f'`trainer.{name}` must be 1, got {trainer[name]!r}: a member trains on one device'
            )
    epochs = trainer.get('max_epochs')
    # -1 is the trainer's word for no limit; a name in `${…}` is resolved by the job
    if not (epochs in (None, -1) or str(epochs).startswith('${') or _is_count(epochs)):
        return f'`trainer.max_epochs` must be a whole number from 1, got {epochs!r}'
    if any(model.get('seed') is not None for model in models_in(parameters)):
        return f'no model may hold `seed`: {OWNED["training_module.model.seed"]}'
    return next(filter(None, map(_unreal_size, models_in(parameters))), None)


def _is_count(value: Any) -> bool:
    return type(value) is int and value >= 1


def _unreal_size(model: Mapping[str, Any]) -> str | None:
    """Return which size of a model no model can have; a name in `${…}` is resolved by the job."""
    for name, least in SIZES.items():
        value = model.get(name)
        if value is None or (isinstance(value, str) and value.startswith('${')):
            continue
        kinds = (int, float) if name == 'r_max' else (int,)
        values = value if isinstance(value, list) and value else [value]
        for one in values:
            if (
                type(one) not in kinds
                or not least <= one < math.inf
                or (name == 'r_max' and not one)
            ):
                what = (
                    'a length in Å above 0' if name == 'r_max' else f'a whole number from {least}'
                )
                return f'`training_module.model.{name}` must be {what}, got {value!r}'
    return None


def render(parameters: Mapping[str, Any], *, seed: int, elements: Sequence[str]) -> Nested:
    """Complete the user's configuration with everything the job itself must own.

    Args:
        parameters: Sections of a NequIP configuration.
        seed: Seed of both the weights and the order of the batches: the member's identity.
        elements: Names of the types where the parameters give none, in alphabetical order.
    """
    config = copy.deepcopy(dict(parameters))
    data = {'_target_': 'nequip.data.datamodule.ASEDataModule'} | config['data']
    files = {'train_file_path': TRAIN, 'val_file_path': VALIDATION}
    trainer = {
        '_target_': 'lightning.Trainer',
        'logger': False,
        'enable_progress_bar': False,
        'enable_model_summary': False,
        'devices': 1,
    } | config['trainer']
    callbacks = list(trainer.get('callbacks') or [])
    keeper = {'_target_': 'nequip_keeper.Keeper'} | _criterion(callbacks)
    for model in models_in(config):
        if not str(model.get('_target_', '')).endswith(FINISHED_MODELS) and 'model' not in model:
            model['seed'] = seed
            if model.get('type_names') is None:
                model['type_names'] = list(elements)
    return config | {
        'run': ['train'],
        'data': data | {'seed': seed} | files,
        'trainer': trainer | {'callbacks': [*callbacks, keeper]},
    }


def identity(
    parameters: Mapping[str, Any],
    *,
    seed: int,
    elements: Sequence[str],
    data: Sequence[str],
    kernel: str = '',
) -> str:
    """Return the digest of all that decides what a training gives, code and machine aside.

    Args:
        parameters: As in `render`.
        seed: As in `render`.
        elements: As in `render`.
        data: Digest and level of theory of the dataset, digest of the split.
        kernel: What trained it instead of NequIP's trainer with e3nn's tensor product, if anything.
    """
    config = render(parameters, seed=seed, elements=elements)
    what = [VERSION, config, *data, *filter(None, [kernel])]
    text = json.dumps(what, sort_keys=True, separators=(',', ':'))
    return hashlib.sha256(text.encode()).hexdigest()


def read_history(text: str) -> dict[str, NDArray[np.float64]]:
    """Read one array per metric against epoch, NaN where an epoch lacks it.

    Names are NequIP's with an underscore for all but letters and digits: `val0_epoch_forces_mae`.

    Raises:
        OutputError: If it is not a table of numbers with an `epoch` column.
    """
    names, *rows = list(csv.reader(io.StringIO(text))) or [[]]
    if 'epoch' not in names or not rows:
        raise OutputError('no rows with an `epoch` column')
    try:
        table = np.array(rows, dtype=np.float64)
    except ValueError as exception:
        raise OutputError(f'not a table of numbers: {exception}') from exception
    if table.shape != (len(rows), len(names)):
        raise OutputError(f'{len(names)} columns, but rows of {table.shape[1]}')
    plain = [re.sub('[^A-Za-z0-9]', '_', name) for name in names]
    return dict(zip(plain, np.ascontiguousarray(table.T), strict=True))


def read_result(text: str) -> Nested:
    """Read what the script says of a member.

    Raises:
        OutputError: If the text is damaged.
    """
    try:
        result = json.loads(text)
        if result['status'] not in STATUSES:
            raise OutputError(f'`status` is {result["status"]!r}, not one of {list(STATUSES)}')
        return dict(result) | {name: int(result[name]) for name in ('epochs', 'first_epoch')}
    except (TypeError, KeyError, ValueError) as exception:
        raise OutputError(f'{type(exception).__name__}: {exception}') from exception


def read_progress(text: str) -> Nested:
    """Read how far a running or killed member is.

    Raises:
        OutputError: If the text is damaged.
    """
    try:
        progress = json.loads(text)
        return dict(progress) | {name: int(progress[name]) for name in ('epoch', 'first_epoch')}
    except (TypeError, KeyError, ValueError) as exception:
        raise OutputError(f'{type(exception).__name__}: {exception}') from exception


def _criterion(callbacks: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """Return metric and sense of the first `ModelCheckpoint` that names one."""
    for callback in callbacks:
        target = str(callback.get('_target_', ''))
        if target.endswith('ModelCheckpoint') and callback.get('monitor'):
            return {'monitor': callback['monitor'], 'mode': callback.get('mode', 'min')}
    return {'monitor': MONITOR, 'mode': 'min'}
