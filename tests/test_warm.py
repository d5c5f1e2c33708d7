"""The Python that stands ready is a Python: what goes in and comes out of a script is the same."""

import os
import signal
import subprocess
import sys
import time

import pytest

from tests import warm

SCRIPT = """
import os, sys, time
print(sys.argv[1:], os.getcwd(), os.environ.get('GIVEN'), __name__, sys.path[0], flush=True)
print('torch' in sys.modules, file=sys.stderr)
if sys.argv[1] == 'wait':
    time.sleep(60)
if sys.argv[1] == 'fail':
    raise ValueError('no')
sys.exit({'say': 'said', 'seven': 7}.get(sys.argv[1]))
"""


@pytest.fixture
def script(tmp_path):
    (tmp_path / 'script.py').write_text(SCRIPT)
    return tmp_path


@pytest.mark.parametrize('word', ['end', 'fail', 'say', 'seven'])
def test_a_script_runs_as_it_would(script, word):
    cold, ready = (
        subprocess.run(
            [python, 'script.py', word],
            cwd=script,
            env=os.environ | {'GIVEN': 'x'},
            capture_output=True,
            text=True,
            check=False,
        )
        for python in (sys.executable, warm.python())
    )
    assert (ready.returncode, ready.stdout) == (cold.returncode, cold.stdout)
    assert (cold.stderr.split()[0], ready.stderr.split()[0]) == ('False', 'True')
    assert ready.stderr.splitlines()[-1] == cold.stderr.splitlines()[-1].replace('False', 'True')


@pytest.mark.parametrize('number', [signal.SIGTERM, signal.SIGINT, signal.SIGKILL])
def test_a_signal_ends_the_script_too(script, number):
    code = 'import os; open("pid", "w").write(str(os.getpid()))\n' + SCRIPT
    (script / 'script.py').write_text(code)
    command = [warm.python(), 'script.py', 'wait']
    with subprocess.Popen(command, cwd=script, stdout=subprocess.PIPE, stderr=-1) as process:
        assert process.stdout.readline()
        process.send_signal(number)
        process.communicate(timeout=20)
    assert process.returncode == -number
    pid, end = int((script / 'pid').read_text()), time.monotonic() + 20
    while os.path.exists(f'/proc/{pid}'):  # noqa: PTH110
        assert time.monotonic() < end, 'the script goes on'
        time.sleep(0.02)
