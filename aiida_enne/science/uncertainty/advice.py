"""What to do after the verdicts: which domain to label next, how much of it, which width to use."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import ceil, isfinite

import numpy as np

from aiida_enne.science.uncertainty.estimators import Asked
from aiida_enne.science.uncertainty.estimators.conformal import Score
from aiida_enne.science.uncertainty.gates import Gate, caps
from aiida_enne.science.uncertainty.rule import NOMINAL, Row
from aiida_enne.science.uncertainty.transfer import left_out
from aiida_enne.science.uncertainty.wording import QUANTITIES, listed, number, plural

#: Scores of widths that need nothing but stored predictions, and what they are called.
WIDTHS: dict[Score, str] = {
    'spread': 'σ times one factor',
    'absolute': 'one width for everything',
}
#: Share of the nominal coverage that a width must keep everywhere to be called one that carries.
ENOUGH = 0.75
#: Domains named behind the first.
MOST = 4


@dataclass(frozen=True, slots=True)
class Width:
    """How a kind of width does in domains that it was not calibrated on.

    Attributes:
        score: See `estimators.conformal`.
        coverage: Share of samples inside it by domain.
        width: Mean half-width over domains, in the unit of the errors.
    """

    score: Score
    coverage: Mapping[str, float]
    width: float

    @property
    def worst(self) -> str:
        """The domain that is covered least."""
        return min(self.coverage, key=lambda name: self.coverage[name])


def enough_blocks(level: float = NOMINAL) -> int:
    """Return the least number of independent blocks that a width of this coverage takes."""
    return next(n for n in range(1, 10_000) if ceil((n + 1) * level - 1e-9) <= n)


def compare_widths(samples: Mapping[str, Asked], level: float = NOMINAL) -> list[Width]:
    """Return every kind of width that other domains can calibrate, the best one first.

    The best is the one whose least covered domain is covered best; of equals, the narrower.

    Args:
        samples: Labelled samples of one quantity by domain.
        level: Nominal coverage.
    """
    found = []
    for score in WIDTHS:
        some = left_out(samples, level=level, score=score)
        if some:
            shares = {name: share for name, (share, _) in some.items()}
            mean = float(np.mean([width for _, width in some.values()]))
            found.append(Width(score, shares, mean))
    return sorted(found, key=lambda one: (-one.coverage[one.worst], one.width))


def advise(
    rows: Sequence[Row],
    gates: Mapping[str, Sequence[Gate]],
    widths: Mapping[str, Sequence[Width]],
    tolerances: Mapping[str, float],
) -> list[str]:
    """Return what to do, the most urgent first, in sentences.

    Args:
        rows: Verdicts.
        gates: By quantity.
        widths: See `compare_widths`, by quantity.
        tolerances: τ by quantity, in the unit of its errors.
    """
    said = [
        f'First {remedy}; {what} cannot be judged while {why}.' for what, why, remedy in caps(gates)
    ]
    said += _labels(rows, tolerances)
    return said + [_use(quantity, some) for quantity, some in widths.items() if some]


def labels_help(rows: Sequence[Row], tolerances: Mapping[str, float]) -> bool:
    """Return whether labels of some domain would help.

    Args:
        rows: Verdicts.
        tolerances: τ by quantity, in the unit of its errors.
    """
    return any(_urgency(row, tolerances) > (0, 0.0) for row in rows)


def _labels(rows: Sequence[Row], tolerances: Mapping[str, float]) -> list[str]:
    """Say what to label next: the row of each domain that needs it most."""
    urgent: dict[str, Row] = {}
    for row in sorted(rows, key=lambda row: _urgency(row, tolerances), reverse=True):
        if _urgency(row, tolerances) > (0, 0.0):
            urgent.setdefault(row.domain, row)
    if not urgent:
        return []
    first, *rest = urgent.values()
    missing = max(1, enough_blocks() - first.n_blocks)
    text = f'Label {first.domain} next, {plural(missing, "unrelated structure")} or more: '
    text += f'{enough_blocks()} independent blocks calibrate a width there. Now: {_seen(first)}.'
    if rest:
        text += f' Then: {listed([f"{one.domain} ({_seen(one)})" for one in rest], MOST)}.'
    return [text]


def _urgency(row: Row, tolerances: Mapping[str, float]) -> tuple[int, float]:
    """Return how urgently labels of a domain are needed; (0, 0) where they are not."""
    if row.verdict == 'unlabelled':
        novelty = row.novelty or 0.0
        return (2, novelty) if novelty > 1 else (0, 0.0)
    tolerable = (row.rmse or 0.0) <= tolerances[row.quantity]
    if row.verdict == 'believe' or row.trained or tolerable:
        return 0, 0.0
    size = row.alpha if row.alpha is not None and isfinite(row.alpha) else np.inf
    return (3 if row.verdict == 'do not believe' else 1), float(size)


def _seen(row: Row) -> str:
    unit, factor, noun = QUANTITIES[row.quantity]
    if row.rmse is None:
        return f'{number(row.novelty or 0)} × the edge of the training features, no labels'
    text = f'RMSE of the {noun} {number(factor * row.rmse)} {unit}'
    return text if row.alpha is None else f'{text}, {number(row.alpha)} × what σ promises'


def _use(quantity: str, widths: Sequence[Width]) -> str:
    unit, factor, noun = QUANTITIES[quantity]
    told = [
        f'{one.coverage[one.worst]:.0%} of {one.worst}, the domain it fits least (mean half-width '
        f'{number(factor * one.width)} {unit})'
        for one in widths
    ]
    best = widths[0]
    if best.coverage[best.worst] < ENOUGH * NOMINAL:
        text = (
            f'No width of the {noun} carries over to a domain without labels: label it. Of those '
        )
        text += f'calibrated on all other domains at {NOMINAL:.0%}, {WIDTHS[best.score]} holds '
        text += told[0]
    else:
        text = f'Where there are no labels, use for the {noun} {WIDTHS[best.score]}, calibrated on '
        text += f'all other domains at {NOMINAL:.0%}: it holds {told[0]}'
    if len(widths) > 1:
        text += f'; {WIDTHS[widths[1].score]} holds {told[1]}'
    return text + '.'
