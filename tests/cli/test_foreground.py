"""Runs in a terminal, for real: interrupted, killed, hung up, and two of them at once."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
import yaml
from ase.io import write

pytestmark = [pytest.mark.slow, pytest.mark.nequip]

EPOCHS = 12
#: Seconds that anything here may take on a busy machine.
PATIENCE = 240

MAKE = """
import sys
from pathlib import Path
from aiida import load_profile, orm
from ase.io import read
load_profile()
from aiida_enne.calculations.functions import split_dataset
from aiida_enne.data.dataset import DatasetData
from aiida_enne.science.data.frames import from_atoms
frames = from_atoms(read(sys.argv[1], ':'))
dataset = DatasetData.from_configurations(frames, level_of_theory='EMT').store()
options = {'method': 'random', 'seed': 1, 'sizes': [6, 2, 2], 'shared_blocks': True}
split = split_dataset(dataset, orm.Dict(options))
computer = orm.load_computer('localhost')
computer.set_minimum_job_poll_interval(0)
code = orm.InstalledCode(label='python', computer=computer, filepath_executable=sys.executable)
code.store()
print(dataset.pk, split.pk)
"""

LOOK = """
import json, sys
from aiida import load_profile, orm
load_profile()
roots = []
for node in orm.QueryBuilder().append(orm.WorkChainNode).all(flat=True):
    if node.caller is None and node.inputs.seeds.get_list() == json.loads(sys.argv[1]):
        jobs = [one for one in node.called_descendants if isinstance(one, orm.CalcJobNode)]
        roots.append({
            'pk': node.pk,
            'state': node.process_state.value,
            'exit': node.exit_status,
            'jobs': [{
                'pk': job.pk,
                'state': job.process_state.value,
                'job': job.get_job_id(),
                'results': {k: v.get_dict() for k, v in job.outputs.results.items()}
                if 'results' in job.outputs else {},
            } for job in sorted(jobs, key=lambda job: job.pk)],
            'epochs': {k: v.get_array('epoch').astype(int).tolist()
                       for k, v in node.outputs.histories.items()}
            if 'histories' in node.outputs else {},
        })
print(json.dumps(roots))
"""


class Terminal:
    """One run of the command in a session of its own, as a terminal gives it one."""

    def __init__(self, place, seeds, *words):
        self.place, self.log = place, place.folder / f'log_{time.monotonic_ns()}'
        command = [sys.executable, '-m', 'aiida_enne', 'launch', 'ensemble', *place.words]
        with self.log.open('w') as log:
            self.process = subprocess.Popen(
                [*command, '--seeds', ','.join(map(str, seeds)), *words],
                env=place.environment, stdout=log, stderr=log, start_new_session=True,
            )  # fmt: skip

    def end(self, number):
        """Send a signal and wait for the end; return the exit status."""
        os.killpg(self.process.pid, number)
        return self.wait()

    def wait(self):
        """Return the exit status at its end."""
        return self.process.wait(PATIENCE)

    @property
    def text(self):
        return self.log.read_text()


class Place:
    """An AiiDA folder of its own with a profile on SQLite, a dataset and this Python."""

    def __init__(self, folder, frames):
        self.folder = folder
        self.environment = os.environ | {'AIIDA_PATH': str(folder), 'OMP_NUM_THREADS': '1'}
        # as `verdi presto` makes it: with a broker that runs with the daemon, and no daemon
        self.python('-m', 'aiida', 'presto', '-n', '-p', 'terminal', '--use-zeromq')
        write(folder / 'frames.xyz', frames, format='extxyz')
        dataset, split = self.python('-c', MAKE, folder / 'frames.xyz').split()
        overrides = {'training': {'train': {'parameters': {'trainer': {'max_epochs': EPOCHS}}}}}
        (folder / 'overrides.yaml').write_text(yaml.safe_dump(overrides))
        self.words = [
            '--dataset', dataset, '--split', split, '--code', 'python@localhost',
            '--protocol', 'test', '--overrides', str(folder / 'overrides.yaml'),
        ]  # fmt: skip

    def python(self, *words):
        """Run this Python there; return what it printed last."""
        done = subprocess.run(
            [sys.executable, *map(str, words)],
            env=self.environment, capture_output=True, text=True, check=False, timeout=PATIENCE,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        return done.stdout.splitlines()[-1] if done.stdout else ''

    def look(self, seeds):
        """Return what the database says of the trainings of these seeds."""
        return json.loads(self.python('-c', LOOK, json.dumps(seeds)))

    def progress(self, seed):
        """Return the epoch that each job of a member has come to."""
        found = self.folder.glob(f'.aiida/**/members/seed_{seed}/progress.json')
        return [json.loads(path.read_text())['epoch'] for path in sorted(found)]

    def halt(self, seed, terminal):
        """Halt a training in the middle, so that it waits however long a terminal takes to begin.

        Returns its processes.
        """
        wait_until(lambda: max(self.progress(seed), default=0) >= 3, terminal)
        found = running(self)
        for pid in found:
            os.kill(pid, signal.SIGSTOP)
        assert max(self.progress(seed)) < EPOCHS
        return found


@pytest.fixture(scope='module')
def place(tmp_path_factory, labelled_frames):
    """Return a folder with a profile whose journal is still that of SQLite's default."""
    return Place(tmp_path_factory.mktemp('terminal'), labelled_frames)


