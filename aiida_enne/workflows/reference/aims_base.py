"""A run of FHI-aims, with restarts."""

from __future__ import annotations

from typing import Any

from aiida import orm
from aiida.engine import (
    ExitCode,
    ProcessHandlerReport,
    ProcessSpec,
    process_handler,
)

from aiida_enne.calculations.aims import AimsCalculation as Aims
from aiida_enne.calculations.references import join_attempts
from aiida_enne.codes.aims import MD_RESTART
from aiida_enne.workflows.restarts import SurvivingRestartWorkChain

_CODES = Aims.exit_codes
#: What cuts a run short without a fault of its own.
CUT_SHORT = [_CODES.ERROR_OUT_OF_WALLTIME, _CODES.ERROR_KILLED, _CODES.ERROR_TRUNCATED]
UNCONVERGED = _CODES.ERROR_SCF_NOT_CONVERGED
NOT_RELAXED = _CODES.ERROR_RELAXATION_NOT_CONVERGED
#: FHI-aims' own share of the new density and length of Pulay's memory, where none is given.
MIXING_SHARE, PULAY_LENGTH = 0.2, 8
#: Other mixings that are tried: each halves the share, doubles the iterations that are allowed
#: and lets Pulay's mixer remember more.
MAX_MIXINGS = 2
ITERATIONS, MORE_PULAY = 1000, 4


