"""Script that trains the members of one job, each in a process forked after one import."""

import argparse
import contextlib
import functools
import gc
import json
import multiprocessing
import multiprocessing.connection
import os
import signal
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import nequip_gpus

#: Exit codes of a process: it has run out of time; its members cannot be trained together; they
#: need too much memory together.
OUT_OF_TIME, UNFIT, TOO_LARGE = 3, 4, 5


def main() -> None:
    """Train every member that has a folder in `members`."""
    begin = time.monotonic()  # before NequIP is imported, which takes seconds of the job's time
    arguments = read_arguments()
    deadline = begin + (arguments.seconds or float('inf'))

    os.environ.setdefault(
        'PYTORCH_NVML_BASED_CUDA_CHECK', '1'
    )  # any other look at a GPU bars forks
    os.environ['OMP_NUM_THREADS'] = '1'  # cores are shared out to members, not to threads of one
    gc.disable()  # nothing that is imported becomes garbage: to look for it takes a second
    import nequip_train_member

    gc.freeze()
    gc.enable()
    with contextlib.suppress(FileNotFoundError):
        print(Path('strategy.txt').read_text().strip())
    print(f'imported NequIP in {time.monotonic() - begin:.1f} s', flush=True)
    waiting = sorted(path.parent.resolve() for path in Path('members').glob('*/config.yaml'))
    if not waiting:
        sys.exit('there are no members: no file members/*/config.yaml')
    if reason := nequip_train_member.misspelt(waiting) or nequip_train_member.unpack(waiting):
        sys.exit(reason)
    train: Any = nequip_train_member.train
    if arguments.together or arguments.fused:
        artefacts = Path(arguments.artefacts).resolve()
        train = functools.partial(train, artefacts=artefacts)
    devices = nequip_gpus.visible(arguments.gpus)
    with nequip_gpus.shared(devices, min(arguments.processes, len(waiting))) as devices:
        if arguments.together:
            group = functools.partial(run_group, artefacts=artefacts, deadline=deadline)
            how = arguments.processes, arguments.group, devices
            waiting = train_together(group, waiting, *how)
        train_all(train, waiting, arguments.processes, devices, deadline)


