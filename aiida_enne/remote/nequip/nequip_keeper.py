"""Lightning callback that keeps one member's progress: killing it loses no finished epoch."""

import csv
import dataclasses
import errno
import io
import json
import logging
import math
import os
import shutil
import time
from pathlib import Path
from typing import Any

import nequip_initial
import torch
from lightning.pytorch.callbacks import Checkpoint
from nequip_private import begin_whole_epoch

BEST, LAST, PREVIOUS = 'best.ckpt', 'last.ckpt', 'previous.ckpt'
#: Of a snapshot, by its epoch.
SNAPSHOT = 'epoch_*.ckpt'
#: A disk, a quota or a limit on the size of files that is exhausted.
FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
logger = logging.getLogger(__name__)


class DivergedError(Exception):
    """The loss or the monitored metric is no longer a finite number."""


class OutOfTimeError(Exception):
    """The clock leaves no room for another epoch."""


@dataclasses.dataclass
class Attempt:
    """What belongs to this run of the member and must not enter its checkpoints.

    Attributes:
        folder: Folder of the member; its checkpoints lie in `checkpoints`.
        deadline: Value of `time.monotonic()` at which the job is killed.
        parent: Process without which this one must not go on.
        best: Epoch and score of the best model of all earlier attempts.
        first_epoch: Epochs that earlier attempts finished.
        epochs: Epochs finished in all.
        artefacts: Folder of compiled code, where a faster tensor product is wanted.
        kernel: What else than NequIP's trainer with e3nn's product trained it, now or earlier; what
            trained it together with others is not forgotten for what trains it alone.
        product: Which it is now, and why.
    """

    folder: Path
    deadline: float = math.inf
    parent: int = dataclasses.field(default_factory=os.getppid)
    best: dict[str, Any] | None = None
    first_epoch: int = 0
    epochs: int = 0
    artefacts: Path | None = None
    kernel: str = ''
    product: str = ''


