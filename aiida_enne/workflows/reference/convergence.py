"""Convergence of a reference: a few frames labelled anew by other settings of its engine."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from textwrap import shorten
from typing import Any

from aiida import orm
from aiida.engine import ExitCode, Process, ProcessBuilder, ProcessSpec, while_

from aiida_enne.aiida_private import fill_builder, inputs_of
from aiida_enne.calculations.convergence import AS_LABELLED, state_convergence, take_frames
from aiida_enne.calculations.ports import at_least, port, validator_of
from aiida_enne.data.configurations import ConfigurationsData
from aiida_enne.data.dataset import DatasetData
from aiida_enne.science.data.convergence import refuse_domains
from aiida_enne.workflows.base import WIDTH, PoolWorkChain, ProtocolMixin, listed, why_failed
from aiida_enne.workflows.protocols import merge
from aiida_enne.workflows.reference.chosen import OWNED, load_protocol, refusal, thaw
from aiida_enne.workflows.reference.engine import load_engine
from aiida_enne.workflows.reference.label import TASK, LabelWorkChain


def refuse_settings(inputs: Mapping[str, Any], example: ConfigurationsData) -> str | None:
    """Return why the settings cannot be used, or None if they can.

    Args:
        inputs: `settings`, `converged` and `engine`.
        example: Frames like those that will be labelled.
    """
    settings, converged = inputs.get('settings', {}), inputs['converged'].value
    for name in settings:
        if not name.isidentifier() or '__' in name or name == AS_LABELLED:
            return (
                f'the name of a setting must be an identifier without `__` and not '
                f'`{AS_LABELLED}`, got {name!r}'
            )
    if converged not in settings:
        return (
            f'`converged` is {converged!r}, which is none of the settings {sorted(settings)}: add '
            'it, or name the one that the others are compared with'
        )
    for name, given in settings.items():
        own = {'configurations': example, 'task': orm.Dict(TASK)}
        if why := refusal(inputs['engine'].value, given, **own):
            return f'setting {name}: {why}'
    return None


def validate_inputs(inputs: Mapping[str, Any], ports: Any) -> str | None:
    """Check that there are such frames, and that the engine takes every setting."""
    if not {'datasets', 'domains', 'settings', 'engine', 'converged'} <= set(ports):
        return None  # a workflow has excluded them and validates by submitting
    datasets = inputs.get('datasets', {})
    if not datasets:
        return '`datasets` must hold labelled frames to compare with, got none'
    levels = {name: node.level_of_theory for name, node in datasets.items()}
    if len(set(levels.values())) > 1:
        return f'`datasets` must be of one level of theory, got {levels}: take each by itself'
    known = [domain for node in datasets.values() for domain in node.domains]
    wanted = inputs['domains'].get_list() if 'domains' in inputs else known
    if reason := refuse_domains(wanted, known):
        return f'`domains`: {reason}'
    return refuse_settings(inputs, next(iter(datasets.values())))


class ConvergenceWorkChain(ProtocolMixin, PoolWorkChain):
    """Label a few frames by several settings, and compare all labels with the converged ones.

    A setting that fails is named, the others are compared all the same.
    """

    PROTOCOLS = 'convergence'

    @classmethod
    def define(cls, spec: ProcessSpec) -> None:
        """Define the process specification."""
        super().define(spec)
        spec.input_namespace(
            'datasets',
            valid_type=DatasetData,
            dynamic=True,
            help='Labelled frames of one level of theory.',
        )
        spec.input(
            'per_domain',
            **port(orm.Int, at_least(1)),
            help='Frames of each domain: the middles of as many equal stretches of it.',
        )
        spec.input('domains', **port(orm.List, required=False), help='Which; all by default.')
        spec.input(
            'engine',
            **port(orm.Str, validator_of(load_engine)),
            help='Name of an entry point in `aiida_enne.engines`.',
        )
        spec.input_namespace(
            'settings', dynamic=True, help=f'Inputs of the engine by name; not {", ".join(OWNED)}.'
        )
        spec.input(
            'converged',
            **port(orm.Str, default='converged'),
            help='The setting that all others, and the labels of the datasets, are compared with.',
        )
        spec.input(
            'max_concurrent', **port(int, at_least(1), default=5), help='Settings at a time.'
        )
        spec.inputs.validator = validate_inputs
        spec.outline(cls.choose, while_(cls.has_work)(cls.work), cls.conclude)
        spec.output('frames', valid_type=ConfigurationsData, help='What was labelled.')
        spec.output_namespace(
            'datasets', valid_type=DatasetData, dynamic=True, help='Labels of it by setting.'
        )
        spec.output(
            'convergence',
            valid_type=orm.Dict,
            required=False,
            help='Differences by setting and domain, see `state_convergence`.',
        )
        spec.exit_code(400, 'ERROR_SETTINGS_FAILED', message='Some settings failed: {failures}')
        spec.exit_code(401, 'ERROR_NO_CONVERGED', message='Nothing to compare with: {failures}')

    @classmethod
    def get_builder_from_protocol(
        cls,
        code: orm.AbstractCode,
        datasets: Mapping[str, DatasetData],
        engine: str = 'ase',
        *,
        protocol: str | None = None,
        overrides: Mapping[str, Any] | None = None,
    ) -> ProcessBuilder:
        """Return a builder with all inputs set by the protocol, then by the overrides.

        Args:
            code: Code of the engine.
            datasets: Labelled frames of one level of theory, by name.
            engine: Name of the engine.
            protocol: One of `get_available_protocols`, of the engine, too.
            overrides: Inputs that win over the protocol's; `inputs` are overrides of the engine's
                for all settings, `settings` by name those of one, on top of them.

        Raises:
            ValueError: If there is no such protocol, or a value cannot be used.
            EntryPointError: If there is no such engine.
        """
        example = next(iter(datasets.values()))
        inputs = cls.settings_from_protocol(code, example, engine, protocol, overrides)
        builder = cls.get_builder()
        fill_builder(builder, inputs | {'datasets': dict(datasets)})
        return builder

    @classmethod
    def settings_from_protocol(
        cls,
        code: orm.AbstractCode,
        example: ConfigurationsData,
        engine: str,
        protocol: str | None,
        overrides: Mapping[str, Any] | None,
    ) -> dict[str, Any]:
        """Return all inputs but the datasets, see `get_builder_from_protocol`.

        Args:
            code: Code of the engine.
            example: Frames like those that will be labelled.
            engine: Name of the engine.
            protocol: Protocol of the engine, too.
            overrides: Inputs that win over the protocol's.

        Raises:
            ValueError: If there is no such protocol, or a value cannot be used.
            EntryPointError: If there is no such engine.
        """
        chosen = load_protocol('convergence', engine, protocol, overrides)
        common, settings = chosen.pop('inputs'), chosen.pop('settings')
        chosen['settings'] = {}
        for name, given in settings.items():
            if given is None:
                continue
            try:
                builder = load_engine(engine).get_builder_from_protocol(
                    code, example, TASK, protocol=protocol, overrides=merge(common, given)
                )
            except ValueError as exception:
                raise ValueError(f'setting {name}: {exception}') from exception
            filled = inputs_of(builder)
            chosen['settings'][name] = {k: one for k, one in filled.items() if k not in OWNED}
        return {k: one for k, one in chosen.items() if one is not None} | {'engine': engine}

    @classmethod
    def width(cls, inputs: Mapping[str, Any]) -> int:
        """Return how many settings there are: each keeps one work chain of the engine busy."""
        return len(inputs['settings'])

    @property
    def parameters(self) -> dict[str, Any]:
        """Which frames, as plain values."""
        domains = {'domains': self.inputs.domains.get_list()} if 'domains' in self.inputs else {}
        return {'per_domain': self.inputs.per_domain.value} | domains

    @property
    def converged(self) -> str:
        """Name of the setting that all others are compared with."""
        return str(self.inputs.converged.value)

    def choose(self) -> None:
        """Choose the frames; the converged setting, which takes longest, comes first."""
        self.ctx.frames = take_frames(orm.Dict(self.parameters), **self.inputs.datasets)
        self.out('frames', self.ctx.frames)
        self.open_pool()
        self.ctx.waiting = _converged_first(self.inputs.settings, self.converged)
        self.ctx.labels, self.ctx.failures = {}, {}

    def job(self, name: Any) -> tuple[type[Process], dict[str, Any]]:
        """Return the labelling by a setting, all of it one work chain of the engine."""
        return LabelWorkChain, {
            'configurations': self.ctx.frames,
            'engine': self.inputs.engine,
            'inputs': thaw(self.inputs.settings[name]),
            'per_job': orm.Int(self.ctx.frames.n_frames),
            'max_concurrent': 1,
            'metadata': {'call_link_label': name},
        }

    def refuse(self, name: Any, reason: ValueError) -> None:
        """Name a setting whose inputs cannot be used; the others go on."""
        self.ctx.failures[name] = str(reason)

    def take(self, name: Any, node: orm.ProcessNode) -> None:
        """Take over the labels there are, and remember what failed."""
        if 'dataset' in node.outputs:
            self.ctx.labels[name] = node.outputs.dataset
        if not node.is_finished_ok:
            self.ctx.failures[name] = shorten(why_failed(node), WIDTH)

    def conclude(self) -> ExitCode | None:
        """Hand out all labels and what they differ by, then say what failed."""
        self.out('datasets', self.ctx.labels)
        if self.converged not in self.ctx.labels:
            failures = listed(self.ctx.failures)
            return self.exit_codes.ERROR_NO_CONVERGED.format(failures=failures)
        parameters = orm.Dict(self.parameters | {'converged': self.converged})
        nodes = {'datasets': dict(self.inputs.datasets), 'labels': self.ctx.labels}
        self.out('convergence', state_convergence(parameters, **nodes))
        return self.failed('ERROR_SETTINGS_FAILED')


def _converged_first(names: Iterable[str], converged: str) -> list[str]:
    return [converged, *sorted(set(names) - {converged})]
