"""Tests for jobs whose process is lost: another takes them over, and nothing is done twice."""

import sys

import numpy as np
import pytest
from aiida import orm
from aiida.common.links import LinkType
from aiida.engine import run_get_node
from aiida.engine.utils import instantiate_process
from aiida.manage import get_manager
from aiida.manage.caching import enable_caching
from aiida.plugins import WorkflowFactory
from ase.build import bulk

from aiida_enne.calculations.ase_run import AseRunCalculation
from aiida_enne.calculations.following import FollowingCalcJob
from aiida_enne.data.configurations import ConfigurationsData
from aiida_enne.workflows.reference.ase_base import AseBaseWorkChain
from aiida_enne.workflows.restarts import MAX_LOST, SurvivingRestartWorkChain
from tests.lost import lose
from tests.slow import SLOW, SLOW_MODULE

STEPS = 100


@pytest.fixture
def dynamics(aiida_profile_clean, aiida_code_installed, tmp_path):
    """Return the inputs of a trajectory of two seconds."""
    (tmp_path / 'slow.py').write_text(SLOW_MODULE)
    code = aiida_code_installed(
        label='python',
        filepath_executable=sys.executable,
        prepend_text=f'export PYTHONPATH={tmp_path}',
    )
    stage = {'thermostat': 'langevin', 'temperature': 300, 'record_every': 5, 'steps': STEPS}
    return {
        'code': code,
        'configurations': ConfigurationsData.from_atoms([bulk('Cu', cubic=True)]),
        'calculator': SLOW,
        'task': {'kind': 'md', 'stages': [stage]},
        'seed': 1,
        'checkpoint_seconds': 0.2,
    }


def run(inputs, **more):
    return run_get_node(WorkflowFactory('enne.ase.base'), ase=inputs, **more).node


def test_a_job_goes_on_when_its_process_is_lost(dynamics, monkeypatch):
    """The follower waits for the very job that runs on, and takes its results."""
    lose(monkeypatch, 'task_update_job')
    node = run(dynamics, max_iterations=1)  # a process that is lost is no attempt
    assert node.is_finished_ok, node.exit_message
    lost, follower = node.called
    assert lost.is_excepted
    assert 'the server is shutting down' in lost.exception
    assert 'retrieved' not in lost.outputs
    assert follower.is_finished_ok
    assert follower.get_job_id() == lost.get_job_id()
    assert follower.get_remote_workdir() == lost.get_remote_workdir()
    (unit,) = node.outputs.results['units']
    assert unit['attempts'] == [[0, STEPS]]

    _, calm = run_get_node(AseRunCalculation, **dynamics)
    assert calm.get_job_id() != lost.get_job_id()
    expected = calm.outputs.dataset.get_arrays()
    found = node.outputs.dataset.get_arrays()
    assert found.keys() == expected.keys()
    for name, array in found.items():
        np.testing.assert_array_equal(array, expected[name], err_msg=name)


def test_a_job_that_is_done_is_taken_as_it_is(dynamics, monkeypatch):
    """The process is lost while it retrieves."""
    lose(monkeypatch, 'task_retrieve_job')
    node = run(dynamics)
    assert node.is_finished_ok, node.exit_message
    lost, follower = node.called
    assert lost.is_excepted
    assert follower.get_job_id() == lost.get_job_id()
    assert node.outputs.results['units'][0]['attempts'] == [[0, STEPS]]


@pytest.mark.parametrize('task', ['task_upload_job', 'task_submit_job'])
def test_what_is_lost_before_its_job_begins_once_more(dynamics, monkeypatch, task):
    lose(monkeypatch, task)
    node = run(dynamics)
    assert node.is_finished_ok, node.exit_message
    lost, again = node.called
    assert lost.is_excepted
    assert lost.get_job_id() is None
    assert again.is_finished_ok


