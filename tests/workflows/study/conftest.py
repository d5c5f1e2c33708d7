"""Fixtures of the work chains of the study."""

import pytest
from aiida import orm

from tests import warm


@pytest.fixture
def python(aiida_profile_clean, aiida_code_installed):
    """Return this interpreter as a code, its jobs looked after at once."""
    code = aiida_code_installed(
        label='python', default_calc_job_plugin='enne.ase.run', filepath_executable=warm.python()
    )
    orm.load_computer('localhost').set_minimum_job_poll_interval(0)
    return code
