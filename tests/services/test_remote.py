"""The way to the cluster is cut, and its disk is full: AiiDA tries again, pauses, and plays on."""

import os
import subprocess

import pytest

from tests.services.jobs import STEPS, assert_same, attempts_of, await_steps, submit_dynamics
from tests.services.programs import wait_until
from tests.services.site import jobs_of

pytestmark = [pytest.mark.services, pytest.mark.slow]


def test_connection_cut_for_a_moment(site, cluster, stack, calm):
    """Shorter than AiiDA's patience: it tries again by itself."""
    node = submit_dynamics(site, cluster)
    await_steps(node)
    stack.ssh.cut()
    stack.ssh.program.start()
    node = site.finish(node)
    assert attempts_of(node) == [[0, STEPS]]
    assert_same(node, calm)


def test_connection_cut_for_long(site, cluster, stack, calm):
    """Longer: the job is paused, and goes on when it is played."""
    node = submit_dynamics(site, cluster)
    job = await_steps(node)
    stack.ssh.cut()
    wait_until(lambda: jobs_of(node)[0].paused, 'AiiDA has paused the job')
    assert 'failed transport task' in jobs_of(node)[0].process_status
    stack.ssh.program.start()
    site.play(job)
    node = site.finish(node)
    assert len(jobs_of(node)) == 1
    assert attempts_of(node) == [[0, STEPS]]
    assert_same(node, calm)


@pytest.fixture(scope='module')
def small_disk(stack):
    """Return a folder on a disk of four megabytes, and a file that fills it."""
    folder = stack.scratch / 'small'
    folder.mkdir()
    if os.getuid() != 0:
        pytest.skip('only root may mount a small disk')
    command = ['mount', '-t', 'tmpfs', '-o', 'size=4m', 'none', folder]
    mounted = subprocess.run(command, check=False, capture_output=True, text=True)
    if mounted.returncode:
        pytest.skip(f'a small disk cannot be mounted: {mounted.stderr.strip()}')
    yield folder
    subprocess.run(['umount', folder], check=True)


def fill(folder):
    """Write a file until the disk is full, and return it."""
    path = folder / 'filler'
    with path.open('wb', buffering=0) as file:
        try:
            while True:
                file.write(bytes(4096))
        except OSError:
            return path


@pytest.fixture(scope='module')
def small_cluster(site, cluster, stack, small_disk):
    """Return the Python of the same cluster with the small disk for its jobs."""
    return site.add_cluster('small', stack.ssh.alias)


def test_disk_full_before_the_job(site, small_cluster, small_disk, calm):
    """The upload fails: AiiDA pauses the job, which goes on when there is room and it is played."""
    filler = fill(small_disk)
    node = submit_dynamics(site, small_cluster)
    wait_until(lambda: jobs_of(node) and jobs_of(node)[0].paused, 'the job is paused')
    filler.unlink()
    site.play(jobs_of(node)[0])
    node = site.finish(node)
    assert attempts_of(node) == [[0, STEPS]]
    assert_same(node, calm)


def test_disk_full_in_the_middle(site, small_cluster, small_disk, calm):
    """The checkpoint before remains, and the next attempt goes on from it."""
    node = submit_dynamics(site, small_cluster)
    await_steps(node)
    filler = fill(small_disk)
    wait_until(lambda: len(jobs_of(node)) == 2 and jobs_of(node)[1].paused, 'the next waits')
    filler.unlink()
    site.play(jobs_of(node)[1])
    node = site.finish(node)
    assert len(attempts_of(node)) == 2
    assert_same(node, calm)
