"""Trains one member through NequIP's own trainer and writes down what became of it."""

import hashlib
import json
import logging
import math
import time
import traceback
from importlib.metadata import version
from pathlib import Path
from typing import Any

import nequip_initial
import nequip_signatures
import nequip_trust
import torch
from hydra import compose, initialize_config_dir
from hydra.core.hydra_config import HydraConfig
from nequip.model import ModelFromCheckpoint
from nequip_keeper import (
    BEST,
    LAST,
    PREVIOUS,
    Attempt,
    DivergedError,
    Keeper,
    OutOfTimeError,
    epoch_of,
    find_snapshots,
    is_disk_full,
    write,
)
from nequip_memory import is_out_of_memory
from nequip_private import global_state_initialized, set_global_state
from nequip_private import main as nequip_train
from omegaconf import DictConfig, OmegaConf, open_dict

logger = logging.getLogger(__name__)


def train(folder: Path, deadline: float, artefacts: Path | None = None) -> str:
    """Train the member of `folder` from scratch or from its checkpoints; return its status.

    Args:
        folder: Of the member.
        deadline: Value of `time.monotonic()` at which the job is killed.
        artefacts: Folder of compiled code, where a faster tensor product is wanted.
    """
    logging.basicConfig(level=logging.INFO, format='[%(asctime)s] %(message)s')
    torch.set_num_threads(1)
    nequip_trust.force()
    begin = time.monotonic()
    attempt = Attempt(folder, deadline, artefacts=artefacts)
    Keeper.attempt = attempt
    try:
        (folder / 'checkpoints').mkdir(exist_ok=True)
        config = read_config(folder)
        checkpoint = newest(attempt)
        if checkpoint is not None:
            with open_dict(config):
                config.ckpt_path = str(checkpoint)
        nequip_train(config)
        status, message = 'finished', ''
    except OutOfTimeError as exception:
        status, message = 'unfinished', str(exception)
    except DivergedError as exception:
        status, message = 'diverged', str(exception)
    except Exception as exception:  # whatever NequIP raises is this member's alone
        if is_disk_full(exception):
            raise  # without a result it counts as killed: the next attempt goes on from here
        traceback.print_exc()
        status = 'out_of_memory' if is_out_of_memory(exception) else 'failed'
        message = f'{type(exception).__name__}: {exception}'
    product = {'kernel': attempt.kernel, 'tensor_product': attempt.product}
    known = {name: said for name, said in product.items() if said}
    write_result(attempt, status, message, time.monotonic() - begin, **known)
    return status


def misspelt(folders: list[Path]) -> str:
    """Return which keys of a member's configuration nothing takes, and note it as its result."""
    reasons = {}
    for folder in folders:
        config = OmegaConf.to_container(OmegaConf.load(folder / 'config.yaml'), resolve=False)
        if reason := nequip_signatures.complaint(config):
            write_result(Attempt(folder), 'failed', reason, 0.0)
            reasons[folder.name] = reason
    return next(iter(reasons.values()), '')


def unpack(folders: list[Path]) -> str:
    """Return why members cannot begin with the model of the job, and note it as their result."""
    reason: str = nequip_initial.unpack(folders[0].parent.parent)
    for folder in folders if reason else ():
        write_result(Attempt(folder), 'failed', reason, 0.0)
    return reason


def write_result(attempt: Attempt, status: str, message: str, seconds: float, **known: Any) -> None:
    """Write down what became of a member.

    Args:
        attempt: This run of the member.
        status: What became of it.
        message: Why.
        seconds: How long it took.
        known: `model`, where it is at hand and need not be built; all else is written as it is.
    """
    result = {
        'status': status,
        'message': message,
        'first_epoch': attempt.first_epoch,
        'epochs': attempt.epochs,
        'seconds': seconds,
        'versions': {name: version(name) for name in ('nequip', 'torch', 'e3nn', 'lightning')},
    }
    model = known.pop('model', None)
    best = attempt.folder / 'checkpoints' / BEST
    if best.exists():
        result |= describe(best, model)
    if status == 'finished' and (snapshots := find_snapshots(best.parent)):
        result['snapshots'] = {
            epoch: {name: found[name] for name in ('metrics', 'weights_sha256')}
            for epoch, path in ((epoch_of(one), one) for one in snapshots)
            if (found := describe(path, model, epoch))
        }
    result |= known
    write(attempt.folder / 'result.json', json.dumps(result, indent=1))