def running(place):
    """Return the numbers of the processes that train in the folder of the place."""
    found = []
    for process in psutil.process_iter(['cmdline', 'cwd']):
        words, cwd = process.info['cmdline'] or (), process.info['cwd'] or ''
        if 'nequip_train.py' in words and Path(cwd).is_relative_to(place.folder):
            found.append(process.pid)
    return found


def go_on(pids):
    """Let what was halted go on."""
    for pid in pids:
        os.kill(pid, signal.SIGCONT)


def is_asked_to_end(pid):
    """Return whether SIGTERM waits for a process that is halted."""
    lines = Path(f'/proc/{pid}/status').read_text().splitlines()
    (pending,) = (line.split()[1] for line in lines if line.startswith('ShdPnd'))
    return int(pending, 16) >> signal.SIGTERM - 1 & 1


def test_two_terminals_train_at_once_on_one_sqlite_file(place):
    both = [Terminal(place, [seed]) for seed in (5, 6)]
    assert [one.wait() for one in both] == [0, 0], [one.text for one in both]
    for seed in (5, 6):
        (root,) = place.look([seed])
        assert root['epochs'] == {f'seed_{seed}': list(range(EPOCHS))}


def test_ctrl_c_ends_the_job_and_the_next_run_goes_on_from_the_last_epoch(place):
    first = Terminal(place, [1])
    pids = place.halt(1, first)
    os.killpg(first.process.pid, signal.SIGINT)
    wait_until(lambda: all(map(is_asked_to_end, pids)), first)
    go_on(pids)
    assert first.wait() == 130
    assert 'Ended job' in first.text
    assert 'run the same again:\n  aiida-enne launch ensemble' in first.text
    assert 'Traceback' not in first.text
    assert not running(place)
    (reached,) = place.progress(1)

    second = Terminal(place, [1])
    assert second.wait() == 0, second.text
    assert 'Going on with EnsembleWorkChain' in second.text
    (root,) = place.look([1])
    results = [job['results']['seed_1'] for job in root['jobs']]
    spans = [(result['first_epoch'], result['epochs']) for result in results]
    assert spans == [(0, reached), (reached, EPOCHS)]
    assert root['epochs']['seed_1'] == list(range(EPOCHS))


def test_a_job_outlives_its_terminal_and_is_followed(place):
    """A closed lid, Ctrl-C where jobs are kept, `kill -9`: one job, and every epoch once."""
    first = Terminal(place, [2])
    pids = place.halt(2, first)
    assert first.end(signal.SIGHUP) == 129
    second = Terminal(place, [2], '--keep-jobs')
    wait_for(second, 'Going on with EnsembleWorkChain')
    assert second.end(signal.SIGINT) == 130
    assert 'the jobs run on' in second.text
    third = Terminal(place, [2])
    wait_for(third, 'Going on with EnsembleWorkChain')
    assert third.end(signal.SIGKILL) == -9
    fourth = Terminal(place, [2])
    wait_for(fourth, 'Going on with EnsembleWorkChain')
    go_on(pids)
    assert fourth.wait() == 0, fourth.text
    assert_one_job(place, 2)


def test_a_second_terminal_waits_for_the_first_and_takes_over_when_that_is_killed(place):
    first = Terminal(place, [3])
    pids = place.halt(3, first)
    second = Terminal(place, [3])
    wait_for(second, f'runs already in process {first.process.pid}')
    first.end(signal.SIGKILL)
    wait_for(second, 'Going on with EnsembleWorkChain')
    go_on(pids)
    assert second.wait() == 0, second.text
    assert_one_job(place, 3)


def wait_for(terminal, text):
    """Wait until a terminal has printed something."""
    wait_until(lambda: text in terminal.text, terminal)


def wait_until(condition, terminal):
    """Wait for something while a terminal is at work."""
    end = time.monotonic() + PATIENCE
    while not condition():
        assert terminal.process.poll() is None, terminal.text
        assert time.monotonic() < end, terminal.text
        time.sleep(0.05)


def assert_one_job(place, seed):
    """Assert that one process and one job trained a member, each epoch once."""
    (root,) = place.look([seed])
    (job,) = root['jobs']
    result = job['results'][f'seed_{seed}']
    assert (result['first_epoch'], result['epochs']) == (0, EPOCHS)
    assert root['epochs'] == {f'seed_{seed}': list(range(EPOCHS))}
    assert not running(place)
