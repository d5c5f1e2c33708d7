"""Trains members of one architecture together: a step is one for all of them.

Configuration, data, statistics, initial weights, order of batches, learning rates, metrics and
checkpoints are NequIP's own for every member: each could be continued alone by its trainer.
"""

import os
import time
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import nequip_geometry as geometry
import nequip_train_member
import nequip_trust
import torch
from hydra.utils import instantiate
from nequip.data import AtomicDataDict
from nequip_adam import Adam
from nequip_codegen import share_generated_code
from nequip_fused import VERSION
from nequip_keeper import Attempt, DivergedError, OutOfTimeError, is_disk_full
from nequip_memory import is_out_of_memory, keep_memory, no_garbage
from nequip_private import set_global_state
from nequip_product import UnfitError
from nequip_settings import container, device_of, loss_of, read_configurations
from nequip_single import Member
from nequip_stack import Stack
from omegaconf import OmegaConf

#: Largest difference of a gradient to NequIP's own, relative to each tensor's largest entry.
TOLERANCE = {torch.float32: 1e-4, torch.float64: 1e-9}
#: Name and version, as the package has them.
KERNEL = f'vectorised {VERSION}'
#: Configurations that are validated at a time, counted over all members.
VALIDATED = 8
#: Longest time between checkpoints, seconds, and the share of time that writing them may take.
KEEP_EVERY, KEEP_SHARE = 20.0, 0.02
#: Steps between looks at the losses.
LOOK_EVERY = 10


