"""Tests for jobs that run out of memory: fewer members at a time, nothing lost, nothing repeated.

There is no GPU here, so a device that holds two members stands in for one: whoever comes third gets
the exception that torch raises on a real one, and all that follows is the real thing.
"""

import pytest
from aiida import orm
from aiida.engine import run_get_node
from aiida.plugins import WorkflowFactory

from aiida_enne.calculations.nequip_train import NequipTrainCalculation as Train
from aiida_enne.families.nequip import FAMILY

pytestmark = [pytest.mark.nequip, pytest.mark.slow]

#: Linux kills a process with more than two members as soon as they are put together.
ROOM_FOR_TWO = """\
import os, signal, sys

if any(word.endswith('nequip_train.py') for word in sys.orig_argv):
    import torch.func

    stack = torch.func.stack_module_state

    def hold(models):
        if len(models) > 2:
            os.kill(os.getpid(), signal.SIGKILL)
        return stack(models)

    torch.func.stack_module_state = hold
"""
DEVICE = """\
import fcntl, os, sys

if any(word.endswith('nequip_train.py') for word in sys.orig_argv):
    import time
    import torch

    step, holders = torch.optim.Adam.step, set()

    def hold(self, *args, **kwargs):
        if os.getpid() not in holders:
            holders.add(os.getpid())
            with open({device!r}, 'a+') as handle:
                fcntl.flock(handle, fcntl.LOCK_EX)
                handle.seek(0)
                others = [line for line in handle.read().split() if os.path.exists('/proc/' + line)]
                if len(others) >= {capacity}:
                    raise torch.OutOfMemoryError('CUDA out of memory. Tried to allocate 2.00 GiB.')
                handle.write(str(os.getpid()) + '\\n')
            time.sleep(3)  # until all that began together have asked
        return step(self, *args, **kwargs)

    torch.optim.Adam.step = hold
"""


@pytest.fixture(params=['parallel', 'fused'])
def inputs(train_inputs, tmp_path, request):
    """Return inputs of four members trained at the same time on a device that holds two."""
    device = tmp_path / 'device'
    (tmp_path / 'sitecustomize.py').write_text(DEVICE.format(device=str(device), capacity=2))
    options = train_inputs['metadata']['options']
    options['prepend_text'] = f'export PYTHONPATH={tmp_path}'
    train_inputs |= {'strategy': request.param, 'processes': 4}
    if kernel := FAMILY.kernels.get(request.param):
        train_inputs['kernel'] = orm.Str(kernel)
    train_inputs['seeds'] = {f'seed_{seed}': orm.Int(seed) for seed in (1, 2, 3, 4)}
    return {'train': train_inputs, 'max_iterations': orm.Int(4)}


def test_what_is_packed_is_halved_and_goes_on(inputs):
    outputs, node = run_get_node(WorkflowFactory('enne.nequip.base'), **inputs)
    assert node.is_finished_ok, node.exit_message
    first, second = node.called
    assert first.exit_status == Train.exit_codes.ERROR_OUT_OF_MEMORY.status
    ended = {label: result['status'] for label, result in first.outputs.results.items()}
    assert sorted(ended.values()) == ['finished', 'finished', 'out_of_memory', 'out_of_memory']
    # only those that did not fit go again, two at a time
    assert set(second.inputs.seeds) == {k for k, status in ended.items() if status != 'finished'}
    assert '--processes 2 ' in submitted(second)
    assert '--processes 4 ' in submitted(first)
    assert set(outputs['models']) == {'seed_1', 'seed_2', 'seed_3', 'seed_4'}
    assert all(model.base.attributes.get('complete') for model in outputs['models'].values())
    assert any(
        'training 2 at a time' in entry.message for entry in orm.Log.collection.get_logs_for(node)
    )


def test_members_together_that_linux_kills_are_halved_in_their_job(train_inputs, tmp_path):
    (tmp_path / 'sitecustomize.py').write_text(ROOM_FOR_TWO)
    train_inputs['metadata']['options']['prepend_text'] = f'export PYTHONPATH={tmp_path}'
    kernel = orm.Str(FAMILY.kernels['vectorised'])
    train_inputs |= {'strategy': 'vectorised', 'processes': 1, 'kernel': kernel}
    train_inputs['seeds'] = {f'seed_{seed}': orm.Int(seed) for seed in (1, 2, 3, 4)}
    outputs, node = run_get_node(WorkflowFactory('enne.nequip.base'), train=train_inputs)
    assert node.is_finished_ok, node.exit_message
    (job,) = node.called
    said = job.outputs.retrieved.get_object_content('nequip_train.out')
    assert '4 members need too much memory: now 2 at a time' in said
    assert said.count('2 members are trained together') == 2
    assert all(model.base.attributes.get('complete') for model in outputs['models'].values())


def submitted(job):
    return job.base.repository.get_object_content('_aiidasubmit.sh').replace("'", '')


def test_a_member_that_never_fits_ends_the_trying(train_inputs):
    """A layer of terabytes, refused by the allocator itself: with one at a time nothing is left."""
    train_inputs['parameters']['training_module']['model']['radial_mlp_width'] = 10**12
    inputs = {'train': train_inputs, 'max_iterations': orm.Int(5)}
    outputs, node = run_get_node(WorkflowFactory('enne.nequip.base'), **inputs)
    assert node.exit_status == 420
    assert [job.exit_status for job in node.called] == [401, 401]
    assert 'seed_7' in node.exit_message
    assert outputs['results']['seed_7']['exit_label'] == 'ERROR_OUT_OF_MEMORY'
    assert "can't allocate memory" in outputs['results']['seed_7']['message']


def test_a_limit_on_the_memory_of_a_process_is_want_of_memory(train_inputs):
    """`ulimit -v`, as some clusters set it, is met where NequIP makes a layer of gigabytes."""
    train_inputs['parameters']['training_module']['model']['radial_mlp_width'] = 2 * 10**8
    train_inputs['metadata']['options']['prepend_text'] = 'ulimit -v 6000000'
    _, job = run_get_node(Train, **train_inputs)
    assert job.exit_status == Train.exit_codes.ERROR_OUT_OF_MEMORY.status, job.exit_message
    assert job.outputs.results.seed_7['status'] == 'out_of_memory'
