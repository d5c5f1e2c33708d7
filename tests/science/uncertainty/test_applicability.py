"""A domain of applicability that is planted is found; where there is none, none is shown."""

import numpy as np
import pytest

from aiida_enne.science.structures.descriptors import Descriptors
from aiida_enne.science.uncertainty.applicability import (
    LEVEL,
    Rule,
    describe_applicability,
    find_applicability,
    find_rule,
)

NAMES = ('density', 'coordination', 'order')


def make(rng, *, inside=0.01, outside=0.1, n_blocks=30, each=5):
    """Return descriptors, errors, blocks and domains: small errors at density ≤ 0 only.

    Samples of a block share half of their descriptors and half of their errors.
    """
    n, block = n_blocks * each, np.repeat(np.arange(n_blocks), each)
    shared, own = rng.normal(size=(n_blocks, 3))[block], rng.normal(size=(n, 3))
    values = (shared + own) / np.sqrt(2)
    error = (rng.normal(size=n_blocks)[block] + rng.normal(size=n)) / np.sqrt(2)
    error *= np.where(values[:, 0] <= 0, inside, outside)
    return Descriptors(NAMES, values), error, block, np.where(block % 3, 'one', 'two')


def test_a_planted_rule_is_found_with_its_coverage_and_errors(rng):
    data = make(rng, n_blocks=200)
    found = find_applicability(*data)
    (column, at_most, limit), *others = found.rule.terms
    assert (NAMES[column], at_most) == ('density', True)
    assert limit == pytest.approx(0, abs=0.15)
    assert not others or found.coverage > 0.3
    assert found.inside == pytest.approx(0.01, rel=0.5)
    assert found.outside > 5 * found.inside
    assert found.inside_low < found.inside < found.inside_high
    assert found.is_shown
    assert found.n == 500
    assert found.n_blocks == 100
    assert describe_applicability(found, 'meV/atom', 1000.0)[0].startswith(
        'the error is smaller where density ≤'
    )


def test_two_inequalities_are_found_where_it_takes_two(rng):
    values = rng.uniform(size=(4000, 3))
    size = np.where((values[:, 0] <= 0.6) & (values[:, 2] >= 0.4), 0.01, 1.0)
    rule = find_rule(values, size, NAMES)
    terms = sorted((column, at_most, round(limit, 1)) for column, at_most, limit in rule.terms)
    assert terms == [(0, True, 0.6), (2, False, 0.4)]


def test_where_errors_do_not_depend_on_descriptors_a_rule_is_rarely_shown():
    """The size of the test: 5 % within the error of so many draws, relatives or not."""
    rng, n_drawn, shown = np.random.default_rng(0), 200, 0
    for seed in range(n_drawn):
        descriptors, error, block, _ = make(rng, outside=0.01, n_blocks=20, each=3)
        one_domain = np.full(len(block), 'any')
        try:
            shown += find_applicability(descriptors, error, block, one_domain, seed=seed).is_shown
        except ValueError:  # all samples to judge are on one side of the rule: nothing is shown
            continue
    assert abs(shown - LEVEL * n_drawn) < 3 * np.sqrt(LEVEL * (1 - LEVEL) * n_drawn)


def test_a_rule_that_is_not_shown_is_said_so(rng):
    found = find_applicability(*make(rng, outside=0.01))
    assert not found.is_shown
    said = describe_applicability(found, 'meV/atom', 1000.0)[0]
    assert said.startswith('no domain of applicability is shown')


def test_a_domain_that_breaks_the_promise_is_named(rng):
    descriptors, error, block, domain = make(rng, n_blocks=60)
    broken = np.where(domain == 'two', 0.2 * rng.normal(size=len(error)), error)
    found = find_applicability(descriptors, broken, block, domain)
    (two,) = (one for one in found.left_out if one.domain == 'two')
    assert two.rmse == pytest.approx(0.2, rel=0.3)
    assert two.promised < 0.05
    assert any('found without two' in one for one in describe_applicability(found, 'eV', 1.0))


@pytest.mark.parametrize(('n_blocks', 'more'), [(1, 9), (9, 1)])
def test_too_few_blocks_are_refused_with_what_is_missing(rng, n_blocks, more):
    with pytest.raises(ValueError, match=f'{n_blocks} independent block.* label {more} or more'):
        find_applicability(*make(rng, n_blocks=n_blocks))


def test_what_does_not_vary_has_no_rule(rng):
    descriptors, error, block, domain = make(rng)
    with pytest.raises(ValueError, match='errors or descriptors do not vary'):
        find_applicability(descriptors, np.ones_like(error), block, domain)
    same = Descriptors(NAMES, np.zeros_like(descriptors.values))
    with pytest.raises(ValueError, match='errors or descriptors do not vary'):
        find_applicability(same, error, block, domain)


def test_a_rule_that_lets_all_in_judges_nothing(rng):
    descriptors, error, block, domain = make(rng)
    descriptors.values[block % 2 == 1] -= 100
    with pytest.raises(ValueError, match='on one side of the rule'):
        find_applicability(descriptors, error, block, domain)


def test_a_rule_holds_at_its_thresholds():
    rule = Rule(((0, True, 1.0), (1, False, 2.0)), NAMES)
    values = np.array([[1.0, 2.0, 0.0], [1.1, 2.0, 0.0], [1.0, 1.9, 0.0]])
    assert rule.holds(values).tolist() == [True, False, False]
