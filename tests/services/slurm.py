"""A SLURM cluster of one node with two fake GPUs, and the munge that it trusts."""

import contextlib
import os
import socket
import subprocess
from pathlib import Path

import psutil

from tests.services.programs import Program, free_port, kill, require, wait_until

CONFIGURATION = """\
ClusterName=enne
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={ports[0]}
SlurmdPort={ports[1]}
SlurmUser={user}
SlurmdUser={user}
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket,cred_expire=5
CommunicationParameters=NoInAddrAny,NoCtldInAddrAny
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
MpiDefault=none
MailProg=/bin/true
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
SchedulerParameters=batch_sched_delay=0,sched_interval=2,bf_interval=2
PreemptType=preempt/partition_prio
PreemptMode=REQUEUE
ReturnToService=2
SlurmdTimeout=6
SlurmdParameters=config_overrides
KillWait=3
MinJobAge=300
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
GresTypes=gpu
NodeName={host} NodeAddr=127.0.0.1 CPUs=4 RealMemory=4000 Gres=gpu:fake:2 State=UNKNOWN
PartitionName=gpu Nodes={host} Default=YES MaxTime=INFINITE State=UP PriorityTier=1
PartitionName=urgent Nodes={host} MaxTime=INFINITE State=UP PriorityTier=10
"""
GPUS = """\
AutoDetect=off
NodeName={host} Name=gpu Type=fake File=/dev/null
NodeName={host} Name=gpu Type=fake File=/dev/zero
"""


class Slurm:
    """Controller and node daemon; jobs are those of the account that runs the tests."""

    def __init__(self, folder: Path, user: str) -> None:
        """Write the configuration; nothing runs yet."""
        names = ('munged', 'slurmctld', 'slurmd', 'sbatch', 'squeue', 'scontrol', 'scancel')
        munged, controller, node, *_ = require(*names)
        for part in ('state', 'spool'):
            (folder / part).mkdir(parents=True)
        host = socket.gethostname().split('.')[0]
        ports = [free_port(), free_port()]
        self.user, self.configuration = user, folder / 'slurm.conf'
        self.configuration.write_text(
            CONFIGURATION.format(host=host, user=user, ports=ports, folder=folder)
        )
        (folder / 'gres.conf').write_text(GPUS.format(host=host))
        key = folder / 'munge.key'
        key.write_bytes(os.urandom(128))
        key.chmod(0o600)
        place = folder / 'munge.socket'
        files = [f'--{kind}-file={folder}/munge.{kind}' for kind in ('key', 'pid', 'log', 'seed')]
        self.munge = Program(
            'munged', [munged, '-F', '--force', f'--socket={place}', *files], folder, place.exists
        )
        self.controller = Program(
            'slurmctld', [controller, '-D', '-f', self.configuration], folder, self.is_up
        )
        self.node = Program(
            'slurmd',
            [node, '-D', '-f', self.configuration, '-N', host],
            folder,
            self.is_ready,
            env=os.environ | {'SLURM_CONF': str(self.configuration)},
        )

    def start(self) -> None:
        """Start all three, and wait until the node takes jobs."""
        self.munge.start()
        self.controller.start()
        self.node.start()

    def stop(self) -> None:
        """Cancel all jobs and stop all three."""
        if self.is_up():
            self.command('scancel', '--full', '--user', self.user)
            wait_until(lambda: not self.command('squeue', '-h'), 'all jobs are gone')
        for program in (self.node, self.controller, self.munge):
            program.stop()

    def command(self, *words: str) -> str:
        """Return what one of SLURM's commands says."""
        environment = os.environ | {'SLURM_CONF': str(self.configuration)}
        done = subprocess.run(words, env=environment, capture_output=True, text=True, check=False)
        if done.returncode:
            raise RuntimeError(f'{" ".join(words)}: {done.stderr}')
        return done.stdout.strip()

    def is_up(self) -> bool:
        """Return whether the controller answers."""
        try:
            return 'UP' in self.command('scontrol', 'ping')
        except RuntimeError:
            return False

    def is_ready(self) -> bool:
        """Return whether the node takes jobs."""
        return self.node_state() in ('idle', 'mixed', 'allocated')

    def node_state(self) -> str:
        """Return the state of the node; one that does not answer has an asterisk behind it."""
        return self.command('sinfo', '-h', '-p', 'gpu', '-o', '%T')

    def state_of(self, job: str) -> str:
        """Return the state of a job, e.g. `RUNNING`, in which SLURM remembers it."""
        found = self.command('squeue', '-h', '-t', 'all', '-o', '%T', '-j', f'{job},{job}')
        return found.splitlines()[0] if found else ''

    def kill(self) -> None:
        """Kill -9 all three, and all jobs."""
        steps = self.steps()
        for program in (self.node, self.controller, self.munge):
            program.kill()
        kill(steps)

    def lose_node(self) -> None:
        """Kill -9 the daemon of the node with all jobs on it, and wait until it counts as down."""
        steps = self.steps()
        self.node.kill()
        kill(steps)
        wait_until(lambda: 'down' in self.node_state(), 'the node is down')

    def steps(self) -> list[psutil.Process]:
        """Return the processes of all jobs, parents first: the guard, the script, its children."""
        found = []
        for process in psutil.process_iter(['name']):
            with contextlib.suppress(psutil.Error):
                if process.info['name'] != 'slurm_script':
                    continue
                if process.environ().get('SLURM_CONF') == str(self.configuration):
                    found += [process.parent(), process, *process.children(recursive=True)]
        return found