class AimsBaseWorkChain(SurvivingRestartWorkChain):
    """Run `AimsCalculation` until it is finished, each attempt from where the last one was.

    The dataset holds the steps of all attempts.
    """

    _process_class = Aims
    NAMESPACE = 'aims'

    @classmethod
    def define(cls, spec: ProcessSpec) -> None:
        """Define the process specification."""
        super().define(spec)
        spec.expose_inputs(Aims, namespace='aims', exclude=('follow',))
        spec.expose_outputs(Aims)
        spec.exit_code(
            420, 'ERROR_NO_PROGRESS', message='Two attempts in a row gave no step that was new'
        )

    def setup(self) -> None:
        """Start from the inputs as given."""
        super().setup()
        self.ctx.parameters = self.ctx.inputs.parameters.get_dict()
        self.ctx.datasets, self.ctx.idle, self.ctx.mixings = {}, 0, 0
        self.ctx.known_steps = []
        self.ctx.started_again = self.ctx.mixed_now = self.ctx.attached = False

    @property
    def kind(self) -> str:
        """What the atoms do: `md`, `relax` or `label`."""
        parameters = self.ctx.parameters
        if parameters.get('md'):
            return 'md'
        return 'relax' if parameters.get('relaxation') else 'label'

    def inspect_process(self) -> ExitCode | None:
        """Let the handlers decide anew."""
        self.ctx.mixed_now = False
        return super().inspect_process()

    def take_over(self, node: orm.CalcJobNode) -> None:
        """Keep the steps that an attempt gave."""
        self.ctx.idle = 0 if self.keep_steps(node) else self.ctx.idle + 1

    def keep_steps(self, node: orm.CalcJobNode) -> int:
        """Keep the steps that an attempt gave; return how many of them are new."""
        if 'dataset' not in node.outputs:
            return 0
        self.ctx.datasets[f'attempt_{self.ctx.iteration:02d}'] = node.outputs.dataset
        n = node.outputs.dataset.n_frames
        if self.kind != 'md':
            return n
        before = len(self.ctx.known_steps)
        steps = node.outputs.dataset.get_configurations().info['step']
        self.ctx.known_steps = sorted({*self.ctx.known_steps, *steps.tolist()})
        return len(self.ctx.known_steps) - before

    @process_handler(priority=400, exit_codes=[*CUT_SHORT, NOT_RELAXED])
    def stop_without_progress(self, node: orm.CalcJobNode) -> ProcessHandlerReport | None:
        """Give up when two attempts in a row added nothing; one may have been bad luck."""
        if self.ctx.idle < 2:
            return None
        return ProcessHandlerReport(True, self.exit_codes.ERROR_NO_PROGRESS)

    @process_handler(priority=300, exit_codes=[UNCONVERGED])
    def mix_differently(self, node: orm.CalcJobNode) -> ProcessHandlerReport | None:
        """Mix less of the new density, with a longer memory, and allow more iterations."""
        return self.mix(node)

    @process_handler(priority=290, exit_codes=[_CODES.ERROR_OUT_OF_WALLTIME])
    def mix_differently_when_late(self, node: orm.CalcJobNode) -> ProcessHandlerReport | None:
        """Mix differently where time ran out within a first cycle: nothing else can go on."""
        return None if node.outputs.results['n_steps'] else self.mix(node)

    @process_handler(priority=200, exit_codes=[*CUT_SHORT, UNCONVERGED])
    def continue_trajectory(self, node: orm.CalcJobNode) -> ProcessHandlerReport | None:
        """Continue molecular dynamics from its restart file, which holds the velocities."""
        if self.kind != 'md' or not self.may_go_on(node):
            return None
        if MD_RESTART not in node.outputs.retrieved.base.repository.list_object_names():
            return None
        md = dict(self.ctx.parameters['md'])
        md.pop('initial_temperature', None)
        self.set_parameters(md=md | {'restart': True})
        self.ctx.inputs.pop('velocities', None)
        self.ctx.inputs.parent_folder = node.outputs.remote_folder
        self.report(f'{node.process_label}<{node.pk}> continues from its restart file')
        return ProcessHandlerReport(True)

    @process_handler(priority=190, exit_codes=[*CUT_SHORT, UNCONVERGED, NOT_RELAXED])
    def continue_relaxation(self, node: orm.CalcJobNode) -> ProcessHandlerReport | None:
        """Continue a relaxation from its last geometry, with the steps that are left."""
        if self.kind != 'relax' or not self.may_go_on(node):
            return None
        if 'last_configuration' not in node.outputs:
            return None
        relaxation = dict(self.ctx.parameters['relaxation'])
        if relaxation.get('max_steps') is not None:
            done = node.outputs.dataset.n_frames if 'dataset' in node.outputs else 0
            relaxation['max_steps'] -= done
            if relaxation['max_steps'] < 1:
                return None
        self.set_parameters(relaxation=relaxation)
        self.ctx.inputs.configurations = node.outputs.last_configuration
        self.ctx.inputs.index = orm.Int(0)
        self.report(f'{node.process_label}<{node.pk}> continues from its last geometry')
        return ProcessHandlerReport(True)

    @process_handler(priority=100, exit_codes=[_CODES.ERROR_NOT_STARTED, *CUT_SHORT])
    def start_again(self, node: orm.CalcJobNode) -> ProcessHandlerReport | None:
        """Run once more what left nothing to go on from: a machine may have failed."""
        used_up = self.kind == 'relax' and 'dataset' in node.outputs
        if self.ctx.started_again or self.ctx.mixed_now or used_up:
            return None
        self.ctx.started_again = True
        self.report(f'{node.process_label}<{node.pk}> left nothing to continue; once more')
        return ProcessHandlerReport(True)

    @process_handler(priority=-1)
    def hand_out(self, node: orm.CalcJobNode) -> ProcessHandlerReport | None:
        """Hand out what there is beside a verdict that no restart would change."""
        if node.is_finished_ok or self.ctx.mixed_now:
            return None
        self.ctx.is_finished = True
        self.attach()
        return ProcessHandlerReport(True, node.exit_code or ExitCode())

    def mix(self, node: orm.CalcJobNode) -> ProcessHandlerReport | None:
        """Set another mixing for the next attempt; lower handlers say where it begins."""
        if self.ctx.mixings == MAX_MIXINGS:
            return None
        self.ctx.mixings, self.ctx.mixed_now = self.ctx.mixings + 1, True
        given = self.ctx.parameters
        self.set_parameters(
            mixer='pulay',
            charge_mix_param=(given.get('charge_mix_param') or MIXING_SHARE) / 2,
            n_max_pulay=(given.get('n_max_pulay') or PULAY_LENGTH) + MORE_PULAY,
            sc_iter_limit=2 * (given.get('sc_iter_limit') or ITERATIONS),
        )
        share = self.ctx.parameters['charge_mix_param']
        self.report(f'{node.process_label}<{node.pk}>: now mixing {share} of the new density')
        return ProcessHandlerReport()

    def may_go_on(self, node: orm.CalcJobNode) -> bool:
        """Return whether another attempt would not just repeat a cycle that failed."""
        return node.exit_status != UNCONVERGED.status or self.ctx.mixed_now

    def set_parameters(self, **changes: Any) -> None:
        """Change some settings for the next attempt."""
        self.ctx.parameters = {**self.ctx.parameters, **changes}
        self.ctx.inputs.parameters = orm.Dict(self.ctx.parameters)

    def results(self) -> None:
        """Hand out what all attempts gave."""
        self.attach()

    def attach(self) -> None:
        """Hand out the joined steps, and the rest from the last attempt that has it."""
        if self.ctx.attached:
            return
        self.ctx.attached = True
        for name in ('results', 'last_configuration', 'last_velocities', 'retrieved'):
            nodes = [node for node in self.ctx.children if name in node.outputs]
            if nodes and name in self.spec().outputs:
                self.out(name, nodes[-1].outputs[name])
        if 'remote_folder' in self.ctx.children[-1].outputs:
            self.out('remote_folder', self.ctx.children[-1].outputs.remote_folder)
        datasets = self.ctx.datasets
        if self.kind == 'label':
            datasets = dict(list(datasets.items())[-1:])
        if len(datasets) > 1:
            self.out('dataset', join_attempts(orm.Str(self.kind), **datasets))
        elif datasets:
            (dataset,) = datasets.values()
            self.out('dataset', dataset)
