"""What a run says of one configuration, in the package's own arrays."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
from ase.data import atomic_numbers

from aiida_enne.codes.aims.geometry import Geometry
from aiida_enne.codes.aims.keywords import PW91
from aiida_enne.codes.aims.results import AimsOutput, Frame
from aiida_enne.codes.aims.settings import ControlSettings
from aiida_enne.science.data.configurations import Configurations
from aiida_enne.science.fields import Floats

#: The energy of the dataset: the one whose derivative the forces are.
ENERGY = 'free'
OTHER_ENERGIES = ('uncorrected', 'corrected')
RELATIVITY = {'none': 'non-relativistic', 'atomic_zora scalar': 'scalar ZORA'}


def level_of_theory(settings: ControlSettings, levels: Iterable[str]) -> str:
    """Return what the labels are, e.g. 'FHI-aims PW91 light, scalar ZORA'.

    Args:
        settings: Whose functional, spin and relativity are named.
        levels: Level of the species default of each element; empty where unknown.
    """
    functional = 'PW91' if settings.xc == PW91 else settings.xc.upper()
    basis = '/'.join(sorted({level or 'own species' for level in levels}))
    text = f'FHI-aims {functional} {basis}, {RELATIVITY[settings.relativistic]}'
    return text if settings.spin == 'none' else f'{text}, {settings.spin} spin'


def labelled(
    output: AimsOutput, settings: ControlSettings, start: Configurations
) -> Configurations | None:
    """Return the whole steps that have forces; None if there are none.

    Energies are the electronic free energies; info has the other two as `energy_uncorrected`
    and `energy_corrected`, `step`, for molecular dynamics `time` in ps and `temperature` in K,
    for relaxations `converged`.

    Args:
        output: Of the run.
        settings: Of the run.
        start: The one configuration that it began with, of which domain, block, periodic
            directions and info are taken over.
    """
    frames = [frame for frame in output.frames if frame.forces is not None]
    if not frames:
        return None
    n = len(frames)
    info = {name: np.repeat(value, n) for name, value in start.info.items()}
    for name in OTHER_ENERGIES:
        values = [getattr(frame.energies, name) for frame in frames]
        info[f'energy_{name}'] = np.array(values, dtype=np.float64)
    info['step'] = _steps(frames, settings)
    if settings.md is not None:
        info['time'] = _numbers(frame.time for frame in frames)
        info['temperature'] = _numbers(frame.temperature for frame in frames)
    if settings.relaxation is not None:
        info['converged'] = np.zeros(n)
        # a relaxation that has converged ends with the step that did
        info['converged'][-1] = float(bool(output.relaxed) and output.unfinished is None)
    known = [_stress(frame) for frame in frames]
    return Configurations(
        n_atoms=np.array([len(frame.symbols) for frame in frames], dtype=np.int64),
        numbers=np.array([atomic_numbers[s] for frame in frames for s in frame.symbols]),
        positions=np.concatenate([frame.positions for frame in frames]),
        cells=np.array([_cell(frame.cell) for frame in frames]),
        pbc=np.repeat(start.pbc, n, axis=0),
        domains=np.repeat(start.domains, n),
        blocks=np.repeat(start.blocks, n),
        energies=np.array([getattr(frame.energies, ENERGY) for frame in frames]),
        forces=np.concatenate([frame.forces for frame in frames if frame.forces is not None]),
        stresses=np.array(known) if np.isfinite(known).any() else None,
        info=info,
    )


def last_geometry(output: AimsOutput) -> Geometry | None:
    """Return where the atoms were last: that of the unfinished step, or of the last whole one."""
    if output.unfinished is not None and output.unfinished.geometry is not None:
        return output.unfinished.geometry
    if not output.frames:
        return None
    last = output.frames[-1]
    return Geometry(last.symbols, last.positions, last.cell, last.velocities)


def configuration_at(geometry: Geometry, start: Configurations) -> Configurations:
    """Return one configuration with the atoms elsewhere, the rest being that of the start."""
    return Configurations(
        n_atoms=np.array([len(geometry.symbols)], dtype=np.int64),
        numbers=np.array([atomic_numbers[symbol] for symbol in geometry.symbols]),
        positions=geometry.positions,
        cells=_cell(geometry.cell)[None],
        pbc=start.pbc,
        domains=start.domains,
        blocks=start.blocks,
        info=start.info,
    )


def summary(output: AimsOutput) -> dict[str, Any]:
    """Return everything that is not a label as plain values.

    `scf_iterations` counts those of every whole step, `scf_last` are the changes in every
    iteration of the last cycle, whether it converged or not.
    """
    last = output.unfinished or (output.frames[-1] if output.frames else None)
    return {
        'verdict': str(output.verdict),
        'reason': output.reason,
        'version': output.version,
        'xc': output.xc,
        'n_steps': len(output.frames),
        'relaxed': output.relaxed,
        'energy': ENERGY,
        'energies': asdict(output.frames[-1].energies) if output.frames else None,
        'scf_iterations': [len(frame.scf) for frame in output.frames],
        'scf_last': [asdict(iteration) for iteration in last.scf] if last else [],
        'timings': dict(output.timings),
        'warnings': list(output.warnings),
    }


def _steps(frames: Sequence[Frame], settings: ControlSettings) -> Floats:
    count = np.arange(len(frames), dtype=np.float64)
    if settings.md is None:
        return count
    times = _numbers(frame.time for frame in frames)
    return np.where(np.isfinite(times), np.rint(times / settings.md.time_step), count)


def _numbers(values: Iterable[float | None]) -> Floats:
    return np.array([np.nan if value is None else value for value in values], dtype=np.float64)


def _stress(frame: Frame) -> Floats:
    return np.full((3, 3), np.nan) if frame.stress is None else frame.stress


def _cell(cell: Floats | None) -> Floats:
    return np.zeros((3, 3)) if cell is None else cell
