"""Tests for `NequipTrainBaseWorkChain`: restarts make progress and repeat nothing."""

import contextlib
import json
import threading
import time
from pathlib import Path

import psutil
import pytest
from aiida import orm
from aiida.engine import run_get_node
from aiida.plugins import WorkflowFactory

from aiida_enne.calculations.nequip_train import NequipTrainCalculation as Train
from aiida_enne.families.nequip import FAMILY
from tests.lost import lose

pytestmark = pytest.mark.nequip
EPOCHS = 60


@pytest.fixture
def base_inputs(train_inputs):
    """Return inputs of two members that train one after the other, with a wilder schedule."""
    train_inputs['seeds'] = {'seed_7': orm.Int(7), 'seed_8': orm.Int(8)}
    train_inputs['parameters']['trainer']['max_epochs'] = EPOCHS
    return {'train': train_inputs, 'max_iterations': orm.Int(4)}


@pytest.fixture(params=['sequential', 'vectorised'])
def of_each_strategy(base_inputs, request):
    """Return inputs that train members in each way."""
    base_inputs['train']['strategy'] = request.param
    if kernel := FAMILY.kernels.get(request.param):
        base_inputs['train']['kernel'] = orm.Str(kernel)
    return base_inputs


class Killer(threading.Thread):
    """Kills the training that works below a folder with `kill -9`, once it has reached an epoch."""

    def __init__(self, root, label, epoch):
        super().__init__(daemon=True)
        self.root, self.label, self.epoch, self.epochs = Path(root), label, epoch, None

    def run(self):
        while self.epochs is None:
            for path in self.root.rglob(f'members/{self.label}/progress.json'):
                progress = json.loads(path.read_text())
                if progress['epoch'] >= self.epoch:
                    self.kill(path.parents[2])
                    self.epochs = json.loads(path.read_text())['epoch']
            time.sleep(0.02)

    def kill(self, work):
        for process in psutil.process_iter():
            with contextlib.suppress(psutil.NoSuchProcess, psutil.AccessDenied):
                if Path(process.cwd()) == work and 'nequip_train.py' in process.cmdline():
                    process.kill()


