"""Scan of training choices: an ensemble at every point, no member trained or asked twice."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

from aiida import orm
from aiida.engine import ExitCode, ProcessBuilder, ProcessSpec, while_

from aiida_enne import families
from aiida_enne.aiida_private import fill_builder, inputs_of
from aiida_enne.calculations.ports import at_least, one_of, plain, port
from aiida_enne.calculations.scans import summarise_scan
from aiida_enne.calculations.study import thin_training
from aiida_enne.data.configurations import ConfigurationsData
from aiida_enne.data.dataset import DatasetData
from aiida_enne.data.model import ModelData
from aiida_enne.data.prediction import PredictionData
from aiida_enne.data.scan import ScanData
from aiida_enne.data.split import SplitData
from aiida_enne.families.nequip.needs import find_needs
from aiida_enne.science.data.trainable import untrainable
from aiida_enne.science.plans import training_sets
from aiida_enne.science.plans.points import Point, read_points
from aiida_enne.science.plans.scans import KINDS, TRAINING
from aiida_enne.science.plans.slots import Needs
from aiida_enne.science.plans.study_costs import jobs_for
from aiida_enne.workflows import protocols
from aiida_enne.workflows.base import ProtocolMixin, returned
from aiida_enne.workflows.prediction import PredictionWorkChain
from aiida_enne.workflows.study import scanning
from aiida_enne.workflows.study.branches import Branch, Branches, Job
from aiida_enne.workflows.training.ensemble import EnsembleWorkChain


def validate_inputs(inputs: Mapping[str, Any], ports: Any) -> str | None:
    """Check that every point has a training set and parameters that NequIP may have."""
    if not {'points', 'split', 'dataset', 'ensemble'} <= set(ports):
        return None  # a workflow has excluded them and validates by submitting
    dataset = inputs['dataset']
    pool = inputs.get('pool', inputs['split'])
    for split in (inputs['split'], pool):
        if why := split.mismatch(dataset):
            return why
    try:
        points = read_points(inputs['points'].get_dict())
    except ValueError as exception:
        return str(exception)
    configurations = dataset.get_configurations()
    for label, point in points.items():
        split = inputs['split'].get_split()
        if point.draw is not None:
            try:
                split = training_sets.thin(
                    configurations.domains, pool.get_split(), **point.draw.to_dict()
                )
            except ValueError as exception:
                return f'{label}: {exception}'
        parameters = inputs['ensemble']['training']['train']['parameters'].get_dict()
        merged = protocols.merge(parameters, point.parameters)
        if why := families.family_of(merged).check(merged):
            return f'{label}: {why}'
        if why := untrainable(configurations, split, find_needs(merged)):
            return f'{label}: {why}'
    return None


class ScanWorkChain(ProtocolMixin, Branches):
    """Train an ensemble at every point, then let all new members predict the datasets.

    Members and predictions that the profile has are handed out where caching is enabled.
    """

    PROTOCOLS = 'ensemble'

    @classmethod
    def define(cls, spec: ProcessSpec) -> None:
        """Define the process specification."""
        super().define(spec)
        spec.input('kind', **port(orm.Str, one_of('kind', KINDS)))
        spec.input(
            'points',
            **port(orm.Dict),
            help='By label: `values` of the choices, `parameters` of NequIP that replace some, '
            '`seeds`, and the `draw` of the training set: null for that of the split, or what '
            '`science.training_sets.thin` takes.',
        )
        spec.input('dataset', valid_type=DatasetData, help='What is trained on.')
        spec.input('split', valid_type=SplitData, help='Of the points that draw nothing.')
        spec.input(
            'pool',
            **port(SplitData, required=False),
            help='From whose training part the others draw; by default it is that of the split.',
        )
        owned = ('dataset', 'split', 'splits', 'seeds')
        spec.expose_inputs(EnsembleWorkChain, namespace='ensemble', exclude=owned)
        owned = ('models', 'datasets', 'splits', 'part')
        spec.expose_inputs(PredictionWorkChain, namespace='prediction', exclude=owned)
        spec.input_namespace(
            'datasets', valid_type=ConfigurationsData, dynamic=True, help='Predicted, by role.'
        )
        spec.input_namespace(
            'parts',
            valid_type=SplitData,
            dynamic=True,
            help='Of which the test part only is, by role.',
        )
        spec.input(
            'max_concurrent',
            **port(int, at_least(1), default=1),
            help='Points, or roles, that are worked on at a time.',
        )
        spec.inputs.validator = validate_inputs
        spec.outline(cls.begin, while_(cls.has_work)(cls.work), cls.conclude)
        spec.output('summary', valid_type=ScanData, required=False, help='What it consists of.')
        spec.output_namespace('models', valid_type=ModelData, dynamic=True, help='By point.')
        spec.output_namespace(
            'predictions', valid_type=PredictionData, dynamic=True, help='By role, point, member.'
        )
        spec.exit_code(410, 'ERROR_POINTS_FAILED', message='Some points failed: {failures}')

    @classmethod
    def get_builder_from_protocol(
        cls,
        code: orm.AbstractCode,
        dataset: DatasetData,
        split: SplitData,
        scan: Mapping[str, Any],
        *,
        datasets: Mapping[str, ConfigurationsData] | None = None,
        protocol: str | None = None,
        overrides: Mapping[str, Any] | None = None,
    ) -> ProcessBuilder:
        """Return a builder with all inputs set by the protocol, then by the overrides.

        Args:
            code: Code of a Python with NequIP.
            dataset: Labelled configurations.
            split: The training set of the full size is its training part, from which smaller ones
                are drawn; its test part is predicted by all members.
            scan: What is scanned, see `science.plans.scans.read_scan`.
            datasets: What else all members predict, by role.
            protocol: `test`, `laptop` or `paper`, of the training and of the prediction.
            overrides: Inputs that win over the protocol's: of `EnsembleWorkChain` in `ensemble`,
                of `PredictionWorkChain` in `prediction`.

        Raises:
            ValueError: If there is no such protocol, a point cannot be used, or the split is of
                another dataset.
        """
        chosen = dict(overrides or {})
        if unknown := sorted(set(chosen) - {'ensemble', 'prediction'}):
            raise ValueError(f'overrides of a scan are of `ensemble`, `prediction`; got {unknown}')
        ensemble = EnsembleWorkChain.get_builder_from_protocol(
            code, dataset, split, protocol=protocol, overrides=chosen.get('ensemble')
        )
        prediction = PredictionWorkChain.get_builder_from_protocol(
            code, {}, {}, protocol=protocol, overrides=chosen.get('prediction')
        )
        if why := split.mismatch(dataset):
            raise ValueError(why)
        given = {'ensemble': inputs_of(ensemble)}
        trained = dataset.get_configurations().select(split.get_split().train)
        base = scanning.base_of(given, split, trained.kinds)
        known = {
            'datasets': {TRAINING: dataset, **(datasets or {})},
            'splits': {TRAINING: split},
            'pool': split,
        }
        asked = inputs_of(prediction)
        builder = cls.get_builder()
        fill_builder(builder, scanning.scan_inputs(scan, base, given['ensemble'], asked, known))
        return builder

    def begin(self) -> None:
        """Draw the training set of every point."""
        super().begin()
        self.ctx.models, self.ctx.found = {}, {}
        self.ctx.splits, pool = {}, self.inputs.get('pool', self.inputs.split)
        for label, point in self.points.items():
            self.ctx.splits[label] = self.inputs.split
            if (draw := point.draw) is not None:
                drawn = thin_training(self.inputs.dataset, pool, orm.Dict(draw.to_dict()))
                self.ctx.splits[label] = drawn

    @classmethod
    def width(cls, inputs: Mapping[str, Any]) -> int:
        """Return how many jobs these inputs can keep busy at a time."""
        per_job = int(plain(inputs['ensemble'].get('members_per_job', 1)))
        together = int(inputs['prediction']['members_per_job'])
        members = [len(point.seeds) for point in read_points(plain(inputs['points'])).values()]
        roles = len(inputs.get('datasets', {}))
        asked = roles * jobs_for(sum(members), together)
        return max(sum(jobs_for(n, per_job) for n in members), asked)

    def branches(self) -> dict[str, Branch]:
        """Return an ensemble for each point, then predictions for each role."""
        trained = {
            f'train__{label}': Branch(
                partial(self.build_training, label), partial(self.take_train, label)
            )
            for label in self.points
        }
        asked = {
            f'predict__{role}': Branch(
                partial(self.build_prediction, role),
                partial(self.take_predict, role),
                Needs(tuple(trained)),
                partial(self.find_missing, role),
            )
            for role in self.inputs.get('datasets', {})
        }
        return trained | asked

    @property
    def points(self) -> dict[str, Point]:
        """The points by label."""
        return read_points(self.inputs.points.get_dict())

    def take_train(self, label: str, node: orm.ProcessNode) -> None:
        """Take over the members of a point, if there are enough of them."""
        if node.is_finished_ok:
            self.ctx.models[label] = returned(node, 'models')

    def find_missing(self, role: str) -> bool:
        """Look up who has been asked about a role; return whether anyone has not."""
        dataset, part = self.inputs.datasets[role], self.inputs.get('parts', {}).get(role)
        known, missing, names = {}, {}, {}
        for point, models in self.ctx.models.items():
            for member, model in models.items():
                label = f'{point}_{member}'
                names[label] = f'{point}.{member}'
                if (found := scanning.known_prediction(dataset, part, model)) is not None:
                    known[label] = found
                else:
                    missing[label] = model
        self.ctx.found[role], self.ctx.names = known, names
        self.ctx.missing = self.ctx.get('missing', {}) | {role: missing}
        return bool(missing)

    def take_predict(self, role: str, node: orm.ProcessNode) -> None:
        """Take over what the new members said."""
        self.ctx.found[role].update(returned(node, 'predictions').get(role, {}))

    def build_prediction(self, role: str) -> Job:
        """Return the predictions of the new members on a dataset."""
        inputs = dict(self.exposed_inputs(PredictionWorkChain, 'prediction', agglomerate=False))
        inputs |= {'models': self.ctx.missing[role]}
        inputs['datasets'] = {role: self.inputs.datasets[role]}
        if role in self.inputs.get('parts', {}):
            inputs['splits'] = {role: self.inputs.parts[role]}
        return Job(PredictionWorkChain, inputs, PredictionWorkChain.width(inputs))

    def build_training(self, label: str) -> Job:
        """Return the training at a point."""
        point = self.points[label]
        inputs = dict(self.exposed_inputs(EnsembleWorkChain, 'ensemble', agglomerate=False))
        inputs |= {'dataset': self.inputs.dataset, 'split': self.ctx.splits[label]}
        inputs['seeds'] = orm.List(list(point.seeds))
        train = dict(inputs['training']['train'])
        parameters = protocols.merge(train['parameters'].get_dict(), point.parameters)
        train['parameters'] = orm.Dict(parameters)
        inputs['training'] = {**inputs['training'], 'train': train}
        return Job(EnsembleWorkChain, inputs, EnsembleWorkChain.width(inputs))

    def conclude(self) -> ExitCode | None:
        """Hand out everything there is, then name the points that failed."""
        self.out('models', self.ctx.models)
        for role, found in self.ctx.found.items():
            for label, prediction in found.items():
                self.out(f'predictions.{role}.{self.ctx.names[label]}', prediction)
        if self.ctx.models:
            nodes = {'models': self.ctx.models}
            nodes['splits'] = {label: self.ctx.splits[label] for label in self.ctx.models}
            if self.inputs.get('datasets', {}):
                nodes['datasets'] = dict(self.inputs.datasets)
            values = {label: point.values for label, point in self.points.items()}
            self.out('summary', summarise_scan(self.inputs.kind, orm.Dict(values), **nodes))
        return self.failed('ERROR_POINTS_FAILED')
