"""Inputs of Quantum ESPRESSO's pw.x for a task, and the meaning of its arrays."""

from aiida_enne.codes.qe.dynamics import (
    VELOCITY,
    check_first_step,
    draw_velocities,
    temperatures,
)
from aiida_enne.codes.qe.frames import Path, gather
from aiida_enne.codes.qe.plans import Job, check_task, complete_options, halve, plan

__all__ = [
    'VELOCITY',
    'Job',
    'Path',
    'check_first_step',
    'check_task',
    'complete_options',
    'draw_velocities',
    'gather',
    'halve',
    'plan',
    'temperatures',
]
