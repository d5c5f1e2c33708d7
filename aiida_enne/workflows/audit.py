"""Audit of an ensemble: predict with every member, then compare spread and error."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, get_args

from aiida import orm
from aiida.engine import (
    ExitCode,
    ProcessBuilder,
    ProcessSpec,
    ToContext,
    WorkChain,
)

from aiida_enne.aiida_private import fill_builder, inputs_of
from aiida_enne.calculations import trained
from aiida_enne.calculations.audits import judges_of
from aiida_enne.calculations.functions import audit_ensemble, leave_out_trained
from aiida_enne.calculations.nequip_predict import chosen_indices
from aiida_enne.data.dataset import DatasetData
from aiida_enne.data.model import ModelData
from aiida_enne.data.statistics import StatisticsData
from aiida_enne.data.trainings import TrainedOn
from aiida_enne.science.fields import Integers
from aiida_enne.science.structures.domains import in_order
from aiida_enne.science.uncertainty.alignment import By
from aiida_enne.science.uncertainty.options import AuditOptions
from aiida_enne.workflows import protocols
from aiida_enne.workflows.base import ProtocolMixin
from aiida_enne.workflows.prediction import PredictionWorkChain
from aiida_enne.workflows.prediction import validate_inputs as validate_predictions


def validate_parameters(node: orm.Dict, _: Any) -> str | None:
    """Check every option by name, long before the predictions are paid for."""
    options = node.get_dict()
    alignment = options.pop('alignment', None)
    if alignment is not None and (reason := misaligned(alignment)):
        return reason
    try:
        chosen = AuditOptions.from_dict(options)
    except ValueError as exception:
        return str(exception)
    if 'features' in chosen.make_estimator().needs:
        return (
            f'the estimator {chosen.estimator!r} needs last-layer features, which predictions of a '
            'work chain do not have: `aiida_enne.audit(..., features=)` takes them'
        )
    return None


def misaligned(alignment: Any) -> str | None:
    """Return why zeros of energy cannot be taken as asked for, or None if they can."""
    if not isinstance(alignment, Mapping) or set(alignment) != {'domain', 'by'}:
        return f'`alignment` must hold `domain` and `by`, got {alignment}'
    if not isinstance(alignment['domain'], str) or not alignment['domain']:
        return f'`domain` of `alignment` must be a domain, got {alignment["domain"]!r}'
    if alignment['by'] not in get_args(By):
        return f'`by` of `alignment` must be one of {get_args(By)}, got {alignment["by"]!r}'
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
    asked, way = asked_about(inputs), way_of(inputs)
    overlaps = trained.find_overlaps(TrainedOn.of(inputs['models']), asked)
    if reason := trained.why_refused(asked, overlaps, way):
        return reason
    remains = trained.left(asked, overlaps if way == trained.EXCLUDE else {})
    return unknown_domains(inputs['audit'].get_dict(), asked, remains)


def unknown_domains(
    options: Mapping[str, Any], asked: trained.Asked, remains: Mapping[str, Integers]
) -> str | None:
    """Return which domains of the options are not there; those that are learnt from must remain."""
    known = {name for dataset, _ in asked.values() for name in dataset.domains}
    if unknown := in_order(set(options.get('training_domains', ())) - known):
        return f'no dataset has the domains {unknown}; there are {in_order(known)}'
    alignment = options.get('alignment') or {}
    needed = set(filter(None, [alignment.get('domain'), options.get('calibration_domain')]))
    there = {
        name
        for label, (dataset, _) in asked.items()
        for name in dataset.get_configurations().domains[remains[label]].tolist()
    }
    if unknown := in_order(needed - there):
        return f'nothing that is audited has the domains {unknown}; there are {in_order(there)}'
    return None


def asked_about(inputs: Mapping[str, Any]) -> dict[str, tuple[DatasetData, Integers]]:
    """Return every dataset with the indices of the configurations that are to be audited."""
    splits, part = inputs.get('splits', {}), inputs.get('part')
    return {
        label: (dataset, chosen_indices(dataset, splits.get(label), part))
        for label, dataset in inputs['datasets'].items()
    }


def way_of(inputs: Mapping[str, Any]) -> str:
    """Return what becomes of configurations that were trained on."""
    return str(inputs['trained_frames'].value) if 'trained_frames' in inputs else trained.REFUSE


def validate_trained_frames(node: orm.Str, _: Any) -> str | None:
    """Require a known way."""
    if node.value not in trained.WAYS:
        return f'`trained_frames` must be one of {trained.WAYS}, got {node.value!r}'
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
        spec.input(
            'trained_frames',
            valid_type=orm.Str,
            serializer=orm.to_aiida_type,
            default=lambda: orm.Str(trained.REFUSE),
            validator=validate_trained_frames,
            help='Configurations that the ensemble was trained on or validated with: `refuse`, '
            '`exclude` (leave them out) or `include` (audit them all the same).',
        )
        spec.inputs.validator = validate_inputs
        spec.expose_outputs(PredictionWorkChain)
        spec.output_namespace('statistics', valid_type=StatisticsData, help='By dataset.')
        spec.outline(cls.leave_out, cls.predict, cls.audit)
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

        Training domains that nobody names are those of the ensemble's own training; so is the split
        of a dataset that it was trained on, unless `trained_frames` is 'include'.
        """
        chosen = protocols.load('audit', protocol, overrides)
        known = TrainedOn.of(models)
        chosen['audit'].setdefault(
            'training_domains', trained.trained_domains(known, datasets.values())
        )
        if inputs.get('trained_frames', trained.REFUSE) != trained.INCLUDE:
            given = inputs.get('splits') or {}
            inputs['splits'] = trained.complete_splits(known, datasets, given)
        builder = cls.get_builder()
        predict = PredictionWorkChain.get_builder_from_protocol(
            code, models, datasets, protocol=protocol, overrides=chosen.get('predict')
        )
        others = {name: one for name, one in chosen.items() if name not in ('audit', 'predict')}
        given = others | {'audit': orm.Dict(chosen['audit'])} | inputs
        fill_builder(builder, inputs_of(predict) | given)
        return builder

    def leave_out(self) -> None:
        """Leave out what was trained on where that is asked for, and say what the graph knows."""
        self.ctx.datasets = dict(self.inputs.datasets)
        self.ctx.splits = dict(self.inputs.get('splits', {}))
        for note in notes(self.inputs):
            self.report(note)
        if way_of(self.inputs) != trained.EXCLUDE:
            return
        known = TrainedOn.of(self.inputs.models)
        sets = {
            f'set_{number}': {'dataset': dataset, 'split': split}
            for number, (dataset, split) in enumerate(known.sets)
        }
        for label in trained.find_overlaps(known, asked_about(self.inputs)):
            chosen = {'split': self.ctx.splits.pop(label, None), 'part': self.inputs.get('part')}
            self.ctx.datasets[label] = leave_out_trained(
                self.inputs.datasets[label],
                trainings=sets,
                **{name: node for name, node in chosen.items() if node is not None},
            )

    def predict(self) -> dict[str, Any]:
        """Let every member predict every dataset."""
        inputs = self.exposed_inputs(PredictionWorkChain)
        inputs |= {'datasets': self.ctx.datasets, 'splits': self.ctx.splits}
        if not self.ctx.splits:
            inputs.pop('part', None)
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
            judges_of(self.inputs.audit),
            datasets=dict(self.ctx.datasets),
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


def notes(inputs: Mapping[str, Any]) -> list[str]:
    """Return what is to be known before an audit: where it and the graph differ, and what overlaps.

    Args:
        inputs: Of the work chain.
    """
    known, splits = TrainedOn.of(inputs['models']), inputs.get('splits', {})
    domains = inputs['audit'].get_dict().get('training_domains', ())
    found = trained.name_differences(known, inputs['datasets'], splits, domains)
    asked = asked_about(inputs)
    way = way_of(inputs)
    done = {trained.EXCLUDE: 'They are left out', trained.INCLUDE: 'They are audited all the same'}
    if way in done:
        for label, overlap in trained.find_overlaps(known, asked).items():
            found.append(f'{trained.describe(label, len(asked[label][1]), overlap)} {done[way]}')
    return found
