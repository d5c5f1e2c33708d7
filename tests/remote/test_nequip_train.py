"""Tests for the training script: real trainings, killed, damaged and led astray."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from importlib.resources import files
from pathlib import Path

import pytest
import yaml

from aiida_enne.families.nequip import FAMILY, training
from aiida_enne.science.data.frames import to_extxyz
from aiida_enne.workflows import protocols
from tests import warm

pytestmark = pytest.mark.nequip
EPOCHS = 30


@pytest.fixture(scope='module')
def prepare_job(configurations, tmp_path_factory):
    """Return a function that writes a job: `folder = prepare_job({label: seed}, label=rate)`."""
    parameters = protocols.load('ensemble', 'test')['training']['train']['parameters']
    parameters['trainer']['max_epochs'] = EPOCHS
    parameters['training_module']['lr_scheduler'] = {
        'scheduler': {'_target_': 'torch.optim.lr_scheduler.StepLR', 'step_size': 5, 'gamma': 0.5}
    }

    def run(seeds, **changes):
        folder = tmp_path_factory.mktemp('job')
        for name in FAMILY.strategies['vectorised']:
            shutil.copy(files('aiida_enne.remote.nequip').joinpath(name), folder)
        for name, part in (('train.xyz', range(6)), ('validation.xyz', [6, 7])):
            (folder / name).write_text(to_extxyz(configurations.select(part)))
        for label, seed in seeds.items():
            config = training.render(parameters, seed=seed, elements=['Cu'])
            config['training_module']['optimizer']['lr'] = changes.get(label, 0.01)
            (folder / 'members' / label).mkdir(parents=True)
            (folder / 'members' / label / 'config.yaml').write_text(yaml.safe_dump(config))
        return folder

    return run


def start(folder, *options, python=sys.executable):
    environment = os.environ | {'OMP_NUM_THREADS': '1'}
    command = [python, training.SCRIPTS[0], *options]
    with (folder / 'out').open('w') as out:
        streams = {'stdout': out, 'stderr': subprocess.STDOUT}
        return subprocess.Popen(command, cwd=folder, env=environment, **streams)


def train(folder, *options):
    assert start(folder, *options, python=warm.python()).wait(1800) == 0
    return {path.parent.name: read(path) for path in folder.glob('members/*/result.json')}


def read(path):
    return json.loads(path.read_text())


def epochs_of(folder, label):
    path = folder / 'members' / label / 'progress.json'
    return read(path)['epoch'] if path.exists() else 0


def wait_for(condition, seconds=60):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, 'waited in vain'
        time.sleep(0.01)


def attempt_after(folder, prepare_job, seeds):
    """Return a new job that has the checkpoints of an older one, as a restart does."""
    new = prepare_job(seeds)
    for label in seeds:
        name = f'members/{label}/checkpoints'
        shutil.copytree(folder / name, new / name)
    return new


def change(path, *sections, **options):
    """Change options of a configuration."""
    config = yaml.safe_load(path.read_text())
    place = config
    for section in sections:
        place = place[section]
    place.update(options)
    path.write_text(yaml.safe_dump(config))


def edit(checkpoint, *statements):
    """Change a checkpoint, called `state`, in a process of its own."""
    load, save = 'state = torch.load(path, weights_only=False)', 'torch.save(state, path)'
    code = ['import sys, torch', 'path = sys.argv[1]', load, *statements, save]
    subprocess.run([sys.executable, '-c', '\n'.join(code), checkpoint], check=True)


@pytest.fixture(scope='module')
def undisturbed(prepare_job):
    folder = prepare_job({'a': 1, 'b': 2})
    return folder, train(folder, '--processes', '2')


def test_members_finish_and_differ(undisturbed):
    _, results = undisturbed
    assert {result['status'] for result in results.values()} == {'finished'}
    assert {result['epochs'] for result in results.values()} == {EPOCHS}
    assert results['a']['weights_sha256'] != results['b']['weights_sha256']


def test_same_seed_and_data_give_the_same_model_however_members_share_the_job(
    undisturbed, prepare_job
):
    parallel, results = undisturbed
    sequential = prepare_job({'b': 2, 'other': 1})
    again = train(sequential, '--processes', '1')
    assert again['other']['weights_sha256'] == results['a']['weights_sha256']
    assert again['b']['weights_sha256'] == results['b']['weights_sha256']
    first, second = (
        (folder / 'members' / label / 'checkpoints' / 'best.ckpt').read_bytes()
        for folder, label in ((parallel, 'a'), (sequential, 'other'))
    )
    assert first == second


@pytest.mark.slow
def test_kill_minus_nine_loses_nothing(undisturbed, prepare_job):
    """Killed, continued in a new folder, killed again: the model is the undisturbed one."""
    folder, seeds, reached = prepare_job({'a': 1}), {'a': 1}, [0]
    for target in (5, 15):
        process = start(folder)
        wait_for(lambda: epochs_of(folder, 'a') >= target)  # noqa: B023
        member = re.search(r'a: began as process (\d+)', (folder / 'out').read_text())[1]
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        wait_for(lambda: not Path(f'/proc/{member}').exists())  # noqa: B023
        reached.append(epochs_of(folder, 'a'))
        folder = attempt_after(folder, prepare_job, seeds)
    result = train(folder)['a']
    assert 5 <= reached[1] < reached[2] == result['first_epoch'] < EPOCHS
    undisturbed_folder, expected = undisturbed[0], undisturbed[1]['a']
    assert result['weights_sha256'] == expected['weights_sha256']
    assert (result['best_epoch'], result['epochs']) == (expected['best_epoch'], EPOCHS)
    history = 'members/a/history.csv'
    assert (folder / history).read_text() == (undisturbed_folder / history).read_text()


def test_the_clock_stops_members_between_epochs(prepare_job):
    folder = prepare_job({'a': 1, 'b': 2})
    results = train(folder, '--seconds', '0.001')
    assert set(results) == {'a'}, 'the second would be killed in the middle of its first epoch'
    assert (results['a']['status'], results['a']['epochs']) == ('unfinished', 1)
    assert results['a']['weights_sha256']


def test_one_member_diverges_and_one_crashes_alone(prepare_job):
    folder = prepare_job({'good': 1, 'wild': 2, 'wrong': 3}, wild=1e30)
    change(folder / 'members/wrong/config.yaml', 'training_module', 'model', num_layers='many')
    results = train(folder, '--processes', '3')
    statuses = {label: result['status'] for label, result in results.items()}
    assert statuses == {'good': 'finished', 'wild': 'diverged', 'wrong': 'failed'}
    assert 'nan' in results['wild']['message'] or 'inf' in results['wild']['message']
    assert 'Traceback' in (folder / 'members/wrong/log').read_text()


def test_what_torch_cannot_allocate_is_want_of_memory(prepare_job):
    """A layer of terabytes: a RuntimeError of torch's own allocator, and no other member fails."""
    folder = prepare_job({'good': 1, 'huge': 2})
    change(folder / 'members/huge/config.yaml', 'training_module', 'model', radial_mlp_width=10**12)
    results = train(folder, '--processes', '2')
    assert results['good']['status'] == 'finished'
    assert results['huge']['status'] == 'out_of_memory'
    assert "can't allocate memory" in results['huge']['message']


