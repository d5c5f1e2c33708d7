import itertools

import numpy as np
import pytest

from aiida_enne.science.data.configurations import Configurations
from aiida_enne.science.data.splits import (
    PARTS,
    Split,
    draw,
    shared_blocks,
    split_by_blocks,
    split_by_domain,
    split_per_domain,
    split_random,
)

DOMAINS = np.repeat(['1.89', '2.21', '2.57'], 100)
BLOCKS = np.repeat(np.arange(6), 50)


@pytest.fixture(scope='module')
def series():
    """300 configurations of one atom: three domains of two blocks each."""
    return Configurations(
        n_atoms=np.ones(300, dtype=int),
        numbers=np.full(300, 14),
        positions=np.arange(900.0).reshape(300, 3),
        cells=np.zeros((300, 3, 3)),
        pbc=np.zeros((300, 3), dtype=bool),
        domains=DOMAINS,
        blocks=BLOCKS,
    )


def parts(split):
    return [getattr(split, part).tolist() for part in PARTS]


def assert_disjoint(split, n=300):
    together = np.concatenate(parts(split)).tolist()
    assert len(set(together)) == len(together)
    assert set(together) <= set(range(n))


DRAWS = {
    'random': lambda seed: split_random(300, (100, 30, 60), seed=seed),
    'per_domain': lambda seed: split_per_domain(DOMAINS, (90, 30, 60), seed=seed),
}


@pytest.mark.parametrize('recipe', DRAWS.values(), ids=DRAWS)
def test_draws_are_disjoint_and_depend_on_the_seed_alone(recipe):
    for seed in range(5):
        split = recipe(seed)
        assert_disjoint(split)
        assert parts(split) == parts(recipe(seed))
        assert parts(split) != parts(recipe(seed + 1))
        for part in PARTS:
            assert (np.diff(getattr(split, part)) > 0).all()


def test_every_domain_gives_the_same_number():
    split = split_per_domain(DOMAINS, (90, 30, 60), seed=0)
    for part, each in zip(PARTS, (30, 10, 20), strict=True):
        labels, counts = np.unique(DOMAINS[getattr(split, part)], return_counts=True)
        assert labels.tolist() == ['1.89', '2.21', '2.57']
        assert counts.tolist() == [each] * 3


METHODS = {
    'domain': {'parts': {'train': ['2.21'], 'validation': ['2.57']}},
    'blocks': {'fractions': [0.6, 0.2, 0.2], 'gap': 2},
    'random': {'sizes': [80, 20, 60], 'seed': 1},
    'per_domain': {'sizes': [80, 20, 60], 'seed': 1},
}


@pytest.mark.parametrize(('method', 'options'), METHODS.items(), ids=METHODS)
def test_a_split_within_domains_leaves_the_others_or_tests_on_them(series, method, options):
    within = {'within': ['2.21', '2.57']}
    inside = draw(series, method=method, **options, **within)
    assert min(np.concatenate(parts(inside))) >= 100
    with_rest = draw(series, method=method, **options, **within, rest_to_test=True)
    assert parts(with_rest)[:2] == parts(inside)[:2]
    rest = np.concatenate([np.arange(100), inside.test]).tolist()
    assert sorted(with_rest.test.tolist()) == sorted(rest)


def test_what_draws_is_named(series):
    with pytest.raises(ValueError, match=r'no method `blok`.*\[\'blocks\', \'domain\''):
        draw(series, method='blok')
    with pytest.raises(ValueError, match='`method` random does not take `gap`; it takes'):
        draw(series, method='random', sizes=[1, 1, 1], gap=3, seed=0)
    with pytest.raises(ValueError, match=r"no configurations in the domains \['3.36'\]"):
        draw(series, method='random', sizes=[1, 1, 1], seed=0, within=['3.36'])


def test_whole_domains_go_where_they_are_sent():
    split = split_by_domain(DOMAINS, {'train': ['1.89'], 'validation': ['2.57']})
    assert parts(split) == [list(range(100)), list(range(200, 300)), []]


@pytest.mark.parametrize('gap', [0, 1, 5])
def test_blocks_are_cut_in_time_with_a_gap(gap):
    split = split_by_blocks(DOMAINS, BLOCKS, (0.6, 0.2, 0.2), gap=gap)
    assert_disjoint(split)
    for block in range(6):
        inside = [index[BLOCKS[index] == block] for index in split.as_arrays().values()]
        for part in inside:
            assert (np.diff(part) == 1).all()
        for earlier, later in itertools.pairwise(inside):
            assert later[0] - earlier[-1] == gap + 1


