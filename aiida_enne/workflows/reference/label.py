"""Labels of many configurations, by any engine, so many jobs at a time."""

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

from aiida_enne.calculations.labelling import cut_configurations, join_labels
from aiida_enne.calculations.ports import at_least, port
from aiida_enne.data.configurations import ConfigurationsData
from aiida_enne.data.dataset import DatasetData
from aiida_enne.workflows.base import why_failed
from aiida_enne.workflows.reference.chosen import EngineWorkChain, load_protocol, refusal
from aiida_enne.workflows.reference.engine import ReferenceWorkChain

TASK = {'kind': 'label'}


def validate_inputs(inputs: Mapping[str, Any], ports: Any) -> str | None:
    """Check that the engine takes its inputs, and that as many labels as are needed can be."""
    if not {'configurations', 'engine', 'inputs', 'min_labelled'} <= set(ports):
        return None  # a workflow has excluded them and validates by submitting
    n = inputs['configurations'].n_frames
    if 'min_labelled' in inputs and inputs['min_labelled'].value > n:
        return f'`min_labelled` is {inputs["min_labelled"].value}, there are {n} configurations'
    return refusal(
        inputs['engine'].value,
        inputs.get('inputs', {}),
        configurations=inputs['configurations'],
        task=orm.Dict(TASK),
    )


class LabelWorkChain(EngineWorkChain):
    """Label n configurations; what fails is listed with its reason, and the rest is kept."""

    PROTOCOLS = 'label'

    @classmethod
    def define(cls, spec: ProcessSpec) -> None:
        """Define the process specification."""
        super().define(spec)
        spec.input('configurations', valid_type=ConfigurationsData, help='What is labelled.')
        count = port(orm.Int, at_least(1))
        spec.input('per_job', **count, help='Configurations per work chain of the engine.')
        spec.input('min_labelled', **count | {'required': False}, help='Labels that suffice; all.')
        spec.inputs.validator = validate_inputs
        spec.outline(cls.cut, while_(cls.has_work)(cls.work), cls.conclude)
        spec.output(
            'dataset',
            valid_type=DatasetData,
            required=False,
            help='All labels in the order of the configurations, whose index is in the info.',
        )
        spec.output(
            'failures',
            valid_type=orm.Dict,
            help='`failures`: index, domain and message of every configuration without a label.',
        )
        spec.exit_code(
            410, 'ERROR_LABELS_MISSING', message='{n} of {needed} labels, none for {failed}'
        )
        spec.exit_code(510, 'ERROR_ALL_FAILED', message='All {n} labels failed; the first: {why}')

    @classmethod
    def get_builder_from_protocol(
        cls,
        code: orm.AbstractCode,
        configurations: ConfigurationsData,
        engine: str = 'ase',
        *,
        protocol: str | None = None,
        overrides: Mapping[str, Any] | None = None,
    ) -> ProcessBuilder:
        """Return a builder with all inputs set by the protocol, then by the overrides.

        Args:
            code: Code of the engine.
            configurations: What is labelled.
            engine: Name of the engine.
            protocol: One of `get_available_protocols`.
            overrides: Inputs that win over the protocol's; `inputs` are overrides of the engine's.

        Raises:
            ValueError: If there is no such protocol.
            EntryPointError: If there is no such engine.
        """
        chosen = load_protocol('label', engine, protocol, overrides)
        work = {'configurations': configurations}
        return cls.fill(code, engine, protocol, chosen | work, task=TASK, **work)

    def cut(self) -> None:
        """Cut the configurations into pieces."""
        self.ctx.pieces = cut_configurations(self.inputs.configurations, self.inputs.per_job)
        self.open_pool()
        self.ctx.waiting = sorted(self.ctx.pieces)
        self.ctx.datasets, self.ctx.results, self.ctx.messages = {}, {}, {}

    def job(self, label: Any) -> tuple[type[ReferenceWorkChain], dict[str, Any]]:
        """Return the labelling of a piece."""
        return self.work_of(label, configurations=self.ctx.pieces[label], task=orm.Dict(TASK))

    def take(self, label: Any, node: orm.ProcessNode) -> None:
        """Take over what there is."""
        for name, taken in (('dataset', self.ctx.datasets), ('results', self.ctx.results)):
            if name in node.outputs:
                taken[label] = node.outputs[name]
        if not node.is_finished_ok:
            self.ctx.messages[label] = why_failed(node)

    def conclude(self) -> ExitCode | None:
        """Hand out all labels, and list what has none."""
        joined = join_labels(
            self.inputs.configurations,
            self.inputs.per_job,
            orm.Dict(self.ctx.messages),
            **{
                name: nodes
                for name, nodes in (('datasets', self.ctx.datasets), ('results', self.ctx.results))
                if nodes
            },
        )
        self.out_many(joined)
        summary = joined['failures'].get_dict()
        failures, n, total = summary['failures'], summary['n_labelled'], summary['n_configurations']
        needed = self.inputs.min_labelled.value if 'min_labelled' in self.inputs else total
        if not n:
            why = failures[0]['message']
            return self.exit_codes.ERROR_ALL_FAILED.format(n=total, why=why)
        failed = [item['configuration'] for item in failures]
        if n < needed:
            return self.exit_codes.ERROR_LABELS_MISSING.format(n=n, needed=needed, failed=failed)
        if failed:
            self.report(f'{n} labels, {needed} suffice: none for {failed}')
        return None
