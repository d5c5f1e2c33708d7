"""What the ASE script reads and writes."""

from aiida_enne.codes.ase.calculators import ENSEMBLE as ENSEMBLE
from aiida_enne.codes.ase.calculators import PRESETS as PRESETS
from aiida_enne.codes.ase.calculators import complete_calculator as complete_calculator
from aiida_enne.codes.ase.calculators import is_ensemble as is_ensemble
from aiida_enne.codes.ase.job import CONFIGURATIONS as CONFIGURATIONS
from aiida_enne.codes.ase.job import JOB as JOB
from aiida_enne.codes.ase.job import MEMBERS as MEMBERS
from aiida_enne.codes.ase.job import RESULTS as RESULTS
from aiida_enne.codes.ase.job import SCRIPTS as SCRIPTS
from aiida_enne.codes.ase.job import UNITS as UNITS
from aiida_enne.codes.ase.job import arguments as arguments
from aiida_enne.codes.ase.job import render as render
from aiida_enne.codes.ase.results import Outcome as Outcome
from aiida_enne.codes.ase.results import last_words as last_words
from aiida_enne.codes.ase.results import missing_module as missing_module
from aiida_enne.codes.ase.results import read_outcome as read_outcome
