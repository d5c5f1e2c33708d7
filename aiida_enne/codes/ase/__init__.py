"""What the ASE script reads and writes."""

from aiida_enne.codes.ase.calculators import (
    ENSEMBLE,
    PRESETS,
    complete_calculator,
    is_ensemble,
)
from aiida_enne.codes.ase.job import (
    CONFIGURATIONS,
    JOB,
    MEMBERS,
    RESULTS,
    SCRIPTS,
    UNITS,
    arguments,
    render,
)
from aiida_enne.codes.ase.results import (
    Outcome,
    last_words,
    missing_module,
    read_outcome,
)

__all__ = [
    'CONFIGURATIONS',
    'ENSEMBLE',
    'JOB',
    'MEMBERS',
    'PRESETS',
    'RESULTS',
    'SCRIPTS',
    'UNITS',
    'Outcome',
    'arguments',
    'complete_calculator',
    'is_ensemble',
    'last_words',
    'missing_module',
    'read_outcome',
    'render',
]
