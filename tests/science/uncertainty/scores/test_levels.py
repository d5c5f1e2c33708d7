"""Coverage at several levels is that of the estimator's own interval."""

from dataclasses import replace

import numpy as np
import pytest

from aiida_enne.science.uncertainty.estimators import Asked
from aiida_enne.science.uncertainty.options import AuditOptions
from aiida_enne.science.uncertainty.scores import exchangeability
from aiida_enne.science.uncertainty.scores.interface import Judged
from aiida_enne.science.uncertainty.scores.levels import LEVELS, coverages, width_factor
from aiida_enne.science.uncertainty.simulated import heavy, honest, narrow

NAMES = [f'interval_coverage_{level}' for level in LEVELS]


def make_judged(rng, draw, estimator, chosen=None, known=40, members=8):
    """Return 60 new samples and what an estimator says that has learnt from others, all blocks."""
    errors = draw(rng, members, 60 + known, 1)
    block = np.arange(60 + known)
    both = Asked(errors, block, np.zeros(60 + known))
    judged, seen = both.select(block < 60), both.select(block >= 60)
    where = {} if estimator in ('ensemble', 'finite') else {'calibration_domain': 'liquid'}
    options = AuditOptions(
        estimator=estimator, estimator_options=chosen or {}, n_bootstrap=0, **where
    )
    asked = options.make_estimator()
    width = asked.fit(seen if asked.calibrated else None)(judged)
    found = Judged.of(judged.members, width, 2 * (judged.block,), 'energy', options, asked)
    return replace(found, samples=judged, calibration=seen) if asked.calibrated else found


@pytest.mark.parametrize('draw', [narrow, heavy])
@pytest.mark.parametrize('chosen', [{}, {'score': 'absolute', 'level': 0.5}])
def test_a_conformal_interval_covers_every_level_whatever_the_errors(rng, draw, chosen):
    several = [coverages(make_judged(rng, draw, 'conformal', chosen)) for _ in range(150)]
    for name, level in zip(NAMES, LEVELS, strict=True):
        found = np.array([one[name] for one in several])
        error = 3 * found.std() / np.sqrt(len(found))
        assert level / 100 - error <= found.mean() <= level / 100 + 1 / 41 + error


def test_each_estimator_has_its_own_coverage(rng):
    """σ four times too small: its own intervals fail, those of what has learnt hold."""
    found = {
        name: np.mean([coverages(make_judged(rng, narrow, name))[NAMES[2]] for _ in range(40)])
        for name in ('ensemble', 'finite', 'recalibrated', 'conformal')
    }
    assert found['ensemble'] == pytest.approx(found['finite'], abs=0.1)
    assert max(found['ensemble'], found['finite']) < 0.5
    assert min(found['recalibrated'], found['conformal']) > 0.8


def test_the_intervals_of_the_members_are_those_of_one_more_member(rng):
    for name, chosen in (('ensemble', {}), ('finite', {'level': 0.5}), ('finite', {})):
        several = [coverages(make_judged(rng, honest, name, chosen)) for _ in range(60)]
        for one, level in zip(NAMES, LEVELS, strict=True):
            assert np.mean([each[one] for each in several]) == pytest.approx(level / 100, abs=0.025)


@pytest.mark.parametrize('name', ['ensemble', 'recalibrated', 'conformal'])
def test_coverages_have_their_honest_values(rng, name):
    found = exchangeability.score(make_judged(rng, honest, name))
    for one, level in zip(NAMES, LEVELS, strict=True):
        assert found[f'{one}_honest'] == pytest.approx(level / 100, abs=0.15)
        assert found[f'{one}_honest_low'] <= found[f'{one}_honest'] <= found[f'{one}_honest_high']
        assert found[f'{one}_p_low'] >= 1 / 9
    wrong = exchangeability.score(make_judged(rng, narrow, 'ensemble'))
    assert wrong[f'{NAMES[2]}_p_low'] == pytest.approx(1 / 9)


def test_an_interval_that_needs_more_blocks_is_not_said(rng):
    found = exchangeability.score(make_judged(rng, honest, 'conformal', known=12))
    assert found[NAMES[2]] is not None
    assert found[NAMES[3]] is None
    assert found[f'{NAMES[3]}_low'] is None
    assert found[f'{NAMES[3]}_honest'] is None


def test_what_only_ranks_covers_nothing(rng):
    options = AuditOptions(estimator='mahalanobis', n_bootstrap=0)
    asked, zero = options.make_estimator(), np.arange(9)
    judged = Judged.of(rng.normal(size=(4, 9)), np.ones(9), (zero, zero), 'energy', options, asked)
    assert set(coverages(judged).values()) == {None}
    assert width_factor(asked, 4, 0.9) is None
