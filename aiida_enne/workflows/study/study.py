"""The whole study, from first structure to last scan; what fails takes nothing else along."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

from aiida import orm
from aiida.engine import ExitCode, ProcessBuilder, ProcessSpec, while_

from aiida_enne.aiida_private import fill_builder
from aiida_enne.calculations.relaxations import take_lattice_constant
from aiida_enne.calculations.trained import INCLUDE
from aiida_enne.data.dataset import DatasetData
from aiida_enne.data.scan import ScanData
from aiida_enne.data.split import SplitData
from aiida_enne.science.plans import studies
from aiida_enne.science.plans.scans import TRAINING
from aiida_enne.science.plans.slots import Needs
from aiida_enne.science.structures.domains import dataset_role
from aiida_enne.workflows.audit import AuditWorkChain
from aiida_enne.workflows.base import ProtocolMixin, returned
from aiida_enne.workflows.prediction import PredictionWorkChain
from aiida_enne.workflows.reference.chosen import thaw
from aiida_enne.workflows.study import converging, ports, scanning, training_data
from aiida_enne.workflows.study.branches import Branch, Branches, Job
from aiida_enne.workflows.study.defect import DefectWorkChain
from aiida_enne.workflows.study.scan import ScanWorkChain
from aiida_enne.workflows.study.surface import SurfaceWorkChain
from aiida_enne.workflows.training.ensemble import EnsembleWorkChain

#: What the ensemble relaxes itself, where the reference has.
OWN = {'defect': DefectWorkChain, 'surface': SurfaceWorkChain}


class StudyWorkChain(ProtocolMixin, Branches):
    """Liquids ‖ samples ‖ phases, the ensemble, defects ‖ surfaces, own relaxations, audit, scans.

    Each begins as soon as what it needs is there. The ensemble is trained on the liquids or, where
    there are none, on the samples.
    """

    PROTOCOLS = 'study'

    @classmethod
    def define(cls, spec: ProcessSpec) -> None:
        """Define the process specification."""
        super().define(spec)
        ports.define(spec)
        spec.outline(cls.begin, while_(cls.has_work)(cls.work), cls.conclude)
        spec.output_namespace(
            'datasets',
            valid_type=DatasetData,
            dynamic=True,
            help='By role: liquid, training, eos_diamond, defect_vacancy_3, surface_10, …',
        )
        spec.output('split', valid_type=SplitData, required=False, help='Of `training`.')
        spec.output('equilibrium', valid_type=orm.Dict, required=False, help='Fits by phase.')
        spec.output('lattice_constant', valid_type=orm.Float, required=False, help='In Å.')
        spec.output_namespace(
            'analyses', valid_type=orm.Dict, dynamic=True, help='Of the liquids, by trajectory.'
        )
        spec.expose_outputs(EnsembleWorkChain)
        spec.outputs['summary'].required = False
        spec.expose_outputs(AuditWorkChain)
        spec.output_namespace('scans', valid_type=ScanData, dynamic=True, help='By name.')
        spec.output_namespace('convergence', valid_type=orm.Dict, dynamic=True, help='By part.')
        spec.exit_code(400, 'ERROR_PARTS_FAILED', message='Some parts failed: {failures}')

    @classmethod
    def get_builder_from_protocol(
        cls,
        code: orm.AbstractCode,
        engine: str = 'ase',
        *,
        python: orm.AbstractCode | None = None,
        protocol: str | None = None,
        overrides: Mapping[str, Any] | None = None,
    ) -> ProcessBuilder:
        """Return a builder with all inputs set by the protocol, then by the overrides.

        Args:
            code: Code of the engine.
            engine: Name of the engine.
            python: Python with NequIP; the code of the engine by default.
            protocol: One of `get_available_protocols`.
            overrides: Nested values that win over the protocol's; each part takes the overrides
                of its own work chain, None leaves it out.

        Raises:
            ValueError: If there is no such protocol, or a value cannot be used.
            EntryPointError: If there is no such engine.
        """
        inputs = ports.from_protocol(code, python or code, engine, protocol, overrides)
        builder = cls.get_builder()
        fill_builder(builder, inputs)
        return builder

    def begin(self) -> None:
        """Nothing is known yet."""
        super().begin()
        self.ctx.datasets, self.ctx.own, self.ctx.models = {}, {}, {}
        self.ctx.analyses, self.ctx.predictions = {}, {}

    def branches(self) -> dict[str, Branch]:
        """Return all branches by name, the most urgent first: what is trained on, then the rest."""
        trained_on = 'liquid' if 'liquid' in self.inputs else 'sample'
        own = [kind for kind in OWN if kind in self.inputs and 'own' in self.inputs]
        table = {
            one: Branch(partial(self.build_reference, one), partial(self.take_labels, one))
            for one in ('liquid', 'sample')
        }
        needs = Needs((trained_on,))
        table['ensemble'] = Branch(
            self.build_ensemble, self.take_ensemble, needs, self.choose_training
        )
        table['eos'] = Branch(partial(self.build_reference, 'eos'), self.take_eos)
        for kind in OWN:
            table[kind] = Branch(
                partial(self.build_reference, kind),
                self.take_relaxed,
                Needs(() if 'lattice_constant' in self.inputs else ('eos',)),
                self.find_lattice_constant,
            )
        asked = {name: one for name, one in table.items() if name in {*self.inputs, 'ensemble'}}
        for kind in own:
            needs = Needs(('ensemble', *asked[kind].needs.ended))
            build, take = partial(self.build_own, kind), partial(self.take_relaxed, whose='own')
            asked[f'own__{kind}'] = Branch(build, take, needs, self.may_relax)
        labelled = tuple(name for name in ports.REFERENCE if name in asked)
        needs = Needs(('ensemble', *labelled))
        asked['audit'] = Branch(self.build_audit, self.take_audit, needs, self.has_models)
        asked['own_predictions'] = Branch(
            self.build_own_predictions,
            self.take_own_predictions,
            Needs(('ensemble', *(f'own__{kind}' for kind in own))),
            lambda: self.has_models() and bool(self.ctx.own),
        )
        return asked | self.scans(labelled) | converging.branches(self)

    def scans(self, labelled: tuple[str, ...]) -> dict[str, Branch]:
        """Return the scans, one after another: what two of them share is trained by the first."""
        table: dict[str, Branch] = {}
        for name, given in self.inputs.scans.get_dict().items():
            roles = scanning.labelled_for(given, labelled)
            # the audit asks the main members first; a scan asks none of them again
            needs = Needs(('ensemble', *roles, *list(table)[-1:]), first=('audit',))
            table[f'scan__{name}'] = Branch(
                partial(self.build_scan, name),
                partial(self.take_scan, name),
                needs,
                self.has_models,
            )
        return table

    def take_labels(self, role: str, node: orm.ProcessNode) -> None:
        """Take over liquids or samples, and what was found of each trajectory."""
        self.ctx.analyses |= returned(node, 'analyses')
        if 'dataset' in node.outputs:
            self.ctx.datasets[role] = node.outputs.dataset

    def take_eos(self, node: orm.ProcessNode) -> None:
        """Take over the relaxed phases, and the fits."""
        self.take_relaxed(node)
        if 'equilibrium' in node.outputs:
            self.out('equilibrium', node.outputs.equilibrium)

    def take_relaxed(self, node: orm.ProcessNode, whose: str = 'datasets') -> None:
        """Take over datasets of relaxations, `own` by the ensemble, by what their domains are."""
        for dataset in returned(node, 'datasets').values():
            self.ctx[whose][dataset_role(dataset.kinds.values())] = dataset

    def find_lattice_constant(self) -> bool:
        """Take the lattice constant that defects and surfaces need; return whether there is one."""
        if 'lattice_constant' in self.ctx or 'lattice_constant' in self.ctx.failures:
            return 'lattice_constant' in self.ctx
        if 'lattice_constant' in self.inputs:
            self.ctx.lattice_constant = self.inputs.lattice_constant
        elif self.outputs.get('equilibrium', {}).get(studies.ZERO, {}).get('volume'):
            equilibrium = self.outputs['equilibrium']
            self.ctx.lattice_constant = take_lattice_constant(equilibrium, orm.Str(studies.ZERO))
        else:
            self.ctx.failures['lattice_constant'] = f'there is no fit to {studies.ZERO}'
            return False
        self.out('lattice_constant', self.ctx.lattice_constant)
        return True

    def choose_training(self) -> bool:
        """Choose what is trained on, and split it; return whether there is enough."""
        try:
            chosen = training_data.choose(self.inputs, self.ctx.datasets, self.ctx.analyses)
        except ValueError as exception:
            self.ctx.failures['training'] = str(exception)
            return False
        self.ctx.datasets, self.ctx.domains = chosen.datasets, chosen.domains
        self.ctx.pool, self.ctx.splits = chosen.pool, chosen.splits
        self.out('split', chosen.splits[TRAINING])
        return True

    def take_ensemble(self, node: orm.ProcessNode) -> None:
        """Take over the members; they are used if there are enough of them."""
        self.out_many(self.exposed_outputs(node, EnsembleWorkChain))
        if node.is_finished_ok:
            self.ctx.models = returned(node, 'models')

    def has_models(self) -> bool:
        """Return whether there is an ensemble."""
        return bool(self.ctx.models)

    def may_relax(self) -> bool:
        """Return whether the ensemble can relax what the reference does."""
        return self.has_models() and self.find_lattice_constant()

    def take_audit(self, node: orm.ProcessNode) -> None:
        """Take over predictions and statistics."""
        self.ctx.predictions |= returned(node, 'predictions')
        self.out('statistics', returned(node, 'statistics'))

    def take_own_predictions(self, node: orm.ProcessNode) -> None:
        """Take over predictions alone."""
        self.ctx.predictions |= returned(node, 'predictions')

    def take_scan(self, name: str, node: orm.ProcessNode) -> None:
        """Take over what a scan consists of."""
        if 'summary' in node.outputs:
            self.out(f'scans.{name}', node.outputs.summary)

    def build_reference(self, kind: str) -> Job:
        """Return liquids or relaxations by the reference."""
        process, _owned = ports.REFERENCE[kind]
        inputs = dict(self.exposed_inputs(process, kind, agglomerate=False))
        if kind in OWN:
            inputs['lattice_constant'] = self.ctx.lattice_constant
        return Job(process, inputs, process.width(inputs))

    def build_own(self, kind: str) -> Job:
        """Return relaxations by the ensemble."""
        inputs = dict(self.exposed_inputs(OWN[kind], kind, agglomerate=False))
        inputs |= {'engine': orm.Str('ase'), 'own': orm.Bool(True)}
        inputs['lattice_constant'] = self.ctx.lattice_constant
        inputs['max_failures'] = orm.Int(ports.ANY_NUMBER)  # a finding, no fault of the study
        inputs.pop('sampler', None)
        base = thaw(self.inputs.own)
        base['ase']['models'] = self.ctx.models
        inputs['inputs'] = {'base': base}
        return Job(OWN[kind], inputs, OWN[kind].width(inputs))

    def build_ensemble(self) -> Job:
        """Return the training."""
        inputs = dict(self.exposed_inputs(EnsembleWorkChain, 'ensemble', agglomerate=False))
        split = self.ctx.splits[TRAINING]
        inputs |= {'dataset': self.ctx.datasets[TRAINING], 'split': split}
        return Job(EnsembleWorkChain, inputs, EnsembleWorkChain.width(inputs))

    def build_audit(self) -> Job:
        """Return the audit on everything that the reference has labelled."""
        inputs = self.asked(self.ctx.datasets)
        known = {domain for node in self.ctx.datasets.values() for domain in node.domains}
        options = studies.complete_audit(inputs['audit'].get_dict(), list(self.ctx.domains), known)
        # what was trained on is left out where figures read the predictions
        inputs |= {'splits': self.ctx.splits, 'trained_frames': orm.Str(INCLUDE)}
        inputs['audit'] = orm.Dict(options)
        return Job(AuditWorkChain, inputs, PredictionWorkChain.width(inputs))

    def build_own_predictions(self) -> Job:
        """Return predictions of geometries that have no labels."""
        inputs = self.asked(self.ctx.own)
        for name in scanning.OF_AUDIT:
            inputs.pop(name, None)
        return Job(PredictionWorkChain, inputs, PredictionWorkChain.width(inputs))

    def asked(self, datasets: Mapping[str, DatasetData]) -> dict[str, Any]:
        """Return the inputs of an audit of the members on datasets."""
        inputs = dict(self.exposed_inputs(AuditWorkChain, 'audit', agglomerate=False))
        return inputs | {'models': self.ctx.models, 'datasets': datasets}

    def build_scan(self, name: str) -> Job:
        """Return a scan of training choices."""
        scan = self.inputs.scans[name]
        asked = dict(self.exposed_inputs(AuditWorkChain, 'audit', agglomerate=False))
        ensemble = dict(self.exposed_inputs(EnsembleWorkChain, 'ensemble', agglomerate=False))
        base = scanning.base_of(self.inputs, self.ctx.splits[TRAINING], self.ctx.domains)
        prepared = scanning.scan_inputs(scan, base, ensemble, asked, self.ctx)
        return Job(ScanWorkChain, prepared, ScanWorkChain.width(prepared))

    def conclude(self) -> ExitCode | None:
        """Hand out everything there is, then say what failed."""
        self.out('datasets', {**self.ctx.datasets, **self.ctx.own})
        self.out('analyses', self.ctx.analyses)
        self.out('predictions', self.ctx.predictions)
        return self.failed('ERROR_PARTS_FAILED')
