"""Fixtures on real services; all tests below share one set of them."""

import pytest

from tests.services.jobs import attempts_of, submit_dynamics
from tests.services.site import Site
from tests.services.stack import stack
from tests.services.study import build

__all__ = ['stack']

SLOW = """\
import time
from ase.calculators.emt import EMT

class SlowEMT(EMT):
    \"\"\"EMT with a pause for every configuration: time enough for something to go wrong.\"\"\"

    def calculate(self, *args):
        time.sleep(0.02)
        super().calculate(*args)
"""


@pytest.fixture(scope='package')
def modules(stack):
    """Return a folder with the calculator of stand-in jobs."""
    folder = stack.folder / 'modules'
    folder.mkdir()
    (folder / 'slow.py').write_text(SLOW)
    return folder


@pytest.fixture(scope='package')
def site(stack, modules, aiida_config_factory, aiida_profile_factory):
    """Return AiiDA on PostgreSQL and RabbitMQ with a running daemon."""
    storage = stack.postgres.make_database('enne')
    broker = stack.rabbitmq.configuration
    with (
        aiida_config_factory(stack.folder / 'aiida') as config,
        aiida_profile_factory(
            config,
            storage_backend='core.psql_dos',
            storage_config=storage | {'repository_uri': f'file://{stack.folder}/repository'},
            broker_backend='core.rabbitmq',
            broker_config=broker,
        ) as profile,
    ):
        made = Site(profile, stack.scratch, modules)
        try:
            made.start_daemon()
            yield made
        finally:
            made.stop_daemon()


@pytest.fixture(scope='package')
def cluster(site, stack):
    """Return the Python of the cluster, which AiiDA reaches by SSH and SLURM alone."""
    return site.add_cluster('cluster', stack.ssh.alias)


@pytest.fixture(scope='package')
def local(site):
    """Return the same Python without SSH and SLURM."""
    return site.add_local()


@pytest.fixture(scope='package')
def undisturbed(site, local):
    """Return the study as it is on localhost, with nothing in its way."""
    node = site.finish(site.submit(build(local)))
    assert node.is_finished_ok, node.exit_message
    return node


@pytest.fixture(scope='package')
def calm(site, local):
    """Return the stand-in trajectory as it is on localhost, with nothing in its way."""
    node = site.finish(submit_dynamics(site, local, directives=''))
    attempts_of(node)
    return node


@pytest.fixture(autouse=True)
def mended(stack, site):
    """Start whatever an earlier test has killed and, having failed, not started again."""
    stack.start()
    site.reconnect()
    if not site.is_whole():
        site.stop_daemon()
        site.start_daemon()
