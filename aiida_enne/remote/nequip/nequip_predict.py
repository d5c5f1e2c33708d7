"""Script that lets the members of one job predict its configurations, one file for each member."""

import contextlib
import gc
import json
import os
import sys
import time
from collections.abc import Iterator, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

SETTINGS, CONFIGURATIONS, RESULT = 'predict.json', 'configurations.npz', 'result.json'
PREDICTIONS = Path('predictions')


def main() -> int:
    """Predict as `predict.json` says, each member alone; return 1 if one failed, else 0."""
    clock = Clock()
    settings = json.loads(Path(SETTINGS).read_text())
    settings['threads'] = settings['threads'] or 1  # a job takes no more than it was given
    os.environ['OMP_NUM_THREADS'] = str(settings['threads'])  # read when torch is imported
    gc.disable()  # nothing that is imported becomes garbage: to look for it takes a second
    with clock.timed('import'):
        import torch
        from nequip_frames import Frames
        from nequip_predict_member import Member
        from nequip_private import set_global_state
    set_global_state()
    gc.freeze()
    gc.enable()
    torch.set_num_threads(settings['threads'])

    with np.load(CONFIGURATIONS, allow_pickle=False) as arrays:
        frames = Frames({name: arrays[name] for name in arrays.files})
    members = [
        Member(label, Path(path), settings['device'], settings['features'])
        for label, path in sorted(settings['members'].items())
    ]
    together(members, frames, settings, clock)
    others = [member for member in members if member.mode == 'eager']
    for member in others:
        with clock.timed('load'), alone(member):
            member.load(frames)
    if settings['mode'] in ('auto', 'compiled') and others:
        with clock.timed('compile'):
            from nequip_compiled import compile_members

            compile_members([m for m in others if not m.failure], frames, settings)
    fuse([m for m in others if not m.failure and m.compiled is None], frames, settings, clock)
    with clock.timed('evaluate'):
        evaluate(others, frames, settings['batch_atoms'])
    with clock.timed('write'):
        write(members, frames)
    report = {
        'members': {member.label: member.report() for member in members},
        'n_frames': len(frames),
        'device': settings['device'],
        'threads': torch.get_num_threads(),
        'seconds': clock.wall,
        'cpu_seconds': clock.cpu,
        'versions': {name: version(name) for name in ('nequip', 'torch', 'e3nn')},
    }
    Path(RESULT).write_text(json.dumps(report, indent=1))
    for member in members:
        said = f'{member.mode} ({member.note})' if member.note else member.mode
        print(f'{member.label}: {member.failure or "predicted, " + said}')
    return int(any(member.failure for member in members))


def together(members: list[Any], frames: Any, settings: dict[str, Any], clock: Any) -> None:
    """Predict with all members at a time where that pays and can be done; notes say why not."""
    if settings['mode'] not in ('auto', 'vectorised'):
        return
    from nequip_predict_together import predict_together, why_not

    reason = why_not(members, frames, settings)
    if reason:
        for member in members:
            member.note = reason
        return
    with clock.timed('vectorised'):
        predict_together(members, frames, settings)


def fuse(members: list[Any], frames: Any, settings: dict[str, Any], clock: Any) -> None:
    """Let members that are predicted each alone use a faster tensor product; notes say which."""
    if settings['mode'] == 'eager' or not members:
        return
    from nequip_predict_together import hasten

    with clock.timed('fuse'):
        for member in members:
            with alone(member):
                hasten(member, len(members), frames, settings)


def evaluate(members: list[Any], frames: Any, batch_atoms: int | None) -> None:
    """Let every member see every batch; neighbours are found once for all with equal cutoffs."""
    groups: dict[Any, list[Any]] = {}
    for member in members:
        if not member.failure:
            groups.setdefault((member.geometry, member.batch_atoms), []).append(member)
    for (geometry, automatic), group in groups.items():
        for batch in frames.batches(batch_atoms or automatic):
            prepared = [frames.prepare(index, geometry) for index in batch]
            for member in group:
                if not member.failure:
                    with alone(member):
                        predict(member, batch, prepared, frames)


def predict(member: Any, batch: Sequence[int], prepared: list[Any], frames: Any) -> None:
    """Let a member see a batch, halving the batch where memory does not suffice."""
    import torch
    from nequip_memory import is_out_of_memory

    done, size = 0, len(batch)
    while done < len(batch):
        part = slice(done, done + size)
        try:
            member.predict(batch[part], prepared[part], frames)
        except Exception as exception:
            if size == 1 or not is_out_of_memory(exception):
                raise
            size //= 2
            print(f'{member.label}: out of memory, {size} configurations at a time', flush=True)
        else:
            done += size
            continue
        torch.cuda.empty_cache()  # after the exception, which held on to the tensors


@contextlib.contextmanager
def alone(member: Any) -> Iterator[None]:
    """Let a member fail alone; a lack of memory is told apart."""
    from nequip_memory import is_out_of_memory

    lacking = False
    with member.failing_alone():
        try:
            yield
        except Exception as exception:
            lacking = is_out_of_memory(exception)
            raise
    if lacking:
        member.kind = 'out_of_memory'


def write(members: list[Any], frames: Any) -> None:
    """Write `predictions/<label>.npz` of every member that predicted all."""
    PREDICTIONS.mkdir(exist_ok=True)
    for member in members:
        if not member.failure:
            arrays = {'indices': frames.indices} | member.arrays(frames)
            np.savez(PREDICTIONS / f'{member.label}.npz', **arrays)


class Clock:
    """Seconds by the name of what they were spent on: of the clock, and of this process alone."""

    def __init__(self) -> None:
        self.wall: dict[str, float] = {}
        self.cpu: dict[str, float] = {}

    @contextlib.contextmanager
    def timed(self, name: str) -> Iterator[None]:
        """Add the time of a block to a name."""
        wall, cpu = time.monotonic(), time.process_time()
        yield
        self.wall[name] = self.wall.get(name, 0.0) + time.monotonic() - wall
        self.cpu[name] = self.cpu.get(name, 0.0) + time.process_time() - cpu


if __name__ == '__main__':
    status = main()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)  # all is written; to take torch down in good order would cost a second
