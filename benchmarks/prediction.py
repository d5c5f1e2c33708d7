"""Prediction by M members: the scripts of one job against M ASE calculators of NequIP.

The calculators are NequIP's own, loaded from the same checkpoints, asked one after the other for
every configuration. Both sides run as processes of their own with one thread and are charged for
all they do: import, loading, neighbour lists. The scripts run five times: eager; compiled, which
pays for the compilation; compiled again, with the artefact that is kept for all later jobs of this
model; vectorised, which compiles its code for this machine; vectorised again, with that code, which
serves every model. Ratios are of processor time, which other work on the machine disturbs little.

    python benchmarks/prediction.py --members 8 --configurations 2000
    python benchmarks/prediction.py --model paper --members 2 --configurations 20
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from ase import Atoms
from ase.build import bulk
from ase.calculators.singlepoint import SinglePointCalculator
from matscipy.calculators.manybody import Manybody
from matscipy.calculators.manybody.explicit_forms.stillinger_weber import (
    Stillinger_Weber_PRB_31_5262_Si,
    StillingerWeber,
)

from aiida_enne.families.nequip import prediction as codec
from aiida_enne.families.nequip import training
from aiida_enne.science.data import frames
from aiida_enne.workflows import protocols

#: The protocol of training that each model is taken from.
MODELS = {'small': 'laptop', 'paper': 'paper'}
WANTED = 5.0


def main() -> None:
    """Make the members, run both sides and print what they took."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('--members', type=int, default=8)
    parser.add_argument('--configurations', type=int, default=2000)
    parser.add_argument('--cells', type=int, default=2, help='n³ conventional cells of 8 atoms')
    parser.add_argument('--model', choices=sorted(MODELS), default='small')
    parser.add_argument('--calculators', type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.calculators:
        ask_calculators(arguments.calculators)
        return
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        structures = [silicon(arguments.cells, seed) for seed in range(arguments.configurations)]
        labels = train(folder, arguments.members, MODELS[arguments.model], arguments.cells)
        upload(folder, structures, labels)
        compare(folder, labels, arguments)


def silicon(cells: int, seed: int) -> Atoms:
    """Return a rattled diamond cell."""
    atoms = bulk('Si', cubic=True) * (cells, cells, cells)
    atoms.rattle(0.2, seed=seed)
    return atoms


def train(folder: Path, members: int, protocol: str, cells: int) -> list[str]:
    """Train each member for one epoch on four configurations: time does not depend on weights."""
    labelled = []
    calculator = Manybody(**StillingerWeber(Stillinger_Weber_PRB_31_5262_Si))
    for seed in range(4):
        atoms = silicon(cells, seed)
        atoms.calc = calculator
        energy, forces = atoms.get_potential_energy(), atoms.get_forces()
        atoms.calc = SinglePointCalculator(atoms, energy=energy, forces=forces)
        labelled.append(atoms)
    for script in training.SCRIPTS:
        write_script(folder, script)
    for name, part in ((training.TRAIN, labelled[:3]), (training.VALIDATION, labelled[3:])):
        (folder / name).write_text(frames.to_extxyz(frames.from_atoms(part)))
    trainer = {'trainer': {'max_epochs': 1, 'accelerator': 'cpu'}}
    overrides = {'training': {'train': {'parameters': trainer}}}
    inputs = protocols.load('ensemble', protocol, overrides)
    parameters = inputs['training']['train']['parameters']
    labels = [f'seed_{seed}' for seed in range(members)]
    for seed, label in enumerate(labels):
        member = folder / training.MEMBERS / label
        member.mkdir(parents=True)
        config = training.render(parameters, seed=seed, elements=['Si'])
        (member / training.CONFIG).write_text(yaml.safe_dump(config))
    run([sys.executable, training.SCRIPTS[0]], folder)
    for label in labels:
        best = folder / training.MEMBERS / label / training.CHECKPOINTS / training.BEST
        best.rename(folder / codec.MEMBERS / f'{label}.ckpt')
    return labels


def upload(folder: Path, structures: list[Atoms], labels: list[str]) -> None:
    """Write what the job would upload."""
    configurations = frames.from_atoms(structures)
    content = codec.render_configurations(configurations, np.arange(len(structures)))
    (folder / codec.CONFIGURATIONS).write_bytes(content)
    (folder / 'structures.xyz').write_text(frames.to_extxyz(configurations))
    for script in codec.SCRIPTS:
        write_script(folder, script)


def write_script(folder: Path, name: str) -> None:
    """Write one of the scripts that jobs upload."""
    (folder / name).write_text(files('aiida_enne.remote.nequip').joinpath(name).read_text())


def run(command: list[str], folder: Path) -> dict[str, float]:
    """Run a process with one thread; return its seconds by the clock and of the processor."""
    begin, before = time.monotonic(), resource.getrusage(resource.RUSAGE_CHILDREN)
    environment = os.environ | {'OMP_NUM_THREADS': '1'}
    done = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode:
        sys.exit(f'{" ".join(command)} failed:\n{done.stdout[-2000:]}{done.stderr[-2000:]}')
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return {'wall': time.monotonic() - begin, 'cpu': cpu}


def predict(folder: Path, labels: list[str], mode: str) -> dict[str, float]:
    """Run the scripts of the job; return seconds, also of the evaluation alone."""
    settings = {'mode': mode, 'device': 'cpu', 'threads': 1, 'batch_atoms': None}
    text = codec.render_settings(
        labels, features=codec.NO_FEATURES, artefacts='artefacts', **settings
    )
    (folder / codec.SETTINGS).write_text(text)
    seconds = run([sys.executable, codec.SCRIPTS[0]], folder)
    result = codec.read_result((folder / codec.RESULT).read_text())
    used = {member['mode'] for member in result['members'].values()}
    if used != {mode}:
        sys.exit(f'asked for {mode}, members ran {used}: {result["members"]}')
    spent = result['cpu_seconds']
    return seconds | {'evaluate': spent['vectorised' if mode == 'vectorised' else 'evaluate']}


def ask_calculators(folder: Path) -> None:
    """Ask every calculator for every configuration; runs as a process of its own."""
    import ase.io
    from nequip.integrations.ase import NequIPCalculator

    calculators = {
        path.stem: NequIPCalculator._from_saved_model(path, device='cpu')
        for path in sorted((folder / codec.MEMBERS).glob('*.ckpt'))
    }
    structures = ase.io.read(folder / 'structures.xyz', ':')
    begin = time.process_time()
    energies: dict[str, list[float]] = {label: [] for label in calculators}
    forces: dict[str, list[Any]] = {label: [] for label in calculators}
    for atoms in structures:
        for label, calculator in calculators.items():
            atoms.calc = calculator
            energies[label].append(float(atoms.get_potential_energy()))
            forces[label].append(atoms.get_forces())
    seconds = time.process_time() - begin
    (folder / 'calculators.json').write_text(json.dumps({'evaluate': seconds}))
    for label in calculators:
        np.savez(
            folder / f'calculators_{label}.npz',
            energies=np.array(energies[label]),
            forces=np.concatenate(forces[label]),
        )


def compare(folder: Path, labels: list[str], arguments: argparse.Namespace) -> None:
    """Run both sides and print seconds, ratios and the largest differences of the numbers."""
    evaluations = arguments.members * arguments.configurations
    command = [sys.executable, str(Path(__file__).resolve()), '--calculators', str(folder)]
    sides = {f'{arguments.members} ASE calculators': run(command, folder)}
    (ase,) = sides.values()
    ase |= json.loads((folder / 'calculators.json').read_text())
    sides['one job, eager'] = predict(folder, labels, 'eager')
    sides['one job, compiling'] = predict(folder, labels, 'compiled')
    sides['one job, compiled'] = kept = predict(folder, labels, 'compiled')
    sides['one job, vectorised first'] = predict(folder, labels, 'vectorised')
    sides['one job, vectorised'] = together = predict(folder, labels, 'vectorised')

    print(
        f'{arguments.model} model, {arguments.members} members × {arguments.configurations} '
        f'configurations of {8 * arguments.cells**3} atoms = {evaluations} evaluations, 1 thread'
    )
    print(f'{"":26}{"clock s":>9}{"CPU s":>9}{"evaluating":>12}{"ms each":>9}{"ratio":>8}')
    for name, side in sides.items():
        print(
            f'{name:26}{side["wall"]:9.1f}{side["cpu"]:9.1f}{side["evaluate"]:12.1f}'
            f'{1e3 * side["evaluate"] / evaluations:9.2f}{ase["cpu"] / side["cpu"]:8.2f}'
        )
    difference = differences(folder, labels, 8 * arguments.cells**3)
    print('largest difference: {:.1e} eV/atom, {:.1e} eV/Å'.format(*difference))
    for name, side in (('compiled', kept), ('vectorised', together)):
        total, evaluation = ase['cpu'] / side['cpu'], ase['evaluate'] / side['evaluate']
        print(f'{name}: {total:.2f} in all (CPU), {evaluation:.2f} without imports')
    gain = (ase['evaluate'] - WANTED * kept['evaluate']) / evaluations
    if gain > 0:
        needed = [
            (WANTED * (side['cpu'] - side['evaluate']) - (ase['cpu'] - ase['evaluate'])) / gain
            for side in (kept, sides['one job, compiling'])
        ]
        print(
            f'ratio {WANTED:g} from {max(needed[0], 0):.0f} evaluations with a kept artefact, '
            f'from {max(needed[1], 0):.0f} where it is compiled first'
        )


def differences(folder: Path, labels: list[str], n_atoms: int) -> tuple[float, float]:
    """Return the largest difference of an energy, per atom, and of a force between both sides."""
    energy, force = 0.0, 0.0
    for label in labels:
        with (
            np.load(folder / codec.PREDICTIONS / f'{label}.npz') as ours,
            np.load(folder / f'calculators_{label}.npz') as theirs,
        ):
            energy = max(energy, np.abs(ours['energies'] - theirs['energies']).max() / n_atoms)
            force = max(force, np.abs(ours['forces'] - theirs['forces']).max())
    return energy, force


if __name__ == '__main__':
    main()
