"""Tests for the training script where nothing more can be written."""

import json
import os
import resource
import subprocess

import pytest

from aiida_enne.families.nequip import training
from tests import warm
from tests.remote.test_nequip_strategies import some
from tests.remote.test_nequip_train import EPOCHS, attempt_after, prepare_job, train

__all__ = ['prepare_job', 'some']
pytestmark = [pytest.mark.nequip, pytest.mark.slow]


def start_with_room(folder, size, *options):
    """Run the job with a limit on the size of files, as a quota is, and return what it printed."""
    limit = (size, size)
    done = subprocess.run(
        [warm.python(), training.SCRIPTS[0], *options],
        cwd=folder,
        env=os.environ | {'OMP_NUM_THREADS': '1'},
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, limit),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=True,
    )
    return done.stdout


def test_no_room_for_a_checkpoint_is_no_failure_of_the_member(prepare_job, some):
    """The small files would fit, the checkpoint does not: the next attempt has the room."""
    whole = train(prepare_job({'a': 1}), *some)['a']
    folder = prepare_job({'a': 1})
    said = start_with_room(folder, 20_000, *some)
    member = folder / 'members/a'
    assert not (member / 'result.json').exists()
    assert 'File too large' in (said if '--together' in some else (member / 'log').read_text())
    assert '--together' in some or 'a: ended with 1' in said
    assert json.loads((member / 'progress.json').read_text())['epoch'] == 0
    again = train(attempt_after(folder, prepare_job, {'a': 1}), *some)['a']
    assert (again['first_epoch'], again['epochs']) == (0, EPOCHS)
    assert again['weights_sha256'] == whole['weights_sha256']
