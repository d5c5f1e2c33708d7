"""What to do after verdicts: the neediest domain first, enough blocks, the width that carries."""

from dataclasses import fields, replace

import numpy as np
import pytest

from aiida_enne.science.uncertainty.advice import advise, compare_widths, enough_blocks, labels_help
from aiida_enne.science.uncertainty.estimators import Asked
from aiida_enne.science.uncertainty.estimators.conformal import Conformal, TooFew
from aiida_enne.science.uncertainty.gates import Gate
from aiida_enne.science.uncertainty.rule import NOMINAL, Row
from aiida_enne.science.uncertainty.transfer import left_out

TOLERANCES = {'energy': 0.01, 'aligned': 0.01, 'force': 0.1}
NUMBERS = {'n': 9, 'n_blocks': 2, 'n_members': 8, 'rmse': 0.2, 'spread': 0.05, 'alpha': 4.0}
KNOWN = Row.from_dict(
    dict.fromkeys(item.name for item in fields(Row))
    | NUMBERS
    | {'domain': 'solid', 'quantity': 'energy', 'trained': False, 'verdict': 'do not believe'}
)


def make(rng, factor, spread=None, n=200):
    spread = np.ones(n) if spread is None else spread
    members = spread * rng.normal(size=(8, n))
    return Asked(members, np.arange(n), factor * spread * rng.normal(size=n))


def test_the_neediest_domain_is_named_with_the_blocks_that_it_lacks():
    mild = replace(KNOWN, domain='hot', alpha=1.5, verdict='cannot say')
    new = replace(KNOWN, domain='glass', verdict='unlabelled', rmse=None, alpha=None, novelty=7.0)
    fine = replace(KNOWN, domain='cold', alpha=9.0, verdict='believe')
    small = replace(KNOWN, domain='tiny', alpha=9.0, rmse=0.001, verdict='cannot say')
    (text,) = advise([fine, mild, new, small, KNOWN], {}, {}, TOLERANCES)
    assert text.startswith('Label solid next, 7 unrelated structures or more: 9 independent')
    assert 'RMSE of the energy 200 meV/atom, 4 × what σ promises' in text
    assert text.index('glass') < text.index('hot')
    assert 'cold' not in text
    assert 'tiny' not in text


def test_where_all_is_believed_nothing_is_to_be_labelled():
    believed = [replace(KNOWN, verdict='believe')]
    assert advise(believed, {}, {}, TOLERANCES) == []
    assert not labels_help(believed, TOLERANCES)
    assert labels_help([*believed, KNOWN], TOLERANCES)


def test_a_failed_gate_comes_first():
    gate = Gate('training', 'failed', 'it fits nothing', 'train longer')
    found = advise([KNOWN], {'energy': [gate]}, {}, TOLERANCES)
    assert found[0] == 'First train longer; σ cannot be judged while it fits nothing.'
    assert found[1].startswith('Label solid')


@pytest.mark.parametrize('level', [0.8, 0.9, 0.95])
def test_so_many_blocks_are_enough_and_fewer_are_not(rng, level):
    enough = enough_blocks(level)
    Conformal(level).fit(make(rng, 1.0, n=enough))
    with pytest.raises(TooFew):
        Conformal(level).fit(make(rng, 1.0, n=enough - 1))


def test_the_width_that_carries_over_comes_first(rng):
    # errors go with σ, which differs by domain: one factor carries over, one width does not
    narrow, wide = np.full(200, 0.1), np.full(200, 10.0)
    follows = {'a': make(rng, 1.0, narrow), 'b': make(rng, 1.0, wide)}
    assert [one.score for one in compare_widths(follows)] == ['spread', 'absolute']
    # errors that are the same everywhere, whatever σ
    blind = {
        name: replace(one, reference=rng.normal(size=200) + one.members.mean(axis=0))
        for name, one in follows.items()
    }
    assert [one.score for one in compare_widths(blind)] == ['absolute', 'spread']
    best = compare_widths(follows)
    narrow_only = replace(best[0], coverage={'a': 0.3, 'b': 1.0})
    (text,) = advise([], {}, {'energy': [narrow_only]}, TOLERANCES)
    assert text.startswith('No width of the energy carries over')
    assert 'holds 30% of a' in text
    (text,) = advise([], {}, {'energy': best}, TOLERANCES)
    assert 'σ times one factor, calibrated on all other domains at 90%' in text
    assert f'it holds {best[0].coverage[best[0].worst]:.0%} of {best[0].worst}' in text


def test_a_domain_left_out_is_judged_by_the_others_alone(rng):
    samples = {'a': make(rng, 1.0), 'b': make(rng, 1.0), 'c': make(rng, 3.0)}
    found = left_out(samples, level=NOMINAL)
    together = Asked(
        np.concatenate([samples[name].members for name in 'ab'], axis=1),
        np.arange(400),
        np.concatenate([samples[name].reference for name in 'ab']),
    )
    widths = Conformal(NOMINAL).fit(together)(samples['c'])
    error = samples['c'].members.mean(axis=0) - samples['c'].reference
    assert found['c'] == (float((np.abs(error) <= widths).mean()), pytest.approx(widths.mean()))
    assert found['c'][0] < 0.6
    assert left_out({'a': samples['a']}) == {}
