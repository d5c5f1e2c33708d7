"""Script that labels, moves or relaxes configurations with any ASE calculator."""

from __future__ import annotations

import argparse
import hashlib
import itertools
import json
import multiprocessing
import multiprocessing.connection
import os
import platform
import signal
import sys
import time
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np
from ase import Atoms
from ase_calculators import CalculatorError, Calculators
from ase_tasks import Job, run
from ase_units import FOLDER, Clock, StoppedError, Unit, write

FATAL, STOPPED = 3, 4


def main() -> None:
    """Work on all units, in worker processes, so that a crash does not end the others."""
    begin = time.time()
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument('--processes', type=int, default=1, help='units worked on at a time')
    parser.add_argument('--checkpoint', type=float, default=10, help='seconds between checkpoints')
    parser.add_argument('--seconds', type=float, help='time after which the job is killed')
    options = parser.parse_args()
    if options.processes > 1:
        os.environ.setdefault('OMP_NUM_THREADS', '1')
    deadline = begin + options.seconds - margin(options.seconds) if options.seconds else np.inf

    paths = Path('job.json'), Path('configurations.npz')
    content = json.loads(paths[0].read_text())
    identity = hashlib.sha256(b''.join(path.read_bytes() for path in paths)).hexdigest()
    job = Job(content, read_configurations(paths[1]), identity)
    Path(FOLDER).mkdir(exist_ok=True)
    results: dict[str, Any] = {
        'python': platform.python_version(),
        'versions': versions(['ase', 'numpy', *content['packages']]),
    }
    crew = Crew(job, Clock(options.checkpoint, deadline))
    results |= crew.work(min(options.processes, len(crew.units)))
    write(Path('results.json'), results | {'seconds': time.time() - begin})


class Crew:
    """Worker processes that share the units of one job."""

    def __init__(self, job: Job, clock: Clock) -> None:
        """Plan the work; nothing is begun."""
        self.job, self.clock, self.units = job, clock, job.units()
        self.context = multiprocessing.get_context('fork')
        self.next = self.context.Value('q', 0)
        self.workers: dict[Any, tuple[Any, Any, Any]] = {}
        self.stopping = False

    def work(self, processes: int) -> dict[str, Any]:
        """Work until nothing is left or no more can be done; return how it ended."""
        signal.signal(signal.SIGTERM, self.request_stop)
        for _ in range(processes):
            self.start_worker(None)
        verdict = {'status': 'finished', 'message': ''}
        while self.workers:
            for sentinel in multiprocessing.connection.wait(list(self.workers)):
                process, unit, configuration = self.workers.pop(sentinel)
                process.join()
                if process.exitcode == FATAL:
                    verdict |= json.loads(Path('fatal.json').read_text())
                elif process.exitcode in (STOPPED, -signal.SIGKILL, -signal.SIGTERM):
                    stopped = process.exitcode == STOPPED
                    message = 'stopped in time' if stopped else f'worker ended {process.exitcode}'
                    if verdict['status'] == 'finished':
                        verdict = {'status': 'stopped', 'message': message}
                    if not stopped and not self.stopping:
                        self.start_worker(
                            None
                        )  # for the other units: this one waits for the next attempt
                elif process.exitcode != 0 and configuration.value < 0:
                    message = f'the process crashed with exit code {process.exitcode}'
                    name = self.job.calculator['import_path']
                    verdict = {'status': 'import', 'name': name, 'message': message}
                elif process.exitcode != 0:
                    self.note_crash(self.units[unit.value], configuration.value, process.exitcode)
                    self.start_worker(unit.value)
        return verdict

    def start_worker(self, unit: int | None) -> None:
        """Start a worker, with a unit that another one left behind if one is given."""
        shared = self.context.Value('q', -1), self.context.Value('q', -1)
        process = self.context.Process(target=self.run_worker, args=(unit, *shared))
        process.start()
        self.workers[process.sentinel] = (process, *shared)

    def run_worker(self, unit: int | None, in_work: Any, configuration: Any) -> None:
        """Work on one unit after the other; runs in the worker's process."""
        clock = Clock(self.clock.interval, self.clock.deadline)
        signal.signal(signal.SIGTERM, clock.request_stop)
        try:
            calculators = Calculators(**self.job.calculator)
            while unit is not None or (unit := self.take()) is not None:
                in_work.value = unit
                run(self.units[unit], self.job, calculators, clock, configuration)
                unit = None
        except StoppedError as stop:
            print(f'stopped: {stop}', flush=True)
            sys.exit(STOPPED)
        except CalculatorError as error:
            report = {'status': error.kind, 'name': error.name, 'message': str(error)}
            write(Path('fatal.json'), report)
            sys.exit(FATAL)

    def take(self) -> int | None:
        """Return the next unit that nobody has taken, or None."""
        with self.next.get_lock():
            self.next.value += 1
            return self.next.value - 1 if self.next.value <= len(self.units) else None

    def note_crash(self, unit: Unit, configuration: int, code: int) -> None:
        """Note a crash, e.g. in a library, as the failure of the configuration in work."""
        unit.open()
        message = f'the process crashed with exit code {code}'
        unit.fail(configuration, message)
        changes = {} if len(unit.members) > 1 else {'status': 'failed', 'message': message}
        unit.checkpoint(None, **changes)

    def request_stop(self, *_: Any) -> None:
        """Handle SIGTERM: let every worker write down its state."""
        self.stopping = True
        for process, *_shared in self.workers.values():
            process.terminate()


def margin(seconds: float) -> float:
    """Return how long before the end of its time a job stops by itself."""
    return min(60.0, 0.1 * seconds)


def versions(packages: list[str]) -> dict[str, str]:
    """Return the versions of the packages that are installed."""
    found = {}
    for name in packages:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            print(f'no installed package is called {name}', flush=True)
    return found


def read_configurations(path: Path) -> list[Atoms]:
    """Read the configurations; nothing is unpickled."""
    with np.load(path, allow_pickle=False) as data:
        n_atoms, cells, pbc = data['n_atoms'], data['cells'], data['pbc']
        numbers, positions = data['numbers'], data['positions']
    ends = np.concatenate([[0], np.cumsum(n_atoms)])
    return [
        Atoms(numbers[a:b], positions=positions[a:b], cell=cells[i], pbc=pbc[i])
        for i, (a, b) in enumerate(itertools.pairwise(ends))
    ]


if __name__ == '__main__':
    main()