def test_followers_are_lost_and_followed_too(dynamics, monkeypatch):
    lose(monkeypatch, 'task_update_job', times=MAX_LOST)
    node = run(dynamics)
    assert node.is_finished_ok, node.exit_message
    assert [one.is_excepted for one in node.called] == [True] * MAX_LOST + [False]
    assert len({one.get_job_id() for one in node.called}) == 1


def test_a_follower_that_is_lost_at_once_leaves_the_job_to_the_next(dynamics, monkeypatch):
    """The job is not submitted again, although the follower has not noted its number."""
    kept, left = FollowingCalcJob.run, [1]

    async def failing(self):
        if 'follow' in self.inputs and left.pop():
            left.append(0)
            raise RuntimeError('the connection is stale')
        return await kept(self)

    lose(monkeypatch, 'task_update_job')
    monkeypatch.setattr(FollowingCalcJob, 'run', failing)
    node = run(dynamics)
    assert node.is_finished_ok, node.exit_message
    lost, stale, follower = node.called
    assert stale.is_excepted
    assert stale.get_job_id() is None
    assert follower.get_job_id() == lost.get_job_id()


def test_a_step_that_was_killed_after_it_linked_outputs_is_done_again(dynamics, monkeypatch):
    hand_out = AseBaseWorkChain.results

    def done_before(self):
        """Link what the killed step had linked; its memory of that is gone."""
        for name in ('results', 'dataset', 'remote_folder'):
            output = self.ctx.children[-1].outputs[name]
            output.base.links.add_incoming(self.node, LinkType.RETURN, name)
        return hand_out(self)

    monkeypatch.setattr(AseBaseWorkChain, 'results', done_before)
    node = run(dynamics)
    assert node.is_finished_ok, node.exit_message
    assert {'results', 'dataset', 'remote_folder', 'retrieved'} <= set(node.outputs)


def test_other_inputs_do_not_follow(dynamics, monkeypatch):
    """Neither a restart from the node of a follower nor a request brings old files."""
    lose(monkeypatch, 'task_update_job')
    lost, follower = run(dynamics).called
    builder = follower.get_builder_restart()
    assert 'follow' not in builder
    builder.seed = 2
    asked = dynamics | {'seed': 2, 'follow': lost.pk}
    for node in (run_get_node(builder).node, run_get_node(AseRunCalculation, **asked).node):
        assert node.is_finished_ok, node.exit_message
        assert node.get_remote_workdir() != lost.get_remote_workdir()
        assert node.outputs.dataset.uuid != follower.outputs.dataset.uuid


def test_what_is_lost_every_time_is_given_up(dynamics, monkeypatch):
    """An error in the code comes back; the verdict is AiiDA's own."""
    lose(monkeypatch, 'task_update_job', times=100)
    node = run(dynamics)
    verdict = SurvivingRestartWorkChain.exit_codes.ERROR_SUB_PROCESS_EXCEPTED
    assert node.exit_status == verdict.status
    assert len(node.called) == 1 + MAX_LOST


def test_a_follower_is_in_the_cache(dynamics, monkeypatch):
    lose(monkeypatch, 'task_update_job')
    node = run(dynamics)
    with enable_caching(identifier='aiida.calculations:enne.ase.run'):
        again = run(dynamics)
    (job,) = again.called
    assert job.base.caching.is_created_from_cache
    assert again.outputs.dataset.uuid != node.outputs.dataset.uuid
    np.testing.assert_array_equal(
        again.outputs.dataset.get_arrays()['forces'], node.outputs.dataset.get_arrays()['forces']
    )


def test_only_lost_jobs_are_followed(dynamics):
    _, done = run_get_node(AseRunCalculation, **dynamics)
    never = orm.CalcJobNode(computer=dynamics['code'].computer).store()
    runner = get_manager().get_runner()
    for pk in (done.pk, never.pk, dynamics['code'].pk, 10**9, 10**30, 0, -1):
        with pytest.raises(ValueError, match='`follow` must be'):
            instantiate_process(runner, AseRunCalculation, follow=pk, **dynamics)
