"""The whole study, from first structure to last scan; what fails takes nothing else along."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aiida import orm
from aiida.engine import ExitCode, ProcessBuilder, ProcessSpec, WorkChain, while_

from aiida_enne.aiida_private import fill_builder
from aiida_enne.calculations.functions import split_dataset
from aiida_enne.calculations.relaxations import take_lattice_constant
from aiida_enne.calculations.study import map_split, take_production, thin_training
from aiida_enne.data.dataset import DatasetData
from aiida_enne.data.split import SplitData
from aiida_enne.science.plans import studies
from aiida_enne.workflows.audit import AuditWorkChain
from aiida_enne.workflows.prediction import PredictionWorkChain
from aiida_enne.workflows.reference.chosen import thaw
from aiida_enne.workflows.reference.liquid import plan
from aiida_enne.workflows.study import ports, scanning
from aiida_enne.workflows.study.branches import Branches, limited, returned
from aiida_enne.workflows.study.defect import DefectWorkChain
from aiida_enne.workflows.study.scan import ScanWorkChain
from aiida_enne.workflows.study.surface import SurfaceWorkChain
from aiida_enne.workflows.training.ensemble import EnsembleWorkChain

OWN = {'own__defect': DefectWorkChain, 'own__surface': SurfaceWorkChain}


class StudyWorkChain(Branches):
    """Liquids ‖ phases → ensemble ‖ defects ‖ surfaces → its own relaxations → audit → scans."""

    STAGES = ('reference', 'training', 'own', 'audit', 'scans')

    @classmethod
    def define(cls, spec: ProcessSpec) -> None:
        """Define the process specification."""
        super().define(spec)
        ports.define(spec)
        spec.outline(
            cls.begin, while_(cls.has_branches)(cls.submit_branches, cls.gather), cls.conclude
        )
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
        spec.output_namespace('scans', valid_type=orm.Dict, dynamic=True, help='By name.')
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
            protocol: `test`, `laptop` or `paper`, see `study.yaml`.
            overrides: Nested values that win over the protocol's; each part takes the overrides
                of its own work chain, None leaves `eos`, `defect`, `surface` or `own` out.

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
        self.ctx.analyses, self.ctx.predictions, self.ctx.scans = {}, {}, None

    def plan_reference(self) -> list[str]:
        """Begin with what needs nothing else."""
        return [name for name in ('liquid', 'eos') if name in self.inputs]

    def take_liquid(self, node: orm.ProcessNode, _: str) -> None:
        """Take over all frames, and what was found of each trajectory."""
        self.ctx.analyses = returned(node, 'analyses')
        if 'dataset' in node.outputs:
            self.ctx.datasets['liquid'] = node.outputs.dataset

    def take_eos(self, node: orm.ProcessNode, _: str) -> None:
        """Take over the relaxed phases, and the fits."""
        self.take_relaxed(node, 'eos')
        if 'equilibrium' in node.outputs:
            self.out('equilibrium', node.outputs.equilibrium)

    def take_defect(self, node: orm.ProcessNode, _: str) -> None:
        """Take over the paths of defects."""
        self.take_relaxed(node, 'defect')

    def take_surface(self, node: orm.ProcessNode, _: str) -> None:
        """Take over the paths of slabs."""
        self.take_relaxed(node, 'surface')

    def take_relaxed(self, node: orm.ProcessNode, kind: str, *, own: bool = False) -> None:
        """Take over the datasets of relaxations."""
        taken = self.ctx.own if own else self.ctx.datasets
        for label, dataset in returned(node, 'datasets').items():
            taken[studies.role(kind, label, own=own)] = dataset

    def plan_training(self) -> list[str]:
        """Choose what is trained on; defects and surfaces need the lattice constant only."""
        branches = ['ensemble'] if self.choose_training() else []
        if not {'defect', 'surface'} & set(self.inputs):
            return branches
        if 'lattice_constant' in self.inputs:
            self.ctx.lattice_constant = self.inputs.lattice_constant
        elif self.outputs.get('equilibrium', {}).get(studies.ZERO, {}).get('volume'):
            equilibrium = self.outputs['equilibrium']
            self.ctx.lattice_constant = take_lattice_constant(equilibrium, orm.Str(studies.ZERO))
        else:
            self.ctx.failures['lattice_constant'] = f'there is no fit to {studies.ZERO}'
            return branches
        self.out('lattice_constant', self.ctx.lattice_constant)
        return branches + [name for name in ('defect', 'surface') if name in self.inputs]

    def choose_training(self) -> bool:
        """Take what melted of the densities, and split it; return whether there is enough."""
        planned = plan(self.inputs.liquid)
        domains, missing = studies.select_molten(planned, self.ctx.analyses)
        total = len(domains) + len(missing)
        needed = int(self.inputs.get('min_densities', total))
        if len(domains) < needed or 'liquid' not in self.ctx.datasets:
            self.ctx.failures['training'] = f'no liquid of {", ".join(missing)}'
            return False
        self.ctx.domains = domains
        liquid, named = self.ctx.datasets['liquid'], orm.List(domains)
        try:
            training = self.ctx.datasets['training'] = take_production(liquid, named)
            split = self.ctx.pool = split_dataset(training, self.inputs.split)
            if 'draw' in self.inputs:
                draw = orm.Dict(scanning.complete_draw(self.inputs))
                split = thin_training(training, split, draw)
            self.ctx.splits = {'training': split, 'liquid': map_split(liquid, named, split)}
        except ValueError as exception:
            self.ctx.failures['training'] = str(exception)
            return False
        self.out('split', split)
        return True

    def take_ensemble(self, node: orm.ProcessNode, _: str) -> None:
        """Take over the members; they are used if there are enough of them."""
        self.out_many(self.exposed_outputs(node, EnsembleWorkChain))
        if node.is_finished_ok:
            self.ctx.models = returned(node, 'models')

    def plan_own(self) -> list[str]:
        """Let the ensemble relax what the reference has relaxed."""
        if 'own' not in self.inputs or not self.ctx.models or 'lattice_constant' not in self.ctx:
            return []
        return [name for name in OWN if name.partition('__')[2] in self.inputs]

    def take_own(self, node: orm.ProcessNode, kind: str) -> None:
        """Take over geometries that the ensemble relaxed."""
        self.take_relaxed(node, kind, own=True)

    def plan_audit(self) -> list[str]:
        """Ask every member about everything; on its own geometries there is no label to audit."""
        if not self.ctx.models:
            return []
        return ['audit', 'own_predictions'] if self.ctx.own else ['audit']

    def take_audit(self, node: orm.ProcessNode, _: str) -> None:
        """Take over predictions and statistics."""
        self.ctx.predictions |= returned(node, 'predictions')
        self.out('statistics', returned(node, 'statistics'))

    def take_own_predictions(self, node: orm.ProcessNode, _: str) -> None:
        """Take over predictions alone."""
        self.ctx.predictions |= returned(node, 'predictions')

    def plan_scans(self) -> list[str]:
        """Begin with the next scan: what two of them share is trained by the first."""
        if self.ctx.models and self.ctx.scans is None:
            self.ctx.scans = list(self.inputs.scans.get_dict())
        if not self.ctx.scans:
            return []
        self.ctx.stages.insert(0, 'scans')
        return [f'scan__{self.ctx.scans.pop(0)}']

    def take_scan(self, node: orm.ProcessNode, name: str) -> None:
        """Take over what a scan consists of."""
        if 'summary' in node.outputs:
            self.out(f'scans.{name}', node.outputs.summary)

    def branch(self, name: str, share: int | None) -> tuple[type[WorkChain], dict[str, Any]]:
        """Return the work chain of a branch and its inputs."""
        if name in ports.REFERENCE:
            process, _ = ports.REFERENCE[name]
            inputs = dict(self.exposed_inputs(process, name, agglomerate=False))
            return process, self.placed(name, inputs, share)
        if name in OWN:
            process, kind = OWN[name], name.partition('__')[2]
            inputs = dict(self.exposed_inputs(process, kind, agglomerate=False))
            inputs |= {'engine': orm.Str('ase'), 'own': orm.Bool(True)}
            inputs['max_failures'] = orm.Int(ports.ANY_NUMBER)  # a finding, no fault of the study
            base = thaw(self.inputs.own)
            base['ase']['models'] = self.ctx.models
            inputs['inputs'] = {'base': base}
            return process, self.placed(kind, inputs, share)
        if name == 'ensemble':
            inputs = dict(self.exposed_inputs(EnsembleWorkChain, name, agglomerate=False))
            split = self.ctx.splits['training']
            inputs |= {'dataset': self.ctx.datasets['training'], 'split': split}
            if (limit := limited(inputs.get('max_concurrent'), share)) is not None:
                inputs['max_concurrent'] = orm.Int(limit)
            return EnsembleWorkChain, inputs
        inputs = dict(self.exposed_inputs(AuditWorkChain, 'audit', agglomerate=False))
        if name.startswith('scan__'):
            scan = self.inputs.scans[name.removeprefix('scan__')]
            ensemble = dict(self.exposed_inputs(EnsembleWorkChain, 'ensemble', agglomerate=False))
            base = scanning.base_of(self.inputs, self.ctx.splits['training'], self.ctx.domains)
            prepared = scanning.scan_inputs(scan, base, ensemble, inputs, self.ctx)
            prepared['max_concurrent'] = limited(scan.get('max_concurrent', 1), share)
            return ScanWorkChain, prepared
        inputs |= {'models': self.ctx.models}
        if (limit := limited(inputs.get('max_concurrent'), share)) is not None:
            inputs['max_concurrent'] = limit
        if name == 'own_predictions':
            del inputs['audit']
            return PredictionWorkChain, inputs | {'datasets': self.ctx.own}
        known = {domain for node in self.ctx.datasets.values() for domain in node.domains}
        options = studies.complete_audit(inputs['audit'].get_dict(), self.ctx.domains, known)
        inputs |= {'audit': orm.Dict(options), 'splits': self.ctx.splits}
        return AuditWorkChain, inputs | {'datasets': self.ctx.datasets}

    def placed(self, kind: str, inputs: dict[str, Any], share: int | None) -> dict[str, Any]:
        """Return the inputs of a relaxation or of the liquids with what the study knows."""
        inputs['max_concurrent'] = limited(inputs['max_concurrent'], share)
        if kind in ('defect', 'surface'):
            inputs['lattice_constant'] = self.ctx.lattice_constant
        return inputs

    def conclude(self) -> ExitCode | None:
        """Hand out everything there is, then say what failed."""
        self.out('datasets', {**self.ctx.datasets, **self.ctx.own})
        self.out('analyses', self.ctx.analyses)
        self.out('predictions', self.ctx.predictions)
        if self.ctx.failures:
            told = '; '.join(f'{name} ({why})' for name, why in self.ctx.failures.items())
            return self.exit_codes.ERROR_PARTS_FAILED.format(failures=told)
        return None
