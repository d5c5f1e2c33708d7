"""All services together, in one temporary folder."""

import getpass
import shutil
import tempfile
from pathlib import Path

import pytest

from tests.services.postgres import Postgres
from tests.services.rabbitmq import RabbitMQ
from tests.services.slurm import Slurm
from tests.services.ssh import Ssh


class Stack:
    """PostgreSQL, RabbitMQ, SLURM and SSH; `scratch` is where the cluster's jobs work."""

    def __init__(self) -> None:
        """Write all configurations; in no folder of pytest, which other accounts may not enter."""
        self.folder = Path(tempfile.mkdtemp(prefix='enne-services-'))
        self.folder.chmod(0o755)
        user = getpass.getuser()
        self.postgres = Postgres(self.folder / 'postgres')
        self.rabbitmq = RabbitMQ(self.folder / 'rabbitmq')
        self.slurm = Slurm(self.folder / 'slurm', user)
        self.ssh = Ssh(self.folder / 'ssh', user, SLURM_CONF=self.slurm.configuration)
        self.scratch = self.folder / 'scratch'
        self.scratch.mkdir()

    def start(self) -> None:
        """Start all, as after the boot of the machines."""
        self.postgres.program.start()
        self.rabbitmq.start()
        self.slurm.start()
        self.ssh.program.start()

    def stop(self) -> None:
        """Stop all, as for a shutdown of the machines."""
        self.ssh.program.stop()
        self.slurm.stop()
        self.rabbitmq.stop()
        self.postgres.program.stop()

    def kill(self) -> None:
        """Pull the plug: kill -9 everything, running jobs included."""
        self.ssh.program.kill()
        self.slurm.kill()
        self.rabbitmq.kill()
        self.postgres.program.kill()


@pytest.fixture(scope='package')
def stack():
    """Start all services, and let AiiDA find the cluster in a home of its own."""
    made = None
    with pytest.MonkeyPatch.context() as patch:
        try:
            made = Stack()
            patch.setenv('HOME', str(made.ssh.home))
            made.start()
            yield made
        finally:
            if made is not None:
                made.stop()
                shutil.rmtree(made.folder)
