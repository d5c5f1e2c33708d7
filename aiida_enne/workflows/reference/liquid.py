"""Liquids of many densities and temperatures by molecular dynamics, on any engine."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aiida import orm
from aiida.engine import (
    ExitCode,
    ProcessBuilder,
    ProcessSpec,
    while_,
)

from aiida_enne.calculations.functions import build_configurations, merge_datasets
from aiida_enne.calculations.liquid import analyse_liquid, take_last_frame
from aiida_enne.calculations.ports import at_least, plain, port
from aiida_enne.data.configurations import ConfigurationsData
from aiida_enne.data.dataset import DatasetData
from aiida_enne.science.plans.melts import Series, Trajectory
from aiida_enne.science.properties.liquid import MeltCriteria
from aiida_enne.science.structures.recipes import build
from aiida_enne.workflows.base import listed, why_failed
from aiida_enne.workflows.reference.engine import ReferenceWorkChain
from aiida_enne.workflows.reference.sampling import SamplingWorkChain, load_moving, refuse_work


def series(inputs: Mapping[str, Any]) -> Series:
    """Return the series of trajectories.

    Raises:
        ValueError: If a value cannot be used.
    """
    return Series.of(plain(inputs))


def recipe(inputs: Mapping[str, Any], density: float) -> list[dict[str, Any]]:
    """Return the recipe of the crystal that is melted."""
    size = {'symbol': inputs['symbol'].value, 'repeats': inputs['repeats'].value}
    return [{'kind': 'liquid', 'density': density, **size}]


def validate_inputs(inputs: Mapping[str, Any], ports: Any) -> str | None:
    """Check the series, and that the engine takes the task of every trajectory."""
    needed = {'densities', 'stages', 'engine', 'inputs', 'symbol', 'repeats', 'criteria'}
    if not needed <= set(ports):
        return None  # a workflow has excluded them and validates by submitting
    try:
        MeltCriteria(**inputs['criteria'].get_dict())
        planned = series(inputs).trajectories()
        density = next(iter(planned.values())).density
        start = ConfigurationsData.from_configurations(build(recipe(inputs, density)))
    except (TypeError, ValueError) as exception:
        return str(exception)
    for label, one in planned.items():
        owned = {'task': orm.Dict(one.task.given), 'seed': orm.Int(one.seed)}
        if why := refuse_work(inputs, configurations=start, **owned):
            return f'{label}: {why}'
    return None


class LiquidWorkChain(SamplingWorkChain):
    """Melt crystals of many densities, record each liquid, then other temperatures of one of them.

    What did not melt is refused, after everything has been handed out.
    """

    PROTOCOLS = 'liquid'

    @classmethod
    def define(cls, spec: ProcessSpec) -> None:
        """Define the process specification."""
        super().define(spec)
        spec.input('symbol', **port(orm.Str, default='Si'))
        spec.input(
            'repeats',
            **port(orm.Int, at_least(1)),
            help='8-atom cells along each edge; 2 are 64 atoms.',
        )
        spec.input('densities', **port(orm.List), help='In g/cm³.')
        spec.input(
            'stages',
            **port(orm.Dict),
            help='`melt`, `equilibrate` (may be absent), `production`: stages of a task md.',
        )
        spec.input(
            'temperatures',
            **port(orm.List, required=False),
            help='Further ones in K, each started from the last melt frame of one density.',
        )
        spec.input(
            'temperature_density',
            **port(orm.Float, required=False),
            help='Which density that is, in g/cm³; the first one.',
        )
        spec.input('seed', **port(orm.Int), help='Every trajectory has its own by it.')
        spec.input(
            'criteria',
            **port(orm.Dict, default={}),
            help='What a liquid must fulfil, see `science.liquid.MeltCriteria`.',
        )
        spec.inputs.validator = validate_inputs
        spec.outline(
            cls.plan_densities,
            while_(cls.has_work)(cls.work),
            cls.plan_temperatures,
            while_(cls.has_work)(cls.work),
            cls.conclude,
        )
        spec.output('dataset', valid_type=DatasetData, required=False, help='All recorded frames.')
        spec.output_namespace(
            'analyses',
            valid_type=orm.Dict,
            dynamic=True,
            help='Displacement, g(r) and verdict by trajectory, see `science.liquid.analyse`.',
        )
        spec.exit_code(410, 'ERROR_TRAJECTORIES_FAILED', message='No liquid of {failures}')
        spec.exit_code(500, 'ERROR_NOT_MOLTEN', message='Not molten: {solids}')

    @classmethod
    def get_builder_from_protocol(
        cls,
        code: orm.AbstractCode,
        engine: str = 'ase',
        *,
        protocol: str | None = None,
        overrides: Mapping[str, Any] | None = None,
    ) -> ProcessBuilder:
        """Return a builder with all inputs set by the protocol, then by the overrides.

        Args:
            code: Code of the engine.
            engine: Name of the engine.
            protocol: One of `get_available_protocols`.
            overrides: Inputs that win over the protocol's; `every_stage` are options of all
                stages, a stage that is None is left out, `inputs` are overrides of the engine's;
                `sampler`: see `reference.sampling.sampler_inputs`.

        Raises:
            ValueError: If there is no such protocol, or a value cannot be used.
            EntryPointError: If there is no such engine.
        """
        chosen = load_moving('liquid', engine, protocol, overrides)
        common = chosen.pop('every_stage')
        given = {name: stage for name, stage in chosen['stages'].items() if stage is not None}
        stages = {name: common | stage for name, stage in given.items()}
        chosen['stages'] = orm.Dict(stages)
        chosen['criteria'] = orm.Dict(chosen['criteria'])
        first = next(iter(series(chosen).trajectories().values()))
        size = {name: orm.to_aiida_type(chosen[name]) for name in ('symbol', 'repeats')}
        start = ConfigurationsData.from_configurations(build(recipe(size, first.density)))
        work = {'configurations': start, 'task': first.task.given, 'seed': chosen['seed']}
        return cls.fill(code, engine, protocol, chosen, **work)

    @classmethod
    def width(cls, inputs: Mapping[str, Any]) -> int:
        """Return how many jobs these inputs can keep busy at a time."""
        later = [one.start is not None for one in series(inputs).trajectories().values()]
        return max(later.count(False), later.count(True))

    @property
    def planned(self) -> dict[str, Trajectory]:
        """All trajectories by label."""
        return series(self.inputs).trajectories()

    def plan_densities(self) -> None:
        """List the trajectories that melt a crystal."""
        self.open_pool()
        self.ctx.waiting = [k for k, one in self.planned.items() if one.start is None]
        self.ctx.datasets, self.ctx.analyses, self.ctx.failures = {}, {}, {}

    def job(self, label: Any) -> tuple[type[ReferenceWorkChain], dict[str, Any]]:
        """Return the dynamics of a trajectory."""
        one = self.planned[label]
        if one.start is None:
            start = build_configurations(orm.List(recipe(self.inputs, one.density)))
        else:
            start = take_last_frame(self.ctx.datasets[one.start], orm.Str(one.melt))
        owned = {'task': orm.Dict(one.task.given), 'seed': orm.Int(one.seed)}
        return self.work_of(label, configurations=start, **owned)

    def take(self, label: Any, node: orm.ProcessNode) -> None:
        """Take over all frames, and see whether they are of a liquid."""
        if 'dataset' in node.outputs:
            self.ctx.datasets[label] = node.outputs.dataset
        if node.is_finished_ok:
            domain = orm.Str(self.planned[label].liquid.label)
            dataset, criteria = node.outputs.dataset, self.inputs.criteria
            self.ctx.analyses[label] = analyse_liquid(dataset, domain, criteria)
        else:
            self.ctx.failures[label] = why_failed(node)

    def plan_temperatures(self) -> None:
        """List the other temperatures, unless what they would start from has not melted."""
        self.ctx.waiting = []
        for label, start in ((k, one.start) for k, one in self.planned.items() if one.start):
            if start in self.ctx.failures or start in self.solids():
                self.ctx.failures[label] = f'it starts from {start}, which is not a liquid'
            else:
                self.ctx.waiting.append(label)

    def solids(self) -> dict[str, str]:
        """Return what speaks against each trajectory that is not one of a liquid."""
        melted = {label: node['melt'] for label, node in self.ctx.analyses.items()}
        return {k: ', '.join(melt['reasons']) for k, melt in melted.items() if not melt['molten']}

    def conclude(self) -> ExitCode | None:
        """Hand out everything, then give the verdict."""
        if self.ctx.datasets:
            planned = {k: self.ctx.datasets[k] for k in self.planned if k in self.ctx.datasets}
            self.out('dataset', merge_datasets(**planned))
        self.out('analyses', self.ctx.analyses)
        if solids := self.solids():
            return self.exit_codes.ERROR_NOT_MOLTEN.format(solids=listed(solids))
        return self.failed('ERROR_TRAJECTORIES_FAILED')
