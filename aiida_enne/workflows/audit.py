"""Audit of an ensemble: predict with every member, then compare spread and error."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
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
from aiida_enne.calculations import trained
from aiida_enne.calculations.audits import judges_of
from aiida_enne.calculations.functions import audit_ensemble, leave_out_trained, thin_fit
from aiida_enne.calculations.ports import at_least, one_of, port
from aiida_enne.data.dataset import DatasetData
from aiida_enne.data.model import ModelData
from aiida_enne.data.prediction import TRAIN, PredictionData
from aiida_enne.data.statistics import StatisticsData
from aiida_enne.data.trainings import TrainedOn
from aiida_enne.families.nequip.prediction import NO_FEATURES
from aiida_enne.workflows import protocols
from aiida_enne.workflows.audit_inputs import (
    FIT_FRAMES,
    asked_about,
    features_of,
    fit_sets,
    is_thinned,
    validate_inputs,
    validate_parameters,
    way_of,
)
from aiida_enne.workflows.base import ProtocolMixin
from aiida_enne.workflows.prediction import PredictionWorkChain

#: What is called to let snapshots predict.
RIVALS = 'snapshots'


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
            **port(orm.Dict, validate_parameters),
            help='Options of the audit, e.g. ddof; `alignment` names a domain and how to align.',
        )
        spec.input(
            'trained_frames',
            **port(orm.Str, one_of('trained_frames', trained.WAYS), default=trained.REFUSE),
            help='Configurations that the ensemble was trained on or validated with: `refuse`, '
            '`exclude` (leave them out) or `include` (audit them all the same).',
        )
        spec.input(
            'fit_frames',
            **port(int, at_least(0), default=FIT_FRAMES),
            help='Training frames of a domain, at most, that the members predict, too, to see '
            'whether they fit them; 0 for none. With features it is all of them.',
        )
        spec.input_namespace(
            'snapshots',
            valid_type=ModelData,
            dynamic=True,
            help='Snapshots of one member, for the estimator of this name, by epoch.',
        )
        spec.inputs.validator = validate_inputs
        spec.expose_outputs(PredictionWorkChain)
        spec.output_namespace(
            'trained',
            valid_type=PredictionData,
            dynamic=True,
            help='Of training frames, by set and member.',
        )
        spec.output_namespace(
            'rivals',
            valid_type=PredictionData,
            dynamic=True,
            help='Of snapshots, by dataset and epoch.',
        )
        spec.output_namespace('statistics', valid_type=StatisticsData, help='By dataset.')
        spec.outline(cls.leave_out, cls.predict, cls.predict_beside, cls.audit)
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
        return ToContext(prediction=self.submit(PredictionWorkChain, **self.asked()))

    def asked(self) -> dict[str, Any]:
        """Return the inputs of the predictions."""
        inputs = self.exposed_inputs(PredictionWorkChain)
        inputs |= {'datasets': self.ctx.datasets, 'splits': self.ctx.splits}
        if not self.ctx.splits:
            inputs.pop('part', None)
        if (chosen := features_of(self.inputs)) != NO_FEATURES:
            inputs['predict']['features'] = orm.Str(chosen)
        return inputs

    def predict_beside(self) -> dict[str, Any]:
        """Let members predict training frames, and snapshots what members did.

        Not before that is done: no more jobs run at a time than one prediction may have.
        """
        inputs, waiting = self.asked(), {}
        sets = fit_sets(self.inputs)
        self.ctx.sets = {name: one.dataset for name, one in sets.items()}
        for name, one in sets.items():
            split = one.split
            if features_of(self.inputs) == NO_FEATURES and is_thinned(one, self.inputs.fit_frames):
                split = thin_fit(one.dataset, one.split, orm.Int(self.inputs.fit_frames))
            known = {
                'datasets': {name: one.dataset},
                'splits': {name: split},
                'part': orm.Str(TRAIN),
                'models': {label: self.inputs.models[label] for label in one.members},
                'metadata': {'call_link_label': name},
            }
            waiting[name] = self.submit(PredictionWorkChain, **inputs | known)
        if self.inputs.get('snapshots'):
            rivals = {
                'models': dict(self.inputs.snapshots),
                'metadata': {'call_link_label': RIVALS},
            }
            rivals['predict'] = inputs['predict'] | {'features': orm.Str(NO_FEATURES)}
            waiting[RIVALS] = self.submit(PredictionWorkChain, **inputs | rivals)
        return ToContext(**waiting)

    def audit(self) -> ExitCode | None:
        """Hand out all predictions there are, and audit the members that made all of them."""
        prediction = self.ctx.prediction
        self.out_many(self.exposed_outputs(prediction, PredictionWorkChain))
        found = prediction.outputs.predictions if 'predictions' in prediction.outputs else {}
        labels = sorted(self.inputs.datasets)
        tables = {label: dict(found[label]) if label in found else {} for label in labels}
        complete = set.intersection(*(set(table) for table in tables.values()))
        known = self._trained()
        if self.ctx.sets:
            self.out('trained', known)
            fitted = {label for several in known.values() for label in several}
            if features_of(self.inputs) != NO_FEATURES:
                complete &= fitted
            elif not complete <= fitted:
                known = {}  # the audit stands without; its gate says that it is unknown
        if not complete:
            return self.exit_codes.ERROR_PREDICTION_FAILED.format(reason=prediction.exit_message)
        if len(complete) < 2:
            return self.exit_codes.ERROR_TOO_FEW_MEMBERS.format(labels=sorted(complete))
        compared = {
            'datasets': dict(self.ctx.sets),
            'predictions': known,
        }
        rivals = self._rivals(labels)
        if self.inputs.get('snapshots') and not rivals:
            reason = f'snapshots: {self.ctx[RIVALS].exit_message}'
            return self.exit_codes.ERROR_PREDICTION_FAILED.format(reason=reason)
        statistics = audit_ensemble(
            self.inputs.audit,
            judges_of(self.inputs.audit),
            datasets=dict(self.ctx.datasets),
            predictions={
                label: {member: table[member] for member in sorted(complete)}
                for label, table in tables.items()
            },
            **({'trained': compared} if known else {}),
            **({'snapshots': rivals} if rivals else {}),
        )
        self.out('statistics', statistics)
        if not prediction.is_finished_ok:
            return self.exit_codes.ERROR_PREDICTION_FAILED.format(reason=prediction.exit_message)
        return None

    def _rivals(self, labels: Sequence[str]) -> dict[str, dict[str, PredictionData]]:
        """Hand out what snapshots predicted, by dataset; nothing where one is not complete."""
        if RIVALS not in self.ctx or 'predictions' not in self.ctx[RIVALS].outputs:
            return {}
        given = self.ctx[RIVALS].outputs.predictions
        found = {label: dict(given[label]) for label in labels if label in given}
        self.out('rivals', found)
        epochs = set(self.inputs.snapshots)
        is_complete = all(set(found.get(label, {})) == epochs for label in labels)
        return found if is_complete else {}

    def _trained(self) -> dict[str, dict[str, PredictionData]]:
        """Return the predictions of training frames, by set and member."""
        nodes = {name: self.ctx[name].outputs for name in self.ctx.sets}
        return {
            name: dict(outputs.predictions[name])
            for name, outputs in nodes.items()
            if 'predictions' in outputs and name in outputs.predictions
        }


def notes(inputs: Mapping[str, Any]) -> list[str]:
    """Return what is to be known of an audit: where it and the graph differ, and what overlaps."""
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
