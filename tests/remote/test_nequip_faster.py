"""Tests for members trained each with the fused product: as with e3nn's, or with e3nn's."""

import re
import subprocess
import sys

import numpy as np
import pytest

from aiida_enne.families.nequip import FAMILY, training
from tests.remote.test_nequip_train import attempt_after, change, prepare_job, train

__all__ = ['prepare_job']
pytestmark = pytest.mark.nequip
#: In double precision, of a loss that cannot be trained together.
CHANGES = {
    'loss': {
        '_target_': 'nequip.train.MetricsManager',
        'metrics': [
            {
                'name': f'{field}_mae',
                'field': field,
                'coeff': 1,
                'metric': {'_target_': 'nequip.train.MeanAbsoluteError'},
            }
            for field in ('total_energy', 'forces')
        ],
    },
    'lr_scheduler': None,
}


@pytest.fixture(scope='module')
def job(prepare_job):
    """Return a function that writes a job of two epochs in double precision."""

    def run():
        folder = prepare_job({'a': 1})
        path = folder / 'members/a/config.yaml'
        change(path, 'training_module', **CHANGES)
        change(path, 'training_module', 'model', model_dtype='float64', l_max=3, parity=True)
        change(path, 'trainer', max_epochs=2)
        return folder

    return run


@pytest.fixture(scope='module')
def options(artefacts):
    return ('--fused', '--artefacts', str(artefacts))


@pytest.fixture(scope='module')
def fused(job, options):
    folder = job()
    return folder, train(folder, *options)['a']


@pytest.fixture(scope='module')
def plain(job):
    folder = job()
    return folder, train(folder)['a']


def history_of(folder):
    return training.read_history((folder / 'members/a/history.csv').read_text())


def test_a_member_is_trained_as_with_e3nn(fused, plain):
    (folder, result), (other, expected) = fused, plain
    assert result['kernel'] == FAMILY.kernels['fused']
    assert 'kernel' not in expected
    assert float(result['tensor_product'].split(': ')[1].split()[0]) < 1e-11
    assert f'a: ended with 0, {result["tensor_product"]}' in (folder / 'out').read_text()
    found, known = history_of(folder), history_of(other)
    assert found.keys() == known.keys()
    for name, values in known.items():
        np.testing.assert_allclose(found[name], values, rtol=1e-9, err_msg=name)


#: Prints names and shapes of the weights, and all that the configuration would have built.
DESCRIBE = """
import sys, torch
from nequip_trust import targets
state = torch.load(sys.argv[1], weights_only=True)
weights = state['state_dict'].items()
print([(name, tuple(one.shape)) for name, one in weights if torch.is_tensor(one)])
print(sorted(set(targets(state['hyper_parameters']))))
"""


def test_checkpoints_are_those_of_nequip(fused, plain):
    said = []
    for folder, _ in (fused, plain):
        path = folder / 'members/a/checkpoints/best.ckpt'
        command = [sys.executable, '-c', DESCRIBE, path]
        done = subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True)
        said.append(done.stdout)
    assert said[0] == said[1]
    assert 'model' in said[0]


def test_e3nn_trains_on_from_a_fused_checkpoint_and_the_kernel_is_not_forgotten(
    fused, job, prepare_job
):
    folder = attempt_after(fused[0], prepare_job, {'a': 1})
    (folder / 'members/a/config.yaml').write_text((fused[0] / 'members/a/config.yaml').read_text())
    change(folder / 'members/a/config.yaml', 'trainer', max_epochs=3)
    result = train(folder)['a']
    assert (result['status'], result['first_epoch'], result['epochs']) == ('finished', 2, 3)
    assert result['kernel'] == FAMILY.kernels['fused']
    assert 'tensor_product' not in result


@pytest.mark.parametrize(
    ('compiler', 'limit', 'reason'),
    [
        ('no-such-compiler', '1e-4', 'the product could not be compiled'),
        ('g++', '-1', 'fused 1 is [0-9.e-]+ from e3nn’s, more than -1'),
    ],
)
def test_without_a_compiler_or_where_numbers_differ_e3nn_trains(
    plain, job, tmp_path, monkeypatch, compiler, limit, reason
):
    folder = job()
    monkeypatch.setenv('CXX', compiler)
    script = folder / 'nequip_faster.py'
    script.write_text(script.read_text().replace('torch.float64: 1e-9', f'torch.float64: {limit}'))
    result = train(folder, '--fused', '--artefacts', str(tmp_path))['a']
    assert result['status'] == 'finished'
    assert 'kernel' not in result
    assert result['weights_sha256'] == plain[1]['weights_sha256']
    assert re.search(reason, (folder / 'out').read_text())


def test_members_that_cannot_be_trained_together_are_fused(job, artefacts):
    folder = job()
    result = train(folder, '--together', '--artefacts', str(artefacts))['a']
    assert 'members are trained one by one: a loss of' in (folder / 'out').read_text()
    assert result['kernel'] == FAMILY.kernels['fused']