class Group:
    """Members that are at the same epoch, with their data and their stacked numbers.

    Args:
        folders: Folders of the members.
        deadline: Value of `time.monotonic()` at which the job is killed.
        artefacts: Folder of compiled code.

    Raises:
        UnfitError: If they cannot be trained together; nothing has been written.
    """

    def __init__(self, folders: Sequence[Path], deadline: float, artefacts: Path) -> None:
        set_global_state()
        share_generated_code()
        configs = read_configurations(folders)
        self.deadline, self.device = deadline, device_of(configs[0])
        data = instantiate(container(configs[0].data, resolve=True), _recursive_=False)
        statistics = data.get_statistics('train')
        OmegaConf.register_new_resolver('training_data_stats', statistics.get, replace=True)
        data.setup('fit')
        if data.num_datasets['val'] != 1:
            raise UnfitError('several sets of validation data')
        self.train, self.validation = (
            [dataset[index] for index in range(len(dataset))]
            for dataset in (data.train_dataset[0], data.val_dataset[0])
        )
        self.members = [
            Member(Attempt(folder, deadline, kernel=KERNEL), config, data, len(self.train))
            for folder, config in zip(folders, configs, strict=True)
        ]
        first = self.members[0]
        self.loss_names, self.loss, stress = loss_of(first.module)
        models = [member.model for member in self.members]
        self.stack = Stack(models, artefacts, stress=stress, device=self.device)
        ema = getattr(first.module, 'ema', None)
        self.adam = Adam(self.stack.weights, first.optimizer, None if ema is None else ema.decay)
        # graphs are traced for the strides that weights have here
        self.stack.weights = self.adam.weights
        network = first.model.model.func
        self.arrays, self.targets = (
            geometry.pad(geometry.compute(network, frames), frames)
            for frames in (self.train, self.validation)
        )
        if stress:
            geometry.add_stress(self.arrays, self.train)
            geometry.add_stress(self.targets, self.validation)
        for arrays in (self.arrays, self.targets):
            arrays |= {name: array.to(self.device) for name, array in arrays.items()}
        self.epoch = self._resume()
        self._steps: dict[int, Any] = {}
        self._predictions: dict[int, Any] = {}
        self.deviation = self._compare()

    @property
    def alive(self) -> list[int]:
        """Return the numbers of the members that are still trained."""
        return [index for index, member in enumerate(self.members) if member.lost is None]

    def _resume(self) -> int:
        """Go on from the last epoch that every member has; return it."""
        known = [member.checkpoints() for member in self.members]
        if not any(known):
            return 0
        if not (shared := set.intersection(*map(set, known))):
            raise UnfitError(f'members are at the epochs {[max(one, default=0) for one in known]}')
        epoch: int = max(shared)
        for row, (member, paths) in enumerate(zip(self.members, known, strict=True)):
            member.resume(paths[epoch])
            self.adam.take(row, member.module, member.optimizer)
        return epoch

    def _compare(self) -> float:
        """Return the largest relative difference of gradients to NequIP's, on the first batch."""
        size = min(self.members[0].batch_size, len(self.train))
        index = torch.arange(size, device=self.device).expand(len(self.members), -1)
        arrays = geometry.gather(self.arrays, index)
        gradients, _ = self._step(arrays, size)
        batch = AtomicDataDict.batched_from_list([self.train[frame] for frame in range(size)])
        worst = 0.0
        for row in sorted({0, len(self.members) - 1}):
            module = self.members[row].module
            self.adam.give(self.adam.numbers(row), module)
            module.train()
            loss = module.loss(module(batch.copy()), batch.copy(), prefix='')['weighted_sum']
            expected = torch.autograd.grad(loss, list(module.model.parameters()))
            module.loss.reset()
            for own, other in zip(gradients, expected, strict=True):
                difference = (own[row].cpu() - other).abs().max() / other.abs().max().clamp(
                    min=1e-20
                )
                worst = max(worst, float(difference))
        if not worst < (limit := TOLERANCE[self.stack.dtype]):
            raise UnfitError(
                f'gradients differ from NequIP’s by {worst:.1e}, more than {limit:.0e}'
            )
        return worst

    def _step(self, arrays: geometry.Arrays, size: int) -> tuple[list[torch.Tensor], ...]:
        """Return gradients of weights, and mean squares of errors in the order of the loss."""
        if size not in self._steps:
            self._steps[size] = self.stack.step(arrays, self.loss)
        made = list(self._steps[size](self.stack.weights, arrays))
        split = len(self.stack.weights)
        return made[:split], made[split:]

    def train_epoch(self) -> None:
        """Train and validate for one epoch; members that diverge are left out from then on."""
        number: dict[str, Any] = {'dtype': torch.float64, 'device': self.device}
        rates = torch.tensor([[member.rate] for member in self.members], **number)
        orders = [member.batches() for member in self.members]
        n_parts = len(self.loss_names)
        sums = torch.zeros(2, n_parts, len(self.members), **number)
        n_atoms = self.arrays['mask'].sum(1)
        for step, batches in enumerate(zip(*orders, strict=True)):
            if os.getppid() != self.members[0].keeper.attempt.parent:
                os._exit(1)  # a new attempt may already be reading the checkpoints
            index = torch.tensor(batches, device=self.device)
            size = index.shape[1]
            gradients, parts = self._step(geometry.gather(self.arrays, index), size)
            self.adam.update(gradients, rates)
            atoms = n_atoms[index].sum(1).double()
            frames = torch.full_like(atoms, size)
            counts = torch.stack([frames, atoms, frames][:n_parts])
            sums += torch.stack([torch.stack([part.double() for part in parts]) * counts, counts])
            if step % LOOK_EVERY == 0:
                self._look(sum(parts[1:], parts[0]), rates)
        means = sums[0] / sums[1]
        found = self._validate()
        for row in self.alive:
            member, total = self.members[row], 0.0
            for name, value, weight in zip(
                self.loss_names, means[:, row], self.loss.weights, strict=True
            ):
                found[row][f'train_loss_epoch/{name}'] = float(value)
                total += weight * float(value)
            found[row]['train_loss_epoch/weighted_sum'] = total
            try:
                member.end_epoch(found[row], len(orders[row]))
            except DivergedError as exception:
                self._lose(row, str(exception), rates)
        self.epoch += 1

    def _look(self, losses: torch.Tensor, rates: torch.Tensor) -> None:
        for row in self.alive:
            if not torch.isfinite(losses[row]):
                message = f'the loss is {float(losses[row])} in epoch {self.epoch}'
                self._lose(row, message, rates)

    def _lose(self, row: int, message: str, rates: torch.Tensor) -> None:
        member = self.members[row]
        member.lost = ('diverged', message)
        member.keep_best(self.adam)
        member.keeper.report(member)
        rates[row] = 0.0
        self.adam.clear(row)

    def _validate(self) -> list[dict[str, float]]:
        """Return each member's metrics, by the averaged weights where a training has them."""
        n, at_once = len(self.validation), max(1, VALIDATED // len(self.members))
        parts = [torch.arange(start, min(start + at_once, n)) for start in range(0, n, at_once)]
        energies, forces, stresses = [], [], []
        for part in parts:
            arrays = geometry.gather(self.targets, part.to(self.device))
            if len(part) not in self._predictions:
                self._predictions[len(part)] = self.stack.prediction(arrays)
            atomic, force, _, *stress = self._predictions[len(part)](self.adam.used, arrays)
            energies.append(atomic.view(len(self.members), len(part), -1).sum(-1))
            forces.append(force)
            stresses += stress
        energy = torch.cat(energies, 1).cpu()
        force = torch.cat(forces, 1)[:, self.targets['mask'].flatten() > 0].cpu()
        batch = AtomicDataDict.batched_from_list(self.validation)
        found: list[dict[str, float]] = []
        for row, member in enumerate(self.members):
            out = batch | {
                'total_energy': energy[row].unsqueeze(1),
                'forces': force[row].to(batch['forces'].dtype),
            }
            if stresses:
                out['stress'] = torch.cat([one[row] for one in stresses]).to(batch['stress'])
            found.append({} if member.lost else member.measure(out, batch))
        return found

    def keep(self, *, write: bool) -> None:
        """Write the checkpoints of an epoch, or keep the best models in mind."""
        for row in self.alive:
            (self.members[row].keep if write else self.members[row].remember)(self.adam, row)

    def run(self) -> None:
        """Train until all is done, everyone is lost or the time is over.

        Raises:
            OutOfTimeError: If the clock leaves no room for another epoch.
        """
        due = seconds = 0.0
        while self.epoch < self.members[0].max_epochs and self.alive:
            begin = time.monotonic()
            if seconds and begin + 1.2 * seconds + 2 > self.deadline:
                self.keep(write=True)
                raise OutOfTimeError(f'no time for epoch {self.epoch} of {seconds:.1f} s')
            self.train_epoch()
            trained = time.monotonic()
            self.keep(write=self.members[0].is_snapshot(self.epoch) or trained > due)
            now = time.monotonic()
            if trained > due:
                due = now + min(KEEP_EVERY, (now - trained) / KEEP_SHARE)
            seconds = now - begin
        self.keep(write=True)


def train(folders: Sequence[Path], deadline: float, artefacts: Path) -> str:
    """Train members together and write each one's result; return the status of those not lost.

    With nothing written, the status is `unfit` where they have to be trained alone, and `too_large`
    where fewer of them may fit into memory: those in a new process, for this one would keep it.
    """
    torch.set_num_threads(1)
    keep_memory()
    nequip_trust.force()
    begin = time.monotonic()
    group: Group | None = None
    status, message = 'finished', ''
    try:
        with no_garbage():
            group = Group(folders, deadline, artefacts)
        print(
            f'{len(folders)} members are trained together from epoch {group.epoch} '
            f'with the {group.stack.note}; '
            f'gradients differ from NequIP’s by {group.deviation:.1e}',
            flush=True,
        )
        group.run()
    except UnfitError as exception:
        print(f'members are trained one by one: {exception}', flush=True)
        return 'unfit'
    except OutOfTimeError as exception:
        status, message = 'unfinished', str(exception)
    except Exception as exception:  # whatever a model or torch raises, each alone may work
        if is_disk_full(exception):
            raise  # without results they count as killed: the next attempt goes on from here
        if not is_out_of_memory(exception):
            traceback.print_exc()
            print(f'members are trained one by one: {type(exception).__name__}', flush=True)
            return 'unfit'
        if len(folders) > 1:
            return 'too_large'
        status, message = 'out_of_memory', f'{type(exception).__name__}: {exception}'
    seconds = time.monotonic() - begin
    if group is None:
        nequip_train_member.write_result(Attempt(folders[0]), status, message, seconds)
        return status
    for member in group.members:
        own = member.lost or (status, message)
        known = {'model': member.module.model, 'kernel': KERNEL}
        nequip_train_member.write_result(member.keeper.attempt, *own, seconds, **known)
    return status
