"""The rule of the verdict on made-up ensembles with known answers, with its error rates."""

import json
from dataclasses import replace

import numpy as np
import pytest

from aiida_enne.science.uncertainty.estimators import Asked
from aiida_enne.science.uncertainty.gates import Gate
from aiida_enne.science.uncertainty.rule import Row, decide
from aiida_enne.science.uncertainty.simulated import (
    SCENARIOS,
    WORDS,
    confusion,
    heavy,
    honest,
    narrow,
)
from aiida_enne.science.uncertainty.table import as_text, cells, gate_lines, reasons
from aiida_enne.science.uncertainty.verdict import Case, judge_case, judge_cases, recalibrated_width

#: Numbers of a domain where σ is right.
SOUND = {
    'n': 100, 'n_blocks': 20, 'n_members': 30, 'rmse': 0.05, 'spread': 0.05, 'alpha': 1.0,
    'coverage': 0.9, 'coverage_low': 0.82, 'coverage_high': 0.95, 'nominal_low': 0.8,
    'nominal_high': 0.97, 'p': 0.5, 'effect': 1.0, 'novelty': 0.8, 'width': 0.08,
}  # fmt: skip
WRONG = {'coverage': 0.3, 'coverage_low': 0.2, 'coverage_high': 0.4, 'p': 1 / 31, 'effect': 4.0}


@pytest.mark.parametrize('members', [8, 30])
def test_the_rule_is_right_as_often_as_the_documentation_says(members):
    found = confusion(members, 20, 5, repeats=40)
    for one in SCENARIOS:
        shares = found[one.name]
        assert sum(shares[word] for word in one.right) >= 0.8, one.name
    # what costs most: to believe a wrong σ, or to refuse an honest one
    assert found['shared bias, 3 × σ']['believe'] == 0
    assert found['untrained: shared bias everywhere']['believe'] == 0
    assert found['truth like a member']['do not believe'] <= 0.05
    assert set(next(iter(found.values()))) == set(WORDS)


@pytest.mark.parametrize(
    ('changes', 'word', 'said'),
    [
        ({}, 'believe', '90% inside the 90% interval'),
        (WRONG, 'do not believe', 'p = 0.032, the least that 30 members allow'),
        (WRONG | {'rmse': 0.005}, 'believe', 'tolerable, whatever σ'),
        (WRONG | {'n_blocks': 1, 'coverage_high': None}, 'do not believe', '30% inside'),
        (WRONG | {'effect': 1.4}, 'cannot say', 'do not decide'),
        (WRONG | {'n_members': 4, 'p': 0.2}, 'cannot say', 'do not decide'),
        ({'n_blocks': 3}, 'cannot say', '3 independent blocks, 5 are needed'),
        ({'novelty': 2.0}, 'cannot say', '2 × the edge of the training features'),
        ({'alpha': 0.2}, 'cannot say', 'σ is too wide'),
        ({'coverage_low': 0.99, 'coverage': 1.0}, 'cannot say', 'σ is too wide'),
        ({'alpha': 3.0}, 'cannot say', 'do not decide'),
    ],
)
def test_each_rule_has_its_word_and_its_reason(changes, word, said):
    found, reason, remedy = decide(SOUND | changes, 0.01, [], 'energy')
    assert (found, said in reason) == (word, True)
    assert bool(remedy) == (word != 'believe')


def test_a_failed_gate_caps_every_verdict():
    gate = Gate('training', 'failed', 'RMSE 20.8 meV/atom on training frames', 'train longer')
    unknown = Gate('epochs', 'unknown', 'no histories', 'keep them')
    for numbers in (SOUND, SOUND | WRONG, SOUND | {'rmse': 0.001}):
        assert decide(numbers, 0.01, [unknown, gate], 'energy') == (
            'cannot say',
            gate.reason,
            'train longer',
        )
        assert decide(numbers, 0.01, [unknown], 'energy')[0] != 'cannot say'


def make(rng, n_blocks=20, shift=0.0, scale=1.0):
    drawn = 0.05 * rng.normal(size=(21, n_blocks * 4))
    errors = drawn[1:] - drawn[0] * scale + shift
    return Asked(errors, np.repeat(np.arange(n_blocks), 4), np.zeros(n_blocks * 4))


TOLERANCES = {'energy': 0.01, 'aligned': 0.01, 'force': 0.1}


