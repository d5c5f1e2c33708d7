"""The study of the demo, disturbed three times at random, ends with the undisturbed report."""

import random
import time

import pytest

from aiida_enne.report.collect import collect
from aiida_enne.report.write import write_report
from tests.services.site import GPU, jobs_of
from tests.services.study import STEPS, assert_same_results, await_step, build

pytestmark = [pytest.mark.services, pytest.mark.slow, pytest.mark.nequip, pytest.mark.lammps]
SEED, TIMES = 5, 3


def cancel_a_job(site, stack, rng):
    """Cancel one of the jobs that SLURM runs or will run."""
    jobs = stack.slurm.command('squeue', '-h', '-t', 'PD,R', '-o', '%i').split()
    if jobs:
        stack.slurm.command('scancel', rng.choice(jobs))


def lose_the_node(site, stack, rng):
    """Kill the node with all its jobs, and bring it back."""
    stack.slurm.lose_node()
    stack.slurm.node.start()


def cut_the_connection(site, stack, rng):
    """Cut SSH for a second."""
    stack.ssh.cut()
    time.sleep(1)
    stack.ssh.program.start()


def restart_the_broker(site, stack, rng):
    """Restart RabbitMQ."""
    stack.rabbitmq.restart()


def kill_the_workers(site, stack, rng):
    """Kill -9 both workers of the daemon."""
    site.kill_workers()


def kill_the_daemon(site, stack, rng):
    """Kill -9 the daemon with its workers, and start the next."""
    site.kill_daemon()
    site.start_daemon()


DISTURBANCES = [
    cancel_a_job,
    lose_the_node,
    cut_the_connection,
    restart_the_broker,
    kill_the_workers,
    kill_the_daemon,
]


def test_the_report_is_the_undisturbed(site, cluster, stack, undisturbed, tmp_path):
    """One disturbance in each step, its kind and its moment drawn."""
    rng = random.Random(SEED)
    chosen = rng.sample(DISTURBANCES, TIMES)
    node = site.submit(build(cluster, GPU))
    for step, disturb in zip(STEPS, chosen, strict=True):
        await_step(site, node, step)
        delay = rng.uniform(0, 8)
        time.sleep(delay)
        print(f'{delay:.1f} s after the first job of {step}: {disturb.__name__}', flush=True)
        disturb(site, stack, rng)
        for paused in [job for job in jobs_of(node) if job.paused]:
            site.play(paused)
    node = site.finish(node)
    assert node.is_finished_ok, node.exit_message or node.exception

    assert_same_results(node, undisturbed)
    reports = [collect(one.uuid) for one in (node, undisturbed)]
    assert reports[0].findings == reports[1].findings
    print('\n'.join(reports[0].findings))
    assert write_report(reports[0], tmp_path).exists()
