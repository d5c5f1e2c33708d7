"""Errors of members trained together against the same members by `nequip-train`, seed by seed.

Both sides start from the same seeds, weights, data and orders of batches; only rounding differs,
and grows. The best model of each is asked by NequIP's own calculator for configurations that
neither side has seen. If training together were worse, the mean difference would show it: it is
compared with the scatter between seeds, and tested in pairs.

    python benchmarks/seeds.py                                  # eight seeds, the protocol's length
    python benchmarks/seeds.py --epochs 8 --frames 28           # minutes
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from scipy import stats
from training import VALIDATION, check, job, label, nequip_train, prepare, watch

from aiida_enne.families.nequip import training
from aiida_enne.science.data import frames

#: Sides, and where each leaves the best model of a member.
SIDES = {'nequip-train': Path(), 'vectorised': Path(training.CHECKPOINTS)}
#: Root-mean-square errors on unseen configurations, with the factor by which they are printed.
ERRORS = {'forces': ('meV/Å', 1e3), 'energies': ('meV/atom', 1e3)}
TEST = 'test.xyz'


def main() -> None:
    """Train both sides, and print errors by seed and what the differences amount to."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('--seeds', type=int, default=8)
    parser.add_argument('--epochs', type=int, help="default: the protocol's own")
    parser.add_argument('--frames', type=int, default=56, help='training configurations')
    parser.add_argument('--test', type=int, default=32, help='configurations that are asked about')
    parser.add_argument('--protocol', default='laptop', help='whose model is trained')
    parser.add_argument('--judge', type=Path, help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    os.environ['OMP_NUM_THREADS'] = '1'
    if chosen.judge:
        judge(chosen.judge)
        return
    structures = [label(seed) for seed in range(chosen.frames + VALIDATION + chosen.test)]
    known, unseen = structures[: -chosen.test], structures[-chosen.test :]
    errors = {}
    with tempfile.TemporaryDirectory() as name:
        for side in SIDES:
            work = Path(name) / side
            work.mkdir()
            begin = time.perf_counter()
            train(side, work, known, chosen)
            (work / TEST).write_text(frames.to_extxyz(frames.from_atoms(unseen)))
            command = [sys.executable, str(Path(__file__).resolve()), '--judge', str(work)]
            done = subprocess.run(command, check=True, capture_output=True, text=True)
            errors[side] = json.loads(done.stdout.splitlines()[-1])
            print(f'{side}: {time.perf_counter() - begin:.0f} s', flush=True)
    for kind, unit in ERRORS.items():
        compare(kind, unit, errors)


def train(side: str, work: Path, known: list[Any], chosen: argparse.Namespace) -> None:
    """Train all members of a side, each from its seed."""
    prepare(work, known, range(1, chosen.seeds + 1), chosen, side)
    if side == 'vectorised':
        watch(job(side, work / 'artefacts'), work)
        check(work, side)
        return
    for member in sorted(work.glob(f'{training.MEMBERS}/*')):
        watch(nequip_train(), member)


def judge(work: Path) -> None:
    """Print the errors of each member on the test configurations, as JSON; an own process."""
    import ase.io
    from nequip.integrations.ase import NequIPCalculator

    place = SIDES[work.name]
    found: dict[str, list[float]] = {kind: [] for kind in ERRORS}
    members = work.glob(f'{training.MEMBERS}/*')
    for member in sorted(members, key=lambda path: int(path.name.split('_')[1])):
        path = member / place / training.BEST
        calculator = NequIPCalculator._from_saved_model(path, device='cpu')
        energies, forces = [], []
        for atoms in ase.io.read(work / TEST, ':'):
            energy, force = atoms.get_potential_energy(), atoms.get_forces()
            atoms.calc = calculator
            energies.append((atoms.get_potential_energy() - energy) / len(atoms))
            forces.append(atoms.get_forces() - force)
        for kind, values in (('forces', forces), ('energies', energies)):
            found[kind].append(float(np.sqrt(np.mean(np.square(values)))))
    print(json.dumps(found))


def compare(kind: str, unit: tuple[str, float], errors: dict[str, dict[str, list[float]]]) -> None:
    """Print the errors of both sides by seed, their scatter, and a test of the differences."""
    first, second = (np.array(errors[side][kind]) * unit[1] for side in SIDES)
    difference = second - first
    print(f'\nRMSE of {kind} in {unit[0]}')
    print(f'{"seed":>6}{"nequip-train":>16}{"vectorised":>14}{"difference":>14}')
    for seed, row in enumerate(zip(first, second, difference, strict=True), 1):
        print(f'{seed:6d}{row[0]:16.3f}{row[1]:14.3f}{row[2]:+14.3f}')
    print(f'{"mean":>6}{first.mean():16.3f}{second.mean():14.3f}{difference.mean():+14.3f}')
    scatter = [float(np.std(values, ddof=1)) for values in (first, second, difference)]
    print(f'{"std":>6}{scatter[0]:16.3f}{scatter[1]:14.3f}{scatter[2]:14.3f}')
    if not difference.any():
        print('the sides are equal in every digit')
        return
    test = stats.ttest_rel(second, first)
    low, high = test.confidence_interval(0.95)
    ranks = stats.wilcoxon(second, first)
    print(
        f'mean difference {difference.mean():+.3f}, 95 % interval [{low:+.3f}, {high:+.3f}]; '
        f'paired t-test p = {test.pvalue:.2f}, Wilcoxon p = {ranks.pvalue:.2f}'
    )
    within = max(abs(low), abs(high)) < min(scatter[:2])
    print(f'the interval lies within ± the scatter between seeds: {"yes" if within else "no"}')


if __name__ == '__main__':
    main()
