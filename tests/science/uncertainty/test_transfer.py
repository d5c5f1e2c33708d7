"""The transfer matrix of domains whose scales are known."""

import json

import numpy as np
import pytest

from aiida_enne.science.uncertainty.estimators import Asked
from aiida_enne.science.uncertainty.transfer import ALL_OTHERS, transfer


def make(rng, factor, blocks=40, each=5):
    """Return samples whose errors are a factor larger than those of a truth like the members."""
    drawn = rng.normal(size=(9, blocks * each))
    error = np.sqrt(9 / 8) * factor * rng.normal(size=blocks * each)
    members = drawn[1:] - drawn[1:].mean(axis=0) + error
    return Asked(members, np.repeat(np.arange(blocks), each), np.zeros(blocks * each))


@pytest.fixture
def domains(rng):
    return {'liquid': make(rng, 1.0), 'hot': make(rng, 1.0), 'solid': make(rng, 10.0)}


def test_coverage_is_kept_within_a_kind_and_lost_between_kinds(domains):
    found = transfer(domains)
    assert found.calibrated == ('liquid', 'hot', 'solid', ALL_OTHERS)
    assert found.coverage[0, :2] == pytest.approx([0.9, 0.9], abs=0.1)
    assert found.coverage[2, 2] == pytest.approx(0.9, abs=0.08)
    assert found.coverage[0, 2] < 0.4
    assert found.coverage[2, 0] == 1.0
    # all but the one judged: the solid is new, a liquid is not
    assert found.coverage[3, 2] < 0.4
    assert found.coverage[3, 0] > 0.9
    assert (found.low <= found.coverage).all()
    assert (found.coverage <= found.high).all()


def test_factors_are_ratios_of_the_scales(domains):
    found = transfer(domains)
    assert found.factor[0, 2] == pytest.approx(10, rel=0.25)
    assert found.factor[0, 2] * found.factor[2, 0] == pytest.approx(1)
    assert found.factor[1, 1] == pytest.approx(1, abs=0.25)


def test_too_few_blocks_are_said(rng):
    found = transfer({'liquid': make(rng, 1.0), 'few': make(rng, 1.0, blocks=4)})
    assert np.isnan(found.coverage[1, 0])
    assert '4 independent blocks cannot bound an interval' in found.reasons['few', 'liquid']
    assert np.isnan(found.coverage[1, 1])
    assert np.isfinite(found.coverage[0, 1])
    assert np.isnan(found.low[0, 1])
    alone = transfer({'liquid': make(rng, 1.0)})
    assert alone.reasons[ALL_OTHERS, 'liquid'] == 'there is no other domain'


def test_plain_values_are_the_matrix_with_its_reasons(rng):
    found = transfer({'liquid': make(rng, 1.0), 'few': make(rng, 1.0, blocks=4)})
    plain = json.loads(json.dumps(found.as_dict(), allow_nan=False))
    assert plain['level'] == 0.9
    pairs = {(one['calibrated'], one['judged']): one for one in plain['pairs']}
    assert len(pairs) == found.coverage.size
    for row, first in enumerate(found.calibrated):
        for column, second in enumerate(found.judged):
            one, share = pairs[first, second], found.coverage[row, column]
            assert one['coverage'] == (None if np.isnan(share) else share)
            assert bool(one['reason']) == (one['coverage'] is None)
    assert pairs['liquid', 'few']['low'] is None


def test_what_needs_features_is_not_carried_over(domains):
    with pytest.raises(ValueError, match='`score` must be one of'):
        transfer(domains, score='leverage')


def test_labels_are_needed(rng):
    with pytest.raises(ValueError, match='needs labelled samples'):
        transfer({'new': Asked(np.zeros((3, 2)), np.arange(2))})
