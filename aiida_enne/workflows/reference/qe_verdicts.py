"""What became of one job of the Quantum ESPRESSO engine."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from aiida import orm
from ase.data import atomic_masses, atomic_numbers

from aiida_enne.calculations.quantumespresso import read_path
from aiida_enne.codes import qe
from aiida_enne.science.plans.tasks import Task

#: Exit statuses of `PwCalculation` that leave a path of a relaxation, 0 apart.
WITH_PATH = (500, 501, 502)
#: Exit statuses of `PwCalculation` and of the scheduler where time ran out.
OUT_OF_TIME = (120, 340, 400)


@dataclass
class Verdict:
    """How a job ended.

    Attributes:
        status: `finished`, `failed`, `exploded`, `unconverged` or `out_of_time`.
        message: Why, unless finished.
        runs: Runs of pw.x of which the frames are good, in order.
    """

    status: str
    message: str = ''
    runs: list[orm.CalcJobNode] = field(default_factory=list)

    @property
    def public_status(self) -> str:
        """The status that the results show: time that does not do even for one step is failure."""
        return 'failed' if self.status == 'out_of_time' else self.status


def inspect(node: orm.ProcessNode, job: qe.Job, task: Task, index: int) -> Verdict:
    """Judge a `PwBaseWorkChain`."""
    jobs = [one for one in node.called if isinstance(one, orm.CalcJobNode)]
    runs = sorted(jobs, key=lambda one: one.ctime)
    if not runs:
        return Verdict('failed', node.exit_message or ended(node))
    last = runs[-1]
    if job.steps:
        return _dynamics(last, job, task, index)
    if task.kind == 'relax':
        return _relaxation(node, runs)
    if not node.is_finished_ok:
        return Verdict('failed', reason(node, last))
    return _readable(Verdict('finished', runs=[last]))


def ended(node: orm.ProcessNode) -> str:
    """Say in which state a process is."""
    return f'ended {node.process_state.value}' if node.process_state else 'never began'


def reason(node: orm.ProcessNode, last: orm.CalcJobNode) -> str:
    """Say why a work chain failed, by what its last run said."""
    return last.exit_message or node.exit_message or f'pw.x {ended(last)}'


def _relaxation(node: orm.ProcessNode, runs: list[orm.CalcJobNode]) -> Verdict:
    """Keep the path of all runs with the bands of the last one, which are known to suffice."""
    bands = _bands(runs[-1])
    kept = [
        run
        for run in runs
        if run.exit_status in (0, *WITH_PATH)
        and 'output_trajectory' in run.outputs
        and _bands(run) == bands
    ]
    converged = node.is_finished and node.exit_status in (0, 501)
    if converged and kept:
        return _readable(Verdict('finished', runs=kept))
    status = 'unconverged' if kept and kept[-1] is runs[-1] else 'failed'
    return _readable(Verdict(status, reason(node, runs[-1]), kept))


def _bands(run: orm.CalcJobNode) -> Any:
    return run.inputs.parameters.get_dict().get('SYSTEM', {}).get('nbnd')


def _dynamics(run: orm.CalcJobNode, job: qe.Job, task: Task, index: int) -> Verdict:
    if run.exit_status in OUT_OF_TIME:
        return Verdict('out_of_time', f'not one step in the walltime: {run.exit_message}')
    if not run.is_finished_ok or 'output_trajectory' not in run.outputs:
        return Verdict('failed', run.exit_message or f'pw.x {ended(run)}')
    verdict = _readable(Verdict('finished', runs=[run]))
    if verdict.status != 'finished':
        return verdict
    path = _path(run)
    if len(path.energies) != job.steps:
        # pw.x ends without an error where the density of a step does not converge
        return Verdict('failed', f'pw.x stopped after {len(path.energies)} of {job.steps} steps')
    timestep = task.stages[0].timestep
    structure = run.inputs.structure
    symbols = [structure.get_kind(site.kind_name).symbol for site in structure.sites]
    masses = atomic_masses[[atomic_numbers[symbol] for symbol in symbols]]
    walk = np.concatenate([path.positions, path.end[0][None]])
    if job.stage < 0:
        given = np.array(run.inputs.settings.get_dict()['ATOMIC_VELOCITIES']) * qe.VELOCITY
        wrong = qe.check_first_step(walk, given, path.forces[0], timestep, masses)
        return verdict if wrong is None else Verdict('failed', wrong)
    heat = qe.temperatures(walk, timestep, masses, task.fixed_of(index))
    if len(heat) and not heat.max() <= (limit := task.max_temperature):
        message = f'the temperature is {heat.max():.0f} K, above {limit:.0f} K'
        return Verdict('exploded', message)
    return verdict


def _path(run: orm.CalcJobNode) -> qe.Path:
    described = {'label': 'run', 'configuration': 0, 'stage': 0, 'converged': False}
    ends = {'run': run.outputs.output_structure} if 'output_structure' in run.outputs else {}
    return read_path(described, {'run': run.outputs.output_trajectory}, ends)


def _readable(verdict: Verdict) -> Verdict:
    """Return the verdict, or failure if a run left arrays of which no frame can be made."""
    for run in verdict.runs:
        try:
            path = _path(run)
        except (ValueError, AttributeError) as exception:
            return Verdict('failed', f'the output of pw.x is not complete: {exception}')
        if not (np.isfinite(path.energies).all() and np.isfinite(path.forces).all()):
            return Verdict('failed', 'pw.x gave energies or forces that are not finite')
    return verdict
