"""AiiDA on the services: a profile with a daemon, the cluster as a computer, and its Python."""

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
from aiida import orm
from aiida.engine import submit
from aiida.engine.daemon import client
from aiida.manage import get_manager
from sqlalchemy.exc import OperationalError

from tests.services.programs import kill, wait_until

#: The directive that gives a job one of the fake GPUs.
GPU = '#SBATCH --gres=gpu:fake:1'
OPTIONS = {
    # seconds after which AiiDA tries a failed transport again, doubled each time, and how often
    'transport.task_retry_initial_interval': 1,
    'transport.task_maximum_attempts': 3,
    # seconds that a daemon may take to answer; its workers are given 30 to end by themselves
    'daemon.timeout': 60,
    # seconds after which a workflow looks for children whose end it has not heard of
    'runner.poll.interval': 1,
    'warnings.rabbitmq_version': False,
}
PREPEND = """\
export OMP_NUM_THREADS=1 PYTHONPATH={modules}
echo "CUDA_VISIBLE_DEVICES=$CUDA_VISIBLE_DEVICES" """


class Site:
    """One profile and its daemon of two workers."""

    def __init__(self, profile: Any, work: Path, modules: Path) -> None:
        """Make the computers and codes of a new profile; no daemon runs yet."""
        self.profile, self.work, self.modules = profile, work, modules
        # found in PATH when AiiDA is imported, where it is only if the environment was activated
        client.VERDI_BIN = str(Path(sys.executable).with_name('verdi'))
        # the queues of a test profile are gone with their last worker, and all tasks with them
        profile.is_test_profile = False
        for name, value in OPTIONS.items():
            profile.set_option(name, value)
        get_manager().get_config().store()

    def add_computer(self, label: str, **settings: Any) -> orm.InstalledCode:
        """Add a computer, and return this Python as a code on it."""
        arguments = settings.pop('authentication', {})
        computer = orm.Computer(label=label, workdir=str(self.work / label), **settings).store()
        computer.configure(safe_interval=0.5, **arguments)
        computer.set_minimum_job_poll_interval(1)
        return orm.InstalledCode(
            label='python',
            computer=computer,
            filepath_executable=sys.executable,
            prepend_text=PREPEND.format(modules=self.modules),
        ).store()

    def add_local(self) -> orm.InstalledCode:
        """Add this machine, without SSH and a scheduler."""
        return self.add_computer(
            'localhost',
            hostname='localhost',
            transport_type='core.local',
            scheduler_type='core.direct',
        )

    def add_cluster(self, label: str, alias: str) -> orm.InstalledCode:
        """Add the cluster, which AiiDA reaches by SSH and SLURM alone, with a folder of its own."""
        return self.add_computer(
            label,
            hostname=alias,
            transport_type='core.ssh_async',
            scheduler_type='core.slurm',
            authentication={
                'host': alias,
                'backend': 'asyncssh',
                'max_io_allowed': 8,
                'authentication_script': 'None',
                'data_node_host': 'None',
                'use_login_shell': False,
            },
        )

    @property
    def daemon(self) -> Any:
        """The client of the daemon."""
        return client.get_daemon_client(self.profile.name)

    def start_daemon(self) -> None:
        """Start the daemon with two workers, and wait until both are there.

        On a busy machine workers may give up before their broker is there, and the daemon then
        gives up on them: once more, as a user would.
        """
        self.daemon.start_daemon(number_workers=2)
        try:
            wait_until(self.is_whole, 'two workers', 90)
        except TimeoutError:
            self.stop_daemon()
            self.daemon.start_daemon(number_workers=2)
            wait_until(self.is_whole, 'two workers')

    def is_whole(self) -> bool:
        """Return whether the daemon and both workers run."""
        return self.is_alive() and len(self.workers()) == 2

    def is_alive(self) -> bool:
        """Return whether the daemon runs; AiiDA goes by its file, which a killed one leaves."""
        pid = self.daemon.get_daemon_pid()
        return pid is not None and psutil.pid_exists(pid)

    def stop_daemon(self) -> None:
        """Stop the daemon; kill whatever of it does not answer."""
        if not self.is_alive():
            return
        try:
            self.daemon.stop_daemon(wait=True)
        except client.DaemonException:
            self.kill_daemon()

    def workers(self) -> list[int]:
        """Return the process ids of the workers; a daemon that is beginning knows none."""
        try:
            return [int(pid) for pid in self.daemon.get_worker_info(timeout=10)['info']]
        except client.DaemonException:
            return []

    def kill_workers(self) -> None:
        """Kill -9 both workers, and wait until the daemon has replaced them."""
        old = self.workers()
        for pid in old:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        wait_until(
            lambda: len(set(self.workers()) - set(old)) == 2, 'the daemon has two new workers'
        )

    def kill_daemon(self) -> None:
        """Kill -9 the daemon with all its workers."""
        root = psutil.Process(self.daemon.get_daemon_pid())
        kill([root, *root.children(recursive=True)])

    def submit(self, process: Any, **inputs: Any) -> orm.ProcessNode:
        """Submit to the daemon."""
        return submit(process, **inputs)

    def finish(self, node: orm.ProcessNode) -> orm.ProcessNode:
        """Return the node when its process has terminated."""
        self.wait(node, lambda: orm.load_node(node.pk).is_terminated, 'it has ended', 900)
        return orm.load_node(node.pk)

    def wait(
        self, node: orm.ProcessNode, happens: Callable[[], Any], what: str, seconds: float = 600
    ) -> None:
        """Wait for a process; where it is in vain, show the states of all below it, and the log."""
        try:
            wait_until(happens, f'{node}: {what}', seconds)
        except TimeoutError as error:
            node = orm.load_node(node.pk)
            for one in [node, *node.called_descendants]:
                error.add_note(f'{one.process_label}<{one.pk}> {one.process_state}, {one.paused=}')
            error.add_note(Path(self.daemon.daemon_log_file).read_text(errors='replace')[-5000:])
            raise

    def play(self, *nodes: orm.ProcessNode) -> None:
        """Let paused processes go on; a daemon just started may not have them in hand at once.

        As users do, in a process of its own: this one may still be looking for the broker.
        """
        pks = [str(node.pk) for node in nodes]
        command = [client.VERDI_BIN, '-p', self.profile.name, 'process', 'play', *pks]

        def played():
            subprocess.run(command, capture_output=True, check=False, timeout=60)
            return not any(orm.load_node(node.pk).paused for node in nodes)

        wait_until(played, 'the processes are played')

    def reconnect(self) -> None:
        """Let this interpreter forget its connections after the database was gone."""
        with contextlib.suppress(OperationalError):
            get_manager().get_profile_storage().get_session().rollback()

    def repair(self) -> None:
        """Give the broker the tasks that were lost; `verdi process repair` for users."""
        command = [client.VERDI_BIN, '-p', self.profile.name, 'process', 'repair', '--force']
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert 'Critical' not in done.stdout + done.stderr, done.stdout + done.stderr
        self.reconnect()  # it has ended all other connections to the database


def jobs_of(node: orm.ProcessNode) -> list[orm.CalcJobNode]:
    """Return the jobs below a process, in their order."""
    found = orm.load_node(node.pk).called_descendants
    return sorted(
        (one for one in found if isinstance(one, orm.CalcJobNode)), key=lambda one: one.pk
    )


def folder_of(job: orm.CalcJobNode) -> Path:
    """Return the folder in which a job works: the cluster is this machine."""
    return Path(job.get_remote_workdir())
