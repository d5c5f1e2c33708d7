"""Selectors keep their contract, and each its own law."""

import dataclasses
import sys

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk

from aiida_enne.science.data.configurations import concatenate
from aiida_enne.science.data.frames import from_atoms
from aiida_enne.science.plans.improving import read_arms, too_few_members
from aiida_enne.science.plugins import registered
from aiida_enne.science.selection import GROUP, Candidates, Chosen, make_selector
from aiida_enne.science.selection.contract import ContractError, check_selector, make_candidates
from aiida_enne.science.selection.farthest import farthest_points
from aiida_enne.science.selection.refusals import kept, refuse
from aiida_enne.science.uncertainty.estimators import make_estimator
from aiida_enne.science.uncertainty.estimators.interface import Asked

PARTS = [{'kind': 'random', 'share': 1}, {'kind': 'uncertainty', 'share': 3}]
OPTIONS = {'mixture': {'of': PARTS}}


def rng():
    return np.random.default_rng(5)


@pytest.mark.parametrize('name', registered(GROUP))
def test_every_registered_selector_keeps_the_contract(name):
    check_selector({'kind': name, **OPTIONS.get(name, {})})


@pytest.mark.parametrize(
    'given',
    [
        {'kind': 'uncertainty', 'diversity': 2},
        {'kind': 'uncertainty', 'quantity': 'energy', 'lower': 0.4, 'upper': 0.8},
        {'kind': 'uncertainty', 'estimator': 'recalibrated'},
    ],
)
def test_selectors_with_options_keep_the_contract(given):
    check_selector(given)


def test_random_chooses_each_candidate_as_often():
    candidates, generator = make_candidates(n=10), rng()
    random = make_selector({'kind': 'random'})
    counts = np.zeros(10)
    for _ in range(2000):
        counts[random.choose(candidates, 3, generator).indices] += 1
    expected, spread = 600, np.sqrt(2000 * 0.3 * 0.7)
    assert (np.abs(counts - expected) < 4.5 * spread).all()


def test_the_largest_sigma_of_a_force_component_is_chosen_first():
    candidates = make_candidates()
    chosen = make_selector({'kind': 'uncertainty'}).choose(candidates, 5, rng())
    sigma = candidates.forces.std(axis=0).reshape(len(candidates), -1).max(axis=1)
    np.testing.assert_allclose(chosen.values, sigma, rtol=1e-12)
    assert chosen.indices.tolist() == np.argsort(-sigma)[:5].tolist()
    assert chosen.unit == 'eV/Å'


def test_trust_levels_leave_candidates_with_the_reason():
    candidates = make_candidates()
    sigma = (candidates.energies / 2).std(axis=0)
    low, high = np.quantile(sigma, [0.3, 0.8])
    given = {'kind': 'uncertainty', 'quantity': 'energy', 'lower': low, 'upper': high}
    chosen = make_selector(given).choose(candidates, 100, rng())
    inside = (sigma >= low) & (sigma <= high)
    assert set(chosen.indices.tolist()) == set(np.flatnonzero(inside).tolist())
    assert chosen.left.keys() == set(np.flatnonzero(~inside).tolist())
    texts = ' '.join(chosen.left.values())
    assert 'eV/atom is below the lower level' in texts
    assert 'eV/atom is above the upper level' in texts


def test_farthest_points_are_greedy():
    line = np.array([[x, 0.0] for x in (0, 1, 5, 9, 10)])
    assert farthest_points(line, 2, np.array([[0.0, 0.0]])).tolist() == [4, 2]
    assert farthest_points(line, 9, np.array([[4.9, 0.0]])).tolist()[:2] == [4, 0]


