"""Tasks of the engines as runs of pw.x: namelists, and jobs that follow each other."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from aiida_enne.codes.qe.dynamics import FORCE, LOWEST_TEMPERATURE, TIME, VELOCITY
from aiida_enne.science.checks import count, positive
from aiida_enne.science.fields import Floats
from aiida_enne.science.options import Options, option
from aiida_enne.science.plans.tasks import Relaxation, Stage, Task

#: What pw.x 6.7 has to control the temperature.
THERMOSTATS = 'svr, andersen, berendsen, rescaling, rescale-v, rescale-T, reduce-T'
#: Those that sample the canonical ensemble at every step, which a task may be mapped to.
MAPPED_TO = ('svr', 'andersen')


def _mapped(name: str, value: Any) -> dict[str, Any]:
    for thermostat, target in dict(value).items():
        known = thermostat in ('langevin', 'nose_hoover_chain')
        if not known or target not in (None, *MAPPED_TO):
            raise ValueError(
                f'`{name}` maps langevin or nose_hoover_chain to one of '
                f'{", ".join(MAPPED_TO)}; got {thermostat}: {target!r}'
            )
    return dict(value)


@dataclass(frozen=True)
class _Options(Options):
    thermostats: dict[str, Any] = option(_mapped, ())
    steps_per_job: int = option(count, 500)
    ramp_steps: int = option(count, 100)
    extra_bands: float = option(positive, 0.25)
    conv_thr_per_atom: float = option(positive, 1e-9)


@dataclass
class Job:
    """One run of pw.x on one configuration.

    Attributes:
        parameters: Namelists, to be merged over those that are common to all jobs.
        settings: Settings of aiida-quantumespresso.
        stage: Stage of the dynamics, -1 for the step that starts it; 0 otherwise.
        steps: Number of steps of dynamics, 0 otherwise.
        continues: Whether it goes on from the folder of the job before.
    """

    parameters: dict[str, dict[str, Any]]
    settings: dict[str, Any] = field(default_factory=dict)
    stage: int = 0
    steps: int = 0
    continues: bool = False


def complete_options(options: Mapping[str, Any]) -> dict[str, Any]:
    """Return the options of the engine with every one given.

    Args:
        options: `thermostats` maps a thermostat of the task to one of pw.x, or to nothing;
            `steps_per_job` bounds the dynamics of one job, `ramp_steps` the steps at one
            temperature of a ramp; `extra_bands` are empty bands as a fraction of the occupied
            ones; `conv_thr_per_atom` in Ry.

    Raises:
        ValueError: If an option is unknown or out of its range.
    """
    return _Options.from_dict(options, 'options').to_dict()


def check_task(task: Task, options: Mapping[str, Any]) -> None:
    """Check that pw.x can do a task.

    Raises:
        ValueError: If it cannot, with what it has instead.
    """
    if isinstance(task, Relaxation) and task.optimizer != 'BFGS':
        raise ValueError(f'pw.x relaxes by its own BFGS, got the optimizer {task.optimizer}')
    for index, stage in enumerate(task.stages):
        name = stage.thermostat
        if name == 'npt':
            raise ValueError(
                f'stage {index}: pw.x has no thermostat at constant pressure; use {THERMOSTATS} '
                'at constant volume, or the engine `ase`'
            )
        if name != 'nve' and options['thermostats'].get(name) is None:
            raise ValueError(
                f'stage {index}: pw.x has no {name} thermostat (its `langevin` dynamics is '
                f'overdamped); it has {THERMOSTATS}. The option `thermostats: {{{name}: svr}}` '
                'takes stochastic velocity rescaling instead'
            )
    steps = sorted({stage.timestep for stage in task.stages})
    if len(steps) > 1:
        raise ValueError(
            f'pw.x continues from the last two positions, so that all stages must have one '
            f'timestep, got {steps} fs'
        )


def plan(
    task: Task,
    options: Mapping[str, Any],
    velocities: Floats | None,
    n_atoms: int,
    fixed: Sequence[int] = (),
) -> list[Job]:
    """Return the jobs of one configuration, in order.

    Dynamics starts with one step from the drawn velocities at constant energy: the thermostats of
    pw.x 6.7 divide by a temperature that it does not know before that. Every stage continues from
    the folder of the job before, so frames 1, 2, … of the task are what the further jobs compute.

    Args:
        task: One that `check_task` accepts.
        options: The complete options.
        velocities: Å/fs, shape (n_atoms, 3), for dynamics.
        n_atoms: Number of atoms.
        fixed: Atoms that do not move.
    """
    settings: dict[str, Any] = {}
    if len(fixed):
        settings['FIXED_COORDS'] = [[atom in set(fixed)] * 3 for atom in range(n_atoms)]
    if isinstance(task, Relaxation):
        return [Job(_relaxation(task), settings)]
    if not task.stages:
        return [Job({'CONTROL': {'calculation': 'scf'}})]
    if velocities is None:
        raise ValueError('dynamics needs velocities')
    given = {'ATOMIC_VELOCITIES': (velocities / VELOCITY).tolist()}
    first = {'ion_temperature': 'not_controlled', 'ion_velocities': 'from_input'}
    timestep = task.stages[0].timestep
    jobs = [Job(_dynamics(1, timestep, first), settings | given, stage=-1, steps=1)]
    for index, stage in enumerate(task.stages):
        jobs += _stage(index, stage, options, settings)
    return jobs


def halve(job: Job) -> list[Job]:
    """Return two jobs of half the steps in place of one of dynamics, or none if it has but one."""
    if job.steps < 2:
        return []
    pieces = (job.steps // 2, job.steps - job.steps // 2)
    return [
        Job(
            {**job.parameters, 'CONTROL': {**job.parameters['CONTROL'], 'nstep': steps}},
            job.settings,
            job.stage,
            steps,
            job.continues,
        )
        for steps in pieces
    ]


def _relaxation(task: Relaxation) -> dict[str, dict[str, Any]]:
    control: dict[str, Any] = {
        'calculation': 'relax' if task.cell == 'fixed' else 'vc-relax',
        'nstep': task.max_steps,
        # pw.x compares components, the task means norms; the energy is not to decide
        'forc_conv_thr': task.fmax / math.sqrt(3) / FORCE,
        'etot_conv_thr': 1.0,
    }
    parameters = {'CONTROL': control, 'IONS': {'ion_dynamics': 'bfgs'}}
    if task.cell != 'fixed':
        free = {'shape': 'shape', 'free': 'all'}[task.cell]
        parameters['CELL'] = {'cell_dynamics': 'bfgs', 'cell_dofree': free}
    return parameters


def _dynamics(steps: int, timestep: float, ions: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    control = {'calculation': 'md', 'nstep': steps, 'dt': timestep / TIME}
    extrapolation = {'pot_extrapolation': 'second_order', 'wfc_extrapolation': 'second_order'}
    return {
        'CONTROL': control,
        # atoms move as they would without the symmetry that they happen to start with
        'SYSTEM': {'nosym': True},
        'IONS': {'ion_dynamics': 'verlet', **extrapolation, **ions},
    }


def _stage(
    index: int, stage: Stage, options: Mapping[str, Any], settings: dict[str, Any]
) -> list[Job]:
    total = stage.steps
    first, last = stage.temperature
    longest = options['steps_per_job']
    if first != last:
        longest = min(longest, options['ramp_steps'])
    jobs = []
    for begin in range(0, total, longest):
        steps = min(longest, total - begin)
        middle = first + (last - first) * (begin + steps / 2) / total
        parameters = _dynamics(steps, stage.timestep, _thermostat(stage, options, middle))
        parameters['CONTROL']['restart_mode'] = 'restart'
        jobs.append(Job(parameters, settings, stage=index, steps=steps, continues=True))
    return jobs


def _thermostat(stage: Stage, options: Mapping[str, Any], temperature: float) -> dict[str, Any]:
    """Return the namelist of a thermostat that couples as strongly as that of the task."""
    if stage.thermostat == 'nve':
        return {'ion_temperature': 'not_controlled'}
    # the kinetic energy relaxes at twice the friction
    time = 500 / stage.friction if stage.friction else stage.damping or math.nan
    return {
        'ion_temperature': options['thermostats'][stage.thermostat],
        'tempw': max(temperature, LOWEST_TEMPERATURE),
        'nraise': max(1, round(time / stage.timestep)),
    }
