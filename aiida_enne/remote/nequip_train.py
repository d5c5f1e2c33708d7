"""Script that trains the members of one job, each in a process forked after one import."""

import argparse
import contextlib
import multiprocessing
import multiprocessing.connection
import os
import sys
import time
from pathlib import Path
from typing import Any

#: Exit code of a member that has run out of time.
OUT_OF_TIME = 3


def main() -> None:
    """Train every member that has a folder in `members`."""
    begin = time.monotonic()  # before NequIP is imported, which takes seconds of the job's time
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument('--processes', type=int, default=1, help='members trained at a time')
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

    running: dict[int, tuple[Any, Path]] = {}
    context = multiprocessing.get_context('fork')
    while waiting or running:
        while waiting and len(running) < arguments.processes:
            folder = waiting.pop(0)
            process = context.Process(
                target=run_member, args=(nequip_member.train, folder, deadline)
            )
            process.start()
            print(f'{folder.name}: began as process {process.pid}', flush=True)
            running[process.sentinel] = (process, folder)
        for sentinel in multiprocessing.connection.wait(list(running)):
            process, folder = running.pop(sentinel)
            process.join()
            print(f'{folder.name}: ended with {process.exitcode}', flush=True)
            if process.exitcode == OUT_OF_TIME:
                waiting.clear()  # they would be killed in the middle of their first epoch


def run_member(train: Any, folder: Path, deadline: float) -> None:
    """Train one member with its own log and working folder; runs in the forked process."""
    work = folder / 'run'
    work.mkdir(exist_ok=True)
    with contextlib.suppress(FileExistsError):
        for name in ('train.xyz', 'validation.xyz'):
            (work / name).symlink_to(Path('../../..') / name)
    log = os.open(folder / 'log', os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(log, 1)
    os.dup2(log, 2)
    os.chdir(work)
    status = train(folder, deadline)
    sys.exit(OUT_OF_TIME if status == 'unfinished' else 0)


if __name__ == '__main__':
    main()
