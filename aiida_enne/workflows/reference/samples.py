"""Structures of recipes or of your own, labelled, moved or relaxed by any engine."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aiida import orm
from aiida.engine import ExitCode, ProcessBuilder, ProcessSpec, while_

from aiida_enne.calculations.functions import build_configurations, merge_datasets, take_starts
from aiida_enne.calculations.ports import port
from aiida_enne.data.configurations import ConfigurationsData
from aiida_enne.data.dataset import DatasetData
from aiida_enne.science.plans.samples import Sample
from aiida_enne.workflows.base import why_failed
from aiida_enne.workflows.reference.engine import ReferenceWorkChain
from aiida_enne.workflows.reference.sampling import SamplingWorkChain, load_moving, refuse_work


def validate_inputs(inputs: Mapping[str, Any], ports: Any) -> str | None:
    """Check every recipe, and that the engine takes the task of every sample."""
    if not {'samples', 'engine', 'inputs'} <= set(ports):
        return None  # a workflow has excluded them and validates by submitting
    if not inputs['samples']:
        return '`samples` is empty: give at least one `recipe` or `start` with its `task`'
    pool = inputs['pool'].get_configurations() if 'pool' in inputs else None
    for label, node in inputs['samples'].items():
        try:
            sample = Sample.of(label, node.get_dict(), pool)
        except ValueError as exception:
            return str(exception)
        owned = {'configurations': ConfigurationsData.from_configurations(sample.structures)}
        if why := refuse_work(inputs, **owned, **_calculated(sample)):
            return f'{label}: {why}'
    return None


def _calculated(sample: Sample) -> dict[str, orm.Data]:
    seed = {} if sample.seed is None else {'seed': orm.Int(sample.seed)}
    return {'task': orm.Dict(sample.task.given), **seed}


class SampleWorkChain(SamplingWorkChain):
    """Build every sample, let the reference calculate it, and join all labels in one dataset."""

    PROTOCOLS = 'sample'

    @classmethod
    def define(cls, spec: ProcessSpec) -> None:
        """Define the process specification."""
        super().define(spec)
        spec.input_namespace(
            'samples',
            valid_type=orm.Dict,
            dynamic=True,
            help='By label: `recipe` or `start` of structures, `task`, `seed` of dynamics; see '
            '`science.plans.samples.Sample`.',
        )
        spec.input(
            'pool',
            **port(ConfigurationsData, required=False),
            help='What the `start` of a sample chooses from.',
        )
        spec.inputs.validator = validate_inputs
        spec.outline(cls.begin, while_(cls.has_work)(cls.work), cls.conclude)
        spec.output('dataset', valid_type=DatasetData, required=False, help='All labels.')
        spec.exit_code(410, 'ERROR_SAMPLES_FAILED', message='Some samples failed: {failures}')

    @classmethod
    def get_builder_from_protocol(
        cls,
        code: orm.AbstractCode,
        engine: str = 'ase',
        *,
        pool: ConfigurationsData | None = None,
        protocol: str | None = None,
        overrides: Mapping[str, Any] | None = None,
    ) -> ProcessBuilder:
        """Return a builder with all inputs set by the protocol, then by the overrides.

        Args:
            code: Code of the engine.
            engine: Name of the engine.
            pool: What the `start` of a sample chooses from.
            protocol: One of `get_available_protocols`.
            overrides: Inputs that win over the protocol's; a sample that is None is left out,
                `inputs` are overrides of the engine's, for `sampler` see
                `reference.sampling.sampler_inputs`.

        Raises:
            ValueError: If there is no such protocol, or a sample cannot be used.
            EntryPointError: If there is no such engine.
        """
        chosen = load_moving('sample', engine, protocol, overrides)
        given = {name: one for name, one in chosen['samples'].items() if one is not None}
        frames = None if pool is None else pool.get_configurations()
        samples = {label: Sample.of(label, one, frames) for label, one in given.items()}
        if not samples:
            raise ValueError('no sample is left: give at least one `recipe` with its `task`')
        first = next(iter(samples.values()))
        start = ConfigurationsData.from_configurations(first.structures)
        work = {'configurations': start, 'task': first.task.given, 'seed': first.seed}
        chosen['samples'] = {label: orm.Dict(one) for label, one in given.items()}
        chosen |= {} if pool is None else {'pool': pool}
        return cls.fill(code, engine, protocol, chosen, **work)

    @classmethod
    def width(cls, inputs: Mapping[str, Any]) -> int:
        """Return how many jobs these inputs can keep busy at a time."""
        return len(inputs['samples'])

    def begin(self) -> None:
        """List the samples."""
        self.open_pool()
        self.ctx.waiting = list(self.inputs.samples)
        self.ctx.datasets, self.ctx.failures = {}, {}

    def job(self, label: Any) -> tuple[type[ReferenceWorkChain], dict[str, Any]]:
        """Return the calculation of a sample."""
        pool = self.inputs.get('pool')
        frames = None if pool is None else pool.get_configurations()
        sample = Sample.of(label, self.inputs.samples[label].get_dict(), frames)
        if 'recipe' in sample.origin:
            start = build_configurations(orm.List(sample.origin['recipe']))
        else:
            start = take_starts(pool, orm.Dict(sample.origin['start']))
        return self.work_of(label, configurations=start, **_calculated(sample))

    def take(self, label: Any, node: orm.ProcessNode) -> None:
        """Take over all labels there are, and remember what failed."""
        if 'dataset' in node.outputs:
            self.ctx.datasets[label] = node.outputs.dataset
        if not node.is_finished_ok:
            self.ctx.failures[label] = why_failed(node)

    def conclude(self) -> ExitCode | None:
        """Hand out all labels, then say what failed."""
        if self.ctx.datasets:
            self.out('dataset', merge_datasets(**self.ctx.datasets))
        return self.failed('ERROR_SAMPLES_FAILED')
