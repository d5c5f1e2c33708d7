"""Restarts of jobs that survive the loss of a process."""

from typing import Any, ClassVar

from aiida import orm
from aiida.common import AttributeDict
from aiida.engine import BaseRestartWorkChain, ExitCode, ProcessSpec, while_

from aiida_enne.workflows.base import why_failed

#: Processes in a row that may be lost over one job. What AiiDA's machinery does to one it seldom
#: does to the next; an error in the code does it to all.
MAX_LOST = 2
#: Extra of a job that its user ended.
ENDED = 'enne_ended'


class SurvivingRestartWorkChain(BaseRestartWorkChain):
    """Restarts that take a job over when its process has ended by an exception.

    AiiDA gives such a process up, although its job may run on or be done. Here another process
    follows that job; where none was noted, it begins once more.
    """

    #: Namespace of the inputs of the job.
    NAMESPACE: ClassVar[str]
    #: Exit statuses of jobs that left nothing to go on from.
    TRACELESS: ClassVar[frozenset[int]] = frozenset()

    @classmethod
    def define(cls, spec: ProcessSpec) -> None:
        """Define the outline: attempts, and what all of them gave."""
        super().define(spec)
        spec.outline(
            cls.setup,
            while_(cls.should_run_process)(cls.run_process, cls.inspect_process),
            cls.results,
        )

    def setup(self) -> None:
        """Begin with the inputs as given."""
        super().setup()
        job: Any = self._process_class
        self.ctx.inputs = AttributeDict(self.exposed_inputs(job, self.NAMESPACE))

    def inspect_process(self) -> ExitCode | None:
        """Follow a job that lost its process, as no attempt of its own; else let AiiDA decide.

        Whatever the handlers give up leaves what there is.
        """
        node = self.ctx.children[self.ctx.iteration - 1]
        followed = self.ctx.inputs.pop('follow', None)
        if node.base.extras.get(ENDED, False) and node.exit_status in self.TRACELESS:
            self.ctx.iteration -= 1
            self.ctx.children.pop()
            self.report(f'{node.process_label}<{node.pk}> was ended before it began; once more')
            return None
        lost = self.ctx.get('lost', 0)
        if not node.is_excepted or lost == MAX_LOST:
            self.ctx.lost = 0
            self.take_over(node)
            exit_code = self.with_reason(super().inspect_process(), node)
            if exit_code is not None and exit_code.status:
                self.attach()
            return exit_code
        self.ctx.lost = lost + 1
        self.ctx.iteration -= 1
        self.ctx.children.pop()
        job = job_of(node, followed)
        self.report(lost_report(node, job))
        if job is not None:
            self.ctx.inputs.follow = job
        return None

    def results(self) -> ExitCode | None:
        """Hand out what the last job gave.

        AiiDA's own leaves out what is linked already, so that a step which was killed after that
        and is done again lacks outputs.
        """
        node = self.ctx.children[self.ctx.iteration - 1]
        found = self.get_outputs(node)
        for name in self.spec().outputs:
            if name in found:
                self.out(name, found[name])
        return None

    def with_reason(self, code: ExitCode | None, node: orm.CalcJobNode) -> ExitCode | None:
        """Say why the job failed where AiiDA says only that nothing handles it."""
        if code is None or code.status != self.exit_codes.ERROR_UNHANDLED_FAILURE.status:
            return code
        why = why_failed(node)
        self.report(why)
        return ExitCode(code.status, f'{code.message} {why}', code.invalidates_cache)

    def take_over(self, node: orm.CalcJobNode) -> None:
        """Keep what an attempt gave, before the handlers decide."""

    def attach(self) -> None:
        """Hand out what there is when no attempt is left."""


def job_of(node: orm.CalcJobNode, followed: int | None) -> int | None:
    """Return the PK of the node to follow after a process was lost; none if no job was noted.

    Args:
        node: The process that was lost.
        followed: PK of the job that it was to follow itself.
    """
    return node.pk if node.get_job_id() is not None else followed


def lost_report(node: orm.CalcJobNode, job: int | None) -> str:
    """Return what to say of a process that was lost."""
    name = f'{node.process_label}<{node.pk}>'
    if job is None:
        return f'{name} was lost before a job of it was noted; once more'
    return f'{name} was lost; following the job of <{job}>'