@pytest.mark.slow
def test_killed_training_continues_and_repeats_nothing(base_inputs, train_code):
    """The second member is killed half way: only it goes on, from the epoch it had reached."""
    killer = Killer(train_code.computer.get_workdir(), 'seed_8', EPOCHS // 3)
    killer.start()
    outputs, node = run_get_node(WorkflowFactory('enne.nequip.base'), **base_inputs)
    assert node.is_finished_ok, node.exit_message
    first, second = node.called
    assert first.exit_status == Train.exit_codes.ERROR_MEMBERS_KILLED.status
    assert set(second.inputs.seeds) == {'seed_8'}
    before, after = first.outputs.results.seed_8, second.outputs.results.seed_8
    # a checkpoint may have been finished just before the kill, its progress not yet written
    assert after['first_epoch'] - killer.epochs in (0, 1)
    assert 0 < before['epochs'] <= after['first_epoch'] < EPOCHS
    assert after['epochs'] == EPOCHS

    assert outputs['models']['seed_7'].uuid == first.outputs.models.seed_7.uuid
    assert outputs['models']['seed_8'].uuid == second.outputs.models.seed_8.uuid
    assert all(model.base.attributes.get('complete') for model in outputs['models'].values())
    epochs = outputs['histories']['seed_8'].get_array('epoch')
    assert epochs.tolist() == list(range(EPOCHS))
    scores = outputs['histories']['seed_8'].get_array('val0_epoch_weighted_sum')
    assert outputs['results']['seed_8']['best_epoch'] == scores.argmin()

    undisturbed = base_inputs['train'] | {'seeds': {'seed_8': orm.Int(8)}}
    _, alone = run_get_node(Train, **undisturbed)
    digest = alone.outputs.models.seed_8.weights_sha256
    assert outputs['models']['seed_8'].weights_sha256 == digest


@pytest.mark.slow
@pytest.mark.parametrize(
    ('of_each_strategy', 'epochs'),
    [('parallel', 30), ('fused', 30), ('vectorised', 1000)],
    indirect=['of_each_strategy'],
)
def test_killed_members_go_on_however_they_share_a_job(of_each_strategy, epochs, train_code):
    """All are killed at the same time: each goes on from its own checkpoint and is what it was."""
    train = of_each_strategy['train']
    train['parameters']['trainer']['max_epochs'] = epochs
    killer = Killer(train_code.computer.get_workdir(), 'seed_8', 1)
    killer.start()
    outputs, node = run_get_node(WorkflowFactory('enne.nequip.base'), **of_each_strategy)
    assert node.is_finished_ok, node.exit_message
    first, second = node.called
    assert first.exit_status == Train.exit_codes.ERROR_MEMBERS_KILLED.status
    assert set(second.inputs.seeds) == set(train['seeds'])
    dataset, split = train['dataset'], train['split']
    for label, seed in train['seeds'].items():
        before, after = first.outputs.results[label], second.outputs.results[label]
        assert before['epochs'] <= after['first_epoch'] < after['epochs'] == epochs
        history = outputs['histories'][label].get_array('epoch')
        assert history.tolist() == list(range(epochs))
        identity = FAMILY.identity(
            train['parameters'],
            seed=seed.value,
            elements=dataset.elements,
            data=(dataset.sha256, dataset.level_of_theory, split.sha256),
            kernel=FAMILY.kernels.get(train['strategy'], ''),
        )
        assert outputs['models'][label].base.attributes.get('identity') == identity
    assert second.outputs.results.seed_8['first_epoch'] >= 1


@pytest.mark.slow
def test_training_continues_after_the_clock(of_each_strategy):
    """So little time that one attempt is not enough, though each finishes some epochs."""
    of_each_strategy['train']['seeds'] = {'seed_7': orm.Int(7)}
    of_each_strategy['train']['parameters']['trainer']['max_epochs'] = 2
    of_each_strategy['train']['metadata']['options']['max_wallclock_seconds'] = 2
    outputs, node = run_get_node(WorkflowFactory('enne.nequip.base'), **of_each_strategy)
    assert node.is_finished_ok, node.exit_message
    attempts = [job.outputs.results.seed_7 for job in node.called]
    assert [(a['first_epoch'], a['epochs']) for a in attempts] == [(0, 1), (1, 2)]
    assert node.called[0].exit_status == Train.exit_codes.ERROR_OUT_OF_WALLTIME.status
    assert not node.called[0].outputs.models.seed_7.base.attributes.get('complete')
    assert outputs['models']['seed_7'].base.attributes.get('complete')


def test_failed_members_fail_alone_and_are_named(of_each_strategy):
    of_each_strategy['train']['seeds'] = {'seed_7': orm.Int(7)}
    of_each_strategy['train']['parameters']['trainer']['max_epochs'] = 2
    of_each_strategy['train']['parameters']['training_module']['optimizer']['lr'] = 1e30
    outputs, node = run_get_node(WorkflowFactory('enne.nequip.base'), **of_each_strategy)
    assert node.exit_status == 500
    assert 'seed_7' in node.exit_message
    assert len(node.called) == 1
    result = outputs['results']['seed_7']
    assert result['exit_label'] == 'ERROR_MEMBERS_DIVERGED'
    said = [log.message for log in orm.Log.collection.get_logs_for(node)]
    why = f'seed_7 of <{node.called[0].pk}>: ERROR_MEMBERS_DIVERGED: {result["exit_message"]}'
    assert any(why in message for message in said), said


def test_members_whose_process_was_lost_keep_their_epochs(of_each_strategy, monkeypatch):
    """Another process takes over what their job, which ran on, gave."""
    base_inputs = of_each_strategy
    base_inputs['train']['parameters']['trainer']['max_epochs'] = 3
    lose(monkeypatch, 'task_update_job')
    outputs, node = run_get_node(WorkflowFactory('enne.nequip.base'), **base_inputs)
    assert node.is_finished_ok, node.exit_message
    lost, follower = node.called
    assert lost.is_excepted
    assert follower.get_job_id() == lost.get_job_id()
    for label in base_inputs['train']['seeds']:
        assert outputs['histories'][label].get_array('epoch').tolist() == [0, 1, 2]
        assert outputs['models'][label].base.attributes.get('complete')
