"""CPU seconds and memory of M members: together, one by one in a job, by `nequip-train`.

All sides train the same members on the same configurations with the protocol's own number of
epochs, one after the other on this machine; each pays for all that it needs, imports included. Code
that is compiled once for a machine is paid by the first job that needs it.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from importlib.resources import files
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import psutil
import yaml
from ase import Atoms
from ase.build import bulk
from ase.calculators.emt import EMT
from ase.calculators.singlepoint import SinglePointCalculator

from aiida_enne.families.nequip import FAMILY, training
from aiida_enne.science.data.frames import from_atoms, to_extxyz
from aiida_enne.workflows import protocols

CHECKPOINT = 'lightning.pytorch.callbacks.ModelCheckpoint'
#: Sides by name: the strategy of a job, or none of them.
SIDES = ('nequip-train', 'sequential', 'fused', 'vectorised')
VALIDATION = 8
#: Seconds between looks at the memory of a side.
LOOK_EVERY = 0.2


class Cost(NamedTuple):
    """What a side took: CPU and wall seconds, and the largest sum of its processes' memory."""

    cpu: float
    wall: float
    memory: float


def main() -> None:
    """Print each side's cost, and the ratios to that of members trained together."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--members', type=int, nargs='+', default=[1, 8, 30])
    parser.add_argument('--sides', nargs='+', default=SIDES, choices=SIDES)
    parser.add_argument('--epochs', type=int, help="default: the protocol's own")
    parser.add_argument('--frames', type=int, default=56, help='training configurations')
    parser.add_argument('--protocol', default='laptop', help='whose model is trained')
    parser.add_argument(
        '--artefacts', type=Path, help='compiled code; default: made by the first job of this run'
    )
    parser.add_argument(
        '--run', type=int, help='of M members trained alone run so many, and count M / N of them'
    )
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        arguments.artefacts = (arguments.artefacts or Path(folder)).resolve()
        compare(arguments)


def compare(arguments: argparse.Namespace) -> None:
    """Measure the sides one after the other."""
    os.environ['OMP_NUM_THREADS'] = '1'
    frames = [label(seed) for seed in range(arguments.frames + VALIDATION)]
    for members in arguments.members:
        costs = {}
        for side in arguments.sides:
            costs[side] = measure(side, frames, members, arguments)
            print(
                f'{members:3d} members, {side:>12}: {costs[side].cpu:8.1f} s of CPU, '
                f'{costs[side].wall:8.1f} s, {costs[side].memory / 2**20:6.0f} MiB, '
                f'{costs[side].memory / 2**20 / at_once(side, members):6.0f} MiB a member',
                flush=True,
            )
        for side in costs if 'vectorised' in costs else ():
            ratio = costs[side].cpu / costs['vectorised'].cpu
            print(f'{members:3d} members: {side} / vectorised = {ratio:.2f} of CPU', flush=True)


def at_once(side: str, members: int) -> int:
    """Return how many members share the memory of a side."""
    return members if side == 'vectorised' else 1


def label(seed: int) -> Atoms:
    """Return 64 atoms of strained, rattled silicon in shape, copper in its labels: EMT is cheap."""
    atoms = bulk('Cu', 'diamond', a=5.43, cubic=True).repeat(2)
    atoms.rattle(0.35, seed=seed)
    atoms.calc = EMT()
    results = {'energy': atoms.get_potential_energy(), 'forces': atoms.get_forces()}
    atoms.calc = SinglePointCalculator(atoms, **results)
    return atoms


def measure(side: str, frames: list[Atoms], members: int, arguments: argparse.Namespace) -> Cost:
    """Run a side in a folder of its own and return what it took."""
    alone = side != 'vectorised'
    run = min(members, arguments.run or members) if alone else members
    with tempfile.TemporaryDirectory() as name:
        work = Path(name)
        prepare(work, frames, range(1, run + 1), arguments, side)
        if side == 'nequip-train':
            cost = added([watch(nequip_train(), place) for place in sorted(work.glob('members/*'))])
        else:
            cost = watch(job(side, arguments.artefacts), work)
            check(work, side)
    return Cost(cost.cpu * members / run, cost.wall * members / run, cost.memory)


def prepare(
    work: Path, frames: list[Atoms], seeds: range, arguments: argparse.Namespace, side: str
) -> None:
    """Write data and configurations; all sides keep a best and a last checkpoint."""
    parameters = protocols.load('ensemble', arguments.protocol)['training']['train']['parameters']
    parameters['trainer'] |= {'accelerator': 'cpu'}
    if arguments.epochs:
        parameters['trainer'] |= {'max_epochs': arguments.epochs}
    configurations, n = from_atoms(frames), arguments.frames
    for seed in seeds:
        config = training.render(parameters, seed=seed, elements=['Cu'])
        member = work / training.MEMBERS / f'seed_{seed}'
        member.mkdir(parents=True)
        place = member if side == 'nequip-train' else work
        for name, part in (
            (training.TRAIN, np.arange(n)),
            (training.VALIDATION, np.arange(n, n + VALIDATION)),
        ):
            (place / name).write_text(to_extxyz(configurations.select(part)))
        if side == 'nequip-train':
            config['trainer']['callbacks'][-1:] = plain_callbacks()
        (member / training.CONFIG).write_text(yaml.safe_dump(config))
    for name in FAMILY.strategies.get(side, ()):
        shutil.copy(str(files('aiida_enne.remote.nequip').joinpath(name)), work)


def plain_callbacks() -> list[dict[str, Any]]:
    """Return what a user of `nequip-train` would have in place of the job's own callback."""
    common = {'_target_': CHECKPOINT, 'dirpath': '.', 'enable_version_counter': False}
    best = common | {'monitor': training.MONITOR, 'filename': 'best'}
    return [best, common | {'filename': 'last', 'save_on_train_epoch_end': True}]


