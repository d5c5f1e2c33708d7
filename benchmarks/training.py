"""Seconds to train M members in one job against M processes of `nequip-train`, same training."""

import argparse
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from ase import Atoms
from ase.build import bulk
from ase.calculators.emt import EMT
from ase.calculators.singlepoint import SinglePointCalculator

from aiida_enne.families.nequip import training
from aiida_enne.science.data.frames import from_atoms, to_extxyz
from aiida_enne.workflows import protocols

CHECKPOINT = 'lightning.pytorch.callbacks.ModelCheckpoint'


def main() -> None:
    """Print both sides' seconds and the ratio, one member at a time and two."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--members', type=int, default=4)
    parser.add_argument('--epochs', type=int, default=5)
    parser.add_argument('--frames', type=int, default=50, help='training configurations')
    parser.add_argument('--cells', type=int, default=2, help='n: cells of 4 n³ atoms')
    parser.add_argument('--protocol', default='laptop', help='whose model is trained')
    arguments = parser.parse_args()
    os.environ['OMP_NUM_THREADS'] = '1'
    frames = [label(seed, arguments.cells) for seed in range(arguments.frames + 5)]
    with tempfile.TemporaryDirectory() as name:
        for at_once in (1, 2):
            report(Path(name), frames, at_once, arguments)


def label(seed: int, n: int) -> Atoms:
    """Return a rattled copper cell with EMT labels."""
    atoms = bulk('Cu', cubic=True).repeat(n)
    atoms.rattle(0.15, seed=seed)
    atoms.calc = EMT()
    results = {'energy': atoms.get_potential_energy(), 'forces': atoms.get_forces()}
    atoms.calc = SinglePointCalculator(atoms, **results)
    return atoms


def report(folder: Path, frames: list[Atoms], at_once: int, arguments: argparse.Namespace) -> None:
    """Run both sides and print what they took."""
    seeds = range(1, arguments.members + 1)
    sides: dict[str, Callable[..., None]] = {'one job': one_job, 'nequip-train': many_processes}
    seconds, cpu = {}, {}
    for side, run in sides.items():
        work = folder / f'{side} {at_once}'.replace(' ', '_')
        prepare(work, frames, seeds, arguments, own=side == 'one job')
        begin, used = time.perf_counter(), cpu_seconds()
        run(work, seeds, at_once)
        seconds[side], cpu[side] = time.perf_counter() - begin, cpu_seconds() - used
        print(
            f'{arguments.members} members, {at_once} at a time, {side:>12}: '
            f'{seconds[side]:7.1f} s, {cpu[side]:7.1f} s of CPU',
            flush=True,
        )
    ours, theirs = sides
    print(
        f'{arguments.members} members, {at_once} at a time: one job takes '
        f'{seconds[ours] / seconds[theirs]:.2f} of the time and '
        f'{cpu[ours] / cpu[theirs]:.2f} of the CPU'
    )


def prepare(
    work: Path, frames: list[Atoms], seeds: range, arguments: argparse.Namespace, *, own: bool
) -> None:
    """Write data and configurations; both sides keep a best and a last checkpoint each epoch."""
    parameters = protocols.load('ensemble', arguments.protocol)['training']['train']['parameters']
    parameters['trainer'] |= {'max_epochs': arguments.epochs, 'accelerator': 'cpu'}
    configurations, n = from_atoms(frames), arguments.frames
    for seed in seeds:
        config = training.render(parameters, seed=seed, elements=['Cu'])
        member = work / training.MEMBERS / f'seed_{seed}'
        member.mkdir(parents=True)
        place = work if own else member
        for name, part in (
            (training.TRAIN, np.arange(n)),
            (training.VALIDATION, np.arange(n, n + 5)),
        ):
            (place / name).write_text(to_extxyz(configurations.select(part)))
        if not own:
            config['trainer']['callbacks'][-1:] = plain_callbacks()
        (member / training.CONFIG).write_text(yaml.safe_dump(config))
    for name in training.SCRIPTS:
        shutil.copy(str(files('aiida_enne.remote.nequip').joinpath(name)), work)


def plain_callbacks() -> list[dict[str, Any]]:
    """Return what a user of `nequip-train` would have in place of the job's own callback."""
    common = {'_target_': CHECKPOINT, 'dirpath': '.', 'enable_version_counter': False}
    best = common | {'monitor': training.MONITOR, 'filename': 'best'}
    return [best, common | {'filename': 'last', 'save_on_train_epoch_end': True}]


def one_job(work: Path, seeds: range, at_once: int) -> None:
    """Run the script of the job."""
    run([sys.executable, training.SCRIPTS[0], '--processes', str(at_once)], work)
    results = [
        training.read_result(path.read_text()) for path in work.glob('members/*/result.json')
    ]
    if [result['status'] for result in results] != ['finished'] * len(seeds):
        raise RuntimeError(f'not all members finished: {results}')


def many_processes(work: Path, seeds: range, at_once: int) -> None:
    """Run one `nequip-train` per member."""
    command = [str(Path(sys.executable).with_name('nequip-train')), '-cn', training.CONFIG]
    with ThreadPoolExecutor(at_once) as pool:
        folders = [work / training.MEMBERS / f'seed_{seed}' for seed in seeds]
        list(pool.map(lambda folder: run([*command, 'hydra.run.dir=.'], folder), folders))


def run(command: list[str], folder: Path) -> None:
    """Run a command and show its output only if it fails."""
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f'{" ".join(command)} failed:\n{done.stdout}\n{done.stderr}')


def cpu_seconds() -> float:
    """Return the CPU time of all finished children."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


if __name__ == '__main__':
    main()
