"""Tests for members that begin with the weights of others, alone and together."""

import shutil

import numpy as np
import pytest
import torch

from aiida_enne.families.nequip import starting, training
from tests.remote.test_nequip_train import (  # noqa: F401
    change,
    prepare_job,
    train,
)

pytestmark = pytest.mark.nequip
#: A rate at which nothing moves: what is validated is what the member began with.
STILL = 1e-30
BEST = 'checkpoints/best.ckpt'


@pytest.fixture(scope='module')
def job(prepare_job):  # noqa: F811
    """Return a function: `folder, results = job({label: seed}, epochs, {label: path})`."""

    def run(seeds, epochs, initial=(), words=(), width=None, **rates):
        folder = prepare_job(seeds, **rates)
        for label in seeds:
            member = folder / 'members' / label
            change(member / 'config.yaml', 'trainer', max_epochs=epochs)
            if label in dict(initial):
                shutil.copy(dict(initial)[label] / BEST, member / starting.INITIAL)
        if width:
            config = folder / 'members' / width / 'config.yaml'
            change(config, 'training_module', 'model', num_features=8)
        return folder, train(folder, *words)

    return run


@pytest.fixture(scope='module')
def first(job):
    """Return the folders of two members that were trained, and the error of the best of each."""
    folder, results = job({'a': 1, 'b': 2}, 8)
    errors = {one: errors_of(folder, one)[results[one]['best_epoch']] for one in results}
    return {one: folder / 'members' / one for one in results}, errors


@pytest.fixture(scope='module')
def alone(job, first):
    """Return a job: one member stands still, one goes on, one begins anew, one cannot begin."""
    begun = dict.fromkeys(('still', 'goes', 'other'), first[0]['a'])
    seeds = {'still': 3, 'goes': 3, 'anew': 1, 'other': 3}
    return job(seeds, 1, begun, width='other', still=STILL, goes=1e-3)


def errors_of(folder, label):
    text = (folder / 'members' / label / 'history.csv').read_text()
    return training.read_history(text)['val0_epoch_forces_mae']


def test_a_member_begins_where_the_other_ended(alone, first):
    assert errors_of(alone[0], 'still')[0] == pytest.approx(first[1]['a'], rel=1e-5)
    assert errors_of(alone[0], 'goes')[0] != pytest.approx(first[1]['a'], rel=1e-6)
    assert errors_of(alone[0], 'goes')[0] < 0.7 * errors_of(alone[0], 'anew')[0]


def test_members_begin_with_others_together(job, first, tmp_path):
    folders, errors = first
    words = ('--together', '--artefacts', str(tmp_path))
    begun = {'a': folders['b'], 'b': folders['a']}
    folder, results = job({'a': 1, 'b': 2}, 1, begun, words, a=STILL, b=STILL)
    for label, other in (('a', 'b'), ('b', 'a')):
        assert 'kernel' in results[label], 'they were trained one by one'
        np.testing.assert_allclose(errors_of(folder, label), [errors[other]], rtol=1e-5)


def test_its_checkpoint_is_whole_without_the_other(alone, first):
    """Weights and numbers are in it: no other file is read where NequIP loads it."""
    own, other = (
        torch.load(path / BEST, weights_only=True)
        for path in (alone[0] / 'members/still', first[0]['a'])
    )
    for name in ('avg_num_neighbors', 'per_type_energy_shifts', 'per_type_energy_scales'):
        found, expected = (one['hyper_parameters']['model'][name] for one in (own, other))
        assert found == expected
    assert starting.INITIAL not in repr(own['hyper_parameters'])


def test_weights_of_another_architecture_fail_the_member_by_name(alone):
    statuses = {label: one['status'] for label, one in alone[1].items()}
    assert statuses == dict.fromkeys(('still', 'goes', 'anew'), 'finished') | {'other': 'failed'}
    assert 'the checkpoint' in alone[1]['other']['message']
