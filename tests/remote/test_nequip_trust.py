"""Tests for checkpoints of others: nothing is unpickled or called that nobody asked for."""

import importlib
import os
from importlib.resources import files

import pytest
import torch
from nequip.utils.global_state import set_global_state

pytestmark = pytest.mark.nequip


@pytest.fixture
def trust(monkeypatch):
    """Return the module as a job imports it."""
    monkeypatch.syspath_prepend(str(files('aiida_enne.remote.nequip')))
    for name in ('TORCH_FORCE_WEIGHTS_ONLY_LOAD', 'AIIDA_ENNE_TRUST'):
        # set first, so that what the module sets is taken back
        monkeypatch.setenv(name, '')
        monkeypatch.delenv(name)
    return importlib.import_module('nequip_trust')


class Hostile:
    """Runs a command when it is unpickled."""

    def __init__(self, marker):
        self.marker = marker

    def __reduce__(self):
        return os.system, (f'touch {self.marker}',)


def changed(checkpoint, path, **settings):
    """Write a real checkpoint with other settings of its training module."""
    state = torch.load(checkpoint, weights_only=True)
    state['hyper_parameters'].update(settings)
    torch.save(state, path)
    return path


def test_real_checkpoints_are_trusted(trust, checkpoints):
    for path in checkpoints.values():
        trust.check(path)


def test_nothing_is_unpickled(trust, checkpoints, tmp_path):
    marker = tmp_path / 'owned'
    path = changed(checkpoints['seed_7'], tmp_path / 'a.ckpt', extra=Hostile(marker))
    with pytest.raises(trust.UntrustedError, match=r"a\.ckpt holds \['posix\.system'\]"):
        trust.check(path)
    # whoever calls it, NequIP included
    with pytest.raises(Exception, match='Weights only load failed'):
        torch.load(path, weights_only=False)
    assert not marker.exists()


def test_asked_for_it_is_unpickled(trust, tmp_path, monkeypatch):
    marker = tmp_path / 'owned'
    torch.save({'extra': Hostile(marker)}, tmp_path / 'a.ckpt')
    monkeypatch.setenv('TORCH_FORCE_WEIGHTS_ONLY_LOAD', '0')
    trust.load(tmp_path / 'a.ckpt')
    assert marker.exists()


@pytest.mark.parametrize(
    ('settings', 'name'),
    [
        ({'loss': {'_target_': 'os.system', '_args_': ['touch owned']}}, 'os.system'),
        ({'model': {'func': [{'_target_': 'subprocess.run'}]}}, 'subprocess.run'),
        ({'optimizer': {'_target_': 'torch.hub.load'}}, 'torch.hub.load'),
        ({'optimizer': {'_target_': 'nequip.modelling.x'}}, 'nequip.modelling.x'),
        ({'optimizer': {'_target_': 'torch.nn.ReLU', 'x': {'_target_': 'os.abort'}}}, 'os.abort'),
    ],
)
def test_nothing_unknown_is_called(trust, checkpoints, tmp_path, settings, name):
    path = changed(checkpoints['seed_7'], tmp_path / 'a.ckpt', **settings)
    with pytest.raises(trust.UntrustedError) as caught:
        trust.check(path)
    assert f"names ['{name}']" in str(caught.value)


def test_a_package_is_trusted_by_name(trust, checkpoints, tmp_path, monkeypatch):
    settings = {'loss': {'_target_': 'my_package.Loss'}}
    path = changed(checkpoints['seed_7'], tmp_path / 'a.ckpt', **settings)
    monkeypatch.setenv('AIIDA_ENNE_TRUST', 'other,my_package')
    trust.check(path)


def test_a_member_that_is_not_trusted_fails_alone(trust, checkpoints, tmp_path, monkeypatch):
    """As in the job of a prediction: the checkpoint would have run a command when it is built."""
    monkeypatch.chdir(tmp_path)
    member = importlib.import_module('nequip_predict_member').Member
    set_global_state()
    settings = {'loss': {'_target_': 'os.system', '_args_': ['touch owned']}}
    path = changed(checkpoints['seed_7'], tmp_path / 'a.ckpt', **settings)
    hostile, good = (
        member('a', path, 'cpu', False),
        member('b', checkpoints['seed_7'], 'cpu', False),
    )
    for one in (hostile, good):
        with one.failing_alone():
            one.open()
    assert 'os.system' in hostile.failure
    assert not (tmp_path / 'owned').exists()
    assert good.model is not None
    assert not good.failure
