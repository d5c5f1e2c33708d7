"""The Quantum ESPRESSO engine: pw.x through aiida-quantumespresso's own work chain."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from aiida import orm
from aiida.engine import ExitCode, ProcessSpec, WorkChain, while_
from ase.data import atomic_masses

from aiida_enne.calculations.ports import at_least, port, validator_of
from aiida_enne.calculations.quantumespresso import (
    collect_pw,
    extract_structures,
    levels_of_theory,
)
from aiida_enne.codes import qe
from aiida_enne.data.configurations import ConfigurationsData
from aiida_enne.science.data.configurations import Configurations
from aiida_enne.science.fields import Floats
from aiida_enne.science.plans.plane_waves import PlaneWaves
from aiida_enne.science.plans.tasks import Task
from aiida_enne.workflows.base import PoolWorkChain
from aiida_enne.workflows.reference.engine import ReferenceWorkChain
from aiida_enne.workflows.reference.qe_inputs import (
    from_protocol,
    job_inputs,
    price_of,
    pw_base,
    validate_qe,
)
from aiida_enne.workflows.reference.qe_verdicts import Verdict, inspect


class QeReferenceWorkChain(PoolWorkChain, ReferenceWorkChain):
    """Label, move or relax configurations with pw.x, one `PwBaseWorkChain` for each job.

    At most `max_concurrent` configurations are worked on at a time: the next ones begin when all of
    these have finished their job.
    """

    PROTOCOLS = 'reference_qe'

    #: Labels and steps by `price`; these where k-points are a list, or where they are assumed.
    COSTS = {
        'label_seconds': 27.0,
        'step_seconds': 16.5,
        'exponent': 2.0,
        'relax_steps': 15,
        'engine_megabytes': 0.1,
        'job_seconds': 5.0,
        'source': 'measured: pw.x 6.7, norm-conserving silicon; see science.plans.plane_waves',
    }

    @classmethod
    def price(cls, inputs: Mapping[str, Any]) -> PlaneWaves | None:
        """Return what a label costs: plane waves, bands, k-points and iterations, counted."""
        return price_of(inputs)

    @classmethod
    def define(cls, spec: ProcessSpec) -> None:
        """Define the process specification.

        Raises:
            MissingEntryPointError: If aiida-quantumespresso is not installed.
        """
        super().define(spec)
        spec.expose_inputs(
            pw_base(), namespace='base', exclude=('pw.structure', 'pw.parent_folder')
        )
        spec.input(
            'options',
            **port(orm.Dict, validator_of(qe.complete_options), required=False),
            help='How tasks become runs of pw.x, see `codes.qe.complete_options`.',
        )
        spec.input(
            'max_concurrent',
            **port(int, at_least(1), default=2),
            help='Configurations that are worked on at a time.',
        )
        spec.inputs.validator = validate_qe
        spec.outline(cls.list_jobs, while_(cls.has_work)(cls.work), cls.conclude)

    @classmethod
    def from_protocol(
        cls,
        configurations: ConfigurationsData,
        protocol: str | None,
        overrides: Mapping[str, Any] | None,
    ) -> dict[str, Any]:
        """Return the inputs that a protocol sets for these elements.

        Raises:
            MissingEntryPointError: If aiida-quantumespresso is not installed.
            ValueError: If the pseudopotentials are not there.
        """
        return from_protocol(configurations.elements, protocol, overrides)

    @classmethod
    def level_of(cls, inputs: Mapping[str, Any], elements: Sequence[str]) -> str | None:
        """Return what pw.x is asked for."""
        return _level(inputs['base'])

    def list_jobs(self) -> None:
        """Plan the jobs of every configuration."""
        options = self.inputs.options.get_dict() if 'options' in self.inputs else {}
        self.ctx.options = options = qe.complete_options(options)
        self.ctx.structures = extract_structures(self.inputs.configurations)
        self.open_pool()
        self.ctx.planned, self.ctx.verdicts = {}, {}
        self.ctx.last, self.ctx.names = {}, {}
        self.ctx.paths, self.ctx.trajectories, self.ctx.ends = [], {}, {}
        configurations = self.inputs.configurations.get_configurations()
        for index in range(len(configurations)):
            start = None
            if self.task.stages:
                start = _velocities(configurations, index, self.task, self.inputs.seed.value)
            n_atoms, fixed = int(configurations.n_atoms[index]), self.task.fixed_of(index)
            jobs = qe.plan(self.task, options, start, n_atoms, fixed)
            self.ctx.planned[index] = [asdict(job) for job in jobs]
        self.ctx.waiting = sorted(self.ctx.planned)

    def job(self, index: Any) -> tuple[type[WorkChain], dict[str, Any]]:
        """Return the next job of a configuration."""
        job = qe.Job(**self.ctx.planned[index][0])
        base = self.exposed_inputs(pw_base(), 'base')
        structure = self.ctx.structures[f'structure_{index}']
        inputs = job_inputs(base, job, structure, self.ctx.options)
        if job.continues:
            inputs['pw']['parent_folder'] = self.ctx.last[index].outputs.remote_folder
        number = self.ctx.names[index] = self.ctx.names.get(index, -1) + 1
        inputs['metadata'] = {'call_link_label': f'configuration_{index}_job_{number}'}
        return pw_base(), inputs

    def take(self, index: Any, node: orm.ProcessNode) -> None:
        """Take over what there is, and decide what comes next for the configuration."""
        job = qe.Job(**self.ctx.planned[index].pop(0))
        verdict = inspect(node, job, self.task, index)
        if verdict.status == 'out_of_time' and (halves := qe.halve(job)):
            self.report(f'{node.process_label}<{node.pk}> ran out of time; in two halves again')
            self.ctx.planned[index][:0] = [asdict(half) for half in halves]
        else:
            self._keep(index, job, verdict)
            if verdict.status != 'finished':
                self.report(f'configuration {index} {verdict.status}: {verdict.message}')
                self.ctx.planned[index] = []
            if not self.ctx.planned[index]:
                self.ctx.verdicts[index] = (verdict.public_status, verdict.message)
        if self.ctx.planned[index]:
            self.ctx.waiting.insert(0, index)  # what has begun goes on first

    def conclude(self) -> ExitCode | None:
        """Hand out one dataset of all labels, and name the configurations that failed."""
        outcome: dict[str, Any] = {
            'paths': sorted(self.ctx.paths, key=lambda path: path['label']),
            'level_of_theory': _level(self.inputs.base),
            'results': self._results(),
        }
        nodes = {'trajectories': self.ctx.trajectories, 'ends': self.ctx.ends}
        outputs = collect_pw(
            self.inputs.configurations,
            orm.Dict(self.task.complete()),
            orm.Dict(outcome),
            **{name: found for name, found in nodes.items() if found},
        )
        self.out_many(outputs)
        failures = outcome['results']['failures']
        named = {one['configuration']: one['message'] for one in failures}
        return self.verdict(named, len(self.ctx.verdicts))

    def _keep(self, index: int, job: qe.Job, verdict: Verdict) -> None:
        """Remember the runs of a job, of which frames and the next job are taken."""
        for run in verdict.runs:
            number = sum(path['configuration'] == index for path in self.ctx.paths)
            label = f'run_{index:06d}_{number:03d}'
            self.ctx.paths.append(
                {
                    'label': label,
                    'configuration': index,
                    'stage': job.stage,
                    'converged': verdict.status == 'finished' and run is verdict.runs[-1],
                }
            )
            self.ctx.trajectories[label] = run.outputs.output_trajectory
            if 'output_structure' in run.outputs:
                self.ctx.ends[label] = run.outputs.output_structure
            self.ctx.last[index] = run

    def _results(self) -> dict[str, Any]:
        verdicts = sorted(self.ctx.verdicts.items())
        names = [status for _, (status, _) in verdicts]
        return {
            'kind': self.task.kind,
            'n_configurations': len(verdicts),
            'counts': {name: names.count(name) for name in sorted(set(names))},
            'failures': [
                {'configuration': index, 'status': status, 'message': message}
                for index, (status, message) in verdicts
                if status != 'finished'
            ],
            'thermostats': self.ctx.options['thermostats'],
            'jobs': {str(index): number + 1 for index, number in self.ctx.names.items()},
        }


def _level(base: Any) -> str:
    return ', '.join(levels_of_theory(base).values())


def _velocities(configurations: Configurations, index: int, task: Task, seed: int) -> Floats:
    """Draw what one configuration starts with; each has its own random numbers."""
    masses = atomic_masses[configurations.numbers[configurations.atom_index([index])]]
    heat, fixed = task.stages[0].temperature[0], task.fixed_of(index)
    return qe.draw_velocities(masses, heat, [seed, index], fixed)
