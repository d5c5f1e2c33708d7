"""Tests for members that are trained together: as NequIP's trainer would, each for itself."""

import os
import re
import signal
import subprocess
import sys

import numpy as np
import psutil
import pytest
import torch

from aiida_enne.families.nequip import FAMILY, training
from tests.remote.test_nequip_train import (  # noqa: F401
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

pytestmark = pytest.mark.nequip
#: A loss that the fused step does not know.
FORCES_ALONE = {
    'name': 'forces_mae',
    'field': 'forces',
    'coeff': 1,
    'metric': {'_target_': 'nequip.train.MeanAbsoluteError'},
}
STRESS_LOSS = {'_target_': 'nequip.train.EnergyForceStressLoss', 'per_atom_energy': True}
STRESS_METRICS = {
    '_target_': 'nequip.train.EnergyForceStressMetrics',
    'coeffs': {'forces_mae': 1.0, 'stress_mae': 0.1},
}
SEEDS = {'a': 1, 'b': 2, 'c': 3}
#: Lets the next steps of a training go far astray.
RATE = (
    "state['optimizer_states'][0]['param_groups'][0]['lr'] = 1e30;"
    "state['lr_schedulers'][0].update(gamma=1.0, _last_lr=[1e30])"
)


@pytest.fixture(scope='module')
def options(artefacts):
    return ('--together', '--artefacts', str(artefacts))


@pytest.fixture(scope='module')
def alone(prepare_job):  # noqa: F811
    folder = prepare_job(SEEDS)
    return folder, train(folder, '--processes', '2')


@pytest.fixture(scope='module')
def together(prepare_job, options):  # noqa: F811
    folder = prepare_job(SEEDS)
    return folder, train(folder, *options)


def history_of(folder, label):
    return training.read_history((folder / f'members/{label}/history.csv').read_text())


def checkpoint_of(folder, label, name='last.ckpt'):
    return torch.load(folder / f'members/{label}/checkpoints/{name}', weights_only=True)


def test_histories_are_those_of_members_trained_alone(alone, together):
    assert {result['kernel'] for result in together[1].values()} == {FAMILY.kernels['vectorised']}
    for label in SEEDS:
        expected, found = (history_of(folder, label) for folder, _ in (alone, together))
        assert found.keys() == expected.keys()
        for name, values in expected.items():
            np.testing.assert_allclose(found[name], values, rtol=1e-3, err_msg=name)
            np.testing.assert_allclose(found[name][:3], values[:3], rtol=1e-5, err_msg=name)


def test_gradients_of_the_first_batch_are_those_of_nequip(together):
    said = re.search(r'gradients differ from NequIP’s by (\S+)', (together[0] / 'out').read_text())
    assert float(said[1]) < 1e-6


def test_results_say_what_trained_them(alone, together):
    for label, result in together[1].items():
        assert result['kernel'] == FAMILY.kernels['vectorised']
        assert (result['status'], result['epochs']) == ('finished', EPOCHS)
        other = alone[1][label]
        assert 'kernel' not in other
        assert result.keys() - {'kernel'} == other.keys()
        assert result['n_parameters'] == other['n_parameters']
        assert result['weights_sha256'] != other['weights_sha256']  # the last digits differ
    digests = {result['weights_sha256'] for result in together[1].values()}
    assert len(digests) == len(SEEDS)


def test_checkpoints_have_the_form_of_lightning(alone, together):
    for name in ('last.ckpt', 'best.ckpt'):
        expected, found = (checkpoint_of(folder, 'a', name) for folder, _ in (alone, together))
        assert found['callbacks']['Keeper'].pop('kernel') == FAMILY.kernels['vectorised']
        assert shape_of(found) == shape_of(expected)


def shape_of(value):
    """Return keys, types and shapes of nested values; numbers themselves differ."""
    if isinstance(value, dict):
        return {key: shape_of(one) for key, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [shape_of(one) for one in value]
    if isinstance(value, torch.Tensor):
        return (value.dtype, tuple(value.shape))
    return type(value)


def test_the_digest_of_weights_is_that_of_the_model_which_nequip_loads(together):
    folder, results = together
    code = (
        'import sys, pathlib, nequip_train_member as m;'
        'print(m.describe(pathlib.Path(sys.argv[1]))["weights_sha256"])'
    )
    for label in SEEDS:
        best = folder / f'members/{label}/checkpoints/best.ckpt'
        command = [sys.executable, '-c', code, best]
        out = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True)
        assert out.stdout.split()[-1] == results[label]['weights_sha256']


@pytest.mark.slow
@pytest.mark.parametrize(
    ('first', 'second'),
    [
        ('--together', None),
        ('--together', '--fused'),
        (None, '--together'),
        ('--fused', '--together'),
    ],
)
def test_each_goes_on_with_what_the_other_left(alone, prepare_job, options, first, second):  # noqa: F811
    """Stopped after an epoch and continued otherwise: the same training, never said to be pure."""
    some, others = ((one, *options[1:]) if one else () for one in (first, second))
    folder = prepare_job({'a': 1})
    assert train(folder, '--seconds', '0.001', *some)['a']['status'] == 'unfinished'
    result = train(attempt := attempt_after(folder, prepare_job, {'a': 1}), *others)['a']
    assert (result['first_epoch'], result['epochs']) == (1, EPOCHS)
    assert result['kernel'] == FAMILY.kernels['vectorised']
    assert checkpoint_of(attempt, 'a')['callbacks']['Keeper']['kernel'] == result['kernel']
    expected, found = history_of(alone[0], 'a'), history_of(attempt, 'a')
    for name, values in expected.items():
        np.testing.assert_allclose(found[name], values, rtol=1e-3, err_msg=name)


@pytest.mark.slow
def test_kill_minus_nine_loses_no_more_than_the_last_seconds(together, prepare_job, options):  # noqa: F811
    folder = prepare_job(SEEDS)
    process = start(folder, *options)
    wait_for(lambda: min(epochs_of(folder, label) for label in SEEDS) >= 1)
    workers = psutil.Process(process.pid).children(recursive=True)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    # A worker that notices the death of the job late would write into the files that are copied.
    psutil.wait_procs(workers, timeout=60)
    again = attempt_after(folder, prepare_job, SEEDS)
    results = train(again, *options)
    assert {result['epochs'] for result in results.values()} == {EPOCHS}
    assert 'trained together from epoch' in (again / 'out').read_text()
    (first,) = {result['first_epoch'] for result in results.values()}
    assert 1 <= first < EPOCHS
    for label in SEEDS:
        expected, found = history_of(together[0], label), history_of(again, label)
        for name, values in expected.items():
            np.testing.assert_allclose(found[name], values, rtol=1e-3, err_msg=name)


@pytest.mark.parametrize(
    ('lost', 'broken_by'),
    [
        (
            'b',
            "[v.fill_(float('nan')) for k, v in state['state_dict'].items()"
            " if k.startswith('model.') and v.is_floating_point()]",
        ),
        ('a', RATE),
        ('c', RATE),
    ],
)
def test_a_member_that_diverges_fails_alone(together, prepare_job, options, lost, broken_by):  # noqa: F811
    """Its weights are lost when it goes on, or become so in its next steps, in any row."""
    broken = attempt_after(together[0], prepare_job, SEEDS)
    for name in ('last.ckpt', 'previous.ckpt', 'best.ckpt'):
        edit(
            broken / f'members/{lost}/checkpoints' / name,
            broken_by,
        )
    for label in SEEDS:
        change(broken / f'members/{label}/config.yaml', 'trainer', max_epochs=EPOCHS + 3)
    results = train(broken, *options)
    for label, result in results.items():
        assert result['status'] == ('diverged' if label == lost else 'finished')
        assert label == lost or result['epochs'] == EPOCHS + 3
        assert label == lost or np.isfinite(result['best_score'])
    assert re.search('nan|inf', results[lost]['message'])


def test_the_clock_stops_all_between_epochs(prepare_job, options):  # noqa: F811
    folder = prepare_job(SEEDS)
    results = train(folder, *options, '--seconds', '0.001')
    assert {(r['status'], r['epochs']) for r in results.values()} == {('unfinished', 1)}
    assert all(result['weights_sha256'] for result in results.values())


@pytest.mark.parametrize(
    ('changes', 'reason'),
    [
        ({'optimizer': {'_target_': 'torch.optim.SGD', 'lr': 0.01}}, 'the optimiser SGD'),
        (
            {'loss': {'_target_': 'nequip.train.MetricsManager', 'metrics': [FORCES_ALONE]}},
            r"a loss of \['forces_mae'\]",
        ),
    ],
)
def test_what_cannot_be_trained_together_is_trained_alone(
    prepare_job,  # noqa: F811
    options,
    changes,
    reason,
):
    folder = prepare_job({'a': 1, 'b': 2})
    for label in ('a', 'b'):
        path = folder / f'members/{label}/config.yaml'
        change(path, 'training_module', lr_scheduler=None, **changes)
        change(path, 'trainer', max_epochs=2)
    results = train(folder, *options)
    assert {result['status'] for result in results.values()} == {'finished'}
    assert {result['kernel'] for result in results.values()} == {FAMILY.kernels['fused']}
    assert re.search(f'members are trained one by one: .*{reason}', (folder / 'out').read_text())


@pytest.mark.parametrize('trained', [True, False])
def test_stresses_are_trained_and_measured_as_nequip_does(prepare_job, options, trained):  # noqa: F811
    """In double precision: with a loss of stresses, or only a metric of them."""
    changes = {'val_metrics': STRESS_METRICS} | ({'loss': STRESS_LOSS} if trained else {})
    histories = []
    for some in (options, ()):
        folder = prepare_job({'a': 1})
        for name in ('train.xyz', 'validation.xyz'):
            parts = re.split('(?= energy=)', (folder / name).read_text())
            labels = [f' stress="0.{n} 0 0.02 0 0.03 0 0.02 0 -0.{n}"' for n in range(len(parts))]
            text = ''.join(label + part for label, part in zip(labels, parts[1:], strict=False))
            (folder / name).write_text(parts[0] + text)
        path = folder / 'members/a/config.yaml'
        change(path, 'training_module', 'model', model_dtype='float64')
        change(path, 'training_module', lr_scheduler=None, **changes)
        change(path, 'data', 'train_dataloader', batch_size=2)
        change(path, 'trainer', max_epochs=2)
        assert ('kernel' in train(folder, *some)['a']) == bool(some)
        histories.append(history_of(folder, 'a'))
        if some:
            said = re.search('differ from NequIP’s by (.*)', (folder / 'out').read_text())
            assert float(said[1]) < 1e-10
    found, expected = histories
    assert found.keys() == expected.keys()
    assert ('train_loss_epoch_stress_mse' in found) == trained
    for name, values in expected.items():
        np.testing.assert_allclose(found[name], values, rtol=1e-8, err_msg=name)


def test_configurations_without_stresses_are_left_to_nequip(prepare_job, options):  # noqa: F811
    folder = prepare_job({'a': 1})
    change(folder / 'members/a/config.yaml', 'training_module', loss=STRESS_LOSS)
    assert train(folder, *options)['a']['status'] == 'failed'
    said = (folder / 'out').read_text()
    assert 'one by one: stresses of configurations without stress' in said


def test_without_a_compiler_the_product_is_that_of_e3nn(
    alone,
    prepare_job,  # noqa: F811
    tmp_path,
    monkeypatch,
):
    monkeypatch.setenv('CXX', 'no-such-compiler')
    folder = prepare_job({'a': 1, 'b': 2})
    for label in ('a', 'b'):
        change(folder / f'members/{label}/config.yaml', 'trainer', max_epochs=3)
    results = train(folder, '--together', '--artefacts', str(tmp_path))
    assert {result['status'] for result in results.values()} == {'finished'}
    assert 'tensor product of e3nn' in (folder / 'out').read_text()
    found, expected = history_of(folder, 'a'), history_of(alone[0], 'a')
    name = 'val0_epoch_forces_mae'
    np.testing.assert_allclose(found[name], expected[name][:3], rtol=1e-5)