def job(side: str, artefacts: Path) -> list[str]:
    """Return the command of a job, as the package writes it."""
    told = training.OPTIONS.get(side)
    how = [told, '--artefacts', str(artefacts)] if told else []
    return [sys.executable, training.SCRIPTS[0], '--processes', '1', *how]


def nequip_train() -> list[str]:
    """Return the command of one member alone."""
    program = str(Path(sys.executable).with_name('nequip-train'))
    return [program, '-cn', training.CONFIG, 'hydra.run.dir=.']


def check(work: Path, side: str) -> None:
    """Require that every member has finished, by the strategy that was asked for."""
    for path in work.glob('members/*/result.json'):
        result = json.loads(path.read_text())
        if result['status'] != 'finished' or result.get('kernel') != FAMILY.kernels.get(side):
            raise RuntimeError(f'{path.parent.name} of {side}: {result}')


def watch(command: list[str], folder: Path) -> Cost:
    """Run a command and return its cost; its output is shown only if it fails."""
    before, begin = os.times(), time.perf_counter()
    with (folder / 'output').open('w') as output:
        process = subprocess.Popen(command, cwd=folder, stdout=output, stderr=output)
        peaks: list[float] = [0.0]
        done = threading.Event()
        watcher = threading.Thread(target=look, args=(process.pid, peaks, done))
        watcher.start()
        status = process.wait()
        done.set()
        watcher.join()
    after = os.times()
    if status:
        raise RuntimeError(f'{" ".join(command)} failed:\n{(folder / "output").read_text()}')
    used = (after.children_user - before.children_user) + (
        after.children_system - before.children_system
    )
    return Cost(used, time.perf_counter() - begin, max(peaks))


def look(pid: int, peaks: list[float], done: threading.Event) -> None:
    """Note the proportional memory of a process and its children until all is done."""
    while not done.wait(LOOK_EVERY):
        total = 0.0
        try:
            process = psutil.Process(pid)
            for one in (process, *process.children(recursive=True)):
                total += one.memory_full_info().pss
        except (psutil.Error, ProcessLookupError):
            continue  # it ended between two looks
        peaks.append(total)


def added(costs: list[Cost]) -> Cost:
    """Return the cost of processes that run one after the other."""
    cpu, wall, memory = zip(*costs, strict=True)
    return Cost(sum(cpu), sum(wall), max(memory))


if __name__ == '__main__':
    main()
