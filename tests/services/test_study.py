"""The main job, submitted by the daemon through SSH and SLURM: the results of localhost."""

import numpy as np
import pytest

from tests.services.site import GPU, folder_of, jobs_of
from tests.services.study import build, results_of

pytestmark = [pytest.mark.services, pytest.mark.slow, pytest.mark.nequip, pytest.mark.lammps]


@pytest.fixture(scope='module')
def studies(site, cluster, undisturbed):
    """Return the study on the cluster and the one on localhost."""
    node = site.finish(site.submit(build(cluster, GPU)))
    assert node.is_finished_ok, node.exit_message
    return node, undisturbed


def test_results_are_those_of_localhost(studies):
    found, expected = map(results_of, studies)
    assert found.weights == expected.weights
    assert found.statistics == expected.statistics
    assert found.predictions.keys() == expected.predictions.keys()
    for label, arrays in expected.predictions.items():
        for name, array in arrays.items():
            np.testing.assert_array_equal(found.predictions[label][name], array)


def test_every_job_asked_for_a_gpu_and_got_one(studies):
    jobs = jobs_of(studies[0])
    assert {job.process_label for job in jobs} == {
        'AseRunCalculation',
        'NequipTrainCalculation',
        'NequipPredictCalculation',
    }
    for job in jobs:
        assert job.computer.scheduler_type == 'core.slurm'
        assert GPU in job.base.repository.get_object_content('_aiidasubmit.sh').splitlines()
        printed = job.outputs.retrieved.base.repository.get_object_content('_scheduler-stdout.txt')
        assert printed.splitlines()[0] in ('CUDA_VISIBLE_DEVICES=0', 'CUDA_VISIBLE_DEVICES=1')
        assert (folder_of(job) / '_aiidasubmit.sh').exists()


def test_no_job_went_twice(studies):
    assert len({job.get_job_id() for job in jobs_of(studies[0])}) == len(jobs_of(studies[0]))
    assert all(job.is_finished_ok for job in jobs_of(studies[0]))
