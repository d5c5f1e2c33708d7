"""Arrays of pw.x, in the units of aiida-quantumespresso, as labelled configurations."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from ase.data import atomic_masses

from aiida_enne.codes.qe.dynamics import temperatures
from aiida_enne.science.data.configurations import Configurations
from aiida_enne.science.fields import GPA_PER_EV_PER_CUBIC_ANGSTROM, Floats
from aiida_enne.science.plans.tasks import Task


@dataclass
class Path:
    """The frames of one run of pw.x, T of them.

    Attributes:
        configuration: Which configuration it began with.
        stage: Stage of the dynamics, -1 for the step that starts it; 0 otherwise.
        positions: Å, shape (T, N, 3), or one fewer than the labels: the last one is `end` then.
        cells: Å, shape (T, 3, 3), or one fewer.
        energies: eV, shape (T,).
        forces: eV/Å, shape (T, N, 3).
        stresses: GPa, positive under compression, shape (T, 3, 3) or of any other length if only
            some are known, which then are left out; None without any.
        end: Positions (N, 3) and cell (3, 3) that the run ended with.
        converged: Whether a relaxation ended at its goal.
    """

    configuration: int
    stage: int
    positions: Floats
    cells: Floats
    energies: Floats
    forces: Floats
    stresses: Floats | None
    end: tuple[Floats, Floats]
    converged: bool = False

    def __post_init__(self) -> None:
        n, n_atoms = len(self.energies), len(self.end[0])
        if len(self.positions) == n - 1:  # a final run on the relaxed cell has no step of its own
            self.positions = np.concatenate([self.positions, self.end[0][None]])
            self.cells = np.concatenate([self.cells, self.end[1][None]])
        if n == 0 or self.positions.shape != (n, n_atoms, 3):
            raise ValueError(f'{n} energies do not fit positions of shape {self.positions.shape}')
        if self.forces.shape != (n, n_atoms, 3) or self.cells.shape != (n, 3, 3):
            raise ValueError(
                f'{n} energies of {n_atoms} atoms do not fit forces of shape {self.forces.shape} '
                f'and cells of shape {self.cells.shape}'
            )

    @property
    def tensors(self) -> Floats:
        """Stresses in eV/Å³, positive under tension as everywhere here; shape (T, 3, 3)."""
        if self.stresses is None or self.stresses.shape != (len(self.energies), 3, 3):
            return np.full((len(self.energies), 3, 3), np.nan)
        return -self.stresses / GPA_PER_EV_PER_CUBIC_ANGSTROM


def gather(paths: Sequence[Path], inputs: Configurations, task: Task) -> Configurations | None:
    """Join the frames that a task asks for; None if there are none.

    Args:
        paths: In the order in which they ran.
        inputs: Configurations that went in, of which domains, blocks and info are taken over.
        task: What was asked for.

    Raises:
        ValueError: If arrays are not of one length.
    """
    kept: list[dict[str, Any]] = []
    for index in sorted({path.configuration for path in paths}):
        mine = [path for path in paths if path.configuration == index]
        kept += _trajectory(mine, inputs, task) if task.stages else _steps(mine)
    if not kept:
        return None
    origin = np.array([frame['configuration'] for frame in kept], dtype=np.int64)
    stresses = np.array([frame['stress'] for frame in kept])
    names = {'label': (), 'md': ('stage', 'time', 'temperature'), 'relax': ('step', 'converged')}
    found = ('configuration', *names[task.kind])
    return Configurations(
        n_atoms=inputs.n_atoms[origin],
        numbers=inputs.numbers[inputs.atom_index(origin)],
        positions=np.concatenate([frame['positions'] for frame in kept]),
        cells=np.array([frame['cell'] for frame in kept]),
        pbc=inputs.pbc[origin],
        domains=_domains(inputs, origin, kept, task),
        blocks=inputs.blocks[origin] if task.kind == 'label' else origin,
        energies=np.array([frame['energy'] for frame in kept]),
        forces=np.concatenate([frame['forces'] for frame in kept]),
        stresses=stresses if np.isfinite(stresses).any() else None,
        info={name: value[origin] for name, value in inputs.info.items()}
        | {name: np.array([float(frame[name]) for frame in kept]) for name in found},
    )


def _frame(path: Path, index: int) -> dict[str, Any]:
    return {
        'configuration': path.configuration,
        'positions': path.positions[index],
        'cell': path.cells[index],
        'energy': path.energies[index],
        'forces': path.forces[index],
        'stress': path.tensors[index],
    }


def _steps(paths: Sequence[Path]) -> list[dict[str, Any]]:
    """Return every frame; the last one of a relaxation is the relaxed one."""
    frames = [_frame(path, index) for path in paths for index in range(len(path.energies))]
    done = paths[-1].converged
    return [
        frame | {'step': step, 'converged': done and step == len(frames) - 1}
        for step, frame in enumerate(frames)
    ]


def _trajectory(paths: Sequence[Path], inputs: Configurations, task: Task) -> list[dict[str, Any]]:
    """Return the frames that the stages record, with time (ps) and temperature (K)."""
    configuration = paths[0].configuration
    stages, timestep = task.stages, task.stages[0].timestep
    atoms = inputs.atom_index([configuration])
    masses = atomic_masses[inputs.numbers[atoms]]
    walk = np.concatenate([*(path.positions for path in paths), paths[-1].end[0][None]])
    heat = temperatures(walk, timestep, masses, task.fixed_of(configuration))  # of frames 1, 2, …
    frames, step = [], 0
    done = dict.fromkeys(range(-1, len(stages)), 0)
    for path in paths:
        every = 0 if path.stage < 0 else stages[path.stage].record_every
        for index in range(len(path.energies)):
            done[path.stage] += 1
            if every and done[path.stage] % every == 0:
                now = {'time': step * timestep / 1000, 'temperature': heat[step - 1]}
                frames.append(_frame(path, index) | {'stage': path.stage} | now)
            step += 1
    return frames


def _domains(inputs: Configurations, origin: Any, frames: list[dict[str, Any]], task: Task) -> Any:
    own = inputs.domains[origin]
    if not task.stages:
        return own
    pairs = zip(frames, own.tolist(), strict=True)
    return np.array([task.stages[frame['stage']].label(domain) for frame, domain in pairs])
