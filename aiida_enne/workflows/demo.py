"""The paper's question in miniature: reference → dataset → split → ensemble → audit."""

from __future__ import annotations

from typing import Any

from aiida import orm
from aiida.engine import ExitCode, ProcessBuilder, ProcessSpec, ToContext, WorkChain

from aiida_enne.calculations.functions import (
    build_configurations,
    merge_datasets,
    split_dataset,
)
from aiida_enne.data.dataset import DatasetData
from aiida_enne.data.split import SplitData
from aiida_enne.workflows import protocols
from aiida_enne.workflows.audit import AuditWorkChain
from aiida_enne.workflows.base import ProtocolMixin
from aiida_enne.workflows.protocols import machine
from aiida_enne.workflows.reference.ase_base import AseBaseWorkChain
from aiida_enne.workflows.training.ensemble import EnsembleWorkChain

#: Label of the one dataset that a study makes.
LABEL = 'study'


class DemoWorkChain(ProtocolMixin, WorkChain):
    """Train on liquids of one temperature, ask about all else, and audit the answers."""

    PROTOCOLS = 'demo'

    @classmethod
    def define(cls, spec: ProcessSpec) -> None:
        """Define the process specification."""
        super().define(spec)
        spec.expose_inputs(
            AseBaseWorkChain,
            namespace='reference',
            exclude=('ase.configurations', 'ase.task', 'ase.seed'),
        )
        spec.input_namespace(
            'samples',
            valid_type=orm.Dict,
            dynamic=True,
            help='By label: `recipe` of structures, `task` of the reference, `seed` of dynamics.',
        )
        spec.input(
            'split',
            valid_type=orm.Dict,
            serializer=orm.to_aiida_type,
            help='How the joined dataset is split; see `science.splits.draw`.',
        )
        spec.expose_inputs(
            EnsembleWorkChain, namespace='ensemble', exclude=('dataset', 'split', 'splits')
        )
        spec.expose_inputs(
            AuditWorkChain, namespace='audit', exclude=('models', 'datasets', 'splits')
        )
        spec.outline(
            cls.calculate_reference, cls.join_and_split, cls.train, cls.audit, cls.hand_out
        )
        spec.output('dataset', valid_type=DatasetData, help='All reference labels.')
        spec.output('split', valid_type=SplitData, help='What was trained on and tested.')
        spec.expose_outputs(EnsembleWorkChain)
        spec.expose_outputs(AuditWorkChain)
        spec.exit_code(
            400, 'ERROR_REFERENCE_FAILED', message='The reference failed for {labels}: {reason}'
        )
        spec.exit_code(401, 'ERROR_TRAINING_FAILED', message='The training failed: {reason}')
        spec.exit_code(402, 'ERROR_AUDIT_FAILED', message='The audit failed: {reason}')

    @classmethod
    def get_builder_from_protocol(
        cls,
        code: orm.AbstractCode,
        *,
        protocol: str | None = None,
        overrides: dict[str, Any] | None = None,
    ) -> ProcessBuilder:
        """Return a builder with all inputs set by the protocol, then by the overrides.

        Args:
            code: Python with ASE, LAMMPS, NequIP and torch on the computer that does all the work.
            protocol: One of `get_available_protocols`.
            overrides: Nested inputs that win over the protocol's.
        """
        chosen = protocols.load('demo', protocol, overrides)
        names = chosen['protocols']
        inputs = {name: chosen[name] for name in ('reference', 'split')}
        inputs['samples'] = {label: orm.Dict(one) for label, one in chosen['samples'].items()}
        inputs['ensemble'] = protocols.ensemble_inputs(code, names['ensemble'], chosen['training'])
        audit = protocols.load('audit', names['audit'], chosen['audit_of'])
        given = audit.pop('predict', None)
        predict = protocols.load('predict', names['audit'], given)
        inputs['audit'] = audit | machine.place_prediction(predict, code, given)
        return protocols.fill(cls, inputs, code)

    def calculate_reference(self) -> dict[str, Any]:
        """Build every sample and submit its reference calculation, all at once."""
        jobs = {}
        for label, sample in self.inputs.samples.items():
            chosen = sample.get_dict()
            inputs = self.exposed_inputs(AseBaseWorkChain, 'reference')
            inputs['ase']['configurations'] = build_configurations(orm.List(chosen['recipe']))
            inputs['ase']['task'] = orm.Dict(chosen['task'])
            if 'seed' in chosen:
                inputs['ase']['seed'] = orm.Int(chosen['seed'])
            inputs['metadata'] = {'call_link_label': f'reference_{label}'}
            jobs[f'reference_{label}'] = self.submit(AseBaseWorkChain, **inputs)
        return ToContext(**jobs)

    def join_and_split(self) -> ExitCode | None:
        """Join all labels in one dataset, and decide what is trained on."""
        jobs = {label: self.ctx[f'reference_{label}'] for label in self.inputs.samples}
        if failed := {label: job for label, job in jobs.items() if not job.is_finished_ok}:
            reason = next(iter(failed.values())).exit_message
            return self.exit_codes.ERROR_REFERENCE_FAILED.format(
                labels=sorted(failed), reason=reason
            )
        self.ctx.dataset = merge_datasets(
            **{label: job.outputs.dataset for label, job in jobs.items()}
        )
        self.out('dataset', self.ctx.dataset)
        self.ctx.split = split_dataset(self.ctx.dataset, self.inputs.split)
        self.out('split', self.ctx.split)
        return None

    def train(self) -> dict[str, Any]:
        """Train the ensemble on the training part."""
        inputs = self.exposed_inputs(EnsembleWorkChain, 'ensemble')
        inputs |= {'dataset': self.ctx.dataset, 'split': self.ctx.split}
        return ToContext(ensemble=self.submit(EnsembleWorkChain, **inputs))

    def audit(self) -> ExitCode | dict[str, Any]:
        """Let every member predict the test part, and audit the ensemble on it."""
        ensemble = self.ctx.ensemble
        self.out_many(self.exposed_outputs(ensemble, EnsembleWorkChain))
        if not ensemble.is_finished_ok:
            return self.exit_codes.ERROR_TRAINING_FAILED.format(reason=ensemble.exit_message)
        inputs = self.exposed_inputs(AuditWorkChain, 'audit')
        inputs |= {
            'models': dict(ensemble.outputs.models),
            'datasets': {LABEL: self.ctx.dataset},
            'splits': {LABEL: self.ctx.split},
        }
        return ToContext(audit=self.submit(AuditWorkChain, **inputs))

    def hand_out(self) -> ExitCode | None:
        """Hand out predictions and statistics."""
        audit = self.ctx.audit
        self.out_many(self.exposed_outputs(audit, AuditWorkChain))
        if not audit.is_finished_ok:
            return self.exit_codes.ERROR_AUDIT_FAILED.format(reason=audit.exit_message)
        return None
