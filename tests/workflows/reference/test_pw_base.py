"""Jobs of pw.x whose process is lost: another takes them over, and the cache knows all of them."""

import numpy as np
import pytest
from aiida.common.links import LinkType
from aiida.engine import run_get_node
from aiida.manage.caching import enable_caching
from ase.build import bulk

from aiida_enne.data.configurations import ConfigurationsData
from aiida_enne.workflows.reference.engine import load_engine
from aiida_enne.workflows.reference.qe_inputs import pw_base
from tests.lost import lose

pytest.importorskip('aiida_quantumespresso')
pytest_plugins = ['tests.pseudos', 'tests.pw_recordings']
PW = 'aiida.calculations:quantumespresso.pw'


@pytest.fixture
def label(qe_code, recorded_pw, pseudo_stand_in):
    """Return a function that labels two atoms by what pw.x said once."""
    code = qe_code(recorded_pw, pseudo_stand_in)
    atoms = bulk('Si')
    atoms.rattle(0.05, seed=0)
    atoms.info = {'domain': 'cell 0', 'block': 5}
    configurations = ConfigurationsData.from_atoms([atoms])

    def run():
        builder = load_engine('qe').get_builder_from_protocol(
            code, configurations, {'kind': 'label'}, protocol='test'
        )
        node = run_get_node(builder).node
        assert node.is_finished_ok, node.exit_message
        jobs = [one for one in base_of(node).called if one.process_type == PW]
        return node, sorted(jobs, key=lambda one: one.pk)

    return run


def base_of(node):
    """Return the restarts that an engine called."""
    (base,) = [one for one in node.called if one.process_label == 'PwBaseWorkChain']
    return base


@pytest.mark.parametrize('task', ['task_update_job', 'task_retrieve_job'])
def test_a_job_that_lost_its_process_is_followed_and_cached_as_any_other(label, monkeypatch, task):
    lose(monkeypatch, task)
    node, (lost, follower) = label()
    assert lost.is_excepted
    assert follower.is_finished_ok, follower.exit_message
    assert follower.get_job_id() == lost.get_job_id()
    assert follower.get_remote_workdir() == lost.get_remote_workdir()
    assert follower.process_type == lost.process_type == PW
    assert follower.base.caching.get_hash() == lost.base.caching.get_hash()
    with enable_caching(identifier=PW):
        again, (job,) = label()
    assert job.base.caching.get_cache_source() == follower.uuid
    one, two = (run.outputs.dataset.get_configurations() for run in (node, again))
    np.testing.assert_array_equal(one.forces, two.forces)


def test_what_was_lost_before_its_job_was_noted_begins_once_more(label, monkeypatch):
    lose(monkeypatch, 'task_submit_job')
    _, (lost, again) = label()
    assert lost.get_job_id() is None
    assert again.is_finished_ok
    assert again.process_label == lost.process_label == 'PwCalculation'


def test_a_last_step_that_was_killed_and_is_done_again_hands_out_all(label, monkeypatch):
    chain = pw_base()
    hand_out = chain.results

    def done_before(self):
        """Link what the killed step had linked; its memory of that is gone."""
        for name in ('output_parameters', 'remote_folder'):
            output = self.ctx.children[-1].outputs[name]
            output.base.links.add_incoming(self.node, LinkType.RETURN, name)
        return hand_out(self)

    monkeypatch.setattr(chain, 'results', done_before)
    node, _ = label()
    base = base_of(node)
    assert {'output_parameters', 'remote_folder', 'output_trajectory'} <= set(base.outputs)


def test_jobs_are_those_of_the_plugin_so_that_older_caches_hold(label):
    """What aiida-quantumespresso's own restarts would run is found in the cache as ours."""
    from aiida_quantumespresso.workflows.pw.base import PwBaseWorkChain as OwnRestarts

    node, (job,) = label()
    builder = OwnRestarts.get_builder()
    builder._update(base_of(node).get_builder_restart()._inputs(prune=True))
    with enable_caching(identifier=PW):
        theirs = run_get_node(builder).node
    assert theirs.is_finished_ok, theirs.exit_message
    assert theirs.process_type == 'aiida.workflows:quantumespresso.pw.base'
    (again,) = [one for one in theirs.called if one.process_type == PW]
    assert again.base.caching.get_cache_source() == job.uuid
