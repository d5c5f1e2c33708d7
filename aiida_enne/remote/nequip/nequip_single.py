"""What belongs to one member of a group: NequIP's module, order of batches, schedule, files."""

import copy
import io
from pathlib import Path
from typing import Any

import lightning
import nequip_initial
import nequip_train_member
import torch
from hydra.utils import instantiate
from nequip_adam import Adam, Numbers
from nequip_keeper import Attempt, Keeper
from nequip_private import get_current_code_versions, get_latest_global_state, step_elsewhere
from nequip_product import UnfitError
from nequip_settings import container


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
        #: numbers and state of the best model, if it is not written; state of what is being written
        self._best: tuple[Numbers, dict[str, Any]] | None = None
        self._now: dict[str, Any] | None = None

    @property
    def optimizers(self) -> list[Any]:
        """Return the one optimiser, as a trainer would."""
        return [self.optimizer]

    @property
    def rate(self) -> float:
        """Return the learning rate; 0 once the member is lost."""
        return 0.0 if self.lost else float(self.optimizer.param_groups[0]['lr'])

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

    @property
    def is_best(self) -> bool:
        """Return whether the last epoch, not yet written, gave the best model so far."""
        keeper = self.keeper
        return bool(keeper.improved and keeper.best['epoch'] == len(keeper.rows) - 1)

    def is_snapshot(self, epochs: int) -> bool:
        """Return whether the last of so many epochs is one whose model is kept."""
        return bool(epochs > self.max_epochs - self.keeper.snapshots)

    def remember(self, adam: Adam, row: int) -> None:
        """Keep the last epoch in mind where it gave the best model so far."""
        if self.is_best:
            self._best = (adam.numbers(row), self._state())

    def keep(self, adam: Adam, row: int) -> None:
        """Write the checkpoints, the history and the progress."""
        if self.is_best:
            self._best = None  # the older one
        self.keep_best(adam)
        adam.give(adam.numbers(row), self.module, self.optimizer)
        self.keeper.on_train_end(self, self.module)

    def keep_best(self, adam: Adam) -> None:
        """Write the best model where it was kept in mind."""
        if self._best is None:
            return
        numbers, self._now = self._best
        adam.give(numbers, self.module, self.optimizer)
        self.keeper.keep_best(self)
        self._best = self._now = None

    def checkpoints(self) -> dict[int, Path]:
        """Return the checkpoints that are there, whoever wrote them, by their epochs.

        Where there are none, the progress says that no epoch has ended.
        """
        attempt = self.keeper.attempt
        (attempt.folder / 'checkpoints').mkdir(exist_ok=True)
        found = {epoch: path for path, epoch in nequip_train_member.readable(attempt).items()}
        if not found:
            self.keeper.report(self)
        return found

    def resume(self, path: Path) -> None:
        """Take up a checkpoint."""
        state = nequip_train_member.load(path)
        if state is None:
            raise UnfitError(f'{path.name} is damaged')
        self.module.load_state_dict(state['state_dict'])
        self.optimizer.load_state_dict(state['optimizer_states'][0])
        if self._schedule:
            self._schedule['scheduler'].load_state_dict(state['lr_schedulers'][0])
        self._generator.set_state(state[type(self._data).__name__]['train_generator_state'])
        self.keeper.load_state_dict(state['callbacks']['Keeper'])
        self.global_step = state['global_step']
        self.keeper.report(self)

    def save_checkpoint(self, path: Path) -> None:
        """Write what Lightning writes between two epochs."""
        checkpoint = self._checkpoint(self._now or self._state(), len(self._loader))
        torch.save(checkpoint, buffer := io.BytesIO())  # torch would not say that the disk is full
        path.write_bytes(buffer.getbuffer())

    def _state(self) -> dict[str, Any]:
        """Return all but numbers that a later epoch changes."""
        schedule = self._schedule and copy.deepcopy(self._schedule['scheduler'].state_dict())
        (group,) = self.optimizer.state_dict()['param_groups']
        return {
            'steps': self.global_step,
            'generator': self._generator.get_state(),
            'schedules': [schedule] if schedule else [],
            'group': group,
            'keeper': copy.deepcopy(self.keeper.state_dict()),
        }

    def _checkpoint(self, state: dict[str, Any], n_batches: int) -> dict[str, Any]:
        steps, epoch = state['steps'], len(state['keeper']['rows'])
        data = {
            'train_generator_state': state['generator'],
            'generator_state': self._data.generator_state,
            '_train_dataloader_0': {},
            '_val_dataloader_0': {},
        }
        optimizer = self.optimizer.state_dict() | {'param_groups': [state['group']]}
        return {
            'epoch': epoch,
            'global_step': steps,
            'pytorch-lightning_version': lightning.__version__,
            'state_dict': self.module.state_dict(),
            'loops': _loops(epoch, steps, n_batches),
            'callbacks': {'Keeper': state['keeper']},
            'optimizer_states': [optimizer],
            'lr_schedulers': state['schedules'],
            'hparams_name': 'kwargs',
            'hyper_parameters': dict(self.module.hparams),
            type(self._data).__name__: data,
        }


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
