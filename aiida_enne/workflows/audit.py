"""Audit of an ensemble: predict with every member, then compare spread and error."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aiida import orm
from aiida.engine import (
    ExitCode,
    ProcessBuilder,
    ProcessSpec,
    ToContext,
    WorkChain,
)

from aiida_enne.aiida_private import fill_builder, inputs_of
from aiida_enne.calculations.functions import audit_ensemble
from aiida_enne.data.dataset import DatasetData
from aiida_enne.data.model import ModelData
from aiida_enne.data.statistics import StatisticsData
from aiida_enne.science.uncertainty.options import AuditOptions
from aiida_enne.workflows import protocols
from aiida_enne.workflows.base import ProtocolMixin
from aiida_enne.workflows.prediction import PredictionWorkChain
from aiida_enne.workflows.prediction import validate_inputs as validate_predictions


def validate_parameters(node: orm.Dict, _: Any) -> str | None:
    """Check every option by name, long before the predictions are paid for."""
    options = node.get_dict()
    alignment = options.pop('alignment', None)
    if alignment is not None and set(alignment) != {'domain', 'by'}:
        return f'`alignment` must hold `domain` and `by`, got {alignment}'
    try:
        AuditOptions.from_dict(options)
    except ValueError as exception:
        return str(exception)
    return None


def validate_inputs(inputs: dict[str, Any], ports: Any) -> str | None:
    """Check that there are labels to compare with, and the domains that the options name."""
    if not {'datasets', 'audit'} <= set(ports):
        return None  # a workflow has excluded them and validates by submitting
    if reason := validate_predictions(inputs, ports):
        return reason
    datasets = inputs['datasets']
    for label, node in datasets.items():
        if not isinstance(node, DatasetData):
            return f'`{label}` has no reference labels: expected a DatasetData, got {node}'
    known = sorted({domain for node in datasets.values() for domain in node.domains})
    options = inputs['audit'].get_dict()
    alignment = options.get('alignment') or {}
    named = [*options.get('training_domains', ()), *filter(None, [alignment.get('domain')])]
    if unknown := sorted(set(named) - set(known)):
        return f'no dataset has the domains {unknown}; there are {known}'
    return None


class AuditWorkChain(ProtocolMixin, WorkChain):
    """Predict every dataset with every member, and audit the spread where labels are known."""

    PROTOCOLS = 'audit'

    @classmethod
    def define(cls, spec: ProcessSpec) -> None:
        """Define the process specification."""
        super().define(spec)
        spec.expose_inputs(PredictionWorkChain)
        spec.input(
            'audit',
            valid_type=orm.Dict,
            serializer=orm.to_aiida_type,
            validator=validate_parameters,
            help='Options of the audit, e.g. ddof; `alignment` names a domain and how to align.',
        )
        spec.inputs.validator = validate_inputs
        spec.expose_outputs(PredictionWorkChain)
        spec.output_namespace('statistics', valid_type=StatisticsData, help='By dataset.')
        spec.outline(cls.predict, cls.audit)
        spec.exit_code(400, 'ERROR_PREDICTION_FAILED', message='The predictions failed: {reason}')
        spec.exit_code(
            401,
            'ERROR_TOO_FEW_MEMBERS',
            message='Only the members {labels} predicted every dataset; a spread needs two.',
        )

    @classmethod
    def get_builder_from_protocol(
        cls,
        code: orm.AbstractCode,
        models: Mapping[str, ModelData],
        datasets: Mapping[str, DatasetData],
        *,
        protocol: str | None = None,
        overrides: dict[str, Any] | None = None,
        **inputs: Any,
    ) -> ProcessBuilder:
        """Return a builder with all inputs set by the protocol, then by the overrides.

        Args:
            code: Python on the computer that predicts.
            models: Members by label.
            datasets: Labelled datasets by label.
            protocol: One of `get_available_protocols`.
            overrides: `audit` (options) and `predict` (see `PredictionWorkChain`).
            **inputs: Further inputs, e.g. `splits`.
        """
        chosen = protocols.load('audit', protocol, overrides)
        builder = cls.get_builder()
        predict = PredictionWorkChain.get_builder_from_protocol(
            code, models, datasets, protocol=protocol, overrides=chosen.get('predict')
        )
        fill_builder(builder, {**inputs_of(predict), 'audit': orm.Dict(chosen['audit']), **inputs})
        return builder

    def predict(self) -> dict[str, Any]:
        """Let every member predict every dataset."""
        inputs = self.exposed_inputs(PredictionWorkChain)
        return ToContext(prediction=self.submit(PredictionWorkChain, **inputs))

    def audit(self) -> ExitCode | None:
        """Hand out all predictions there are, and audit the members that made all of them."""
        prediction = self.ctx.prediction
        self.out_many(self.exposed_outputs(prediction, PredictionWorkChain))
        found = prediction.outputs.predictions if 'predictions' in prediction.outputs else {}
        tables = {label: dict(found[label]) if label in found else {} for label in self._labels()}
        complete = set.intersection(*(set(table) for table in tables.values()))
        if not complete:
            return self.exit_codes.ERROR_PREDICTION_FAILED.format(reason=prediction.exit_message)
        if len(complete) < 2:
            return self.exit_codes.ERROR_TOO_FEW_MEMBERS.format(labels=sorted(complete))
        statistics = audit_ensemble(
            self.inputs.audit,
            datasets=dict(self.inputs.datasets),
            predictions={
                label: {member: table[member] for member in sorted(complete)}
                for label, table in tables.items()
            },
        )
        self.out('statistics', statistics)
        if not prediction.is_finished_ok:
            return self.exit_codes.ERROR_PREDICTION_FAILED.format(reason=prediction.exit_message)
        return None

    def _labels(self) -> list[str]:
        return sorted(self.inputs.datasets)
