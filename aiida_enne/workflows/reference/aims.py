"""The FHI-aims engine: one job per configuration, or per run of its trajectory."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from functools import partial
from typing import Any

from aiida import orm
from aiida.engine import ExitCode, ProcessSpec, while_

from aiida_enne.calculations.aims import AimsCalculation as Aims
from aiida_enne.calculations.ports import at_least, port, validator_of
from aiida_enne.calculations.references import collect_reference
from aiida_enne.codes.aims import tasks
from aiida_enne.codes.aims.control import k_grid
from aiida_enne.codes.aims.labels import level_of_theory
from aiida_enne.codes.aims.settings import ControlSettings
from aiida_enne.data.configurations import ConfigurationsData
from aiida_enne.data.species import find_species
from aiida_enne.science import checks
from aiida_enne.science.plans.prices import Meshed
from aiida_enne.science.plans.tasks import read_task
from aiida_enne.workflows.base import PoolWorkChain
from aiida_enne.workflows.reference.aims_base import AimsBaseWorkChain as Base
from aiida_enne.workflows.reference.engine import ReferenceWorkChain, validate_inputs
from aiida_enne.workflows.reference.stand_ins import any_species, is_planning

#: Inputs of a job that the engine sets itself.
OWNED = tuple(
    f'aims.{name}' for name in ('configurations', 'index', 'fixed', 'velocities', 'parent_folder')
)
#: Failures that the message of the exit code names; all are in `results`.
NAMED = 5


def validate_all(inputs: dict[str, Any], ports: Any) -> str | None:
    """Check that FHI-aims can do what the task asks for."""
    if problem := validate_inputs(inputs, ports):
        return problem
    if not {'task', 'base', 'configurations'} <= set(ports):
        return None  # a workflow has excluded them and validates by submitting
    try:
        plan(inputs)
        if 'seed' in inputs:
            checks.count('seed', inputs['seed'].value, 0)
    except ValueError as exception:
        return str(exception)
    given = inputs['base']['aims'].get('species', {})
    elements = inputs['configurations'].elements
    if missing := sorted(set(elements) - set(given)):
        return f'`species` must have every element, it lacks {", ".join(missing)}'
    n_atoms = inputs['configurations'].get_configurations().n_atoms.tolist()
    return read_task(inputs['task'].get_dict()).misfit(n_atoms)


def plan(inputs: Any) -> list[tasks.Run]:
    """Return the runs of the task."""
    task = read_task(inputs['task'].get_dict())
    thermostats = inputs['thermostats'].get_dict() if 'thermostats' in inputs else {}
    settings = inputs['base']['aims']['parameters'].get_dict()
    return tasks.plan(task, settings, thermostats, inputs['ramp_segments'].value)


class AimsReferenceWorkChain(PoolWorkChain, ReferenceWorkChain):
    """Label, move or relax configurations with FHI-aims."""

    PROTOCOLS = 'reference_aims'

    COSTS = {
        'label_seconds': 1000.0,
        'step_seconds': 600.0,
        'exponent': 2.0,
        'engine_megabytes': 5.0,
        'source': 'assumed, not measured: light, 64 atoms at 2×2×2 k; others by their k-points',
    }

    @classmethod
    def price(cls, inputs: Mapping[str, Any]) -> Meshed | None:
        """Return what a label costs: as `COSTS` say of 64 atoms, times its k-points."""
        grid = inputs.get('base', {}).get('aims', {}).get('parameters', {}).get('k_grid')
        if grid is None and 'k_density' not in inputs:
            return None
        known = {name: cls.COSTS[name] for name in ('label_seconds', 'step_seconds', 'exponent')}
        mesh = None if grid is None else (int(grid[0]), int(grid[1]), int(grid[2]))
        return Meshed(**known, density=inputs.get('k_density', 0.0), mesh=mesh)

    @classmethod
    def define(cls, spec: ProcessSpec) -> None:
        """Define the process specification."""
        super().define(spec)
        spec.expose_inputs(Base, namespace='base', exclude=OWNED)
        spec.input(
            'k_density',
            **port(orm.Float, validator_of(partial(checks.positive, 'k_density')), required=False),
            help='k-points per Å⁻¹ of reciprocal length, 2π included; or `k_grid` for all.',
        )
        spec.input(
            'thermostats',
            **port(orm.Dict, required=False),
            help='Ensemble of MD_run in place of `langevin` or `nose_hoover_chain`.',
        )
        spec.input(
            'ramp_segments',
            **port(orm.Int, at_least(1), default=10),
            help='Runs of one temperature each that a ramp takes.',
        )
        spec.input(
            'max_concurrent',
            **port(orm.Int, at_least(1), required=False),
            help='Jobs at a time, all by default.',
        )
        spec.inputs.validator = validate_all
        spec.outline(cls.setup, while_(cls.has_work)(cls.work), cls.collect, cls.conclude)

    @classmethod
    def from_protocol(
        cls,
        configurations: ConfigurationsData,
        protocol: str | None,
        overrides: Mapping[str, Any] | None,
    ) -> dict[str, Any]:
        """Return the inputs that a protocol sets; `species` of the overrides is that of a family.

        Raises:
            ValueError: If there is no such protocol, or the family lacks an element.
        """
        inputs = super().from_protocol(configurations, protocol, overrides)
        family = inputs.pop('species')
        if 'k_grid' in inputs['base']['aims']['parameters']:
            inputs.pop('k_density', None)
        try:
            species = find_species(family, configurations.elements)
        except ValueError:
            if not is_planning():
                raise
            species = any_species(configurations.elements)
        inputs['base']['aims']['species'] = species
        return inputs

    @classmethod
    def level_of(cls, inputs: Mapping[str, Any], elements: Sequence[str]) -> str | None:
        """Return that of the settings and of the species."""
        job = inputs['base']['aims']
        settings = ControlSettings.from_dict(job['parameters'].get_dict())
        return level_of_theory(settings, [job['species'][element].level for element in elements])

    def setup(self) -> None:
        """Plan the runs of every configuration."""
        self.open_pool()
        self.ctx.cells = self.inputs.configurations.get_configurations()
        chosen = self.inputs.thermostats.get_dict() if 'thermostats' in self.inputs else {}
        for name in sorted({stage.thermostat for stage in self.task.stages}):
            if name in chosen:
                self.report(f'{chosen[name]} stands for the thermostat {name}')
        self.ctx.next_run = [0] * len(self.ctx.cells)
        self.ctx.waiting = list(range(len(self.ctx.cells)))
        self.ctx.statuses = [
            {'status': 'waiting', 'message': ''} for _ in range(len(self.ctx.cells))
        ]
        self.ctx.begins, self.ctx.datasets, self.ctx.parts = {}, {}, {}

    def job(self, index: Any) -> tuple[type[Base], dict[str, Any]]:
        """Return the next run of a configuration."""
        number = self.ctx.next_run[index]
        return Base, self.run_inputs(index, number, plan(self.inputs)[number])

    def run_inputs(self, index: int, number: int, run: tasks.Run) -> dict[str, Any]:
        """Return the inputs of one run of one configuration."""
        inputs = self.exposed_inputs(Base, 'base')
        settings = dict(run.settings)
        if 'k_density' in self.inputs:
            cells = self.ctx.cells
            density = self.inputs.k_density.value
            grid = k_grid(cells.cells[index], cells.pbc[index].tolist(), density)
            settings['k_grid'] = list(grid) if cells.pbc[index].any() else None
        if 'md' in settings:
            seed = tasks.seed_of(self.inputs.seed.value, index, number)
            settings['md'] = settings['md'] | {'seed': seed}
        begin = self.ctx.begins.get(index, {})
        job = {
            'configurations': self.inputs.configurations,
            'index': orm.Int(index),
            'parameters': orm.Dict(settings),
            **begin,
        }
        if self.task.fixed:
            job['fixed'] = orm.List(self.task.fixed_of(index))
        inputs['aims'] = {**inputs['aims'], **job}
        species, elements = inputs['aims']['species'], self.ctx.cells.select([index]).elements
        inputs['aims']['species'] = {element: species[element] for element in elements}
        inputs['metadata'] = {'call_link_label': label_of(index, number)}
        return inputs

    def take(self, index: Any, node: orm.ProcessNode) -> None:
        """Take over what a run gave, and line up the next one of the trajectory."""
        runs = plan(self.inputs)
        number = self.ctx.next_run[index]
        label = label_of(index, number)
        if 'dataset' in node.outputs and (node.is_finished_ok or self.task.kind != 'label'):
            self.ctx.datasets[label] = node.outputs.dataset
            about = asdict(runs[number])
            about.pop('settings')
            self.ctx.parts[label] = about | {'configuration': index}
        self.ctx.statuses[index] = self.status_of(node)
        if self.ctx.statuses[index]['status'] == 'finished' and number + 1 < len(runs):
            self.ctx.next_run[index] += 1
            self.ctx.begins[index] = {
                'configurations': node.outputs.last_configuration,
                'index': orm.Int(0),
                'velocities': node.outputs.last_velocities,
            }
            # trajectories that have begun go first: at most `max_concurrent` are open at a time
            self.ctx.waiting.insert(0, index)

    def status_of(self, node: orm.ProcessNode) -> dict[str, str]:
        """Return what became of a run."""
        if self.task.stages and 'dataset' in node.outputs:
            hottest = node.outputs.dataset.get_configurations().info['temperature'].max()
            if hottest > self.task.max_temperature:
                return {'status': 'exploded', 'message': f'{hottest:.0f} K were reached'}
        if node.is_finished_ok:
            return {'status': 'finished', 'message': ''}
        message = node.exit_message or f'{node.process_label}<{node.pk}> is {node.process_state}'
        unrelaxed = Aims.exit_codes.ERROR_RELAXATION_NOT_CONVERGED.status
        status = 'unconverged' if node.exit_status == unrelaxed else 'failed'
        return {'status': status, 'message': message}

    def collect(self) -> None:
        """Join everything into one dataset, and list what failed."""
        outcomes = {
            'kind': self.task.kind,
            'statuses': self.ctx.statuses,
            'parts': self.ctx.parts,
        }
        collected = collect_reference(
            self.inputs.configurations, orm.Dict(outcomes), **self.ctx.datasets
        )
        for name, node in collected.items():
            self.out(name, node)

    def conclude(self) -> ExitCode | None:
        """Say which configurations failed."""
        statuses = enumerate(self.ctx.statuses)
        bad = {index: item['message'] for index, item in statuses if item['status'] != 'finished'}
        return self.verdict(bad, len(self.ctx.statuses), NAMED)


def label_of(index: int, number: int) -> str:
    """Return the label of one run of one configuration."""
    return f'configuration_{index:06d}_run_{number:03d}'
