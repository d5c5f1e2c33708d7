"""Inputs of Quantum ESPRESSO's pw.x for a task, and the meaning of its arrays."""

from aiida_enne.codes.qe.dynamics import VELOCITY as VELOCITY
from aiida_enne.codes.qe.dynamics import check_first_step as check_first_step
from aiida_enne.codes.qe.dynamics import draw_velocities as draw_velocities
from aiida_enne.codes.qe.dynamics import temperatures as temperatures
from aiida_enne.codes.qe.frames import Path as Path
from aiida_enne.codes.qe.frames import gather as gather
from aiida_enne.codes.qe.plans import Job as Job
from aiida_enne.codes.qe.plans import check_task as check_task
from aiida_enne.codes.qe.plans import complete_options as complete_options
from aiida_enne.codes.qe.plans import halve as halve
from aiida_enne.codes.qe.plans import plan as plan
