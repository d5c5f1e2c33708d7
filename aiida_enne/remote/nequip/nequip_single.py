"""What belongs to one member of a group: NequIP's module, order of batches, schedule, files."""

import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

import lightning
import nequip_initial
import nequip_train_member
import torch
from hydra.utils import instantiate
from nequip_keeper import Attempt, Keeper
from nequip_private import get_current_code_versions, get_latest_global_state, step_elsewhere
from nequip_product import UnfitError
from nequip_stack import Loss
from omegaconf import OmegaConf

MODULES = ('nequip.train.EMALightningModule', 'nequip.train.NequIPLightningModule')
#: Options of the trainer that change nothing, or that are followed here.
TRAINER = {
    '_target_', 'accelerator', 'callbacks', 'devices', 'enable_model_summary', 'max_epochs',
    'enable_progress_bar', 'logger', 'num_nodes', 'num_sanity_val_steps',
}  # fmt: skip
LOADER = {'_target_', 'batch_size', 'shuffle', 'num_workers', 'collate_fn'}
ENERGIES = {'total_energy_mse': False, 'per_atom_energy_mse': True}


class Member:
    """One member; stands in for Lightning's trainer where its `Keeper` looks at one.

    Attributes:
        keeper: History, best model and files, as in a training alone.
        lost: Status and message of a member that is no longer trained.
        callback_metrics: Metrics of the last epoch.
        global_step: Steps made in all.
    """

    def __init__(self, attempt: Attempt, config: Any, data: Any, n_train: int) -> None:
        plain = {
            name: container(config[name], resolve=True)
            for name in ('data', 'trainer', 'training_module')
        }
        self.config, self._data = plain, data
        info = {
            'versions': get_current_code_versions(),
            'data': plain['data'],
            'trainer': plain['trainer'],
            'global_options': get_latest_global_state(),
            'runs': list(config.run),
            'training_module': plain['training_module'],
        }
        self.module = instantiate(
            plain['training_module'],
            _recursive_=False,
            _convert_='all',
            num_datasets=data.num_datasets,
            info_dict=info,
        )
        nequip_initial.begin(attempt.folder, self.module)
        self.model = self.module.model['sole_model']
        configured = self.module.configure_optimizers()
        self._schedule = None
        if isinstance(configured, dict):
            self._schedule, configured = configured['lr_scheduler'], configured['optimizer']
        self.optimizer = configured
        step_elsewhere(self.optimizer)
        if self._schedule and (
            self._schedule.get('interval', 'epoch') != 'epoch'
            or self._schedule.get('frequency', 1) != 1
        ):
            raise UnfitError('a schedule of the learning rate other than once an epoch')
        self._generator = torch.Generator().manual_seed(int(plain['data']['seed']))
        loader = data.train_dataloader_config
        self.batch_size = int(loader.get('batch_size', 1))
        numbers: Any = range(n_train)
        self._loader: torch.utils.data.DataLoader[int] = torch.utils.data.DataLoader(
            numbers,
            shuffle=bool(loader.get('shuffle', False)),
            batch_size=self.batch_size,
            generator=self._generator,
            collate_fn=list,
        )
        (criterion,) = plain['trainer']['callbacks']
        self.keeper = Keeper(**{k: v for k, v in criterion.items() if k != '_target_'})
        self.keeper.attempt = attempt
        self.max_epochs = int(plain['trainer']['max_epochs'])
        self.lost: tuple[str, str] | None = None
        self.callback_metrics: dict[str, float] = {}
        self.global_step = 0
        self.sanity_checking = False

    @property
    def optimizers(self) -> list[Any]:
        """Return the one optimiser, as a trainer would."""
        return [self.optimizer]

    @property
    def rate(self) -> float:
        """Return the learning rate; 0 once the member is lost."""
        return 0.0 if self.lost else float(self.optimizer.param_groups[0]['lr'])

    @property
    def improved(self) -> bool:
        """Return whether the last epoch gave the best model so far."""
        return bool(self.keeper.improved)

    def batches(self) -> list[list[int]]:
        """Return the configurations of each batch of an epoch, in NequIP's order."""
        iterator = iter(self._loader)  # Lightning does not exhaust it either
        return [next(iterator) for _ in range(len(self._loader))]

    def measure(self, out: Any, batch: Any) -> dict[str, float]:
        """Return NequIP's validation metrics."""
        (metrics,) = self.module.val_metrics
        metrics(out, batch, prefix='val0_step/')
        found = {name: float(value) for name, value in metrics.compute('val0_epoch/').items()}
        metrics.reset()
        return found

    def end_epoch(self, metrics: dict[str, float], steps: int) -> None:
        """Adapt the learning rate, write down the metrics and judge them.

        Raises:
            DivergedError: If one of those that count is not finite.
        """
        self.callback_metrics = metrics
        self.global_step += steps
        losses = self.module.loss.metrics_values_epoch
        losses |= {name: metrics[f'train_loss_epoch/{name}'] for name in losses}
        if self._schedule:
            scheduler = self._schedule['scheduler']
            if isinstance(scheduler, torch.optim.lr_scheduler.ReduceLROnPlateau):
                scheduler.step(metrics[self._schedule['monitor']])
            else:
                scheduler.step()
        self.keeper.on_validation_end(self, self.module)
        self.keeper.on_train_epoch_end(self, self.module)

    def keep(self) -> None:
        """Write the checkpoints, the history and the progress."""
        self.keeper.on_train_end(self, self.module)

    def resume(self) -> int:
        """Take up the newest checkpoint, whoever wrote it; return the epochs that it has."""
        attempt = self.keeper.attempt
        (attempt.folder / 'checkpoints').mkdir(exist_ok=True)
        path = nequip_train_member.newest(attempt)
        state = None if path is None else nequip_train_member.load(path)
        if state is not None:
            self.module.load_state_dict(state['state_dict'])
            self.optimizer.load_state_dict(state['optimizer_states'][0])
            if self._schedule:
                self._schedule['scheduler'].load_state_dict(state['lr_schedulers'][0])
            self._generator.set_state(state[type(self._data).__name__]['train_generator_state'])
            self.keeper.load_state_dict(state['callbacks']['Keeper'])
            self.global_step = state['global_step']
        return int(attempt.epochs)

    def save_checkpoint(self, path: Path) -> None:
        """Write what Lightning writes between two epochs."""
        checkpoint = self._checkpoint(len(self.keeper.rows), len(self._loader))
        torch.save(checkpoint, buffer := io.BytesIO())  # torch would not say that the disk is full
        path.write_bytes(buffer.getbuffer())

    def _checkpoint(self, epoch: int, n_batches: int) -> dict[str, Any]:
        steps = self.global_step
        data = {
            'train_generator_state': self._generator.get_state(),
            'generator_state': self._data.generator_state,
            '_train_dataloader_0': {},
            '_val_dataloader_0': {},
        }
        schedulers = [self._schedule['scheduler'].state_dict()] if self._schedule else []
        return {
            'epoch': epoch,
            'global_step': steps,
            'pytorch-lightning_version': lightning.__version__,
            'state_dict': self.module.state_dict(),
            'loops': _loops(epoch, steps, n_batches),
            'callbacks': {'Keeper': self.keeper.state_dict()},
            'optimizer_states': [self.optimizer.state_dict()],
            'lr_schedulers': schedulers,
            'hparams_name': 'kwargs',
            'hyper_parameters': dict(self.module.hparams),
            type(self._data).__name__: data,
        }


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
    if trainer.get('accelerator') != 'cpu':
        raise UnfitError(f'the accelerator {trainer.get("accelerator")}')
    if module['_target_'] not in MODULES or module.get('train_metrics') is not None:
        raise UnfitError(f'the training module {module["_target_"]}, or metrics of its training')
    loader = plain[0]['data'].get('train_dataloader', {})
    if unknown := sorted(set(loader) - LOADER):
        raise UnfitError(f'options {unknown} of the training data')
    for folder, config in zip(folders, configs, strict=True):
        nequip_initial.adopt(config, folder)
    return configs


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


