"""The domain of applicability: a shallow rule on descriptors inside which the error is small."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from aiida_enne.science.fields import Floats, Integers, Strings
from aiida_enne.science.structures.descriptors import Descriptors
from aiida_enne.science.structures.domains import in_order
from aiida_enne.science.uncertainty.scores.accuracy import rms
from aiida_enne.science.uncertainty.scores.bootstrap import MIN_BLOCKS, block_intervals
from aiida_enne.science.uncertainty.transfer import halves
from aiida_enne.science.uncertainty.wording import number

#: Level of the test that a rule means anything.
LEVEL = 0.05
#: A rule holds at least this share of the samples that it is found on.
LEAST = 0.2
#: Inequalities of a rule, at most, and thresholds that are tried of each descriptor.
TERMS, THRESHOLDS = 2, 9
#: Permutations of the test.
N_PERMUTED = 1999

Term = tuple[int, bool, float]


@dataclass(frozen=True, slots=True)
class Rule:
    """A conjunction of inequalities.

    Attributes:
        terms: Number of the descriptor, whether it must not exceed the threshold (else not fall
            below it), and the threshold.
        names: Of all descriptors.
    """

    terms: tuple[Term, ...]
    names: tuple[str, ...]

    def holds(self, values: Floats) -> NDArray[np.bool_]:
        """Return which samples are inside, values (n, d), shape (n,)."""
        inside = np.ones(len(values), dtype=bool)
        for column, at_most, limit in self.terms:
            own = values[:, column]
            inside &= own <= limit if at_most else own >= limit
        return inside

    def __str__(self) -> str:
        said = (
            f'{self.names[column]} {"≤" if at_most else "≥"} {number(limit)}'
            for column, at_most, limit in self.terms
        )
        return ' and '.join(said)


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A rule that was found without one domain, on that domain.

    Attributes:
        domain: The domain.
        share: Of its samples that the rule lets in.
        rmse: Of these; NaN where there are none.
        promised: RMSE inside the rule where it was found.
    """

    domain: str
    share: float
    rmse: float
    promised: float


@dataclass(frozen=True, slots=True)
class Applicability:
    """A rule found on one half of the blocks and judged on the other.

    Attributes:
        rule: The rule.
        promised: RMSE inside, where it was found, in the unit of the errors.
        coverage: Share of the judged samples inside.
        inside: RMSE of these.
        inside_low: Lower end of its 95 % interval over blocks; NaN with too few of them.
        inside_high: Upper end.
        outside: RMSE of the others.
        p: Of the test that errors do not depend on being inside, on the judged half.
        n: Samples judged.
        n_blocks: Independent blocks of them.
        left_out: Found without a domain, judged on it, for each domain.
    """

    rule: Rule
    promised: float
    coverage: float
    inside: float
    inside_low: float
    inside_high: float
    outside: float
    p: float
    n: int
    n_blocks: int
    left_out: tuple[LeftOut, ...]

    @property
    def is_shown(self) -> bool:
        """Whether the judged half shows that the error is smaller inside."""
        return self.p <= LEVEL and self.inside < self.outside


def find_applicability(
    descriptors: Descriptors, error: Floats, block: Integers, domain: Strings, *, seed: int = 0
) -> Applicability:
    """Return the rule of one half of the blocks, and what it is worth on the other.

    The rule maximises √coverage × (mean |ε| of all − mean |ε| inside) over one or two inequalities
    (the objective of Sutton et al., Nat. Commun. 11, 4428, 2020). Errors are then compared with the
    share of each block that is inside, by permuting blocks: relatives are never counted twice.

    Args:
        descriptors: Of the n samples.
        error: ε of each, shape (n,).
        block: Number of the independent block of each, shape (n,).
        domain: Domain of each, shape (n,).
        seed: Of the permutations.

    Raises:
        ValueError: If there are too few blocks or configurations, errors or descriptors do not
            vary, or all judged samples are on one side of the rule; it says what is missing.
    """
    size = np.abs(error)
    one, other = halves(block)
    n_blocks = [len(np.unique(block[half])) for half in (one, other)]
    if min(n_blocks) < MIN_BLOCKS:
        total = sum(n_blocks)
        raise ValueError(
            f'{total} independent block{"s" * (total != 1)}: a rule takes {MIN_BLOCKS} to find and '
            f'{MIN_BLOCKS} to judge it; label {2 * MIN_BLOCKS - total} or more unrelated structures'
        )
    rule = find_rule(descriptors.values[one], size[one], descriptors.names)
    inside = rule.holds(descriptors.values[other])
    judged, groups = error[other], block[other]
    if inside.all() or not inside.any():
        raise ValueError(
            f'all {len(judged)} samples to judge are on one side of the rule {rule}: label '
            'structures on the other side'
        )
    own, known = judged[inside], groups[inside]
    low, high = block_intervals(own, own, known, n_bootstrap=500, seed=seed)['rmse']
    return Applicability(
        rule,
        promised=rms(error[one][rule.holds(descriptors.values[one])]),
        coverage=float(inside.mean()),
        inside=rms(judged[inside]),
        inside_low=low,
        inside_high=high,
        outside=rms(judged[~inside]),
        p=_test(size[other], inside, groups, seed),
        n=len(judged),
        n_blocks=n_blocks[1],
        left_out=_leave_out(descriptors, error, domain),
    )


