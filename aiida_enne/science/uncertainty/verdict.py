"""Verdicts: every quantity of every domain judged by the rule, from samples to reasons."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from math import ceil
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from aiida_enne.science.fields import Floats, Integers
from aiida_enne.science.structures.domains import natural
from aiida_enne.science.uncertainty import ensemble
from aiida_enne.science.uncertainty.estimators import Asked
from aiida_enne.science.uncertainty.estimators.conformal import Conformal, TooFew
from aiida_enne.science.uncertainty.exchange import Exchange, exchange_widths, some_columns
from aiida_enne.science.uncertainty.gates import Gate
from aiida_enne.science.uncertainty.rule import NOMINAL, Row, decide, finite_only
from aiida_enne.science.uncertainty.scores.accuracy import rms
from aiida_enne.science.uncertainty.scores.bootstrap import MIN_BLOCKS, share_interval
from aiida_enne.science.uncertainty.scores.calibration import (
    expected_rmse_over_spread,
    inside_interval,
    rmse_over_spread,
)
from aiida_enne.science.uncertainty.transfer import halves, join
from aiida_enne.science.uncertainty.wording import QUANTITIES, number

#: Numbers that need labels.
_OF_LABELS = (
    'rmse', 'alpha', 'coverage', 'coverage_low', 'coverage_high', 'nominal_low', 'nominal_high',
    'p', 'effect', 'width',
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Case:
    """One quantity of one domain, to be judged.

    Attributes:
        domain: The domain.
        quantity: 'energy', 'aligned' or 'force'.
        samples: Its samples; `reference` None where there are no labels.
        trained: Whether the ensemble was trained on the domain.
        novelty: How far outside the training features, 1 at its edge; None without features.
    """

    domain: str
    quantity: str
    samples: Asked
    trained: bool = False
    novelty: float | None = None


def judge_cases(
    cases: Sequence[Case], tolerances: Mapping[str, float], gates: Mapping[str, Sequence[Gate]]
) -> list[Row]:
    """Return a verdict on every case, those of domains that were trained on first.

    Widths are calibrated on the domains trained on (each of these on one half of its blocks, and
    judged on the other) where there are enough blocks; else the interval of M members is judged.

    Args:
        cases: Quantities of domains.
        tolerances: τ by quantity, in the unit of its errors.
        gates: What must be passed before any verdict, by quantity, see `gates`.
    """
    rows = []
    for case in sorted(cases, key=_place):
        known = [
            other.samples
            for other in cases
            if other.quantity == case.quantity
            and other.trained
            and other.samples.reference is not None
        ]
        rows.append(
            judge_case(case, known, tolerances[case.quantity], gates.get(case.quantity, ()))
        )
    return _disagreeing(rows)


def _place(case: Case) -> tuple[Any, ...]:
    """Trained domains come first, then the quantities; domains are in natural order."""
    return not case.trained, list(QUANTITIES).index(case.quantity), natural(case.domain)


def judge_case(
    case: Case, known: Sequence[Asked], tolerance: float, gates: Sequence[Gate] = ()
) -> Row:
    """Return the verdict on one case.

    Args:
        case: What is judged.
        known: Labelled samples of the domains trained on.
        tolerance: τ in the unit of the errors.
        gates: What must be passed first.
    """
    samples = case.samples
    if samples.reference is None or not len(samples):
        return _unlabelled(case)
    errors = samples.members - samples.reference
    error, spread = ensemble.mean(errors), ensemble.spread(errors)
    m, n_blocks = len(errors), len(np.unique(samples.block))
    held = _held(case, known, errors)
    low, high = share_interval(held.inside, held.block)
    test, (width, missing) = _test(errors), recalibrated_width(errors, samples.block)
    ratio = rmse_over_spread(error, spread)
    numbers: dict[str, Any] = {
        'n': len(error),
        'n_blocks': n_blocks,
        'n_members': m,
        'rmse': rms(error),
        'spread': rms(spread),
        'alpha': ratio / expected_rmse_over_spread(m),
        'coverage': float(held.inside.mean()),
        'coverage_low': low,
        'coverage_high': high,
        'nominal_low': held.nominal[0],
        'nominal_high': held.nominal[1],
        'p': None if test is None else test.p_high,
        'effect': None if test is None else test.effect,
        'novelty': case.novelty,
        'width': width,
        'width_reason': missing,
    }
    word, reason, remedy = decide(finite_only(numbers), tolerance, gates, case.quantity)
    return Row(
        case.domain,
        case.quantity,
        case.trained,
        interval=held.interval,
        verdict=word,
        reason=reason,
        remedy=remedy,
        **finite_only(numbers),
    )


def recalibrated_width(errors: Floats, block: Integers) -> tuple[float | None, str]:
    """Return the mean half-width that covers `NOMINAL` of new blocks, or why there is none.

    σ times the conformal quantile of |ε|/σ over the blocks of the domain itself.

    Args:
        errors: Errors of the members, shape (M, n).
        block: Number of the independent block of each sample, shape (n,).
    """
    own = Asked(errors, block, np.zeros(errors.shape[1]))
    try:
        return float(Conformal(NOMINAL).fit(own)(own).mean()), ''
    except ValueError as exception:
        return None, str(exception)


def _test(errors: Floats) -> Exchange | None:
    if len(errors) < 3:
        return None
    errors = some_columns(errors)
    return exchange_widths(errors, ensemble.spread, {'ratio': rmse_over_spread})['ratio']


@dataclass(frozen=True, slots=True)
class _Held:
    """Which samples an interval of nominal coverage holds, and what chance leaves of nominal."""

    inside: NDArray[np.bool_]
    block: Integers
    nominal: tuple[float, float]
    interval: str


def _held(case: Case, known: Sequence[Asked], errors: Floats) -> _Held:
    """Calibrate on what was trained on if that is enough, else take the interval of M members."""
    first, judged = None, case.samples
    if case.trained:
        one, other = halves(judged.block)
        if one.any() and other.any():
            first, judged = judged.select(one), judged.select(other)
    elif known:
        first = join(known)
    try:
        if first is None:
            raise TooFew('there is nothing to calibrate on')
        widths = Conformal(NOMINAL).fit(first)(judged)
    except ValueError:
        error, spread = ensemble.mean(errors), ensemble.spread(errors)
        inside = inside_interval(error, spread, len(errors), level=NOMINAL)
        return _Held(inside, case.samples.block, (NOMINAL, NOMINAL), 'finite')
    # coverage of a conformal interval, given its calibration samples (Vovk 2012, Prop. 2a)
    size = len(np.unique(first.block))
    rank = ceil((size + 1) * NOMINAL - 1e-9)
    low, high = stats.beta.ppf([0.025, 0.975], rank, size + 1 - rank)
    error = ensemble.error(judged.members, np.asarray(judged.reference))
    nominal = (min(float(low), NOMINAL), max(float(high), NOMINAL))
    return _Held(np.abs(error) <= widths, judged.block, nominal, 'conformal')


def _unlabelled(case: Case) -> Row:
    novelty, samples = case.novelty, case.samples
    if novelty is None:
        reason, remedy = (
            'no labels and no features to compare',
            'label it, or predict with features',
        )
    else:
        where = 'inside' if novelty <= 1 else 'outside'
        reason = (
            f'no labels; {where} the training data: {number(novelty)} × the edge of the features'
        )
        remedy = f'label {MIN_BLOCKS} or more unrelated structures' if novelty > 1 else ''
    nothing: dict[str, Any] = dict.fromkeys(_OF_LABELS)
    spread = None
    if len(samples) and len(samples.members) > 1:
        spread = rms(ensemble.spread(samples.members - samples.members.mean(axis=0)))
    return Row(
        case.domain,
        case.quantity,
        case.trained,
        n=len(samples),
        n_blocks=len(np.unique(samples.block)),
        n_members=len(samples.members),
        spread=spread,
        interval='',
        novelty=novelty,
        verdict='unlabelled',
        reason=reason,
        remedy=remedy,
        **nothing,
    )


def _disagreeing(rows: Sequence[Row]) -> list[Row]:
    """Return the rows; those on which raw energies and own zeros disagree cannot be said."""
    words = {(row.domain, row.quantity): row.verdict for row in rows}
    found = []
    for row in rows:
        pair = {words.get((row.domain, name)) for name in ('energy', 'aligned')}
        if row.quantity in ('energy', 'aligned') and pair == {'believe', 'do not believe'}:
            other = 'aligned' if row.quantity == 'energy' else 'energy'
            reason = f'{QUANTITIES[other][2]} would say "{words[row.domain, other]}", this '
            reason += f'"{row.verdict}": {row.reason}'
            remedy = 'say which zero of energy your use needs'
            found.append(replace(row, verdict='cannot say', reason=reason, remedy=remedy))
        else:
            found.append(row)
    return found
