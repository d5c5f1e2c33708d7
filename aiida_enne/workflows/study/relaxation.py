"""Relaxations of many parts by any engine: what equations of state, defects and surfaces share."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from functools import partial
from typing import Any, ClassVar

from aiida import orm
from aiida.engine import ExitCode, ProcessBuilder, ProcessSpec, while_

from aiida_enne.calculations.functions import merge_datasets
from aiida_enne.calculations.ports import plain, port, validator_of
from aiida_enne.calculations.relaxations import build_at_lattice_constant, list_failures
from aiida_enne.data.configurations import ConfigurationsData
from aiida_enne.data.dataset import DatasetData
from aiida_enne.science.plans.relaxations import Part
from aiida_enne.science.structures.checks import positive
from aiida_enne.workflows.base import why_failed
from aiida_enne.workflows.reference.engine import ReferenceWorkChain
from aiida_enne.workflows.reference.sampling import SamplingWorkChain, load_moving, refuse_work


class RelaxationWorkChain(SamplingWorkChain):
    """Hand parts to an engine, so many at a time; whatever one left is handed out.

    A subclass says which parts there are and what becomes of their frames.
    """

    @classmethod
    def define(cls, spec: ProcessSpec) -> None:
        """Define what all relaxations share."""
        super().define(spec)
        spec.input('symbol', **port(orm.Str, default='Si'))
        spec.input(
            'relax',
            **port(orm.Dict, default={}),
            help='Options of a task relax, see `science.plans.tasks.Relaxation`.',
        )
        spec.input('max_failures', **port(orm.Int, default=0), help='Configurations that may fail.')
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
        """Return the parts of plain inputs by label; ValueError if these cannot be used."""

    @classmethod
    def width(cls, inputs: Mapping[str, Any]) -> int:
        """Return how many jobs these inputs can keep busy at a time."""
        return len(cls.parts_of(plain(inputs)))

    @property
    def parts(self) -> dict[str, Part]:
        """The parts by label."""
        return self.parts_of(plain(self.inputs))

    def hand_out(self) -> None:
        """Hand out every path, joined with the perfect crystal that its energies refer to."""
        for label, part in self.parts.items():
            names = {'bulk': part.crystal, 'path': label}
            found = {k: self.ctx.paths[one] for k, one in names.items() if one in self.ctx.paths}
            if part.crystal and 'path' in found:
                self.out(f'datasets.{label}', merge_datasets(**found))

    @classmethod
    def validate(cls, inputs: Mapping[str, Any], ports: Any) -> str | None:
        """Check the parts, and that the engine takes the task of each."""
        if not {'engine', 'inputs', 'relax', 'symbol'} <= set(ports):
            return None  # a workflow has excluded them and validates by submitting
        if inputs['max_failures'].value < 0:
            return f'`max_failures` must not be negative, got {inputs["max_failures"].value}'
        try:
            parts = cls.parts_of(plain(inputs))
            built = {label: draft(part) for label, part in parts.items()}
        except ValueError as exception:
            return str(exception)
        for label, part in parts.items():
            owned = {'configurations': built[label], 'task': orm.Dict(part.task.given)}
            if why := refuse_work(inputs, **owned):
                return f'{label}: {why}'
        return None

    @classmethod
    def fill(
        cls,
        code: orm.AbstractCode,
        engine: str,
        protocol: str | None,
        chosen: dict[str, Any],
        **work: Any,
    ) -> ProcessBuilder:
        """Return a builder of the inputs, those of the engine for work such as the first part's."""
        first = next(iter(cls.parts_of(plain(chosen)).values()))
        work = {'configurations': draft(first), 'task': first.task.given} | work
        return super().fill(code, engine, protocol, chosen, **work)

    def list_parts(self) -> None:
        """List all parts."""
        self.open_pool()
        self.ctx.waiting = list(self.parts)
        self.ctx.paths, self.ctx.results, self.ctx.ends = {}, {}, {}

    def build(self, part: Part) -> ConfigurationsData:
        """Build what is relaxed."""
        recipe = orm.List(part.recipe)
        return build_at_lattice_constant(recipe, self.inputs.lattice_constant)

    def job(self, label: Any) -> tuple[type[ReferenceWorkChain], dict[str, Any]]:
        """Return the relaxation of a part."""
        part = self.parts[label]
        task = orm.Dict(part.task.given)
        return self.work_of(label, configurations=self.build(part), task=task)

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
        n, total = summary['n_failed'], summary['n_configurations']
        named = '; '.join(
            f'{item["part"]} {item["configuration"]}: {item["message"]}'
            for item in summary['failures']
        )
        if n and n == total:
            return self.exit_codes.ERROR_ALL_FAILED.format(total=total, failures=named)
        if n > self.inputs.max_failures.value:
            return self.exit_codes.ERROR_SOME_FAILED.format(n=n, total=total, failures=named)
        if n:
            self.report(f'{n} of {total} configurations failed, tolerated: {named}')
        return None


class AtLatticeConstantWorkChain(RelaxationWorkChain):
    """Relax what is cut out of a crystal whose lattice constant is given."""

    #: Inputs that are mappings.
    MAPPINGS: ClassVar[tuple[str, ...]] = ('relax',)

    @classmethod
    def define(cls, spec: ProcessSpec) -> None:
        """Add the crystal, and who relaxes."""
        super().define(spec)
        spec.input(
            'lattice_constant',
            **port(orm.Float, validator_of(partial(positive, '`lattice_constant`', unit='Å'))),
            help='Edge of the conventional cell in Å.',
        )
        spec.input(
            'own',
            **port(orm.Bool, default=False),
            help='Whether the engine is the ensemble itself, which the domains then tell.',
        )

    @classmethod
    def get_builder_from_protocol(
        cls,
        code: orm.AbstractCode,
        lattice_constant: orm.Float | float,
        engine: str = 'ase',
        *,
        protocol: str | None = None,
        overrides: Mapping[str, Any] | None = None,
    ) -> ProcessBuilder:
        """Return a builder with all inputs set by the protocol, then by the overrides.

        Args:
            code: Code of the engine.
            lattice_constant: Edge of the conventional cell in Å.
            engine: Name of the engine.
            protocol: One of `get_available_protocols`.
            overrides: Inputs that win over the protocol's; `inputs` are overrides of the engine's.

        Raises:
            ValueError: If there is no such protocol, or a value cannot be used.
            EntryPointError: If there is no such engine.
        """
        chosen = load_moving(cls.PROTOCOLS, engine, protocol, overrides)
        chosen |= {name: orm.Dict(chosen[name] or {}) for name in cls.MAPPINGS}
        return cls.fill(code, engine, protocol, chosen | {'lattice_constant': lattice_constant})


def draft(part: Part) -> ConfigurationsData:
    """Return unstored configurations like those of a part, at any lattice constant."""
    return ConfigurationsData.from_configurations(part.draft())