def test_a_member_that_linux_kills_lacked_memory(prepare_job):
    folder = prepare_job({'a': 1, 'b': 2})
    process = start(folder, '--processes', '2')
    wait_for(lambda: epochs_of(folder, 'a') >= 2)
    os.kill(int(re.search(r'a: began as process (\d+)', (folder / 'out').read_text())[1]), 9)
    assert process.wait(120) == 0
    results = {label: read(folder / f'members/{label}/result.json') for label in ('a', 'b')}
    assert results['a']['status'] == 'out_of_memory'
    assert 2 <= results['a']['epochs'] == epochs_of(folder, 'a') < EPOCHS
    assert results['b']['status'] == 'finished'
    assert training.read_result(json.dumps(results['a']))


def test_members_are_dealt_out_to_gpus(prepare_job, monkeypatch):
    monkeypatch.setenv('CUDA_VISIBLE_DEVICES', '4,6')
    folder = prepare_job({'a': 1, 'b': 2, 'c': 3})
    train(folder, '--processes', '3', '--gpus', '2')
    found = re.findall(r'(\w): began as process \d+ on GPU (\d)', (folder / 'out').read_text())
    assert found == [('a', '4'), ('b', '6'), ('c', '4')]


@pytest.mark.slow
def test_the_schedule_of_the_paper_is_continued_without_unpickling(prepare_job):
    paper = protocols.load('ensemble', 'paper')['training']['train']['parameters'][
        'training_module'
    ]
    schedule = {name: paper[name] for name in ('lr_scheduler', 'optimizer')}

    def prepared(folder, epochs):
        path = folder / 'members/a/config.yaml'
        change(path, 'training_module', **schedule)
        change(path, 'trainer', max_epochs=epochs)
        return folder

    first = prepared(prepare_job({'a': 1}), 3)
    assert train(first)['a']['status'] == 'finished'
    result = train(prepared(attempt_after(first, prepare_job, {'a': 1}), 5))['a']
    assert (result['status'], result['first_epoch'], result['epochs']) == ('finished', 3, 5)


def test_a_misspelt_key_ends_the_job_in_its_first_seconds(prepare_job):
    folder = prepare_job({'a': 1, 'b': 2})
    for label in ('a', 'b'):
        change(folder / f'members/{label}/config.yaml', 'trainer', max_epoch=2)
    assert start(folder).wait(60) == 1
    for label in ('a', 'b'):
        result = read(folder / f'members/{label}/result.json')
        assert (result['status'], result['epochs']) == ('failed', 0)
        assert 'did you mean `max_epochs`?' in result['message']
    assert not (folder / 'members/a/checkpoints').exists()
