"""Dynamics with σ by M members: the ensemble's calculator, one of NequIP, and a committee.

Every side runs the same Langevin dynamics of silicon as a process of its own with one thread, asks
for the forces of each step (ensemble and committee for their σ, too), and is charged for all
it does. Only our side runs all steps; the others run fewer, and what their start takes is left out
of their time a step. Ratios are of processor time.

    python benchmarks/dynamics.py --members 8 --steps 10000 --others 300
"""

import argparse
import json
import logging
import sys
import tempfile
import time
import warnings
from pathlib import Path
from typing import Any

import numpy as np
from ase import units
from ase.md.langevin import Langevin
from ase.md.velocitydistribution import MaxwellBoltzmannDistribution
from prediction import MODELS, run, silicon, train

from aiida_enne.deploy.calculator import MEMBERS, open_folder

#: Kelvin, and femtoseconds of a step.
TEMPERATURE, TIMESTEP = 600.0, 1.0
#: Steps before the clock of each side starts: code is compiled, caches fill.
WARM_UP = 20
SIDES = ('ensemble', 'one', 'committee')


def main() -> None:
    """Make the members, run every side and print what a step takes."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('--members', type=int, default=8)
    parser.add_argument('--steps', type=int, default=10000, help='of the ensemble')
    parser.add_argument('--others', type=int, default=300, help='steps of the other sides')
    parser.add_argument('--cells', type=int, default=2, help='n³ conventional cells of 8 atoms')
    parser.add_argument('--model', choices=sorted(MODELS), default='small')
    parser.add_argument('--side', choices=SIDES, help=argparse.SUPPRESS)
    parser.add_argument('--folder', type=Path, help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.side:
        move(chosen)
        return
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        train(folder, chosen.members, MODELS[chosen.model], chosen.cells)
        found = {side: measure(folder, side, chosen) for side in SIDES}
    report(found, chosen)


def measure(folder: Path, side: str, chosen: argparse.Namespace) -> dict[str, float]:
    """Run one side as a process of its own and return what it measured."""
    steps = chosen.steps if side == 'ensemble' else chosen.others
    options = {'side': side, 'folder': folder, 'steps': steps, 'cells': chosen.cells}
    words = [word for name, value in options.items() for word in (f'--{name}', str(value))]
    whole = run([sys.executable, str(Path(__file__).resolve()), *words], folder)
    return {
        'whole': whole['cpu'],
        'steps': steps,
        **json.loads((folder / f'{side}.json').read_text()),
    }


def calculator_of(side: str, folder: Path) -> Any:
    """Return the calculator of a side."""
    from matscipy.calculators.committee import Committee, CommitteeMember, CommitteeUncertainty
    from nequip.integrations.ase import NequIPCalculator

    if side == 'ensemble':
        return open_folder(folder / MEMBERS)
    paths = sorted((folder / MEMBERS).glob('*.ckpt'))
    calculators = [
        NequIPCalculator._from_saved_model(path, device='cpu')
        for path in (paths if side == 'committee' else paths[:1])
    ]
    if side == 'one':
        return calculators[0]
    # as in its documentation, energies and forces are not calibrated: it warns at every step
    warnings.filterwarnings('ignore', message='Uncertainty estimation')
    logging.getLogger('matscipy.calculators.committee').setLevel(logging.ERROR)
    return CommitteeUncertainty(Committee([CommitteeMember(one) for one in calculators]))


def move(chosen: argparse.Namespace) -> None:
    """Run the dynamics of one side and write what a step took."""
    atoms = silicon(chosen.cells, 0)
    atoms.calc = calculator_of(chosen.side, chosen.folder)
    rng = np.random.default_rng(1)
    MaxwellBoltzmannDistribution(atoms, temperature_K=TEMPERATURE, rng=rng)
    options = {'temperature_K': TEMPERATURE, 'friction': 0.02, 'rng': rng}
    dynamics = Langevin(atoms, TIMESTEP * units.fs, **options)
    widths = []

    def look() -> None:
        if chosen.side == 'ensemble':
            widths.append(atoms.calc.get_property('forces_sigma', atoms).max())
        elif chosen.side == 'committee':
            widths.append(atoms.calc.results['forces_uncertainty'].max())

    dynamics.attach(look)
    dynamics.run(WARM_UP)
    begin = time.process_time()
    dynamics.run(chosen.steps)
    found = {'step': (time.process_time() - begin) / chosen.steps}
    found['kelvin'] = float(atoms.get_temperature())
    found['widths'] = len(widths)
    (chosen.folder / f'{chosen.side}.json').write_text(json.dumps(found))


def report(found: dict[str, dict[str, float]], chosen: argparse.Namespace) -> None:
    """Print the time of a step on every side, and ratios to the ensemble's."""
    ours = found['ensemble']['step']
    print(
        f'{chosen.model} model, {8 * chosen.cells**3} atoms, {chosen.members} members, 1 thread; '
        f'the ensemble ended at {found["ensemble"]["kelvin"]:.0f} K'
    )
    print(f'{"":34}{"steps":>7}{"σ of":>7}{"CPU s":>9}{"ms a step":>11}{"ratio":>8}')
    names = ('ensemble', 'one NequIP calculator', f'committee of {chosen.members} (matscipy)')
    for name, side in zip(names, found.values(), strict=True):
        print(
            f'{name:34}{side["steps"]:7}{side["widths"]:7}{side["whole"]:9.1f}'
            f'{1e3 * side["step"]:11.2f}{side["step"] / ours:8.2f}'
        )


if __name__ == '__main__':
    main()
