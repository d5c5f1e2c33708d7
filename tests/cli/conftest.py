"""One way to call the command."""

import pytest
from click.testing import CliRunner

from aiida_enne.cli.main import main


@pytest.fixture
def invoke(aiida_profile_clean):
    """Return a function that runs the command on an empty profile: `result = invoke(*words)`."""

    def run(*words):
        return CliRunner().invoke(main, [str(word) for word in words])

    return run