@pytest.mark.parametrize('fractions', [(0.5, 0.25, 0.25), (0.6, 0.2, 0.2), (0.4, 0.3, 0.3)])
def test_whole_trajectories_are_dealt_out(fractions):
    rng = np.random.default_rng(2)
    blocks = np.repeat(np.arange(20), rng.integers(5, 25, size=20))
    domains = np.array(['solid', 'melt'])[blocks % 2]
    split = split_by_blocks(domains, blocks, fractions, whole=True)
    assert shared_blocks(split, blocks) == []
    sizes = np.array([len(part) for part in parts(split)])
    assert sizes.sum() == len(blocks)
    assert np.abs(sizes / len(blocks) - fractions).max() < 0.1
    for part in PARTS:
        assert set(domains[getattr(split, part)].tolist()) == {'solid', 'melt'}


def test_every_part_gets_a_trajectory_and_what_has_no_share_is_left_out():
    domains, blocks = np.full(30, 'melt'), np.repeat(np.arange(3), 10)
    split = split_by_blocks(domains, blocks, (0.8, 0.1, 0.1), whole=True)
    assert [len(part) for part in parts(split)] == [10, 10, 10]
    split = split_by_blocks(domains, blocks, (0.5, 0.5, 0.0), whole=True)
    assert sorted(len(part) for part in parts(split)) == [0, 10, 20]
    some = split_by_blocks(DOMAINS, BLOCKS, (0.2, 0.2, 0.0), whole=True)
    assert [len(part) for part in parts(some)][2] == 0
    few = split_by_blocks(np.full(300, 'x'), BLOCKS, (0.2, 0.2, 0.2), whole=True)
    assert [len(part) for part in parts(few)] == [50, 50, 50]


def test_domains_with_one_trajectory_each_are_dealt_out_together():
    domains, blocks = np.repeat(['a', 'b', 'c'], 10), np.repeat(np.arange(3), 10)
    split = split_by_blocks(domains, blocks, (0.6, 0.2, 0.2), whole=True)
    assert sorted(domains[part[0]] for part in parts(split)) == ['a', 'b', 'c']


def test_a_block_number_of_two_domains_is_two_blocks():
    domains, blocks = np.repeat(['a', 'b'], 20), np.zeros(40, dtype=int)
    split = split_by_blocks(domains, blocks, (0.5, 0.25, 0.25), gap=0)
    for part in PARTS:
        assert set(domains[getattr(split, part)].tolist()) == {'a', 'b'}


def test_relatives_in_two_parts_are_found():
    assert shared_blocks(Split([0, 1], [60], [120]), BLOCKS) == []
    assert shared_blocks(Split([0, 60], [10], [61, 120]), BLOCKS) == [0, 1]


@pytest.mark.parametrize(
    ('train', 'validation', 'test', 'message'),
    [
        ([], [1], [2], '`train` of the split is empty'),
        ([0], [], [2], '`validation` of the split is empty'),
        ([0, 1], [1], [], r'configurations \[1\] stand in more than one place'),
        ([0, 0], [1], [], r'configurations \[0\] stand in more than one place'),
        ([-1], [1], [], 'must not be negative, got -1'),
    ],
)
def test_a_split_that_leaks_or_is_empty_is_refused(train, validation, test, message):
    with pytest.raises(ValueError, match=message):
        Split(train, validation, test)


@pytest.mark.parametrize(
    ('refused', 'message'),
    [
        (lambda: split_by_domain(DOMAINS, {'train': ['x']}), r"no configurations in .*\['x'\]"),
        (
            lambda: split_by_domain(DOMAINS, {'train': ['1.89'], 'test': ['1.89']}),
            'given to more than one part',
        ),
        (lambda: split_random(10, (8, 2, 1), seed=0), r'cannot draw \[8, 2, 1\] from 10'),
        (lambda: split_random(10, (8, -2, 1), seed=0), 'cannot draw'),
        (lambda: split_per_domain(DOMAINS, (100, 30, 30), seed=0), 'multiples of the 3 domains'),
        (lambda: split_per_domain(DOMAINS, (300, 30, 30), seed=0), 'domain 1.89: cannot draw'),
        (lambda: split_by_blocks(DOMAINS, BLOCKS, (0.9, 0.1), gap=0), 'three shares'),
        (lambda: split_by_blocks(DOMAINS, BLOCKS, (0.9, 0.1, 0.1), gap=0), 'at most 1'),
        (lambda: split_by_blocks(DOMAINS, BLOCKS, (0.8, 0.1, 0.1), gap=24), 'cannot be cut'),
        (lambda: split_by_blocks(DOMAINS, BLOCKS, (0.8, 0.1, 0.1), gap=-1), 'got -1'),
        (
            lambda: split_by_blocks(DOMAINS[:100], BLOCKS[:100], (0.6, 0.2, 0.2), whole=True),
            '2 trajectories cannot fill 3 parts',
        ),
        (lambda: split_by_blocks(DOMAINS, BLOCKS, (0.8, 0.2, 0), gap=1, whole=True), 'no cut'),
    ],
)
def test_what_cannot_be_drawn_is_refused(refused, message):
    with pytest.raises(ValueError, match=message):
        refused()
