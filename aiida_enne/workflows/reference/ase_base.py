"""A task of the ASE engine, with restarts."""

from __future__ import annotations

from aiida import orm
from aiida.engine import (
    ExitCode,
    ProcessHandlerReport,
    ProcessSpec,
    process_handler,
)

from aiida_enne.calculations.ase_run import AseRunCalculation as AseRun
from aiida_enne.workflows.restarts import SurvivingRestartWorkChain

_CODES = AseRun.exit_codes


class AseBaseWorkChain(SurvivingRestartWorkChain):
    """Run `AseRunCalculation` until it is finished, continuing from checkpoints."""

    _process_class = AseRun
    NAMESPACE = 'ase'

    @classmethod
    def define(cls, spec: ProcessSpec) -> None:
        """Define the process specification."""
        super().define(spec)
        spec.expose_inputs(AseRun, namespace='ase', exclude=('parent_folder', 'follow'))
        spec.expose_outputs(AseRun)

    @process_handler(exit_codes=[_CODES.ERROR_OUT_OF_WALLTIME, _CODES.ERROR_INTERRUPTED])
    def continue_from_checkpoint(self, node: orm.CalcJobNode) -> ProcessHandlerReport:
        """Continue what is unfinished; hand out what there is when that was the last attempt."""
        self.ctx.inputs.parent_folder = node.outputs.remote_folder
        self.report(f'{node.process_label}<{node.pk}> did not finish; continuing')
        if self.ctx.iteration >= self.inputs.max_iterations.value:
            self.results()
        return ProcessHandlerReport(True)

    @process_handler(exit_codes=[_CODES.ERROR_NOT_STARTED])
    def try_once_more(self, node: orm.CalcJobNode) -> ProcessHandlerReport | None:
        """Try once more: a job may be killed before its script begins."""
        if self.ctx.iteration > 1:
            return None
        self.report(f'{node.process_label}<{node.pk}> never began; trying once more')
        return ProcessHandlerReport(True)

    @process_handler(priority=-1)
    def hand_out(self, node: orm.CalcJobNode) -> ProcessHandlerReport | None:
        """Hand out what there is beside a verdict that no restart would change."""
        if node.is_finished_ok:
            return None
        self.ctx.is_finished = True
        self.results()
        return ProcessHandlerReport(True, node.exit_code or ExitCode())
