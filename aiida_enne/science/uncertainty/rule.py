"""The rule of a verdict: may σ be believed here, and if not, what would decide it?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from typing import Any, Literal

import numpy as np

from aiida_enne.science.uncertainty.estimators.conformal import blocks_needed
from aiida_enne.science.uncertainty.exchange import MIN_MEMBERS, is_extreme
from aiida_enne.science.uncertainty.gates import ALPHA, Gate, failed
from aiida_enne.science.uncertainty.scores.bootstrap import MIN_BLOCKS
from aiida_enne.science.uncertainty.wording import QUANTITIES, chance, is_silent, number

Word = Literal['believe', 'do not believe', 'cannot say', 'unlabelled']

#: Nominal coverage that a verdict is about.
NOMINAL = 0.9
#: Effect of the exact test, T₀ over the median of T_j, below which σ is not called wrong.
EFFECT = 2.0


@dataclass(frozen=True, slots=True)
class Row:
    """The verdict on one quantity of one domain, with all numbers that it stands on.

    Attributes:
        domain: The domain.
        quantity: 'energy', 'aligned' (own zeros) or 'force'; errors are in eV/atom or eV/Å.
        trained: Whether the ensemble was trained on it.
        n: Samples.
        n_blocks: Independent blocks of them.
        n_members: M.
        rmse: RMSE of the members' mean.
        spread: rms σ (ddof 0).
        alpha: RMSE/σ over that of an honest ensemble.
        coverage: Share of samples inside the interval of nominal coverage `NOMINAL`.
        coverage_low: Lower end of its 95 % block-wise interval.
        coverage_high: Upper end.
        nominal_low: Least coverage that chance leaves an interval calibrated on so few blocks.
        nominal_high: Largest one.
        interval: Which interval that is: 'finite' (of M members) or 'conformal' (calibrated on the
            domains trained on).
        p: Of the exact test that RMSE/σ is no larger than an honest ensemble's.
        effect: RMSE/σ over the median with a member as the truth.
        novelty: How far outside the training features, 1 at its edge; None without features.
        width: Mean half-width of σ recalibrated here, which covers `NOMINAL` of new blocks; the
            unit of `rmse`.
        verdict: 'believe', 'do not believe', 'cannot say' or 'unlabelled'.
        reason: Why, with numbers.
        remedy: What would decide it, or what to do.
        best: The estimator that serves best here, see `best.find_best`; None where undecided.
        best_reason: Why that one, or why none.
        estimators: Interval score of each at `NOMINAL`, the unit of `rmse`, the lowest first.
        width_reason: Why there is no such width; empty where there is one.
    """

    domain: str
    quantity: str
    trained: bool
    n: int
    n_blocks: int
    n_members: int
    rmse: float | None
    spread: float | None
    alpha: float | None
    coverage: float | None
    coverage_low: float | None
    coverage_high: float | None
    nominal_low: float | None
    nominal_high: float | None
    interval: str
    p: float | None
    effect: float | None
    novelty: float | None
    width: float | None
    verdict: Word
    reason: str
    remedy: str
    best: str | None = None
    best_reason: str = ''
    estimators: dict[str, float] = field(default_factory=dict)
    width_reason: str = ''

    def as_dict(self) -> dict[str, Any]:
        """Return plain values, fit for JSON."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Row:
        """Return the row of plain values; what older rows do not have is left at its default."""
        return cls(**{item.name: values[item.name] for item in fields(cls) if item.name in values})


def decide(
    numbers: Mapping[str, Any], tolerance: float, gates: Sequence[Gate], quantity: str
) -> tuple[Word, str, str]:
    """Return the word, its reason and what would decide or help, by the first rule that applies.

    1. A failed gate: cannot say. 2. RMSE ≤ τ: believe, whatever σ. 3. σ is 0 throughout, or
    coverage below what chance leaves of nominal, the truth the most extreme of M + 1 (or p ≤ 5 %)
    and an effect of `EFFECT` or more: do not believe.
    4. Fewer than `MIN_BLOCKS` blocks, or novelty above 1: cannot say. 5. Coverage that the interval
    puts at nominal, α within `ALPHA` and at least three quarters of the nominal coverage seen:
    believe. 6. Anything else: cannot say.

    Args:
        numbers: Those of a `Row`.
        tolerance: τ in the unit of the errors.
        gates: What must be passed first.
        quantity: 'energy', 'aligned' or 'force'.
    """
    seen = _told(numbers, quantity)
    if red := failed(gates):
        return 'cannot say', '; '.join(gate.reason for gate in red), red[0].remedy
    if numbers['rmse'] <= tolerance:
        return 'believe', f'the error is tolerable, whatever σ: {seen}', ''
    m, p, effect = numbers['n_members'], numbers['p'], numbers['effect']
    high, coverage = numbers['coverage_high'], numbers['coverage']
    low, least = numbers['coverage_low'], numbers['nominal_low']
    below = (coverage if high is None else high) < least
    extreme = p is not None and is_extreme(p, m)
    if silent := is_silent(numbers['spread'], numbers['rmse']):
        seen = f'σ is 0, the error is not: {seen}'
    if silent or (below and extreme and (effect or 0) >= EFFECT):
        return 'do not believe', seen, 'label some of this domain and recalibrate, or train on it'
    if (blocks := numbers['n_blocks']) < MIN_BLOCKS:
        few = f'{blocks} independent block{"s" * (blocks != 1)}, {MIN_BLOCKS} are needed: {seen}'
        return 'cannot say', few, f'label {MIN_BLOCKS - blocks} or more unrelated structures'
    if (numbers['novelty'] or 0) > 1:
        return 'cannot say', seen, 'label more of this domain: it lies outside the training data'
    if (low or 0) > numbers['nominal_high'] or (numbers['alpha'] or 0) < ALPHA[0]:
        remedy = 'use the recalibrated width'
        if numbers['width'] is None:
            missing = blocks_needed(NOMINAL) - blocks
            remedy = f'label {max(missing, 1)} or more unrelated structures to recalibrate σ'
        return 'cannot say', f'σ is too wide: {seen}', remedy
    nominal = not below and ALPHA[0] <= (numbers['alpha'] or np.inf) <= ALPHA[1]
    if nominal and coverage >= 0.75 * NOMINAL:
        return 'believe', seen, ''
    remedy = 'label more unrelated structures'
    if m < MIN_MEMBERS:
        remedy = f'train {MIN_MEMBERS} or more members: fewer show nothing'
    return 'cannot say', f'the numbers do not decide: {seen}', remedy


def finite_only(numbers: Mapping[str, Any]) -> dict[str, Any]:
    """Return the numbers, None for what is not finite."""
    return {
        name: None if isinstance(value, float) and not np.isfinite(value) else value
        for name, value in numbers.items()
    }


def _told(numbers: Mapping[str, Any], quantity: str) -> str:
    unit, factor, _ = QUANTITIES[quantity]
    said = f'{numbers["coverage"]:.0%} inside the {NOMINAL:.0%} interval, '
    said += f'RMSE {number(factor * numbers["rmse"])} {unit}'
    if numbers['alpha'] is not None:
        said += f', RMSE/σ {number(numbers["alpha"])} × that of an honest ensemble'
    if numbers['p'] is not None:
        said += f' ({chance(numbers["p"], numbers["n_members"])})'
    if numbers['novelty'] is not None:
        said += f', {number(numbers["novelty"])} × the edge of the training features'
    return said