def test_domains_trained_on_come_first_and_calibrate_the_others(rng):
    cases = [
        Case('solid', 'energy', make(rng, shift=0.5)),
        Case('liquid', 'energy', make(rng), trained=True),
        Case('hot', 'energy', make(rng)),
        Case('new', 'energy', replace(make(rng), reference=None), novelty=3.0),
    ]
    rows = judge_cases(cases, TOLERANCES, {})
    assert [row.domain for row in rows] == ['liquid', 'hot', 'new', 'solid']
    assert [row.verdict for row in rows] == ['believe', 'believe', 'unlabelled', 'do not believe']
    assert [row.interval for row in rows] == ['conformal', 'conformal', '', 'conformal']
    assert '3 × the edge' in rows[2].reason
    assert rows[-1].rmse == pytest.approx(0.5, rel=0.05)
    assert [Row.from_dict(json.loads(json.dumps(row.as_dict()))) for row in rows] == rows
    alone = judge_case(cases[2], [], 0.01)
    assert (alone.interval, alone.verdict) == ('finite', 'believe')


def test_raw_energies_and_own_zeros_that_disagree_are_not_said(rng):
    cases = [
        Case('solid', 'energy', make(rng, shift=0.5)),
        Case('solid', 'aligned', make(rng)),
        Case('liquid', 'energy', make(rng)),
        Case('liquid', 'aligned', make(rng)),
    ]
    rows = {(row.domain, row.quantity): row for row in judge_cases(cases, TOLERANCES, {})}
    assert rows['solid', 'energy'].verdict == rows['solid', 'aligned'].verdict == 'cannot say'
    assert 'zero of energy' in rows['solid', 'energy'].remedy
    assert rows['liquid', 'energy'].verdict == rows['liquid', 'aligned'].verdict == 'believe'


@pytest.mark.parametrize(
    ('n_blocks', 'draw'), [(9, honest), (20, honest), (20, narrow), (20, heavy)]
)
def test_the_recalibrated_width_covers_new_blocks(rng, n_blocks, draw):
    """Of as many blocks again, which it has not seen; the mean over many ensembles."""
    held = []
    for _ in range(250):
        errors = draw(rng, 8, 2 * n_blocks, 5)
        block = np.repeat(np.arange(2 * n_blocks), 5)
        seen, new = errors[:, block < n_blocks], errors[:, block >= n_blocks]
        width, missing = recalibrated_width(seen, block[block < n_blocks])
        factor = width / seen.std(axis=0).mean()
        assert missing == ''
        held.append(np.mean(np.abs(new.mean(axis=0)) <= factor * new.std(axis=0)))
    assert np.mean(held) >= 0.9 - 3 * np.std(held) / np.sqrt(250)
    # the quantile of so few blocks lies above: (B + 1) 0.9 rounded up, of B
    assert np.mean(held) <= np.ceil((n_blocks + 1) * 0.9 - 1e-9) / n_blocks


def test_too_few_blocks_have_no_recalibrated_width(rng):
    row = judge_case(Case('solid', 'energy', make(rng, n_blocks=8)), [], 0.01)
    assert row.width is None
    assert '8 independent blocks cannot bound an interval at 90%' in row.width_reason
    assert f'No recalibrated width: {row.width_reason}.' in reasons([row])[0]
    wide = SOUND | {'n_blocks': 6, 'alpha': 0.2}
    assert decide(wide, 0.01, [], 'energy')[2] == 'use the recalibrated width'
    assert 'label 3 or more' in decide(wide | {'width': None}, 0.01, [], 'energy')[2]
    row = judge_case(Case('solid', 'energy', make(rng, n_blocks=9)), [], 0.01)
    assert (row.width > 0, row.width_reason) == (True, '')


def test_verdicts_of_older_versions_can_be_read(rng):
    values = judge_case(Case('solid', 'energy', make(rng)), [], 0.01).as_dict()
    for name in ('width_reason', 'best', 'best_reason', 'estimators'):
        del values[name]
    assert Row.from_dict(values).width_reason == ''


def test_members_that_agree_to_the_last_digit_and_are_wrong_are_the_worst_case():
    samples = Asked(np.ones((8, 30)), np.arange(30), np.zeros(30))
    row = judge_case(Case('solid', 'energy', samples), [], 0.01)
    assert (row.alpha, row.width, row.p) == (None, None, None)
    assert row.verdict == 'do not believe'
    assert row.reason.startswith('σ is 0, the error is not: ')
    assert '∞' in cells(row)


def test_the_table_has_a_word_a_shape_and_units(rng):
    rows = judge_cases([Case('liquid', 'force', make(rng), trained=True)], {'force': 0.01}, {})
    line = cells(rows[0])
    assert line[0] == 'liquid (trained on)'
    assert 'eV/Å' in line
    assert line[-1] == '● believe'
    text = as_text(rows)
    assert len(text.splitlines()) == 3
    assert reasons(rows)[0].startswith('liquid, force: believe; ')
    gate = Gate('outliers', 'failed', 'member 3 is far', 'leave it out')
    assert gate_lines({'energy': [gate], 'force': [gate]}) == [
        'failed: outliers: member 3 is far → leave it out'
    ]
    assert '(force)' in gate_lines({'energy': [], 'force': [gate]})[0]
