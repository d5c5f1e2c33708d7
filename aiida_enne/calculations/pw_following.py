"""Jobs of pw.x that outlive the process which submitted them."""

from typing import Any

from aiida.engine import CalcJobProcessSpec
from aiida_quantumespresso.calculations.pw import PwCalculation

from aiida_enne.calculations.following import FollowingCalcJob


class FollowingPwCalculation(FollowingCalcJob, PwCalculation):
    """A `PwCalculation` that follows another, whose process was lost.

    Its node is one of `PwCalculation`: the same type, inputs, outputs and hash, so that it is read,
    gathered and found in the cache as any other.
    """

    @classmethod
    def define(cls, spec: CalcJobProcessSpec) -> None:
        """Define the job with the defaults of `PwCalculation`, and what is to be followed."""
        super(FollowingCalcJob, cls).define(spec)
        cls.define_follow(spec)

    @classmethod
    def build_process_type(cls) -> Any:
        """Return the type of `PwCalculation`."""
        return PwCalculation.build_process_type()
