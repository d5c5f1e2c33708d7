"""Relaxations of many parts by any engine: what equations of state, defects and surfaces share."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from typing import Any

from aiida import orm
from aiida.engine import ExitCode, ProcessSpec, while_

from aiida_enne.calculations.functions import merge_datasets
from aiida_enne.calculations.relaxations import build_at_lattice_constant, list_failures
from aiida_enne.data.configurations import ConfigurationsData
from aiida_enne.data.dataset import DatasetData
from aiida_enne.science.plans.relaxations import ANY_LATTICE_CONSTANT, Part, at_lattice_constant
from aiida_enne.science.structures.recipes import build
from aiida_enne.workflows.base import PoolWorkChain, ProtocolMixin, why_failed
from aiida_enne.workflows.reference.chosen import (
    define_engine,
    engine_inputs,
    refusal,
    thaw,
)
from aiida_enne.workflows.reference.engine import ReferenceWorkChain, load_engine


class RelaxationWorkChain(ProtocolMixin, PoolWorkChain):
    """Hand parts to an engine, so many at a time; whatever one left is handed out.

    A subclass says which parts there are and what becomes of their frames.
    """

    @classmethod
    def define(cls, spec: ProcessSpec) -> None:
        """Define what all relaxations share."""
        super().define(spec)
        node = {'serializer': orm.to_aiida_type}
        define_engine(spec)
        spec.input('symbol', valid_type=orm.Str, default=lambda: orm.Str('Si'), **node)
        spec.input(
            'relax',
            valid_type=orm.Dict,
            default=lambda: orm.Dict({}),
            help='Options of a task relax, see `codes.ase_run.complete_task`.',
            **node,
        )
        spec.input(
            'max_failures',
            valid_type=orm.Int,
            default=lambda: orm.Int(0),
            help='Configurations that may fail.',
            **node,
        )
        spec.inputs.validator = cls.validate
        spec.outline(cls.list_parts, while_(cls.has_work)(cls.work), cls.conclude)
        spec.output_namespace('datasets', valid_type=DatasetData, dynamic=True)
        spec.output(
            'failures',
            valid_type=orm.Dict,
            help='`failures`: part, configuration and message of all that has no good end.',
        )
        spec.exit_code(
            410, 'ERROR_SOME_FAILED', message='{n} of {total} configurations failed: {failures}'
        )
        spec.exit_code(
            510, 'ERROR_ALL_FAILED', message='All {total} configurations failed: {failures}'
        )

    @classmethod
    @abstractmethod
    def parts_of(cls, inputs: Mapping[str, Any]) -> dict[str, Part]:
        """Return the parts by label; raises ValueError if the inputs cannot be used."""

    @abstractmethod
    def hand_out(self) -> None:
        """Hand out datasets made of `self.ctx.paths`."""

    @classmethod
    def validate(cls, inputs: Mapping[str, Any], ports: Any) -> str | None:
        """Check the parts, and that the engine takes the task of each."""
        if not {'engine', 'inputs', 'relax', 'symbol'} <= set(ports):
            return None  # a workflow has excluded them and validates by submitting
        if inputs['max_failures'].value < 0:
            return f'`max_failures` must not be negative, got {inputs["max_failures"].value}'
        try:
            parts = cls.parts_of(inputs)
            built = {label: draft(part) for label, part in parts.items()}
        except ValueError as exception:
            return str(exception)
        for label, part in parts.items():
            owned = {'configurations': built[label], 'task': orm.Dict(part['task'])}
            if why := refusal(inputs['engine'].value, inputs.get('inputs', {}), **owned):
                return f'{label}: {why}'
        return None

    @classmethod
    def engine_builder(
        cls,
        code: orm.AbstractCode,
        engine: str,
        part: Part,
        *,
        protocol: str | None,
        overrides: dict[str, Any],
    ) -> dict[str, Any]:
        """Return the inputs of the engine's protocol for work such as a part's."""
        builder = load_engine(engine).get_builder_from_protocol(
            code, draft(part), part['task'], protocol=protocol, overrides=overrides
        )
        return engine_inputs(builder)

    def list_parts(self) -> None:
        """List all parts."""
        self.open_pool()
        self.ctx.parts = self.parts_of(self.inputs)
        self.ctx.waiting = list(self.ctx.parts)
        self.ctx.paths, self.ctx.results, self.ctx.ends = {}, {}, {}

    def build(self, part: Part) -> ConfigurationsData:
        """Build what is relaxed."""
        recipe = orm.List(part['recipe'])
        return build_at_lattice_constant(recipe, self.inputs.lattice_constant)

    def job(self, label: Any) -> tuple[type[ReferenceWorkChain], dict[str, Any]]:
        """Return the relaxation of a part."""
        part = self.ctx.parts[label]
        inputs = thaw(self.inputs.get('inputs', {}))
        inputs |= {'configurations': self.build(part), 'task': orm.Dict(part['task'])}
        inputs['metadata'] = {'call_link_label': label}
        return load_engine(self.inputs.engine.value), inputs

    def take(self, label: Any, node: orm.ProcessNode) -> None:
        """Take over what there is."""
        for name, taken in (('dataset', self.ctx.paths), ('results', self.ctx.results)):
            if name in node.outputs:
                taken[label] = node.outputs[name]
        message = None if node.is_finished_ok else why_failed(node)
        n = node.inputs.configurations.n_frames
        self.ctx.ends[label] = {'n': n, 'message': message}

    def conclude(self) -> ExitCode | None:
        """Hand out everything, then say what failed."""
        self.hand_out()
        failures = list_failures(orm.Dict(self.ctx.ends), **self.ctx.results)
        self.out('failures', failures)
        summary = failures.get_dict()
        n, total, allowed = (
            summary['n_failed'],
            summary['n_configurations'],
            self.inputs.max_failures,
        )
        named = '; '.join(
            f'{item["part"]} {item["configuration"]}: {item["message"]}'
            for item in summary['failures']
        )
        if n and n == total:
            return self.exit_codes.ERROR_ALL_FAILED.format(total=total, failures=named)
        if n > allowed.value:
            return self.exit_codes.ERROR_SOME_FAILED.format(n=n, total=total, failures=named)
        if n:
            self.report(f'{n} of {total} configurations failed, tolerated: {named}')
        return None

    def join_with_bulk(self, label: str, bulk: str) -> DatasetData | None:
        """Return a path joined with the perfect crystal that its energies refer to."""
        found = {
            name: self.ctx.paths[part]
            for name, part in (('bulk', bulk), ('path', label))
            if part in self.ctx.paths
        }
        return merge_datasets(**found) if 'path' in found else None


def draft(part: Part) -> ConfigurationsData:
    """Return unstored configurations like those of a part, at any lattice constant."""
    recipe = part['recipe']
    if any(item['kind'] != 'phase' for item in recipe):
        recipe = at_lattice_constant(recipe, ANY_LATTICE_CONSTANT)
    return ConfigurationsData.from_configurations(build(recipe))