def test_diversity_takes_no_two_copies():
    candidates = make_candidates()
    twins = Candidates(
        candidates.configurations,
        np.repeat(candidates.energies[:, ::2], 2, axis=1),
        np.repeat(candidates.forces.reshape(4, 24, 2, 3)[:, ::2], 2, axis=1).reshape(4, 48, 3),
        np.repeat(candidates.features[::2], 2, axis=0),
        candidates.trained,
    )
    plain = make_selector({'kind': 'uncertainty'}).choose(twins, 6, rng())
    diverse = make_selector({'kind': 'uncertainty', 'diversity': 3}).choose(twins, 6, rng())
    assert len(set((plain.indices // 2).tolist())) == 3
    assert len(set((diverse.indices // 2).tolist())) == 6
    assert diverse.indices[0] == plain.indices[0]


def test_a_mixture_deals_out_its_shares():
    candidates = make_candidates()
    chosen = make_selector({'kind': 'mixture', 'of': PARTS}).choose(candidates, 8, rng())
    first = make_selector({'kind': 'random'}).choose(candidates, 2, rng()).indices
    assert chosen.indices[:2].tolist() == first.tolist()
    left = np.setdiff1d(np.arange(len(candidates)), first)
    sigma = candidates.forces.std(axis=0).reshape(len(candidates), -1).max(axis=1)
    assert chosen.indices[2:].tolist() == left[np.argsort(-sigma[left])][:6].tolist()


def test_an_estimator_that_learns_takes_what_was_labelled():
    candidates = make_candidates()
    given = {'kind': 'uncertainty', 'estimator': 'recalibrated', 'quantity': 'energy'}
    before = make_selector(given).choose(candidates, 3, rng())
    assert 'nothing is labelled yet' in before.note
    generator = rng()
    members = generator.normal(size=(4, 40))
    known = Asked(members, np.arange(40), members.mean(axis=0) + 3 * members.std(axis=0))
    learnt = Candidates(
        candidates.configurations,
        candidates.energies,
        candidates.forces,
        calibration={'energy': known},
    )
    after = make_selector(given).choose(learnt, 3, rng())
    fitted = make_estimator('recalibrated').fit(known)
    expected = fitted(Asked(candidates.energies / 2, np.arange(len(candidates))))
    np.testing.assert_allclose(after.values, expected, rtol=1e-12)
    np.testing.assert_allclose(after.values / before.values, expected[0] / before.values[0])
    assert not after.note


@pytest.mark.parametrize(
    ('estimator', 'blocks', 'scale', 'reason'),
    [
        ('conformal', 8, 3.0, '8 independent blocks cannot bound an interval at 90%'),
        ('recalibrated', 40, 0.01, 'they differ by more than they err'),
    ],
)
def test_an_estimator_that_cannot_learn_yet_leaves_the_choice_to_sigma(
    estimator, blocks, scale, reason
):
    candidates = make_candidates()
    members = rng().normal(size=(4, blocks))
    reference = members.mean(axis=0) + scale * members.std(axis=0)
    labelled = {'energy': Asked(members, np.arange(blocks), reference)}
    learnt = Candidates(
        candidates.configurations, candidates.energies, candidates.forces, calibration=labelled
    )
    given = {'kind': 'uncertainty', 'quantity': 'energy'}
    found = make_selector(given | {'estimator': estimator}).choose(learnt, 5, rng())
    plain = make_selector(given).choose(candidates, 5, rng())
    np.testing.assert_array_equal(found.values, plain.values)
    assert found.indices.tolist() == plain.indices.tolist()
    assert reason in found.note
    assert found.note.endswith(': σ was taken')


@pytest.mark.parametrize(
    ('given', 'needed'),
    [
        ({'kind': 'random'}, 1),
        ({'kind': 'uncertainty'}, 2),
        ({'kind': 'uncertainty', 'estimator': 'recalibrated'}, 4),
        (
            {'kind': 'mixture', 'of': [{**PARTS[1], 'estimator': 'recalibrated'}, PARTS[0]]},
            4,
        ),
    ],
)
def test_arms_say_how_many_members_they_take(given, needed):
    arms = {'own': given, 'random': {'kind': 'random'}}
    assert too_few_members(arms, needed) is None
    if needed > 1:
        why = too_few_members(arms, needed - 1)
        assert f'takes {needed} or more members, there are {needed - 1}' in why


@pytest.mark.parametrize('given', [{'kind': 'farthest'}, {'kind': 'uncertainty', 'diversity': 2}])
def test_without_scikit_matter_an_arm_is_refused_before_anything_is_paid_for(given, monkeypatch):
    assert read_arms({'own': given}) == {'own': given}
    monkeypatch.setitem(sys.modules, 'skmatter', None)
    with pytest.raises(ValueError, match=r'arm own: .* pip install "aiida-enne\[uncertainty\]"'):
        read_arms({'own': given})
    assert read_arms({'own': {'kind': 'uncertainty'}})


class First:
    """Another package's way to choose: the first candidates there are."""

    name = 'first'
    needs = ()

    def choose(self, candidates, count, rng):
        return Chosen(np.arange(min(count, len(candidates))))


def test_a_selector_of_another_package_is_found_by_its_name(install):
    install({GROUP: {'first': f'{__name__}:First'}})
    assert isinstance(check_selector({'kind': 'first'}), First)
    install({GROUP: {'second': f'{__name__}:First'}}, 'third')
    with pytest.raises(ContractError, match='calls itself'):
        check_selector({'kind': 'second'})


@pytest.mark.parametrize(
    ('given', 'message'),
    [
        ({}, 'with its `kind`'),
        ({'kind': 'randon'}, 'did you mean `random`'),
        ({'kind': 'uncertainty', 'uper': 3}, 'did you mean `upper`'),
        ({'kind': 'uncertainty', 'lower': 2, 'upper': 1}, 'expected 0 ≤ `lower` < `upper`'),
        ({'kind': 'uncertainty', 'lower': 'x'}, '`lower` must be a finite number'),
        ({'kind': 'uncertainty', 'quantity': 'charge'}, '`quantity` must be one of'),
        ({'kind': 'uncertainty', 'diversity': 0.5}, '`diversity` must be at least 1'),
        ({'kind': 'uncertainty', 'estimator': 'llpr'}, 'needs the last-layer features'),
        ({'kind': 'uncertainty', 'estimator': 'snapshots'}, 'needs predictions of snapshots'),
        ({'kind': 'uncertainty', 'estimator': 'left_out'}, 'errors of the members on what they'),
        ({'kind': 'mixture'}, 'two selections or more'),
        ({'kind': 'mixture', 'of': [{'kind': 'random'}] * 2}, 'needs a `share`'),
        ({'kind': 'mixture', 'of': [{'kind': 'random', 'share': 0}] * 2}, '`share` must be above'),
    ],
)
def test_selections_of_no_use_are_refused(given, message):
    with pytest.raises(ValueError, match=message):
        make_selector(given)


def test_missing_predictions_and_features_are_named():
    bare = Candidates(make_candidates().configurations)
    for kind, message in (('uncertainty', 'needs predictions'), ('farthest', 'needs features')):
        with pytest.raises(ValueError, match=message):
            make_selector({'kind': kind}).choose(bare, 2, rng())


def test_copies_strangers_and_atoms_too_close_are_refused_by_name():
    pool = make_candidates(n=12).configurations
    known = pool.select([0, 1])
    close = pool.select([3])
    close.positions[1] = close.positions[0] + [0.4, 0, 0]
    strange = pool.select([4])
    strange.numbers[:] = 6
    asked = concatenate([pool.select([1, 2, 2]), close, strange])
    reasons = refuse(asked, known)
    assert reasons[0] == 'a copy of configuration 1 of the training set'
    assert reasons[2] == 'a copy of candidate 1'
    assert 'two atoms are 0.40 Å apart, expected at least' in reasons[3]
    assert reasons[4] == 'no training configuration has C'
    assert kept(len(asked), reasons).tolist() == [1]


def test_a_crystal_that_is_blown_up_is_refused_and_a_stretched_one_is_not():
    cells = []
    for factor in (1.0, 1.02, 1.3, 6.0):
        atoms = bulk('Cu', cubic=True)
        atoms.set_cell(factor * atoms.cell, scale_atoms=True)
        cells.append(atoms)
    frames = from_atoms(cells)
    known = frames.select([0])
    reasons = refuse(frames.select([1, 2, 3]), known)
    assert reasons.keys() == {2}
    assert reasons[2].startswith('an atom has no neighbour within 3.83 Å, 1.5 times as far')
    assert refuse(frames.select([1, 2, 3]), known, loosest=0.0) == {}
    assert refuse(frames.select([2]), known, loosest=1.2).keys() == {0}
    alone = from_atoms([Atoms('Cu', cell=[30.0] * 3, pbc=True)])
    assert refuse(frames.select([3]), concatenate([known, alone])) == {}
    with pytest.raises(ValueError, match='`loosest` must not be negative'):
        refuse(frames, known, loosest=-1.0)


def test_chance_takes_nothing_that_was_kept_for_its_sigma():
    candidates = make_candidates(n=20)
    marked = np.arange(20) % 3 == 0
    told = dataclasses.replace(candidates, by_sigma=marked)
    found = make_selector({'kind': 'random'}).choose(told, 100, rng())
    assert sorted(found.indices.tolist()) == np.flatnonzero(~marked).tolist()
    assert found.left.keys() == set(np.flatnonzero(marked).tolist())
    # without such candidates the choice is what it was
    plain = make_selector({'kind': 'random'}).choose(candidates, 7, rng()).indices
    np.testing.assert_array_equal(plain, rng().permutation(20)[:7])
    sigma = make_selector({'kind': 'uncertainty'})
    np.testing.assert_array_equal(
        sigma.choose(told, 9, rng()).indices, sigma.choose(candidates, 9, rng()).indices
    )
    assert told.select([3, 4]).by_sigma.tolist() == [True, False]
