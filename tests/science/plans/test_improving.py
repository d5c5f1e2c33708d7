"""Plans of an improvement: arms, paths and seeds."""

import pytest

from aiida_enne.science.plans.improving import Improving, paths_of, read_arms, seeds_of

ARMS = {'ensemble': {'kind': 'uncertainty'}, 'random': {'kind': 'random'}}


def test_every_arm_is_a_path_in_every_repeat():
    assert list(paths_of(ARMS, 2)) == ['ensemble_1', 'random_1', 'ensemble_2', 'random_2']


def test_no_two_repeats_share_a_seed():
    seeds = [seed for repeat in (1, 2, 3) for seed in seeds_of([3, 5, 9], repeat)]
    assert seeds[:3] == [3, 5, 9]
    assert len(set(seeds)) == 9


@pytest.mark.parametrize(
    ('given', 'message'),
    [
        ({}, 'must map names to selections'),
        ([], 'must map names to selections'),
        ({'A b': {'kind': 'random'}}, "'A b' cannot name an arm"),
        ({'one': {'kind': 'randm'}}, 'arm one: .*did you mean `random`'),
    ],
)
def test_arms_of_no_use_are_refused(given, message):
    with pytest.raises(ValueError, match=message):
        read_arms(given)


@pytest.mark.parametrize(
    ('given', 'message'),
    [
        ({'rounds': 0}, '`rounds` must be a whole number of at least 1'),
        ({'batch': 1.5}, '`batch`'),
        ({'target': -1}, '`target` must be above zero'),
        ({'validation': 1}, '`validation` must be at least 0 and below 1'),
        ({'round': 3}, 'did you mean `rounds`'),
    ],
)
def test_options_of_no_use_are_refused(given, message):
    with pytest.raises(ValueError, match=message):
        Improving.from_dict(given, 'improvement')