def _loops(epoch: int, steps: int, n_batches: int) -> dict[str, Any]:
    """Return Lightning's counters: an epoch has ended and none has begun."""

    def count(total: int, current: int, names: str) -> dict[str, Any]:
        return {
            'total': dict.fromkeys(names.split(), total),
            'current': dict.fromkeys(names.split(), current),
        }

    batch, step = 'ready completed started processed', 'ready completed'
    idle = {
        'state_dict': {},
        'batch_progress': count(0, 0, batch) | {'is_last_batch': False},
    }
    optimizer = {
        'step': count(steps, n_batches, step),
        'zero_grad': count(steps, n_batches, 'ready completed started'),
    }
    fit = {
        'state_dict': {},
        'epoch_loop.state_dict': {'_batches_that_stepped': steps},
        'epoch_loop.batch_progress': count(steps, 0, batch) | {'is_last_batch': True},
        'epoch_loop.scheduler_progress': count(epoch, 1, step),
        'epoch_loop.automatic_optimization.state_dict': {},
        'epoch_loop.automatic_optimization.optim_progress': {'optimizer': optimizer},
        'epoch_loop.manual_optimization.state_dict': {},
        'epoch_loop.manual_optimization.optim_step_progress': count(0, 0, step),
        'epoch_loop.val_loop.state_dict': {},
        'epoch_loop.val_loop.batch_progress': count(0, 0, batch) | {'is_last_batch': True},
        'epoch_progress': count(epoch, epoch, batch),
    }
    predict = {'state_dict': {}, 'batch_progress': count(0, 0, batch)}
    return {
        'fit_loop': fit,
        'validate_loop': idle,
        'test_loop': idle,
        'predict_loop': predict,
    }