def read_config(folder: Path) -> DictConfig:
    """Read `config.yaml` as `nequip-train` does, with the folder as Hydra's output folder."""
    with initialize_config_dir(config_dir=str(folder), version_base=None):
        config = compose('config', return_hydra_config=True)
    with open_dict(config):
        config.hydra.runtime.output_dir = str(folder / 'run')
        HydraConfig.instance().set_config(config)
        del config['hydra']
    nequip_initial.adopt(config, folder)
    return config


def newest(attempt: Attempt) -> Path | None:
    """Return the readable checkpoint with the most epochs; note the best model of all."""
    epochs = readable(attempt)
    return max(epochs, key=epochs.__getitem__, default=None)


def readable(attempt: Attempt) -> dict[Path, int]:
    """Return checkpoints that are not damaged with their epochs; note the best model of all."""
    epochs: dict[Path, int] = {}
    for name in (LAST, PREVIOUS, BEST):
        path = attempt.folder / 'checkpoints' / name
        if path.exists():
            state = load(path)
            if state is None:
                path.unlink()
                continue
            epochs[path] = len(state['callbacks']['Keeper']['rows'])
            if name == BEST:
                attempt.best = state['callbacks']['Keeper']['best']
    return epochs


def load(path: Path) -> dict[str, Any] | None:
    """Load a checkpoint of our own; None, with a line in the log, where it is damaged."""
    try:
        state = nequip_trust.load(path)
        state['callbacks']['Keeper']['rows'], state['optimizer_states']
    except nequip_trust.UntrustedError:
        raise  # not damaged: who wrote it may want it back
    except Exception as exception:  # a damaged file may fail in any way
        logger.warning('%s is damaged and not used: %s', path.name, exception)
        return None
    return dict(state)


def describe(path: Path, model: Any = None, epoch: int | None = None) -> dict[str, Any]:
    """Return what is known of the model in a checkpoint, without anyone unpickling it later.

    Args:
        path: The checkpoint.
        model: NequIP's models by name, of this architecture and with any weights.
        epoch: Whose metrics are its own; that of the best model by default.
    """
    state = load(path)
    if state is None:
        return {}
    keeper = state['callbacks']['Keeper']
    best = keeper['best']
    row = keeper['rows'][best['epoch'] if epoch is None else epoch].tolist()
    metrics = {
        name: value
        for name, value in zip(keeper['columns'], row, strict=True)
        if math.isfinite(value) and name not in ('epoch', 'step')
    }
    if not global_state_initialized():  # it failed before NequIP had begun
        set_global_state()
    if model is None:
        model = ModelFromCheckpoint(str(path))
        weights = model.state_dict()
    else:
        weights = weights_of(state['state_dict'], model)
    inner = next(iter(model.values()))
    return {
        'best_epoch': best['epoch'],
        'best_score': best['score'],
        'metrics': metrics,
        'weights_sha256': digest(weights),
        'n_parameters': sum(p.numel() for p in model.parameters()),
        'type_names': list(inner.type_names),
        'r_max': float(inner.metadata['r_max']),
    }


def weights_of(state: dict[str, Any], model: torch.nn.Module) -> dict[str, torch.Tensor]:
    """Return the weights that NequIP would predict with: the averaged ones where there are any."""
    weights = {
        name.removeprefix('model.'): value
        for name, value in state.items()
        if name.startswith('model.')
    }
    for index, (name, _) in enumerate(model.named_parameters()):
        weights[name] = state.get(f'ema.ema_weight_{index}', weights[name])
    return weights


def digest(weights: dict[str, torch.Tensor]) -> str:
    """Return the SHA-256 over names, types, shapes and values of the weights used to predict."""
    total = hashlib.sha256()
    for name, value in sorted(weights.items()):
        array = value.detach().cpu().contiguous().numpy()
        total.update(f'{name}|{array.dtype.str}|{array.shape}|'.encode())
        total.update(array.tobytes())
    return total.hexdigest()
