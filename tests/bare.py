"""Python where neither AiiDA nor this package can be imported."""

import os
import subprocess
import sys

#: Runs a file with neither AiiDA nor this package.
BARE = 'import sys; sys.modules.update(aiida=None, aiida_enne=None); exec(sys.stdin.read())'


def run_bare(code, folder):
    """Run Python code in a folder, where neither AiiDA nor this package can be imported."""
    environment = {k: v for k, v in os.environ.items() if k != 'PYTHONPATH'}
    done = subprocess.run(
        [sys.executable, '-c', BARE], input=code, cwd=folder, env=environment,
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout
