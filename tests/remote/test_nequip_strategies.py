"""Tests for the training script in each of its ways: what holds for a member holds for all."""

import subprocess
import sys

import psutil
import pytest

from aiida_enne.families.nequip import training
from tests.remote.test_nequip_train import (
    EPOCHS,
    attempt_after,
    change,
    edit,
    epochs_of,
    prepare_job,
    read,
    start,
    train,
    wait_for,
)

__all__ = ['prepare_job']
pytestmark = pytest.mark.nequip


def checkpoint_epochs(checkpoint):
    """Return the epochs that a checkpoint has, read in a process of its own."""
    code = 'import sys, torch; print(torch.load(sys.argv[1], weights_only=False)["epoch"])'
    command = [sys.executable, '-c', code, checkpoint]
    return int(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


@pytest.fixture(scope='module', params=['alone', 'fused', 'together'])
def some(request, artefacts):
    """Return options of each way to train the members of a process."""
    return () if request.param == 'alone' else (f'--{request.param}', '--artefacts', str(artefacts))


@pytest.fixture(scope='module')
def trained(some, prepare_job):
    """Return a job and its results, trained in each way."""
    folder = prepare_job({'a': 1})
    return folder, train(folder, *some)


def logs_of(folder):
    return ''.join(path.read_text() for path in (folder / 'out', *folder.glob('members/*/log')))


@pytest.mark.slow
def test_best_of_all_attempts_is_kept(trained, prepare_job, some):
    """The continued training is made to get worse: the model of the first attempt must stay."""
    folder = attempt_after(trained[0], prepare_job, {'a': 1})
    checkpoint = folder / 'members/a/checkpoints/last.ckpt'
    edit(
        checkpoint,
        "state['optimizer_states'][0]['param_groups'][0]['lr'] = 10.0",
        "state['lr_schedulers'][0].update(gamma=1.0, _last_lr=[10.0])",
    )
    change(folder / 'members/a/config.yaml', 'trainer', max_epochs=EPOCHS + 3)
    result, before = train(folder, *some)['a'], trained[1]['a']
    assert (result['first_epoch'], result['epochs']) == (EPOCHS, EPOCHS + 3)
    assert result['best_epoch'] == before['best_epoch']
    assert result['weights_sha256'] == before['weights_sha256']
    history = training.read_history((folder / 'members/a/history.csv').read_text())
    assert history['val0_epoch_weighted_sum'][-1] > 2 * result['best_score']


@pytest.mark.slow
def test_a_damaged_checkpoint_falls_back_to_an_older_one(trained, prepare_job, some):
    folder = attempt_after(trained[0], prepare_job, {'a': 1})
    checkpoints = folder / 'members/a/checkpoints'
    whole = (checkpoints / 'last.ckpt').read_bytes()
    (checkpoints / 'best.ckpt').write_bytes(b'')
    (checkpoints / 'last.ckpt').write_bytes(whole[: len(whole) // 2])
    older = checkpoint_epochs(checkpoints / 'previous.ckpt')
    result = train(folder, *some)['a']
    assert (result['status'], result['first_epoch']) == ('finished', older)
    assert 0 < older < EPOCHS if '--together' in some else older == EPOCHS - 1
    assert result['epochs'] == EPOCHS
    assert 'last.ckpt is damaged' in logs_of(folder)


def test_a_finite_model_survives_divergence(trained, prepare_job, some):
    folder = attempt_after(trained[0], prepare_job, {'a': 1})
    for name in ('last.ckpt', 'previous.ckpt'):
        edit(
            folder / 'members/a/checkpoints' / name,
            "weights = [v for k, v in state['state_dict'].items() if k.startswith('model.')]",
            "[value.fill_(float('nan')) for value in weights if value.is_floating_point()]",
        )
    change(folder / 'members/a/config.yaml', 'trainer', max_epochs=EPOCHS + 3)
    result = train(folder, *some)['a']
    assert result['status'] == 'diverged'
    assert result['weights_sha256'] == trained[1]['a']['weights_sha256']


def test_members_together_that_cannot_be_allocated_are_halved_and_named(prepare_job, artefacts):
    folder = prepare_job({'a': 1, 'b': 2})
    for label in ('a', 'b'):
        path = folder / f'members/{label}/config.yaml'
        change(path, 'training_module', 'model', radial_mlp_width=10**12)
    results = train(folder, '--together', '--artefacts', str(artefacts))
    assert '2 members need too much memory: now 1 at a time' in (folder / 'out').read_text()
    assert {result['status'] for result in results.values()} == {'out_of_memory'}
    assert set(results) == {'a', 'b'}


def test_members_together_that_linux_kills_lacked_memory(prepare_job, artefacts):
    folder = prepare_job({'a': 1, 'b': 2})
    process = start(folder, '--together', '--artefacts', str(artefacts))
    wait_for(lambda: min(epochs_of(folder, label) for label in ('a', 'b')) >= 1)
    (worker,) = psutil.Process(process.pid).children()
    worker.kill()
    assert process.wait(120) == 0
    for label in ('a', 'b'):
        result = read(folder / f'members/{label}/result.json')
        assert result['status'] == 'out_of_memory'
        assert result['epochs'] == epochs_of(folder, label) < EPOCHS


def test_a_checkpoint_that_would_have_to_be_unpickled_is_neither_used_nor_lost(
    trained, prepare_job, some
):
    folder = attempt_after(trained[0], prepare_job, {'a': 1})
    checkpoint = folder / 'members/a/checkpoints/last.ckpt'
    edit(checkpoint, "state['extra'] = __import__('fractions').Fraction(1, 2)")
    before = checkpoint.read_bytes()
    result = train(folder, *some)['a']
    assert result['status'] == 'failed'
    assert "last.ckpt holds ['fractions.Fraction']" in result['message']
    assert checkpoint.read_bytes() == before
