"""Each gate is passed by a sound ensemble, failed by the fault that it is for, and says numbers."""

import re

import numpy as np
import pytest
from scipy import stats

from aiida_enne.science.uncertainty.exchange import exchange
from aiida_enne.science.uncertainty.features import group_by_density
from aiida_enne.science.uncertainty.fit import Fit
from aiida_enne.science.uncertainty.gates import (
    Gate,
    alpha_gate,
    caps,
    epochs_gate,
    failed,
    misfit,
    outlier_gate,
    refit_gate,
    training_gate,
)
from aiida_enne.science.uncertainty.simulated import heavy, honest, narrow, offset, shared, wide

DOMAINS = np.repeat(['cold', 'hot'], 40)


def fit(errors, volumes=None):
    """Return errors of members on the last frames of the domains, of one density by default."""
    n = errors.shape[1]
    groups = group_by_density(DOMAINS[-n:], np.zeros(n) if volumes is None else volumes)
    return Fit(errors, [groups] * len(errors))


def test_a_model_that_does_not_fit_its_training_frames_fails(rng):
    errors = 0.002 * rng.normal(size=(6, 80))
    assert training_gate(fit(errors), 0.01).state == 'passed'
    # a bias of one domain that the other hides in the mean
    biased = errors + np.where(DOMAINS == 'hot', 0.035, 0.0)
    gate = training_gate(fit(biased), 0.01, fit(biased[:, 30:] + 0.01))
    assert gate.state == 'failed'
    assert 'training frames of hot' in gate.reason
    assert re.search(r'RMSE 3[45][.\d]* meV/atom', gate.reason)
    assert re.search(r'4[45][.\d]* on held-out ones, tolerated 10', gate.reason)
    assert 'train longer' in gate.remedy
    assert training_gate(None, 0.01).state == 'unknown'
    assert '`fit_frames`' in training_gate(None, 0.01).remedy


def test_one_density_that_is_not_fitted_is_found_where_its_domain_is(rng):
    errors = 0.001 * rng.normal(size=(6, 80))
    errors[:, 75:] += 0.03  # 7 meV/atom in the mean of the domain
    volumes = np.where(np.arange(80) < 75, 16.0, 19.0)
    assert training_gate(fit(errors), 0.015).state == 'passed'
    gate = training_gate(fit(errors, volumes), 0.015)
    assert gate.state == 'failed'
    assert 'training frames of hot at 18.9' in gate.reason
    # one frame is no density
    volumes[:79] = 16.0
    assert training_gate(fit(errors, volumes), 0.015).state == 'passed'


def test_members_that_saw_different_frames_are_judged_one_by_one(rng):
    errors = [0.001 * rng.normal(size=size) for size in (20, 30, 25)]
    groups = [group_by_density(np.full(len(one), 'hot'), np.zeros(len(one))) for one in errors]
    assert training_gate(Fit(errors, groups, shared=False), 0.01).state == 'passed'
    # of a mean over members nothing of this would be left
    shifted = [one + shift for one, shift in zip(errors, (-0.03, 0.03, 0.03), strict=True)]
    gate = training_gate(Fit(shifted, groups, shared=False), 0.01)
    assert gate.state == 'failed'
    assert 'RMSE 30' in gate.reason


def test_a_last_layer_that_can_still_learn_fails(rng):
    features, counts = rng.normal(size=(4, 400, 3)), np.full(100, 4)
    mean = features.reshape(4, 100, 4, 3).mean(axis=2)
    noise = 0.001 * rng.normal(size=(4, 100))
    learnable = np.einsum('mnf,mf->mn', mean, rng.normal(size=(4, 3))) + 0.1
    assert refit_gate(features, counts, learnable + noise).state == 'failed'
    assert refit_gate(features, counts, noise).state == 'passed'
    assert refit_gate(features[:, :16], counts[:4], noise[:, :4]).state == 'unknown'


def test_a_training_that_was_still_falling_fails():
    falling = [np.geomspace(1, 0.01, 60) for _ in range(5)]
    still = [np.concatenate([np.geomspace(1, 0.1, 40), np.full(20, 0.1)]) for _ in range(5)]
    assert epochs_gate(falling).state == 'failed'
    assert epochs_gate(still).state == 'passed'
    three = epochs_gate([np.array([1.0, 0.9, 0.8])] * 2)
    assert (three.state, three.reason) == ('failed', 'a training of 3 epochs')
    assert epochs_gate([]).state == 'unknown'


