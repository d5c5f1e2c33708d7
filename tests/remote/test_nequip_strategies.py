"""Tests for the training script in each of its ways: what holds for a member holds for all."""

import re
import subprocess
import sys

import psutil
import pytest

from aiida_enne.families.nequip import FAMILY, training
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

#: Added to the script: a process with more than two members lacks memory in its third epoch.
ROOM_FOR_TWO = """
import signal

train_epoch = Group.train_epoch


def in_little_room(self):
    if len(self.members) > 2 and self.epoch == 2:
        {lack}
    train_epoch(self)


Group.train_epoch = in_little_room
"""
#: And: two of the members can be trained together no longer.
UNFIT = """
compare = Group._compare


def of_some(self):
    names = [member.keeper.attempt.folder.name for member in self.members]
    if names == ['a', 'c']:
        raise UnfitError('as a test wants it')
    return compare(self)


Group._compare = of_some
"""


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


@pytest.mark.parametrize(
    'lack',
    ['os.kill(os.getpid(), signal.SIGKILL)', "raise MemoryError('as a limit on a process has it')"],
)
def test_members_together_that_need_too_much_memory_go_on_in_halves(prepare_job, artefacts, lack):
    """There is memory for two at a time: more are killed, or refused some, in their third epoch."""
    seeds = {label: seed for seed, label in enumerate('abcde')}
    folder = prepare_job(seeds)
    for label in seeds:
        change(folder / f'members/{label}/config.yaml', 'trainer', max_epochs=4)
    script = folder / 'nequip_together.py'
    script.write_text(script.read_text() + ROOM_FOR_TWO.format(lack=lack))
    results = train(folder, '--together', '--artefacts', str(artefacts))
    assert set(results) == set(seeds)
    for result in results.values():
        assert (result['status'], result['epochs']) == ('finished', 4)
        assert result['first_epoch'] in (1, 2), 'nothing was begun anew'
        assert result['kernel'] == FAMILY.kernels['vectorised']
    said = re.findall('(.) members need too much memory: now (.)', (folder / 'out').read_text())
    assert said == [('5', '3'), ('3', '2')]


def test_a_half_that_cannot_be_trained_together_leaves_the_other_as_it_is(prepare_job, artefacts):
    seeds = {'a': 1, 'b': 2, 'c': 3, 'd': 4}
    folder = prepare_job(seeds)
    for label in seeds:
        change(folder / f'members/{label}/config.yaml', 'trainer', max_epochs=3)
    script = folder / 'nequip_together.py'
    lack = "raise MemoryError('as a limit on a process has it')"
    script.write_text(script.read_text() + ROOM_FOR_TWO.format(lack=lack) + UNFIT)
    results = train(folder, '--together', '--artefacts', str(artefacts))
    assert {result['status'] for result in results.values()} == {'finished'}
    began = re.findall('(.): began as process', (folder / 'out').read_text())
    assert began == ['a', 'c'], 'the others were trained together to their end'
    # what began together stays so, whatever trains it to the end
    assert {result['kernel'] for result in results.values()} == {FAMILY.kernels['vectorised']}


def test_one_member_that_linux_kills_lacked_memory(prepare_job, artefacts):
    folder = prepare_job({'a': 1})
    process = start(folder, '--together', '--artefacts', str(artefacts))
    wait_for(lambda: epochs_of(folder, 'a') >= 1, 600)
    (worker,) = psutil.Process(process.pid).children()
    worker.kill()
    assert process.wait(600) == 0
    result = read(folder / 'members/a/result.json')
    assert result['status'] == 'out_of_memory'
    assert result['epochs'] == epochs_of(folder, 'a') < EPOCHS


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


def test_processes_share_the_members(prepare_job, artefacts):
    seeds = {'a': 1, 'b': 2, 'c': 3}
    folder = prepare_job(seeds)
    for label in seeds:
        change(folder / f'members/{label}/config.yaml', 'trainer', max_epochs=2)
    results = train(folder, '--together', '--artefacts', str(artefacts), '--processes', '2')
    assert {result['status'] for result in results.values()} == {'finished'}
    said = re.findall(r'(\d) members are trained together', (folder / 'out').read_text())
    assert sorted(said) == ['1', '2']
