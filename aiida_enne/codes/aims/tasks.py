"""The task that all engines share, said in the words of FHI-aims: one run after the other."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from aiida_enne.codes.aims.keywords import ENSEMBLES
from aiida_enne.codes.aims.settings import ControlSettings
from aiida_enne.science import checks
from aiida_enne.science.plans.tasks import Relaxation, Stage, Task

#: Ensemble in place of each thermostat of the common task; langevin has none of its own here.
THERMOSTATS = {'nose_hoover_chain': 'NVT_nose-hoover', 'nve': 'NVE'}
#: Thermostats that may be given another ensemble, and ensembles that may be given.
CHOOSABLE = ('langevin', 'nose_hoover_chain')
CHOICES = tuple(name for name, parameter in ENSEMBLES.items() if parameter is not None)
#: Optimizers of the common task that FHI-aims has, by its own names.
OPTIMIZERS = {'BFGS': 'trm', 'BFGSLineSearch': 'bfgs'}
#: Speed of light in cm/fs: 1 / (c τ) is the wavenumber of a thermostat that swings with period τ.
LIGHT = 2.99792458e-5
FS_PER_PS = 1000.0


@dataclass(frozen=True, slots=True)
class Run:
    """One run of FHI-aims for each configuration.

    Attributes:
        settings: Keys of `ControlSettings`, but for `k_grid` and seeds.
        stage: Index of the stage of molecular dynamics that it belongs to, 0 for other tasks.
        domain: Label of its frames; `{domain}` stands for the configuration's own.
        first_step: Steps of the stages and runs before.
        stage_first_step: Steps before its stage.
        first_time: Time at its beginning in ps.
        steps: Steps that it takes; None unless dynamics.
        record_every: Steps between two frames that are kept; 0 for none.
    """

    settings: dict[str, Any] = field(hash=False)
    stage: int = 0
    domain: str = '{domain}'
    first_step: int = 0
    stage_first_step: int = 0
    first_time: float = 0.0
    steps: int | None = None
    record_every: int = 1


def plan(
    task: Task,
    settings: Mapping[str, Any],
    thermostats: Mapping[str, str] | None = None,
    ramp_segments: int = 10,
) -> list[Run]:
    """Return the runs that a task takes, in order.

    FHI-aims has no ramps of the temperature: a ramp is `ramp_segments` runs, each at the
    temperature in its middle. A run of n steps is asked for n + 1, for FHI-aims prints the
    geometry that it begins with as its first step.

    Args:
        task: What is asked for.
        settings: Keys of `ControlSettings` for every run, without `relaxation` and `md`.
        thermostats: Ensemble of `MD_run` in place of `langevin` or `nose_hoover_chain`.
        ramp_segments: Runs that a ramp takes.

    Raises:
        ValueError: If FHI-aims cannot do what is asked for, or a setting is bad.
    """
    given = dict(settings)
    if taken := sorted({'relaxation', 'md'} & set(given)):
        raise ValueError(f'`{taken[0]}` must not be among the parameters: the task says it')
    chosen = {**THERMOSTATS, **_checked(thermostats or {})}
    checks.count('ramp_segments', ramp_segments)
    if isinstance(task, Relaxation):
        runs = [Run(given | {'relaxation': _relaxation(task)})]
    elif task.stages:
        runs = _dynamics(task.stages, given, chosen, ramp_segments)
    else:
        runs = [Run(given)]
    for run in runs:
        ControlSettings.from_dict(run.settings)
    return runs


def seed_of(seed: int, *stream: int) -> int:
    """Return a seed for `MD_RNG_seed`, a different one for every stream.

    Args:
        seed: The one seed of the task.
        *stream: Such as the indices of configuration and run.

    Raises:
        ValueError: If the seed is negative.
    """
    checks.count('seed', seed, 0)
    state = np.random.SeedSequence([seed, *stream]).generate_state(1)
    return int(state[0]) % (2**31 - 2) + 1


def _checked(thermostats: Mapping[str, str]) -> dict[str, str]:
    for name, ensemble in thermostats.items():
        checks.one_of('thermostats', name, CHOOSABLE)
        checks.one_of(f'thermostats: {name}', ensemble, CHOICES)
    return dict(thermostats)


def _relaxation(task: Relaxation) -> dict[str, Any]:
    if task.cell == 'shape':
        raise ValueError(
            'FHI-aims cannot relax the shape of a cell at constant volume: `cell` must be '
            'fixed or free'
        )
    if task.symmetry:
        raise ValueError(
            'FHI-aims keeps a symmetry by parameters in geometry.in, which are not written: '
            '`symmetry` must be false'
        )
    if task.optimizer not in OPTIMIZERS:
        names = ', '.join(OPTIMIZERS)
        raise ValueError(f'FHI-aims has no {task.optimizer}: `optimizer` must be one of {names}')
    return {
        'method': OPTIMIZERS[task.optimizer],
        'max_force': task.fmax,
        'cell': 'full' if task.cell == 'free' else 'none',
        'max_steps': task.max_steps,
    }


def _dynamics(
    stages: Sequence[Stage],
    settings: dict[str, Any],
    ensembles: Mapping[str, str],
    ramp_segments: int,
) -> list[Run]:
    runs: list[Run] = []
    step, time = 0, 0.0
    for index, stage in enumerate(stages):
        ensemble = _ensemble(index, stage.thermostat, ensembles)
        time_step, before = stage.timestep / FS_PER_PS, step
        for temperature, steps in _pieces(stage, ramp_segments):
            md: dict[str, Any] = {
                'ensemble': ensemble,
                'time': round((steps + 1) * time_step, 12),
                'time_step': time_step,
            }
            if ENSEMBLES[ensemble] is not None:
                md |= {'temperature': temperature} | _parameter(ensemble, stage)
            if not runs:
                if temperature <= 0:
                    raise ValueError(f'stage {index}: FHI-aims needs a temperature above 0 K')
                md['initial_temperature'] = temperature
            runs.append(
                Run(
                    settings=settings | {'md': md},
                    stage=index,
                    domain=stage.domain,
                    first_step=step,
                    stage_first_step=before,
                    first_time=time,
                    steps=steps,
                    record_every=stage.record_every,
                )
            )
            step, time = step + steps, round(time + steps * time_step, 12)
    return runs


def _ensemble(index: int, thermostat: str, ensembles: Mapping[str, str]) -> str:
    if thermostat not in ensembles:
        there = 'NVE and, for NVT, ' + ', '.join(CHOICES)
        hint = (
            'constant pressure needs another program at its socket'
            if thermostat == 'npt'
            else f'`thermostats` may say which one stands for {thermostat}'
        )
        raise ValueError(
            f'stage {index}: FHI-aims has no thermostat {thermostat}; it has {there}: {hint}'
        )
    return ensembles[thermostat]


def _pieces(stage: Stage, ramp_segments: int) -> list[tuple[float, int]]:
    """Return temperature in K and steps of every run of a stage."""
    first, last = stage.temperature
    if first == last:
        return [(first, stage.steps)]
    n = min(ramp_segments, stage.steps)
    ends = [stage.steps * i // n for i in range(n + 1)]
    middles = [first + (last - first) * (i + 0.5) / n for i in range(n)]
    return [(middles[i], ends[i + 1] - ends[i]) for i in range(n)]


def _parameter(ensemble: str, stage: Stage) -> dict[str, Any]:
    """Return the number of a thermostat, from `friction` in 1/ps or from `damping` in fs."""
    damping = stage.damping or FS_PER_PS / (stage.friction or math.nan)
    if ensemble == 'NVT_nose-hoover':
        return {'parameter': 1 / (LIGHT * damping), 'thermostat_units': 'cm^-1'}
    if ensemble == 'NVT_andersen':
        return {'parameter': FS_PER_PS / damping}
    return {'parameter': damping / FS_PER_PS}