def test_one_member_that_makes_sigma_fails(rng):
    errors = rng.normal(size=(30, 50))
    assert outlier_gate(errors).state == 'passed'
    errors[7] *= 12
    gate = outlier_gate(errors)
    assert gate.state == 'failed'
    assert 'member 7' in gate.reason
    assert 'member 7' in gate.remedy
    assert outlier_gate(errors[:3]).state == 'unknown'
    assert outlier_gate(np.zeros((5, 9))).state == 'failed'


def test_outliers_are_seldom_found_by_chance(rng):
    """Even where one sample is all there is."""
    found = sum(outlier_gate(rng.normal(size=(30, 1))).state == 'failed' for _ in range(500))
    assert found / 500 < 0.04


@pytest.mark.parametrize(
    ('scale', 'state'), [(1.0, 'passed'), (1.6, 'passed'), (4.0, 'failed'), (0.2, 'failed')]
)
def test_sigma_must_have_its_size_where_the_ensemble_was_trained(rng, scale, state):
    own = rng.normal(size=(8, 400))
    own -= own.mean(axis=0)
    errors = own + scale * rng.normal(size=400) * np.sqrt(9 / 8)
    block = np.arange(400) // 20
    assert alpha_gate(errors, block, 'liquid').state == state
    few = alpha_gate(errors, block // 5, 'liquid')
    assert (few.state, '4 independent blocks, 5 are needed' in few.reason) == ('unknown', True)
    assert alpha_gate(None, None, 'liquid').state == 'unknown'
    assert alpha_gate(np.zeros((8, 400)), block, 'liquid').state == 'failed'


N_DRAWN = 300


def largest(chance):
    """Return the largest share of `N_DRAWN` that a chance leaves, but for one case in 1000."""
    return stats.binom.ppf(0.999, N_DRAWN, chance) / N_DRAWN


@pytest.mark.parametrize(
    ('draw', 'members', 'blocks'),
    [(honest, 8, 1), (offset, 8, 1), (offset, 8, 6), (heavy, 8, 6), (offset, 30, 6)],
)
def test_honest_ensembles_get_a_red_gate_as_seldom_as_the_test_says(rng, draw, blocks, members):
    """A zero of energy of each potential's own is no reason for more."""
    level, red, extreme = max(0.05, 1 / (members + 1)), 0, 0
    for _ in range(N_DRAWN):
        errors = draw(rng, members, blocks, 5)
        gate = alpha_gate(errors, np.repeat(np.arange(blocks), 5), 'liquid')
        red += gate.state == 'failed'
        assert blocks > 1 or gate.state == 'unknown'
        test = exchange(errors, np.zeros(5 * blocks), misfit)
        extreme += test.p_high <= level
    attained = int(level * (members + 1) + 1e-9) / (members + 1)
    assert red / N_DRAWN <= largest(attained)
    assert 1 - largest(1 - attained) <= extreme / N_DRAWN <= largest(attained)


@pytest.mark.parametrize('members', [8, 30])
@pytest.mark.parametrize('draw', [narrow, wide, shared])
def test_an_error_of_scale_is_seen(rng, draw, members):
    for blocks, share in ((5, 0.8), (20, 0.95)):
        found = [
            alpha_gate(draw(rng, members, blocks, 5), np.repeat(np.arange(blocks), 5), 'liquid')
            for _ in range(40)
        ]
        assert sum(gate.state == 'failed' for gate in found) / 40 >= share


def test_few_members_do_not_show_the_size_of_sigma(rng):
    gate = alpha_gate(narrow(rng, 6, 20, 5), np.repeat(np.arange(20), 5), 'liquid')
    assert (gate.state, gate.remedy[:18]) == ('unknown', 'train more members')


def test_only_a_failed_gate_caps():
    gates = [epochs_gate([]), training_gate(None, 0.01)]
    assert failed(gates) == []
    assert [gate.name for gate in failed([*gates, outlier_gate(np.zeros((5, 9)))])] == ['outliers']


def test_a_gate_of_one_quantity_caps_that_quantity_alone():
    red, green = Gate('alpha', 'failed', 'too wide', 'look'), Gate('alpha', 'passed', '', '')
    assert caps({'energy': [green], 'aligned': [red]}) == [
        ('σ of energy (own zeros)', 'too wide', 'look')
    ]
    assert caps({'energy': [red], 'force': [red]}) == [('σ', 'too wide', 'look')]