def read_arguments() -> argparse.Namespace:
    """Return what the job is told."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument('--processes', type=int, default=1, help='members trained at a time')
    parser.add_argument('--gpus', type=int, default=0, help='GPUs that they are dealt out to')
    parser.add_argument('--together', action='store_true', help='members of a process at once')
    parser.add_argument('--group', type=int, default=32, help='of them at once, at most')
    parser.add_argument('--fused', action='store_true', help='each with a faster tensor product')
    parser.add_argument('--artefacts', default='.', help='folder of compiled code')
    parser.add_argument('--seconds', type=float, help='time after which the job is killed')
    return parser.parse_args()


def train_all(
    train: Any, waiting: list[Path], processes: int, devices: Sequence[str], deadline: float
) -> None:
    """Keep a number of processes busy until no member waits."""
    running: dict[Any, tuple[Any, Path, str | None]] = {}
    context = multiprocessing.get_context('fork')
    while waiting or running:
        while waiting and len(running) < processes:
            folder = waiting.pop(0)
            device = nequip_gpus.pick(devices, [str(entry[2]) for entry in running.values()])
            process = context.Process(target=run_member, args=(train, folder, deadline, device))
            process.start()
            where = '' if device is None else f' on GPU {device}'
            print(f'{folder.name}: began as process {process.pid}{where}', flush=True)
            running[process.sentinel] = (process, folder, device)
        for sentinel in multiprocessing.connection.wait(list(running)):
            process, folder, _ = running.pop(sentinel)
            process.join()
            print(f'{folder.name}: ended with {process.exitcode}{product_of(folder)}', flush=True)
            if process.exitcode == -signal.SIGKILL:
                note_kill(folder)
            if process.exitcode == OUT_OF_TIME:
                waiting.clear()  # they would be killed in the middle of their first epoch


def train_together(
    run: Any, waiting: list[Path], processes: int, most: int, devices: Sequence[str]
) -> list[Path]:
    """Train members in groups, one in each process; return those that have to be trained alone.

    Where a group needs too much memory, it and those that wait go on with half its members each.
    """
    groups = deal(waiting, max(min(processes, len(waiting)), -(-len(waiting) // most)))
    running: dict[Any, tuple[Any, list[Path], str | None]] = {}
    context, alone = multiprocessing.get_context('fork'), []
    while groups or running:
        while groups and len(running) < processes:
            group = groups.pop(0)
            device = nequip_gpus.pick(devices, [str(entry[2]) for entry in running.values()])
            process = context.Process(target=run, args=(group, device))
            process.start()
            running[process.sentinel] = (process, group, device)
        for sentinel in multiprocessing.connection.wait(list(running)):
            process, group, _ = running.pop(sentinel)
            process.join()
            if process.exitcode in (TOO_LARGE, -signal.SIGKILL) and len(group) > 1:
                most = -(-len(group) // 2)
                said = f'{len(group)} members need too much memory'
                print(f'{said}: now {most} at a time', flush=True)
                left = [group, *groups]
                groups = [part for one in left for part in deal(one, -(-len(one) // most))]
            elif process.exitcode == -signal.SIGKILL:
                note_kill(group[0])
            elif process.exitcode == UNFIT:
                alone += group
            elif process.exitcode == OUT_OF_TIME:
                groups.clear()
    return sorted(alone)


def deal(members: list[Path], n_groups: int) -> list[list[Path]]:
    """Return groups of members that differ in size by one at most."""
    return [members[number::n_groups] for number in range(n_groups)]


def run_group(folders: list[Path], device: str | None, *, artefacts: Path, deadline: float) -> None:
    """Train a group of members; runs in the forked process, in the folder of the first one."""
    import nequip_together

    os.chdir(prepare(folders[0]))
    if device is not None:
        os.environ['CUDA_VISIBLE_DEVICES'] = device
    codes = {'unfinished': OUT_OF_TIME, 'unfit': UNFIT, 'too_large': TOO_LARGE}
    sys.exit(codes.get(nequip_together.train(folders, deadline, artefacts), 0))


def prepare(folder: Path) -> Path:
    """Return the working folder of a member, with the data in it."""
    work = folder / 'run'
    work.mkdir(exist_ok=True)
    with contextlib.suppress(FileExistsError):
        for name in ('train.xyz', 'validation.xyz'):
            (work / name).symlink_to(Path('../../..') / name)
    return work


def run_member(train: Any, folder: Path, deadline: float, device: str | None) -> None:
    """Train one member with its own log, working folder and GPU; runs in the forked process."""
    work = prepare(folder)
    log = os.open(folder / 'log', os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(log, 1)
    os.dup2(log, 2)
    os.chdir(work)
    if device is not None:
        os.environ['CUDA_VISIBLE_DEVICES'] = device
    status = train(folder, deadline)
    sys.exit(OUT_OF_TIME if status == 'unfinished' else 0)


def product_of(folder: Path) -> str:
    """Return what a member says of its tensor product; empty where it was asked for none."""
    with contextlib.suppress(OSError, ValueError, KeyError):
        return f', {json.loads((folder / "result.json").read_text())["tensor_product"]}'
    return ''


def note_kill(folder: Path) -> None:
    """Write the result of a member that was killed while its job was not: Linux lacked memory."""
    if (folder / 'result.json').exists():
        return
    progress = {'epoch': 0, 'first_epoch': 0}
    with contextlib.suppress(OSError, ValueError):
        progress |= json.loads((folder / 'progress.json').read_text())
    result = {
        'status': 'out_of_memory',
        'message': 'killed by signal 9, most probably because it ran out of memory',
        'epochs': progress['epoch'],
        'first_epoch': progress['first_epoch'],
    }
    fresh = folder / '.result.json'
    fresh.write_text(json.dumps(result, indent=1))
    fresh.replace(folder / 'result.json')


if __name__ == '__main__':
    main()
