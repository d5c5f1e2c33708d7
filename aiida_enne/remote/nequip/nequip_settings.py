"""What configurations ask for, and whether members that are trained together can have it."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

import nequip_initial
import torch
from nequip_product import UnfitError
from nequip_stack import Loss
from omegaconf import OmegaConf

MODULES = ('nequip.train.EMALightningModule', 'nequip.train.NequIPLightningModule')
#: Where members are trained by what Lightning calls it.
DEVICES = {'cpu': 'cpu', 'gpu': 'cuda', 'cuda': 'cuda'}
#: Options of the trainer that change nothing, or that are followed here.
TRAINER = {
    '_target_', 'accelerator', 'callbacks', 'devices', 'enable_model_summary', 'max_epochs',
    'enable_progress_bar', 'logger', 'num_nodes', 'num_sanity_val_steps',
}  # fmt: skip
LOADER = {'_target_', 'batch_size', 'shuffle', 'num_workers', 'collate_fn'}
ENERGIES = {'total_energy_mse': False, 'per_atom_energy_mse': True}


def read_configurations(folders: Sequence[Path]) -> list[Any]:
    """Return the configurations of members, which share all but their seeds.

    Raises:
        UnfitError: If they share more or less, or ask for what is done by NequIP's trainer alone.
    """
    configs = [OmegaConf.load(folder / 'config.yaml') for folder in folders]
    plain = [container(config, resolve=False) for config in configs]
    for one in plain:
        one['data'].pop('seed')
        one['training_module']['model'].pop('seed', None)
    if any(one != plain[0] for one in plain):
        raise UnfitError('members differ in more than their seeds')
    trainer, module = plain[0]['trainer'], plain[0]['training_module']
    if unknown := sorted(set(trainer) - TRAINER):
        raise UnfitError(f'options {unknown} of the trainer')
    if len(trainer['callbacks']) != 1:
        raise UnfitError(f'callbacks {[one["_target_"] for one in trainer["callbacks"]]}')
    if trainer.get('accelerator') not in DEVICES:
        raise UnfitError(f'the accelerator {trainer.get("accelerator")}')
    if module['_target_'] not in MODULES or module.get('train_metrics') is not None:
        raise UnfitError(f'the training module {module["_target_"]}, or metrics of its training')
    loader = plain[0]['data'].get('train_dataloader', {})
    if unknown := sorted(set(loader) - LOADER):
        raise UnfitError(f'options {unknown} of the training data')
    for folder, config in zip(folders, configs, strict=True):
        nequip_initial.adopt(config, folder)
    return configs


def device_of(config: Any) -> torch.device:
    """Return where the members of a configuration are trained.

    Raises:
        UnfitError: If it is not there.
    """
    device = torch.device(DEVICES[config.trainer.accelerator])
    if device.type == 'cuda' and not torch.cuda.is_available():
        raise UnfitError('torch finds no GPU')
    return device


def container(config: Any, *, resolve: bool) -> dict[str, Any]:
    """Return a configuration as plain values."""
    return dict(cast('dict[str, Any]', OmegaConf.to_container(config, resolve=resolve)))


def loss_of(module: Any) -> tuple[tuple[str, ...], Loss, bool]:
    """Return the names of the parts of a loss, the loss, and whether stresses are looked at.

    Raises:
        UnfitError: If the loss is not one of energies and forces, with or without stresses.
    """
    parts = module.loss.entries
    energies = [name for name in parts if name in ENERGIES]
    names = (*energies, 'forces_mse', *(['stress_mse'] if 'stress_mse' in parts else []))
    if len(energies) != 1 or set(parts) != {*names}:
        raise UnfitError(f'a loss of {sorted(parts)}')
    for name, part in parts.items():
        kind = type(module.loss[name]).__name__
        if kind != 'MeanSquaredError' or part.per_type or part.ignore_nan:
            raise UnfitError(f'a loss of {name} as {kind}, by type or with gaps')
    (metrics,) = module.val_metrics
    fields = {getattr(part.field, 'field', None) for part in metrics.entries.values()}
    if other := sorted(map(str, fields - {'total_energy', 'forces', 'stress'})):
        raise UnfitError(f'validation metrics of {other}')
    loss = Loss([parts[name].coeff for name in names], ENERGIES[names[0]])
    return names, loss, 'stress_mse' in names or 'stress' in fields
