"""Elastic constants and phonons of crystals by every member, a reference beside them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aiida import orm
from aiida.engine import ExitCode, ProcessBuilder, ProcessSpec, ToContext, WorkChain, if_

from aiida_enne.aiida_private import fill_builder, inputs_of
from aiida_enne.calculations.deformations import (
    ALL,
    BY_SYMMETRY,
    Deforming,
    deform,
    deform_crystal,
    state_stiffness,
)
from aiida_enne.calculations.nequip_predict import members, unsuitable
from aiida_enne.calculations.ports import port
from aiida_enne.data.configurations import ConfigurationsData
from aiida_enne.data.dataset import DatasetData
from aiida_enne.data.model import ModelData
from aiida_enne.data.prediction import PredictionData
from aiida_enne.science.properties import bands
from aiida_enne.workflows import protocols
from aiida_enne.workflows.base import ProtocolMixin, returned, why_failed
from aiida_enne.workflows.prediction import PredictionWorkChain
from aiida_enne.workflows.protocols import machine
from aiida_enne.workflows.reference.chosen import refusal, thaw
from aiida_enne.workflows.reference.label import TASK, LabelWorkChain

#: Label of the cells among the datasets of a prediction.
CELLS = 'cells'


def validate(inputs: Mapping[str, Any], ports: Any) -> str | None:
    """Check that the crystals can be deformed, and that members and engine take what comes."""
    if not {'crystals', 'deform', 'models'} <= set(ports):
        return None  # a workflow has excluded them and validates by submitting
    try:
        chosen = Deforming.from_dict(inputs['deform'].get_dict(), '`deform`')
        cells = deform(inputs['crystals'].get_configurations(), chosen)
    except ValueError as exception:
        return str(exception)
    drafted = ConfigurationsData.from_configurations(cells)
    if reason := unsuitable(drafted, inputs['models'], None, None):
        return f'`crystals`: {reason}'
    if 'label' not in inputs:
        return None
    label = inputs['label']
    owned = {'configurations': drafted, 'task': orm.Dict(TASK)}
    return refusal(label['engine'].value, label.get('inputs', {}), **owned)


class StiffnessWorkChain(ProtocolMixin, WorkChain):
    """Deform crystals, label the cells by an engine if there is one, predict by every member."""

    PROTOCOLS = 'stiffness'

    @classmethod
    def define(cls, spec: ProcessSpec) -> None:
        """Define the process specification."""
        super().define(spec)
        spec.input(
            'crystals',
            valid_type=ConfigurationsData,
            help='Relaxed crystals, one a domain; of several labelled ones the lowest in energy.',
        )
        spec.input('deform', **port(orm.Dict, default={}), help='See `Deforming`.')
        spec.input_namespace('models', **members())
        owned = ('models', 'datasets', 'splits', 'part')
        spec.expose_inputs(PredictionWorkChain, namespace='prediction', exclude=owned)
        spec.expose_inputs(
            LabelWorkChain,
            namespace='label',
            exclude=('configurations',),
            namespace_options={
                'required': False,
                'populate_defaults': False,
                'help': 'Of the reference; without it nothing is compared.',
            },
        )
        spec.inputs.validator = validate
        spec.outline(cls.deform, if_(cls.has_engine)(cls.label), cls.predict, cls.conclude)
        spec.output('cells', valid_type=ConfigurationsData, help='Deformed, without labels.')
        spec.output('dataset', valid_type=DatasetData, required=False, help='Cells with labels.')
        spec.output_namespace(
            'predictions', valid_type=PredictionData, dynamic=True, help='By member.'
        )
        spec.output(
            'results',
            valid_type=orm.Dict,
            required=False,
            help='By crystal: numbers by member, mean, spread, reference.',
        )
        spec.exit_code(400, 'ERROR_LABELS_FAILED', message='The reference failed: {reason}')
        spec.exit_code(401, 'ERROR_PREDICTION_FAILED', message='The predictions failed: {reason}')

    @classmethod
    def get_builder_from_protocol(
        cls,
        code: orm.AbstractCode,
        models: Mapping[str, ModelData],
        crystals: ConfigurationsData,
        engine: str | None = None,
        *,
        engine_code: orm.AbstractCode | None = None,
        protocol: str | None = None,
        overrides: Mapping[str, Any] | None = None,
    ) -> ProcessBuilder:
        """Return a builder with all inputs set by the protocol, then by the overrides.

        Args:
            code: Python with NequIP.
            models: Members by label.
            crystals: Relaxed crystals, one a domain.
            engine: Name of the engine that labels; None for no reference.
            engine_code: Its code, where it is another.
            protocol: One of `get_available_protocols`.
            overrides: `deform`, and overrides of the parts `label` and `prediction`. Displacements
                are reduced by symmetry where phonopy is installed, unless `deform` says otherwise.

        Raises:
            ValueError: If there is no such protocol, or a value cannot be used.
            EntryPointError: If there is no such engine.
        """
        name = protocol or cls.get_default_protocol()
        chosen = protocols.load('stiffness', protocol, overrides)
        if engine is None and chosen['label']:
            raise ValueError(f'`label` is of no use without an engine, got {chosen["label"]}')
        chosen['deform'].setdefault('displacements', BY_SYMMETRY if bands.is_available() else ALL)
        given = chosen['prediction']
        predict = machine.place_prediction(protocols.load('predict', name, given), code, given)
        inputs: dict[str, Any] = {
            'models': dict(models),
            'crystals': crystals,
            'deform': orm.Dict(chosen['deform']),
            'prediction': protocols.with_code(PredictionWorkChain.spec().inputs, predict, code),
        }
        if engine is not None:
            labelling = LabelWorkChain.get_builder_from_protocol(
                engine_code or code, crystals, engine, protocol=name, overrides=chosen['label']
            )
            found = inputs_of(labelling).items()
            inputs['label'] = {key: one for key, one in found if key != 'configurations'}
        builder = cls.get_builder()
        fill_builder(builder, inputs)
        return builder

    def deform(self) -> None:
        """Strain the cells and displace the atoms."""
        self.ctx.cells = deform_crystal(self.inputs.crystals, self.inputs.deform)
        self.out('cells', self.ctx.cells)

    def has_engine(self) -> bool:
        """Return whether there is a reference."""
        return 'label' in self.inputs

    def label(self) -> dict[str, Any]:
        """Label all cells."""
        inputs = thaw(self.exposed_inputs(LabelWorkChain, 'label', agglomerate=False))
        inputs |= {'configurations': self.ctx.cells, 'metadata': {'call_link_label': 'label'}}
        return ToContext(labelling=self.submit(LabelWorkChain, inputs))

    def predict(self) -> ExitCode | dict[str, Any]:
        """Let every member predict them."""
        if 'labelling' in self.ctx:
            node = self.ctx.labelling
            if 'dataset' in node.outputs:
                self.out('dataset', node.outputs.dataset)
            if not node.is_finished_ok:
                return self.exit_codes.ERROR_LABELS_FAILED.format(reason=why_failed(node))
            self.ctx.cells = node.outputs.dataset
        inputs = thaw(self.exposed_inputs(PredictionWorkChain, 'prediction', agglomerate=False))
        inputs |= {
            'models': dict(self.inputs.models),
            'datasets': {CELLS: self.ctx.cells},
            'metadata': {'call_link_label': 'predict'},
        }
        return ToContext(prediction=self.submit(PredictionWorkChain, inputs))

    def conclude(self) -> ExitCode | None:
        """Hand out what members say, with the reference beside it."""
        node = self.ctx.prediction
        found = dict(returned(node, 'predictions').get(CELLS, {}))
        self.out('predictions', found)
        if not node.is_finished_ok:
            return self.exit_codes.ERROR_PREDICTION_FAILED.format(reason=why_failed(node))
        self.out('results', state_stiffness(self.ctx.cells, **found))
        return None
