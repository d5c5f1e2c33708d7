"""Workers, daemon, broker and database are killed or restarted: no job goes twice."""

import pytest
from aiida.common.datastructures import CalcJobState
from aiida.engine.processes import control

from tests.services.jobs import STEPS, assert_same, attempts_of, await_steps, submit_dynamics
from tests.services.programs import wait_until
from tests.services.site import jobs_of

pytestmark = [pytest.mark.services, pytest.mark.slow]


def test_workers_killed(site, cluster, calm):
    node = submit_dynamics(site, cluster)
    job = await_steps(node)
    site.kill_workers()
    node = site.finish(node)
    assert [one.uuid for one in jobs_of(node)] == [job.uuid]
    assert attempts_of(node) == [[0, STEPS]]
    assert_same(node, calm)


def test_daemon_killed(site, cluster, calm):
    """The job ends while nobody looks; the next daemon finds it done."""
    node = submit_dynamics(site, cluster)
    job = await_steps(node)
    site.kill_daemon()
    site.start_daemon()
    node = site.finish(node)
    assert [one.uuid for one in jobs_of(node)] == [job.uuid]
    assert attempts_of(node) == [[0, STEPS]]
    assert_same(node, calm)


def test_broker_restarted(site, cluster, stack, calm):
    """Workers find back to it by themselves, and take new processes too."""
    node = submit_dynamics(site, cluster)
    await_steps(node)
    stack.rabbitmq.restart()
    assert attempts_of(site.finish(submit_dynamics(site, cluster))) == [[0, STEPS]]
    node = site.finish(node)
    assert len(jobs_of(node)) == 1
    assert attempts_of(node) == [[0, STEPS]]
    assert_same(node, calm)


def test_database_restarted(site, cluster, stack, calm):
    """Workers that lost the database do not find back: the daemon must be restarted, repaired.

    A process of a job may not survive it, which the workflow does. Seldom it is the workflow that
    does not, and AiiDA takes none up again: then another must come through.
    """
    for _ in range(2):
        node = submit_dynamics(site, cluster)
        await_steps(node)
        stack.postgres.restart()
        site.reconnect()
        site.stop_daemon()
        site.repair()
        site.start_daemon()
        node = site.finish(node)
        if not node.is_excepted:
            break
    assert len({job.get_job_id() for job in jobs_of(node)}) == 1
    assert attempts_of(node) == [[0, STEPS]]
    assert_same(node, calm)


def test_paused_rebooted_and_played_on(site, cluster, stack, calm):
    """The plug is pulled on everything at once, the running job included."""
    node = submit_dynamics(site, cluster)
    job = await_steps(node)
    control.pause_processes([node, job], timeout=10)
    wait_until(lambda: jobs_of(node)[0].paused, 'the job is paused')
    site.kill_daemon()
    stack.kill()
    stack.start()
    site.reconnect()
    site.start_daemon()
    assert jobs_of(node)[0].get_state() is CalcJobState.WITHSCHEDULER
    site.play(node, job)
    node = site.finish(node)
    assert len(attempts_of(node)) == 2
    assert_same(node, calm)
