"""Predictions of every member of an ensemble on every dataset."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from aiida import orm
from aiida.engine import (
    ExitCode,
    ProcessBuilder,
    ProcessSpec,
    while_,
)

from aiida_enne.aiida_private import fill_builder
from aiida_enne.calculations.nequip_predict import (
    NequipPredictCalculation as Predict,
)
from aiida_enne.calculations.nequip_predict import members, unsuitable
from aiida_enne.calculations.ports import at_least, one_of, port
from aiida_enne.data.configurations import ConfigurationsData
from aiida_enne.data.model import ModelData
from aiida_enne.data.prediction import PredictionData
from aiida_enne.data.split import SplitData
from aiida_enne.science.data.splits import PARTS
from aiida_enne.science.plans.study_costs import jobs_for
from aiida_enne.workflows import protocols
from aiida_enne.workflows.base import PoolWorkChain, ProtocolMixin, why_failed
from aiida_enne.workflows.protocols import machine
from aiida_enne.workflows.restarts import MAX_LOST, job_of, lost_report

#: Exit statuses of a job that another attempt may cure: files lost on the way, or a broken node.
TRANSIENT = (100, 140, 301, 302)
MAX_ATTEMPTS = 2
#: Exit statuses of a job that was too large, for its time and for the memory.
OUT_OF_WALLTIME = Predict.exit_codes.ERROR_OUT_OF_WALLTIME.status
OUT_OF_MEMORY = Predict.exit_codes.ERROR_OUT_OF_MEMORY.status
#: What AiiDA takes for the label of a link, of which `__` would part two.
LABEL = '[A-Za-z0-9]+(_[A-Za-z0-9]+)*'
#: Atoms in a batch to begin to halve from, where none are given: those of the scripts for a model.
BATCH_ATOMS = 512


def validate_inputs(inputs: dict[str, Any], ports: Any) -> str | None:
    """Check that splits and members fit the datasets."""
    if not {'datasets', 'models', 'splits'} <= set(ports):
        return None  # a workflow has excluded them and validates by submitting
    datasets, splits = inputs.get('datasets', {}), inputs.get('splits', {})
    if not datasets:
        return '`datasets` must hold at least one dataset'
    if wrong := [label for label in datasets if not re.fullmatch(LABEL, label)]:
        return (
            f'{wrong[0]!r} cannot name a dataset (`role`): a name has letters, digits and single '
            'underscores between them'
        )
    if unknown := sorted(splits.keys() - datasets.keys()):
        return f'there are splits for {unknown}, but datasets only for {sorted(datasets)}'
    part = inputs.get('part')
    if part is not None and not splits:
        return f'`part` is {part.value!r}, but there are no `splits`'
    for label, dataset in datasets.items():
        split = splits.get(label)
        if reason := unsuitable(dataset, inputs['models'], split, part if split else None):
            return f'`{label}`: {reason}'
    return None


class PredictionWorkChain(ProtocolMixin, PoolWorkChain):
    """Evaluate k members in each job, on one dataset in each; failures are listed, none is lost."""

    PROTOCOLS = 'predict'

    @classmethod
    def define(cls, spec: ProcessSpec) -> None:
        """Define the process specification."""
        super().define(spec)
        own = ('dataset', 'split', 'part', 'models', 'follow')
        spec.expose_inputs(Predict, namespace='predict', exclude=own)
        spec.input_namespace('models', **members())
        spec.input_namespace(
            'datasets',
            valid_type=ConfigurationsData,
            dynamic=True,
            required=True,
            help='Labelled or not, by a short label.',
        )
        spec.input_namespace(
            'splits',
            valid_type=SplitData,
            dynamic=True,
            required=False,
            help='By the label of the dataset of which only a part is predicted.',
        )
        spec.input(
            'part',
            **port(orm.Str, one_of('part', PARTS), required=False),
            help='Part of the splits, `test` by default.',
        )
        spec.input(
            'members_per_job',
            **port(int, at_least(1), default=30),
            help='Members that share a job, and with it the neighbour lists.',
        )
        spec.input(
            'max_concurrent',
            **port(int, at_least(1), required=False),
            help='Jobs at a time, all by default.',
        )
        spec.inputs.validator = validate_inputs
        spec.outline(cls.list_jobs, while_(cls.has_work)(cls.work), cls.conclude)
        spec.output_namespace(
            'predictions',
            valid_type=PredictionData,
            dynamic=True,
            help='By dataset and member: `predictions.liquid.seed_7`.',
        )
        spec.exit_code(
            400, 'ERROR_PREDICTIONS_MISSING', message='There are no predictions of {failures}'
        )

    @classmethod
    def get_builder_from_protocol(
        cls,
        code: orm.AbstractCode,
        models: Mapping[str, ModelData],
        datasets: Mapping[str, ConfigurationsData],
        *,
        protocol: str | None = None,
        overrides: Mapping[str, Any] | None = None,
        **inputs: Any,
    ) -> ProcessBuilder:
        """Return a builder with all inputs set by the protocol, then by the overrides.

        Args:
            code: Python on the computer that predicts.
            models: Members by label.
            datasets: Datasets by label.
            protocol: One of `get_available_protocols`.
            overrides: `members_per_job`, `predict`, see `NequipPredictCalculation`, and `gpus`.
            **inputs: Further inputs, e.g. `splits`.
        """
        chosen = protocols.load('predict', protocol, overrides)
        chosen = machine.place_prediction(chosen, code, overrides)
        chosen['predict']['code'] = code
        builder = cls.get_builder()
        nodes = {'models': dict(models), 'datasets': dict(datasets)}
        fill_builder(builder, {**chosen, **nodes, **inputs})
        return builder

    @classmethod
    def width(cls, inputs: Mapping[str, Any]) -> int:
        """Return how many jobs these inputs can keep busy at a time."""
        groups = jobs_for(len(inputs['models']), int(inputs['members_per_job']))
        return len(inputs['datasets']) * groups

    @property
    def told(self) -> orm.ProcessNode:
        """The process that is told how many may run at a time: an audit for what it has called."""
        caller = self.node.caller
        if caller is not None and caller.process_label == 'AuditWorkChain':
            return caller
        return self.node

    def list_jobs(self) -> None:
        """Cut the members into groups by seed: more members later leave the first groups alone."""
        models = self.inputs.models
        labels = sorted(models, key=lambda label: (models[label].seed, label))
        size = self.inputs.members_per_job
        groups = [labels[first : first + size] for first in range(0, len(labels), size)]
        self.ctx.jobs = {
            f'{dataset}_{number}': {
                'dataset': dataset,
                'group': group,
                'batch_atoms': self.inputs.predict.get('batch_atoms'),
                'attempts': 0,
            }
            for dataset in sorted(self.inputs.datasets)
            for number, group in enumerate(groups)
        }
        self.open_pool()
        self.ctx.waiting = list(self.ctx.jobs)
        self.ctx.predictions, self.ctx.failures = {}, {}

    def job(self, name: Any) -> tuple[type[Predict], dict[str, Any]]:
        """Return the job of a group of members on one dataset."""
        piece = self.ctx.jobs[name]
        piece['attempts'] += 1
        dataset = piece['dataset']
        inputs = self.exposed_inputs(Predict, 'predict')
        inputs['dataset'] = self.inputs.datasets[dataset]
        inputs['models'] = {label: self.inputs.models[label] for label in piece['group']}
        inputs['batch_atoms'] = piece['batch_atoms']
        if dataset in self.inputs.get('splits', {}):
            inputs['split'] = self.inputs.splits[dataset]
            if 'part' in self.inputs:
                inputs['part'] = self.inputs.part
        if piece.get('follow') is not None:
            inputs['follow'] = piece['follow']
        inputs['metadata']['call_link_label'] = f'{name}_attempt_{piece["attempts"]}'
        return Predict, inputs

    def take(self, name: Any, job: orm.CalcJobNode) -> None:
        """Take over what there is; what was lost goes once more, what was too large in halves."""
        piece = self.ctx.jobs[name]
        if self.is_followed(piece, job):
            self.ctx.waiting.insert(0, name)
            return
        found = dict(job.outputs.predictions) if 'predictions' in job.outputs else {}
        missing = [label for label in piece['group'] if label not in found]
        lost = not job.is_finished or job.exit_status in TRANSIENT
        if missing and lost and piece['attempts'] < MAX_ATTEMPTS:
            self.report(f'{job.process_label}<{job.pk}> failed, going again: {job.exit_message}')
            self.ctx.waiting.insert(0, name)
            return
        if found:
            self.ctx.predictions.setdefault(piece['dataset'], {}).update(found)
        halves = self.halve(piece, missing, job.exit_status) if missing else []
        if halves:
            self.report(f'{job.process_label}<{job.pk}> goes in halves: {job.exit_message}')
            again = {f'{name}{letter}': half for letter, half in zip('ab', halves, strict=False)}
            self.ctx.jobs |= again
            self.ctx.waiting[:0] = list(again)
            return
        for label in missing:
            self.ctx.failures[f'{piece["dataset"]}.{label}'] = why_failed(job)

    def is_followed(self, piece: dict[str, Any], job: orm.CalcJobNode) -> bool:
        """Return whether a job lost its process and is to be followed: no attempt of its own."""
        followed, lost = piece.pop('follow', None), piece.pop('lost', 0)
        if not job.is_excepted or lost == MAX_LOST:
            return False
        piece['lost'], piece['attempts'] = lost + 1, piece['attempts'] - 1
        piece['follow'] = job_of(job, followed)
        self.report(lost_report(job, piece['follow']))
        return True

    def halve(
        self, piece: dict[str, Any], missing: list[str], status: int | None
    ) -> list[dict[str, Any]]:
        """Return jobs of half the size where one was too large; none where it was the least.

        Time is saved by fewer members in a job, memory also by fewer atoms at a time, down to one
        member that sees one configuration.
        """
        atoms = piece['batch_atoms']
        if status == OUT_OF_MEMORY:
            atoms = max(1, (atoms or BATCH_ATOMS) // 2)
        smallest = self.inputs.datasets[piece['dataset']].base.attributes.get('n_atoms_min')
        useful = len(missing) > 1 or (status == OUT_OF_MEMORY and atoms >= smallest)
        if status not in (OUT_OF_MEMORY, OUT_OF_WALLTIME) or not useful:
            return []
        middle = (len(missing) + 1) // 2
        groups = [missing[:middle], missing[middle:]]
        return [
            piece | {'group': g, 'batch_atoms': atoms, 'attempts': 0, 'follow': None}
            for g in groups
            if g
        ]

    def conclude(self) -> ExitCode | None:
        """Hand out every prediction there is, and name those there are not."""
        self.out('predictions', self.ctx.predictions)
        return self.failed('ERROR_PREDICTIONS_MISSING')
