"""Two studies at once on one SQLite file, workers killed, and the broker killed."""

import pytest

from tests.services.jobs import STEPS, attempts_of, await_steps, submit_dynamics
from tests.services.programs import kill
from tests.services.site import jobs_of
from tests.services.two import assert_complete, submit_two

pytestmark = [pytest.mark.slow]


def test_two_studies_at_once(site, local):
    """Both workers and this interpreter use the one file; nobody finds it locked for good."""
    assert_complete(site, submit_two(site, local))


def test_workers_killed(site, local):
    node = submit_dynamics(site, local, directives='')
    await_steps(node)
    site.kill_workers()
    node = site.finish(node)
    assert len(jobs_of(node)) == 1
    assert attempts_of(node) == [[0, STEPS]]


def test_broker_killed(site, local):
    """Workers do not find back to a broker that was killed: the daemon must be restarted."""
    node = submit_dynamics(site, local, directives='')
    await_steps(node)
    kill([site.broker_process()])
    site.stop_daemon()
    site.start_daemon()
    node = site.finish(node)
    assert len(jobs_of(node)) == 1
    assert attempts_of(node) == [[0, STEPS]]
