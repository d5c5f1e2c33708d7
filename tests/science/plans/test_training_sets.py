"""Tests for `science.training_sets`: what is trained on depends on nothing else."""

import itertools
from dataclasses import replace

import numpy as np
import pytest
from ase.build import bulk
from ase.calculators.singlepoint import SinglePointCalculator

from aiida_enne.science.data.configurations import concatenate
from aiida_enne.science.data.frames import from_atoms
from aiida_enne.science.data.splits import Split
from aiida_enne.science.plans import training_sets
from aiida_enne.science.plans.training_sets import (
    map_split,
    order_liquids,
    production_indices,
    take_production,
    thin,
)
from aiida_enne.science.structures.domains import kinds_of

DOMAINS = ['liquid 2.57 g/cm³, 2000 K', 'liquid 1.89 g/cm³, 2000 K']
OTHER = 'liquid 2.57 g/cm³, 1600 K'
MELT = 'melt 2.57 g/cm³'


def series(domain, n, seed, **info):
    """Return a labelled trajectory."""
    frames = []
    for step in range(n):
        atoms = bulk('Si', cubic=True)
        atoms.rattle(0.1, seed=1000 * seed + step)
        forces = np.random.default_rng(seed).normal(size=(8, 3))
        atoms.calc = SinglePointCalculator(atoms, energy=-seed - step / 100, forces=forces)
        atoms.info = {'domain': domain, 'block': 7, 'time': step / 1000, 'temperature': 2000} | info
        frames.append(atoms)
    return from_atoms(frames, info=['time', 'temperature', *info])


@pytest.fixture(scope='module')
def parts():
    return {
        DOMAINS[0]: series(DOMAINS[0], 6, 1, stage=1.0),
        DOMAINS[1]: series(DOMAINS[1], 8, 2),
        OTHER: series(OTHER, 5, 3),
        MELT: series(MELT, 1, 4),
    }


def arrays_equal(one, other):
    first, second = one.as_arrays(), other.as_arrays()
    return first.keys() == second.keys() and all(
        np.array_equal(first[name], second[name]) for name in first
    )


def test_domains_are_ordered_by_density():
    assert order_liquids(kinds_of(DOMAINS)) == DOMAINS[::-1]
    with pytest.raises(ValueError, match='only liquids are trained on'):
        order_liquids(kinds_of(['diamond']))
    with pytest.raises(ValueError, match='no liquid to train on'):
        order_liquids({})


def test_training_frames_do_not_know_what_else_there_is(parts):
    alone = concatenate([parts[DOMAINS[0]], parts[DOMAINS[1]]])
    grown = concatenate(
        [parts[OTHER], parts[DOMAINS[1]], parts['melt 2.57 g/cm³'], parts[DOMAINS[0]]]
    )
    taken = take_production(alone, DOMAINS)
    assert arrays_equal(taken, take_production(grown, DOMAINS[::-1]))
    assert taken.domains.tolist() == [DOMAINS[1]] * 8 + [DOMAINS[0]] * 6
    assert taken.blocks.tolist() == [0] * 8 + [1] * 6
    assert set(taken.info) == {'time', 'temperature'}
    for domain in DOMAINS:
        mine = taken.domains == domain
        assert (np.diff(taken.info['time'][mine]) > 0).all()
        np.testing.assert_array_equal(taken.energies[mine], parts[domain].energies)
    with pytest.raises(ValueError, match='there are no frames of'):
        take_production(parts[OTHER], DOMAINS)


def test_a_mapped_split_points_to_the_same_frames_and_tests_the_other_liquids(parts):
    whole = concatenate(
        [parts[OTHER], parts['melt 2.57 g/cm³'], parts[DOMAINS[0]], parts[DOMAINS[1]]]
    )
    training = take_production(whole, DOMAINS)
    split = Split([0, 1, 8], [3, 10], [5, 13])
    mapped = map_split(whole, DOMAINS, split)
    for part in ('train', 'validation'):
        own = {training.energies[i] for i in getattr(split, part)}
        assert {whole.energies[i] for i in getattr(mapped, part)} == own
    test = whole.select(mapped.test)
    assert set(test.domains) == {*DOMAINS, OTHER}
    assert (test.domains == OTHER).sum() == 5
    held_out = {training.energies[i] for i in split.test}
    assert set(test.energies[test.domains != OTHER].tolist()) == held_out
    assert len(production_indices(whole, DOMAINS)) == len(training)


@pytest.fixture
def pool(parts):
    frames = take_production(concatenate([parts[name] for name in DOMAINS]), DOMAINS)
    return frames.domains, Split([0, 1, 2, 3, 4, 8, 9, 10, 11, 12], [6], [7, 13])


def test_thinned_sets_are_nested_and_have_as_many_of_every_domain(pool):
    domains, split = pool
    sets = [set(thin(domains, split, size, seed=1).train.tolist()) for size in (2, 4, 8, 10)]
    assert [len(one) for one in sets] == [2, 4, 8, 10]
    assert all(small < large for small, large in itertools.pairwise(sets))
    assert sets[-1] == set(split.train.tolist())
    drawn = thin(domains, split, 4, seed=1)
    assert sorted(domains[drawn.train]) == sorted(DOMAINS * 2)
    np.testing.assert_array_equal(drawn.test, split.test)
    np.testing.assert_array_equal(drawn.validation, split.validation)


def test_other_seeds_and_numbers_draw_other_sets(pool):
    domains, split = pool
    drawn = [
        tuple(thin(domains, split, 4, seed=seed, index=index).train)
        for seed in (1, 2)
        for index in (0, 1, 2)
    ]
    assert len(set(drawn)) > 3
    assert drawn[0] == tuple(thin(domains, split, 4, seed=1).train)


def test_some_densities_only(pool):
    domains, split = pool
    one = thin(domains, split, 4, seed=1, within=DOMAINS[:1])
    assert set(domains[one.train]) == {DOMAINS[0]}
    both = thin(domains, split, 8, seed=1)
    mine = both.train[domains[both.train] == DOMAINS[0]]
    np.testing.assert_array_equal(one.train, mine)  # what the others draw changes nothing
    with pytest.raises(ValueError, match='nothing to train on in'):
        thin(domains, split, 4, seed=1, within=[OTHER])


@pytest.mark.parametrize('size', [1, 12])
def test_a_pool_that_is_too_small(pool, size):
    with pytest.raises(ValueError, match='cannot draw'):
        thin(*pool, size, seed=1)


def test_stresses_that_no_frame_has_are_none(parts):
    one = parts[DOMAINS[0]]
    empty = replace(one, stresses=np.full((len(one), 3, 3), np.nan))
    assert training_sets.take_production(empty, DOMAINS[:1]).stresses is None
