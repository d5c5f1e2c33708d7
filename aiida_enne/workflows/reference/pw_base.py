"""pw.x with the restarts of aiida-quantumespresso, which survive the loss of a process."""

from typing import Any

from aiida.engine import ProcessSpec, while_
from aiida_quantumespresso.workflows.pw.base import PwBaseWorkChain as OwnRestarts

from aiida_enne.calculations.pw_following import FollowingPwCalculation
from aiida_enne.workflows.restarts import SurvivingRestartWorkChain


class PwBaseWorkChain(SurvivingRestartWorkChain, OwnRestarts):
    """Runs `PwCalculation` as aiida-quantumespresso does, and takes a job over that was lost.

    Its node is one of aiida-quantumespresso's `PwBaseWorkChain`, with the same inputs and outputs,
    and its jobs are those that the cache knows; one that follows another is
    `FollowingPwCalculation`.
    """

    NAMESPACE = 'pw'

    @property
    def process_class(self) -> Any:
        """The job, or where one was lost, what follows it."""
        follows = 'follow' in self.ctx.get('inputs', {})
        return FollowingPwCalculation if follows else super().process_class

    @classmethod
    def define(cls, spec: ProcessSpec) -> None:
        """Define the outline: that of aiida-quantumespresso."""
        super().define(spec)
        spec.outline(
            cls.setup,
            cls.validate_kpoints,
            while_(cls.should_run_process)(
                cls.prepare_process, cls.run_process, cls.inspect_process
            ),
            cls.results,
        )

    @classmethod
    def build_process_type(cls) -> Any:
        """Return the type of the work chain that this one extends."""
        return OwnRestarts.build_process_type()

    def setup(self) -> None:
        """Begin as aiida-quantumespresso does, with namelists in place."""
        super(SurvivingRestartWorkChain, self).setup()
