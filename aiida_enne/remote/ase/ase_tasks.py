"""What can be done with a configuration: label it, move it, relax it."""

from __future__ import annotations

import time
from typing import Any

import ase.optimize
from ase import Atoms
from ase.constraints import FixAtoms, FixSymmetry
from ase.filters import FrechetCellFilter
from ase_calculators import CalculatorError, Calculators
from ase_dynamics import STEPS, ExplodedError, Walker
from ase_units import Clock, StoppedError, Unit
from ase_watch import Watch


class Job:
    """The job's input and what its tasks share."""

    def __init__(self, job: dict[str, Any], frames: list[Atoms], identity: str) -> None:
        """Take the content of the job's file, the configurations, and a digest of both."""
        self.task, self.seed, self.calculator = job['task'], job['seed'], job['calculator']
        self.frames, self.identity = frames, identity

    def units(self) -> list[Unit]:
        """Return the units of work: never more than 256 for labels, else one a configuration."""
        n = len(self.frames)
        size = -(-n // 256) if self.task['kind'] == 'label' else 1
        members = [list(range(first, min(first + size, n))) for first in range(0, n, size)]
        return [Unit(index, some, self.identity) for index, some in enumerate(members)]

    def fixed(self, configuration: int) -> list[int]:
        """Return the atoms that do not move."""
        fixed = self.task.get('fixed')
        return fixed[configuration] if fixed else []


def run(unit: Unit, job: Job, calculators: Calculators, clock: Clock, current: Any) -> None:
    """Work on a unit until it is finished, or until `StoppedError`; either way it is written down.

    `current.value` holds the configuration in work, for whoever finds this process dead.
    """
    unit.open()
    if unit.is_finished:
        return
    unit.begin()
    begin, spent = time.time(), unit.report['seconds']
    task = {'label': label, 'md': move, 'relax': relax}[job.task['kind']]
    try:
        status, message = task(unit, job, calculators, clock, current)
    except (StoppedError, CalculatorError):
        seconds = spent + time.time() - begin
        unit.checkpoint(unit.report['state'], seconds=seconds)
        raise
    except ExplodedError as exception:
        status, message = 'exploded', str(exception)
    except Exception as exception:  # whatever a calculator raises is this configuration's alone
        status, message = 'failed', f'{type(exception).__name__}: {exception}'
        unit.fail(current.value, message)
    seconds = spent + time.time() - begin
    unit.checkpoint(None, status=status, message=message, seconds=seconds)


def label(
    unit: Unit, job: Job, calculators: Calculators, clock: Clock, current: Any
) -> tuple[str, str]:
    """Label every configuration of the unit that is not labelled yet."""
    for position in range(unit.report['done'], len(unit.members)):
        clock.check()
        current.value = configuration = unit.members[position]
        if configuration not in unit.failed:
            atoms = job.frames[configuration].copy()
            calculators.attach(atoms)
            try:
                unit.record(configuration, atoms)
            except Exception as exception:  # a calculator may raise anything; the rest goes on
                unit.fail(configuration, f'{type(exception).__name__}: {exception}')
        unit.report['done'] = position + 1
        if clock.is_due():
            unit.checkpoint(None)
    return 'finished', ''


def move(
    unit: Unit, job: Job, calculators: Calculators, clock: Clock, current: Any
) -> tuple[str, str]:
    """Run one trajectory through its stages."""
    current.value = configuration = unit.members[0]
    atoms = job.frames[configuration].copy()
    calculators.attach(atoms)
    walker = Walker(atoms, [job.seed, configuration], job.fixed(configuration))
    stages, watch = job.task['stages'], Watch(job.task.get('sigma'))
    state = unit.report['state']
    if state is None:
        walker.heat(stages[0]['temperature'][0])
        walker.evaluate()
        place: dict[str, Any] = {'stage': 0, 'step': 0, 'time': 0.0}
    else:
        walker.load(state)
        place = {name: state[name] for name in ('stage', 'step', 'time')}

    for index in range(place['stage'], len(stages)):
        stage = stages[index]
        (first, last), advance = stage['temperature'], STEPS[stage['thermostat']]
        for step in range(place['step'], stage['steps']):
            place |= {'stage': index, 'step': step}
            if clock.is_due():
                unit.checkpoint(place | walker.dump())
            try:
                clock.check()
            except StoppedError:
                unit.report['state'] = place | walker.dump()
                raise
            advance(walker, stage, first + (last - first) * (step + 1) / stage['steps'])
            walker.check(job.task['max_temperature'])
            unit.report['done'] += 1
            place['time'] += stage['timestep'] / 1000
            recorded = is_recorded(stage, step)
            sigma = watch.look(atoms, unit.report['done'], recorded)
            if recorded or watch.above:
                sigma |= {'time': place['time'], 'temperature': walker.temperature}
                unit.record(configuration, atoms, stage=index, step=unit.report['done'], **sigma)
            if watch.stops:
                return 'finished', f'stopped at step {unit.report["done"]}: {watch.above}'
        place['step'] = 0
    return 'finished', ''


def is_recorded(stage: dict[str, Any], step: int) -> bool:
    """Return whether the frame after a step of a stage, counted from 0, is recorded."""
    every = stage['record_every']
    return bool(every) and (step + 1) % every == 0


def relax(
    unit: Unit, job: Job, calculators: Calculators, clock: Clock, current: Any
) -> tuple[str, str]:
    """Relax one configuration and keep every step of the path."""
    current.value = configuration = unit.members[0]
    task, atoms = job.task, job.frames[configuration].copy()
    state = unit.report['state']
    if state is not None:
        atoms.positions, atoms.cell = state['positions'], state['cell']
    calculators.attach(atoms)
    fixed = job.fixed(configuration)
    constraints: list[Any] = [FixAtoms(fixed)] if fixed else []
    if task['symmetry']:
        constraints.append(FixSymmetry(atoms, symprec=task['symprec']))
    atoms.set_constraint(constraints)
    target = atoms
    if task['cell'] != 'fixed':
        target = FrechetCellFilter(atoms, constant_volume=task['cell'] == 'shape')
    optimizer = getattr(ase.optimize, task['optimizer'])(target, logfile=None)

    # the first geometry of a continued path is the last of the one before
    for step, converged in enumerate(
        optimizer.irun(fmax=task['fmax'], steps=task['max_steps'] - unit.report['done']),
        start=unit.report['done'],
    ):
        if state is None or step > unit.report['done']:
            unit.record(configuration, atoms, step=step, converged=float(converged))
        unit.report['done'] = step
        state = {'positions': atoms.positions.tolist(), 'cell': atoms.cell.tolist()}
        unit.report['state'] = state
        if converged:
            return 'finished', ''
        if clock.is_due():
            unit.checkpoint(state)
        clock.check()
    return 'unconverged', f'not converged after {task["max_steps"]} steps'
