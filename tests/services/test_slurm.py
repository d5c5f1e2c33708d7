"""What SLURM does to running jobs: they go on from their checkpoints to the same results."""

import pytest

from aiida_enne.calculations.ase_run import AseRunCalculation
from tests.services.jobs import assert_same, attempts_of, await_steps, submit_dynamics
from tests.services.programs import wait_until
from tests.services.site import GPU, jobs_of

pytestmark = [pytest.mark.services, pytest.mark.slow]
CODES = AseRunCalculation.exit_codes


def statuses(node):
    return [job.exit_status for job in jobs_of(node)]


def test_cancelled(site, cluster, stack, calm):
    """`scancel` asks a job to end, and it writes down where it was."""
    node = submit_dynamics(site, cluster)
    job = await_steps(node)
    stack.slurm.command('scancel', job.get_job_id())
    node = site.finish(node)
    assert statuses(node) == [CODES.ERROR_OUT_OF_WALLTIME.status, 0]
    assert len(attempts_of(node)) == 2
    assert_same(node, calm)


def test_killed_by_the_clock(site, cluster, stack, calm):
    """The limit of the cluster is shorter than the job was told, and nobody asks before."""
    node = submit_dynamics(site, cluster)
    job = await_steps(node)
    # SLURM looks at its clock every half minute: until it wakes the job to end it, that must wait
    stack.slurm.command('scancel', '--full', '--signal=STOP', job.get_job_id())
    stack.slurm.command('scontrol', 'update', f'jobid={job.get_job_id()}', 'EndTime=now')
    node = site.finish(node)
    # SLURM itself says so: its line in the job's standard error may come too late for AiiDA
    assert 'JobState=TIMEOUT' in stack.slurm.command('scontrol', 'show', 'job', job.get_job_id())
    assert statuses(node) == [CODES.ERROR_OUT_OF_WALLTIME.status, 0]
    assert len(attempts_of(node)) == 2
    assert_same(node, calm)


@pytest.fixture(params=[True, False], ids=['requeued', 'not requeued'], scope='module')
def rerunnable(request):
    """Whether SLURM may begin a job anew by itself."""
    return request.param


def expect(node, calm, *, rerunnable):
    """A job that SLURM may begin anew goes on in its folder; of others AiiDA submits the next."""
    assert len(jobs_of(node)) == (1 if rerunnable else 2)
    assert len(attempts_of(node)) == 2
    assert_same(node, calm)


def test_preempted(site, cluster, stack, calm, rerunnable):
    """Somebody more important needs both GPUs for a second."""
    node = submit_dynamics(site, cluster, rerunnable=rerunnable)
    job = await_steps(node)
    urgent = ['--partition=urgent', '--gres=gpu:fake:2', '--output=/dev/null', '--wrap=sleep 1']
    other = stack.slurm.command('sbatch', '--chdir=/tmp', *urgent).split()[-1]
    wait_until(lambda: stack.slurm.state_of(other) == 'COMPLETED', 'the urgent job is done')
    assert stack.slurm.state_of(job.get_job_id()) in ('PREEMPTED', 'PENDING', 'RUNNING')
    expect(site.finish(node), calm, rerunnable=rerunnable)


def test_node_down(site, cluster, stack, calm, rerunnable):
    """The node dies with its jobs, and comes back."""
    node = submit_dynamics(site, cluster, rerunnable=rerunnable)
    await_steps(node)
    stack.slurm.lose_node()
    stack.slurm.node.start()
    expect(site.finish(node), calm, rerunnable=rerunnable)


def test_more_jobs_than_gpus(site, cluster, stack, calm):
    """The third waits for one of the first two, and is no different for it."""
    nodes = [submit_dynamics(site, cluster, GPU) for _ in range(3)]
    wait_until(lambda: 'PENDING' in stack.slurm.command('squeue', '-h', '-o', '%T'), 'one waits')
    for node in map(site.finish, nodes):
        assert attempts_of(node) == [[0, 300]]
        assert_same(node, calm)
