"""The main job, submitted by the daemon through SSH and SLURM: the results of localhost."""

import pytest
from aiida import orm

from tests.services.site import GPU, folder_of, jobs_of
from tests.services.study import STEPS, assert_same_results, await_step, build

pytestmark = [pytest.mark.services, pytest.mark.slow, pytest.mark.nequip, pytest.mark.lammps]


@pytest.fixture(scope='module')
def studies(site, cluster, undisturbed):
    """Return the study on the cluster and the one on localhost."""
    node = site.finish(site.submit(build(cluster, GPU)))
    assert node.is_finished_ok, node.exit_message
    return node, undisturbed


def test_results_are_those_of_localhost(studies):
    assert_same_results(*studies)


def test_every_job_asked_for_a_gpu_and_got_one(studies):
    jobs = jobs_of(studies[0])
    assert {job.process_label for job in jobs} == set(STEPS)
    for job in jobs:
        assert job.computer.scheduler_type == 'core.slurm'
        assert GPU in job.base.repository.get_object_content('_aiidasubmit.sh').splitlines()
        printed = job.outputs.retrieved.base.repository.get_object_content('_scheduler-stdout.txt')
        assert printed.splitlines()[0] in ('CUDA_VISIBLE_DEVICES=0', 'CUDA_VISIBLE_DEVICES=1')
        assert (folder_of(job) / '_aiidasubmit.sh').exists()


def test_no_job_went_twice(studies):
    assert_once(studies[0])


def test_workers_killed_in_each_step(site, cluster, undisturbed):
    """Both workers at once; the last time as the predictions are done and the audit is next."""
    node = site.submit(build(cluster, GPU))
    for step in STEPS:
        await_step(site, node, step)
        site.kill_workers()
    (predictions,) = [job for job in jobs_of(node) if job.process_label == STEPS[-1]]
    site.wait(node, lambda: orm.load_node(predictions.pk).is_terminated, 'the predictions are done')
    site.kill_workers()
    node = site.finish(node)
    assert node.is_finished_ok, node.exit_message or node.exception
    assert_same_results(node, undisturbed)
    assert_once(node)
    assert len(jobs_of(node)) == len(jobs_of(undisturbed))


def assert_once(node):
    """Fail unless every job of a study went once and well."""
    jobs = jobs_of(node)
    assert len({job.get_job_id() for job in jobs}) == len(jobs)
    assert all(job.is_finished_ok for job in jobs)
