"""Restarts of jobs that survive the loss of a process."""

from aiida import orm
from aiida.engine import BaseRestartWorkChain, ExitCode

#: Processes of jobs that one workflow may lose. What AiiDA's machinery does to one it seldom does
#: to the next; an error in the code does it to all.
MAX_LOST = 2


class SurvivingRestartWorkChain(BaseRestartWorkChain):
    """Restarts that take a job over when its process has ended by an exception.

    AiiDA gives such a process up, although its job may run on or be done. Here the next attempt
    follows that job; where it was not submitted yet, it begins once more.
    """

    def setup(self) -> None:
        """Begin with no process lost."""
        super().setup()
        self.ctx.lost = 0

    def inspect_process(self) -> ExitCode | None:
        """Follow a job that lost its process; let the handlers see all others."""
        node = self.ctx.children[self.ctx.iteration - 1]
        self.ctx.inputs.pop('follow', None)
        if not node.is_excepted or self.ctx.lost == MAX_LOST:
            self.take_over(node)
            return super().inspect_process()
        self.ctx.lost += 1
        self.ctx.iteration -= 1  # an attempt that was lost is none
        self.ctx.children.pop()
        if node.get_job_id() is None:
            self.report(f'{node.process_label}<{node.pk}> was lost before its job; once more')
        else:
            self.report(f'{node.process_label}<{node.pk}> was lost; following its job')
            self.ctx.inputs.follow = node.pk
        return None

    def take_over(self, node: orm.CalcJobNode) -> None:
        """Keep what an attempt gave, before the handlers decide."""