class Keeper(Checkpoint):
    """Write the last and the best checkpoint, the history and the progress, each atomically.

    The checkpoint is written between two epochs, after the learning rate was adapted and with the
    state of the shuffling, so that a continued training is the undisturbed one.

    Args:
        monitor: Metric that says which epoch is best.
        mode: 'min' or 'max': which of its values is best.
        snapshots: How many of the last epochs keep their own checkpoint.
    """

    attempt: Attempt

    def __init__(self, monitor: str, mode: str = 'min', snapshots: int = 0) -> None:
        self.monitor, self.sign = monitor, {'min': 1, 'max': -1}[mode]
        self.snapshots = snapshots
        self.columns: list[str] = []
        self.rows: list[list[float]] = []
        self.best: dict[str, Any] | None = None
        self._validated_at = -1
        self.improved = self._pending = self._saving = False
        self._clock = time.monotonic()
        self._seconds = 0.0

    def state_dict(self) -> dict[str, Any]:
        """Return the history and the best score."""
        rows = torch.tensor(self.rows, dtype=torch.float64)
        kernel = {'kernel': self.attempt.kernel} if self.attempt.kernel else {}
        return {'columns': self.columns, 'rows': rows, 'best': self.best} | kernel

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take up the history; the best value is read from `best.ckpt` itself."""
        self.columns, self.rows = list(state_dict['columns']), state_dict['rows'].tolist()
        self.best = self.attempt.best
        self.attempt.kernel = self.attempt.kernel or state_dict.get('kernel', '')
        self.attempt.first_epoch = self.attempt.epochs = len(self.rows)

    def on_fit_start(self, trainer: Any, pl_module: Any) -> None:
        """Take up the weights to begin with, and the shuffling, which NequIP restores too late."""
        if not self.rows:
            nequip_initial.begin(self.attempt.folder, pl_module)
        data = trainer.datamodule
        data.train_generator.set_state(data.train_generator_state)
        self._clock = time.monotonic()
        self.report(trainer)

    def on_train_start(self, trainer: Any, pl_module: Any) -> None:
        """Begin a whole epoch: with `max_steps`, Lightning would look for the rest of the last."""
        begin_whole_epoch(trainer.fit_loop)
        if self.attempt.artefacts is not None:  # the model is where it will be trained by now
            from nequip_faster import hasten_training

            found = hasten_training(pl_module, trainer.datamodule, self.attempt.artefacts)
            self.attempt.kernel = self.attempt.kernel or found.kernel
            self.attempt.product = f'tensor product {found.kernel or "of e3nn"}: {found.note}'
            self._clock = time.monotonic()  # compiling is no part of an epoch

    def on_train_epoch_start(self, trainer: Any, pl_module: Any) -> None:
        """Keep the epoch that has just been finished; stop if there is no time for another."""
        self._keep(trainer)
        reserve = 1.2 * self._seconds + 2.0
        if self._seconds and time.monotonic() + reserve > self.attempt.deadline:
            raise OutOfTimeError(f'no time for epoch {len(self.rows)} of {self._seconds:.1f} s')

    def on_train_batch_end(
        self, trainer: Any, pl_module: Any, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Stop with the process that was killed, and when the loss is lost."""
        if os.getppid() != self.attempt.parent:
            os._exit(1)  # a new attempt may already be reading the checkpoints
        if batch_idx % 10 == 0 and isinstance(outputs, dict) and 'loss' in outputs:
            loss, gaps = float(outputs['loss']), gaps_in(pl_module.loss)
            # of a batch without such labels a part of the loss is NaN: its gradient is zero
            if not (gaps and math.isnan(loss)):
                check('the loss', loss, len(self.rows))
            for name, value in pl_module.loss.metrics_values_step.items():
                if gaps and name not in gaps:
                    check(f'`{name}`', float(value), len(self.rows))

    def on_validation_end(self, trainer: Any, pl_module: Any) -> None:
        """Remember which weights the validation metrics belong to."""
        if not trainer.sanity_checking:
            self._validated_at = trainer.global_step

    def on_train_epoch_end(self, trainer: Any, pl_module: Any) -> None:
        """Write down the metrics of this epoch and judge them."""
        validated = self._validated_at == trainer.global_step
        epoch = len(self.rows)
        metrics = {
            name: float(value)
            for name, value in sorted(trainer.callback_metrics.items())
            if '_step/' not in name and (validated or not name.startswith('val'))
        }
        for name, value in metrics.items():
            if name.startswith('train_loss') or name == self.monitor:
                check(f'`{name}`', value, epoch)
        rate = trainer.optimizers[0].param_groups[0]['lr']
        self._append({'epoch': epoch, 'step': trainer.global_step, 'learning_rate': rate} | metrics)
        if validated and self.monitor not in metrics:
            raise KeyError(f'no metric `{self.monitor}` to judge by; there are {sorted(metrics)}')
        if validated:
            score = metrics[self.monitor]
            if self.best is None or self.sign * score < self.sign * self.best['score']:
                self.best, self.improved = {'epoch': epoch, 'score': score}, True
        self.attempt.epochs = len(self.rows)
        self._pending = True
        self._seconds, self._clock = time.monotonic() - self._clock, time.monotonic()

    def on_train_end(self, trainer: Any, pl_module: Any) -> None:
        """Keep the last epoch."""
        self._keep(trainer)

    def keep_best(self, trainer: Any) -> None:
        """Write the best model, which is not that of the last epoch."""
        fresh = self.attempt.folder / 'checkpoints' / 'fresh.ckpt'
        trainer.save_checkpoint(fresh)
        fresh.replace(fresh.with_name(BEST))
        self.improved = False

    def on_save_checkpoint(self, trainer: Any, pl_module: Any, checkpoint: dict[str, Any]) -> None:
        """Make the loops' counters of our own files say that an epoch ended and none began."""
        if self._saving:
            loops = checkpoint['loops']['fit_loop']
            for count in loops['epoch_progress'].values():
                count['ready'] = count['processed']
            loops['epoch_loop.batch_progress']['current'] = dict.fromkeys(
                loops['epoch_loop.batch_progress']['current'], 0
            )

    def _append(self, row: dict[str, float]) -> None:
        new = [name for name in row if name not in self.columns]
        self.columns += new
        self.rows = [[*old, *[math.nan] * len(new)] for old in self.rows] if new else self.rows
        self.rows.append([float(row.get(name, math.nan)) for name in self.columns])

    def _keep(self, trainer: Any) -> None:
        if not self._pending:
            return
        folder = self.attempt.folder / 'checkpoints'
        fresh = folder / 'fresh.ckpt'
        self._saving = True
        trainer.save_checkpoint(fresh)
        self._saving = False
        if self.improved:  # the best goes first: a score without its model would hide better ones
            link(fresh, folder / BEST)
        if self.snapshots:
            link(fresh, folder / SNAPSHOT.replace('*', str(len(self.rows) - 1)))
            for old in find_snapshots(folder)[: -self.snapshots]:
                old.unlink()
        if (folder / LAST).exists():
            (folder / LAST).replace(folder / PREVIOUS)
        fresh.replace(folder / LAST)
        self._pending = self.improved = False
        self.report(trainer)

    def report(self, trainer: Any) -> None:
        """Write the history and the progress."""
        text = io.StringIO()
        writer = csv.writer(text)
        writer.writerow(self.columns)
        writer.writerows([repr(value) for value in row] for row in self.rows)
        write(self.attempt.folder / 'history.csv', text.getvalue())
        progress = {
            'epoch': len(self.rows),
            'first_epoch': self.attempt.first_epoch,
            'max_epochs': trainer.max_epochs,
            'monitor': self.monitor,
            'best_epoch': None if self.best is None else self.best['epoch'],
            'best': None if self.best is None else self.best['score'],
            'seconds_per_epoch': self._seconds,
        }
        write(self.attempt.folder / 'progress.json', json.dumps(progress))


def find_snapshots(folder: Path) -> list[Path]:
    """Return the snapshots in a folder of checkpoints, by epoch."""
    return sorted(folder.glob(SNAPSHOT), key=epoch_of)


def epoch_of(snapshot: Path) -> int:
    """Return the epoch of a snapshot, from 0."""
    return int(snapshot.stem.removeprefix('epoch_'))


def gaps_in(loss: Any) -> list[str]:
    """Return the parts of a loss that leave out labels that are not there."""
    return [name for name, part in getattr(loss, 'entries', {}).items() if part.ignore_nan]


def check(name: str, value: float, epoch: int) -> None:
    """Raise `DivergedError` unless the value is a finite number."""
    if not math.isfinite(value):
        raise DivergedError(f'{name} is {value} in epoch {epoch}')


def is_disk_full(exception: BaseException) -> bool:
    """Return whether an exception, or one that it came from, says that nothing can be written."""
    seen: BaseException | None = exception
    while seen is not None:
        if isinstance(seen, OSError) and seen.errno in FULL:
            return True
        seen = seen.__cause__ or seen.__context__
    return False


def write(path: Path, text: str) -> None:
    """Replace a file so that nobody ever reads half of it."""
    fresh = path.with_name(f'.{path.name}')
    fresh.write_text(text)
    fresh.replace(path)


def link(source: Path, target: Path) -> None:
    """Give a file a second name, or a copy where the file system has no links, atomically."""
    fresh = target.with_name(f'.{target.name}')
    fresh.unlink(missing_ok=True)
    try:
        fresh.hardlink_to(source)
    except OSError:
        shutil.copyfile(source, fresh)
    fresh.replace(target)