def find_rule(values: Floats, size: Floats, names: Sequence[str]) -> Rule:
    """Return the best rule of one or two inequalities.

    Args:
        values: Descriptors, shape (n, d).
        size: |ε|, shape (n,).
        names: Of the descriptors.

    Raises:
        ValueError: If no rule makes the mean error smaller.
    """
    quantiles = np.linspace(0, 1, THRESHOLDS + 2)[1:-1]
    terms: list[Term] = []
    for column in range(values.shape[1]):
        for limit in np.unique(np.quantile(values[:, column], quantiles)).tolist():
            terms += [(column, True, limit), (column, False, limit)]
    masks = np.array([Rule((term,), tuple(names)).holds(values) for term in terms])
    choices = [c for k in range(1, TERMS + 1) for c in combinations(range(len(terms)), k)]
    best: tuple[float, tuple[int, ...]] = (0.0, ())
    for chosen in choices:
        inside = masks[list(chosen)].all(axis=0)
        share = float(inside.mean())
        if LEAST <= share < 1:
            gain = share**0.5 * float(size.mean() - size[inside].mean())
            if gain > best[0] * (1 + 1e-9):
                best = gain, chosen
    if not best[1]:
        raise ValueError(
            'no rule makes the error smaller: errors or descriptors do not vary; label structures '
            'of other densities or phases'
        )
    return Rule(tuple(terms[index] for index in best[1]), tuple(names))


def _test(size: Floats, inside: NDArray[np.bool_], block: Integers, seed: int) -> float:
    """Return how often permuted blocks give as large a fall of the error with the share inside."""
    group = np.unique(block, return_inverse=True)[1].reshape(-1)
    count = np.bincount(group)
    error = np.bincount(group, weights=size) / count
    share = np.bincount(group, weights=inside) / count
    rng = np.random.default_rng(seed)
    permuted = rng.permuted(np.tile(error, (N_PERMUTED, 1)), axis=1)
    found, drawn = share @ error, permuted @ share
    return float(1 + np.sum(drawn <= found + 1e-12 * abs(found))) / (1 + N_PERMUTED)


def _leave_out(descriptors: Descriptors, error: Floats, domain: Strings) -> tuple[LeftOut, ...]:
    found, size = [], np.abs(error)
    names = in_order(domain.tolist())
    for name in names if len(names) > 1 else ():
        own = domain == name
        try:
            rule = find_rule(descriptors.values[~own], size[~own], descriptors.names)
        except ValueError:
            continue  # the others do not vary: there is no rule to try on this one
        inside = rule.holds(descriptors.values)
        let_in = error[own & inside]
        rmse = rms(let_in) if len(let_in) else float('nan')
        promised = rms(error[~own & inside])
        found.append(LeftOut(name, float(inside[own].mean()), rmse, promised))
    return tuple(found)


def describe_applicability(found: Applicability, unit: str, factor: float) -> list[str]:
    """Return sentences: the rule and what it is worth, then how it fares without each domain.

    Args:
        found: What was found.
        unit: Of the errors as they are shown.
        factor: From the errors to this unit.
    """

    def shown(value: float) -> str:
        return f'{number(factor * value)} {unit}'

    interval = ''
    if np.isfinite(found.inside_high):
        low, high = (number(factor * one) for one in (found.inside_low, found.inside_high))
        interval = f' (95 %: {low} to {high})'
    worth = (
        f'{found.coverage:.0%} of {found.n} configurations ({found.n_blocks} blocks) that it was '
        f'not found on are inside, RMSE {shown(found.inside)}{interval}; outside '
        f'{shown(found.outside)} (p = {found.p:.2g})'
    )
    said = [f'the error is smaller where {found.rule}: {worth}']
    if not found.is_shown:
        said = [f'no domain of applicability is shown: of the best rule, {found.rule}, {worth}']
    for one in found.left_out:
        if one.share and one.rmse > 2 * one.promised:
            said.append(
                f'found without {one.domain}, the rule lets in {one.share:.0%} of it at RMSE '
                f'{shown(one.rmse)} where {shown(one.promised)} was promised'
            )
    return said
