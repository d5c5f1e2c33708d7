"""What the ASE script reads and writes."""

from aiida_enne.codes.ase_run.calculators import PRESETS, complete_calculator
from aiida_enne.codes.ase_run.job import (
    CONFIGURATIONS,
    JOB,
    RESULTS,
    SCRIPTS,
    UNITS,
    arguments,
    render,
)
from aiida_enne.codes.ase_run.results import (
    Outcome,
    last_words,
    missing_module,
    read_outcome,
)
from aiida_enne.codes.ase_run.tasks import complete_task

__all__ = [
    'CONFIGURATIONS',
    'JOB',
    'PRESETS',
    'RESULTS',
    'SCRIPTS',
    'UNITS',
    'Outcome',
    'arguments',
    'complete_calculator',
    'complete_task',
    'last_words',
    'missing_module',
    'read_outcome',
    'render',
]
