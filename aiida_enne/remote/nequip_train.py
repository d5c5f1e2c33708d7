"""Script that trains the members of one job, each in a process forked after one import."""

import argparse
import contextlib
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

#: Exit code of a member that has run out of time.
OUT_OF_TIME = 3


def main() -> None:
    """Train every member that has a folder in `members`."""
    begin = time.monotonic()  # before NequIP is imported, which takes seconds of the job's time
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument('--processes', type=int, default=1, help='members trained at a time')
    parser.add_argument('--gpus', type=int, default=0, help='GPUs that they are dealt out to')
    parser.add_argument('--seconds', type=float, help='time after which the job is killed')
    arguments = parser.parse_args()
    deadline = begin + (arguments.seconds or float('inf'))

    os.environ.setdefault(
        'PYTORCH_NVML_BASED_CUDA_CHECK', '1'
    )  # any other look at a GPU bars forks
    os.environ['OMP_NUM_THREADS'] = '1'  # cores are shared out to members, not to threads of one
    import nequip_member

    print(f'imported NequIP in {time.monotonic() - begin:.1f} s', flush=True)
    waiting = sorted(path.parent.resolve() for path in Path('members').glob('*/config.yaml'))
    if not waiting:
        sys.exit('there are no members: no file members/*/config.yaml')
    devices = nequip_gpus.visible(arguments.gpus)
    with nequip_gpus.shared(devices, min(arguments.processes, len(waiting))) as devices:
        train_all(nequip_member.train, waiting, arguments.processes, devices, deadline)


def train_all(
    train: Any, waiting: list[Path], processes: int, devices: Sequence[str], deadline: float
) -> None:
    """Keep so many processes busy until no member waits."""
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
            print(f'{folder.name}: ended with {process.exitcode}', flush=True)
            if process.exitcode == -signal.SIGKILL:
                note_kill(folder)
            if process.exitcode == OUT_OF_TIME:
                waiting.clear()  # they would be killed in the middle of their first epoch


def run_member(train: Any, folder: Path, deadline: float, device: str | None) -> None:
    """Train one member with its own log, working folder and GPU; runs in the forked process."""
    work = folder / 'run'
    work.mkdir(exist_ok=True)
    with contextlib.suppress(FileExistsError):
        for name in ('train.xyz', 'validation.xyz'):
            (work / name).symlink_to(Path('../../..') / name)
    log = os.open(folder / 'log', os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(log, 1)
    os.dup2(log, 2)
    os.chdir(work)
    if device is not None:
        os.environ['CUDA_VISIBLE_DEVICES'] = device
    status = train(folder, deadline)
    sys.exit(OUT_OF_TIME if status == 'unfinished' else 0)


def note_kill(folder: Path) -> None:
    """Write the result of a member that was killed while its job was not: Linux lacked memory."""
    if (folder / 'result.json').exists():
        return
    progress = {'epoch': 0, 'first_epoch': 0}
    with contextlib.suppress(OSError, ValueError):
        progress |= json.loads((folder / 'progress.json').read_text())
    result = {
        'status': 'out_of_memory',
        'message': 'killed by signal 9, most probably for want of memory',
        'epochs': progress['epoch'],
        'first_epoch': progress['first_epoch'],
    }
    fresh = folder / '.result.json'
    fresh.write_text(json.dumps(result, indent=1))
    fresh.replace(folder / 'result.json')


if __name__ == '__main__':
    main()
