"""Tests for members trained together on another device than the CPU, as far as one can without it.

Tensors of the device `meta` have shapes and no numbers, and torch refuses to mix them with those of
the CPU as it does on a GPU: whatever is made on the wrong device shows.
"""

import subprocess
import sys

import pytest

from tests.remote.test_nequip_train import change, prepare_job, train

__all__ = ['prepare_job']
pytestmark = pytest.mark.nequip

#: A step of a group whose weights and data are elsewhere, from a batch to new weights.
STEP = """
import os
import sys
from pathlib import Path

import nequip_geometry as geometry
import nequip_settings
import nequip_together
import torch
from nequip_adam import Adam
from nequip_stack import Stack
from nequip_train import prepare

folders = sorted(Path('members').resolve().iterdir())
artefacts = Path('artefacts').resolve()
os.chdir(prepare(folders[0]))
elsewhere = torch.device('meta')
group = nequip_together.Group(folders, float('inf'), artefacts)
models = [member.model for member in group.members]
stack = Stack(models, artefacts, device=elsewhere)
print(stack.note)
adam = Adam(stack.weights, group.members[0].optimizer, 0.99)
arrays = {name: array.to(elsewhere) for name, array in group.arrays.items()}
index = torch.arange(2, device=elsewhere).expand(len(folders), -1)
weights = [weight.detach().requires_grad_(True) for weight in adam.weights]
given = geometry.gather(arrays, index)
atomic, forces, _ = stack.evaluate(weights, given, shared=False, training=True)
total, _ = group.loss.of(given, atomic, forces)
gradients = torch.autograd.grad(total, weights)
rates = torch.full((len(folders), 1), 0.1, dtype=torch.float64, device=elsewhere)
adam.update(gradients, rates)
shared = geometry.gather(arrays, index[0])
predicted = stack.evaluate(adam.used, shared, shared=True, training=False)
print({tensor.device.type for tensor in (*gradients, *adam.weights, *predicted)})
"""


def test_a_step_stays_on_its_device(prepare_job, monkeypatch):
    monkeypatch.setenv('CXX', 'no-such-compiler')  # the step compared with needs none
    folder = prepare_job({'a': 1, 'b': 2})
    command = [sys.executable, '-c', STEP]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    note, devices = done.stdout.splitlines()[-2:]
    assert note == 'tensor product of e3nn (the model is not on the CPU)'
    assert devices == "{'meta'}"


def test_where_no_gpu_is_found_members_are_left_to_nequip_with_the_reason(prepare_job, monkeypatch):
    monkeypatch.setenv('CUDA_VISIBLE_DEVICES', '')
    folder = prepare_job({'a': 1})
    change(folder / 'members/a/config.yaml', 'trainer', accelerator='gpu')
    result = train(folder, '--together', '--artefacts', 'artefacts')['a']
    said = (folder / 'out').read_text()
    assert 'members are trained one by one: torch finds no GPU' in said
    assert result['status'] == 'failed'
    assert 'CUDA' in result['message'] or 'gpu' in result['message'].lower()
