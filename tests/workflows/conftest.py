"""Fixtures of the work chains."""

import pytest
from aiida import orm

from tests import warm


@pytest.fixture(scope='module')
def python_code(aiida_profile, tmp_path_factory):
    """Return this Python as a code on localhost, in an empty profile."""
    aiida_profile.reset_storage()
    computer = orm.Computer(
        label='localhost',
        hostname='localhost',
        transport_type='core.local',
        scheduler_type='core.direct',
        workdir=str(tmp_path_factory.mktemp('work')),
    ).store()
    computer.configure(safe_interval=0)
    computer.set_minimum_job_poll_interval(0)
    return orm.InstalledCode(
        label='python', computer=computer, filepath_executable=warm.python()
    ).store()
