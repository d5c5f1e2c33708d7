"""Transfer: a width that is calibrated on one domain, judged on every other and on its own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from aiida_enne.science.checks import one_of
from aiida_enne.science.fields import Floats, Integers
from aiida_enne.science.uncertainty import ensemble
from aiida_enne.science.uncertainty.estimators import Asked
from aiida_enne.science.uncertainty.estimators.conformal import Conformal, Score, TooFew
from aiida_enne.science.uncertainty.scores.accuracy import rms
from aiida_enne.science.uncertainty.scores.bootstrap import share_interval
from aiida_enne.science.uncertainty.scores.calibration import expected_rmse_over_spread

#: Scores whose widths can be carried over.
SCORES: tuple[Score, ...] = ('spread', 'absolute')
#: Row of a matrix that is calibrated on all domains but the one judged.
ALL_OTHERS = 'all other domains'


@dataclass(frozen=True, slots=True)
class Transfer:
    """Coverage and factor for every pair of (calibrated on, judged on).

    On the diagonal the domain is calibrated on one half of its blocks and judged on the other.
    The last row is leave-one-domain-out: calibrated on all domains but the one judged.

    Attributes:
        calibrated: Domains of the rows, and `ALL_OTHERS`.
        judged: Domains of the columns, D.
        coverage: Share of samples inside the conformal width, shape (D + 1, D); NaN where there is
            none.
        low: Lower end of the 95 % block-wise interval of it, NaN with fewer than five blocks.
        high: Upper end.
        factor: α of the domain judged over that of the domain calibrated on, shape (D + 1, D): by
            how much a scaled σ is too narrow there.
        level: Nominal coverage.
        reasons: Why a row or an entry is not defined, by (calibrated, judged).
    """

    calibrated: tuple[str, ...]
    judged: tuple[str, ...]
    coverage: Floats
    low: Floats
    high: Floats
    factor: Floats
    level: float
    reasons: dict[tuple[str, str], str]

    def as_dict(self) -> dict[str, Any]:
        """Return plain values, fit for JSON: of each pair None where it is not defined."""
        named = ('coverage', 'low', 'high', 'factor')
        pairs = [
            {'calibrated': first, 'judged': second}
            | {name: _finite(getattr(self, name)[row, column]) for name in named}
            | {'reason': self.reasons.get((first, second), '')}
            for row, first in enumerate(self.calibrated)
            for column, second in enumerate(self.judged)
        ]
        return {'level': self.level, 'pairs': pairs}


def _finite(value: np.float64) -> float | None:
    return float(value) if np.isfinite(value) else None


def transfer(
    samples: Mapping[str, Asked], *, level: float = 0.9, score: Score = 'spread'
) -> Transfer:
    """Return the transfer matrix of conformal widths.

    Args:
        samples: Labelled samples of one quantity by domain, each with two or more members.
        level: Nominal coverage.
        score: See `estimators.conformal`; not 'leverage', since joined domains have no features.

    Raises:
        ValueError: If there is no domain, a sample has no label, the level is out of range, or the
            score is another one.
    """
    one_of('score', score, SCORES)
    if not samples or any(one.reference is None for one in samples.values()):
        raise ValueError('a transfer matrix needs labelled samples of one or more domains')
    estimator = Conformal(level=level, score=score)
    names = list(samples)
    shape = (len(names) + 1, len(names))
    coverage, low, high, factor = (np.full(shape, np.nan) for _ in range(4))
    reasons: dict[tuple[str, str], str] = {}
    for row, first in enumerate([*names, ALL_OTHERS]):
        for column, second in enumerate(names):
            chosen, judged = _parts(samples, first, second)
            if chosen is None or judged is None:
                reasons[first, second] = 'there is no other domain'
                if first != ALL_OTHERS:
                    reasons[first, second] = (
                        f'{first} has too few blocks to calibrate on one half and judge the other'
                    )
                continue
            factor[row, column] = alpha(judged) / alpha(chosen)
            try:
                widths = estimator.fit(chosen)(judged)
            except (TooFew, ValueError) as exception:
                reasons[first, second] = str(exception)
                continue
            error = ensemble.error(judged.members, np.asarray(judged.reference))
            inside: NDArray[np.bool_] = np.abs(error) <= widths
            coverage[row, column] = inside.mean()
            low[row, column], high[row, column] = share_interval(inside, judged.block)
    rows, columns = (*names, ALL_OTHERS), tuple(names)
    return Transfer(rows, columns, coverage, low, high, factor, level, reasons)


def left_out(
    samples: Mapping[str, Asked], *, level: float = 0.9, score: Score = 'spread'
) -> dict[str, tuple[float, float]]:
    """Return coverage and mean half-width of every domain, calibrated on all others.

    Args:
        samples: Labelled samples of one quantity by domain.
        level: Nominal coverage.
        score: See `estimators.conformal`.

    Returns:
        Shares and widths in the unit of the errors; only of domains whose others are enough.
    """
    found = {}
    for name in samples:
        chosen, judged = _parts(samples, ALL_OTHERS, name)
        if chosen is None or judged is None:
            continue
        try:
            widths = Conformal(level=level, score=score).fit(chosen)(judged)
        except ValueError:
            continue
        error = ensemble.error(judged.members, np.asarray(judged.reference))
        found[name] = float((np.abs(error) <= widths).mean()), float(widths.mean())
    return found


def alpha(samples: Asked) -> float:
    """Return RMSE/σ over that of a truth that is one more member; NaN where σ is 0."""
    error = ensemble.error(samples.members, np.asarray(samples.reference))
    spread = rms(ensemble.spread(samples.members))
    expected = expected_rmse_over_spread(len(samples.members))
    return rms(error) / spread / expected if spread > 0 else float('nan')


def halves(block: Integers) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Return masks of two halves of the blocks: every other one, in their order."""
    order = np.unique(block, return_inverse=True)[1].reshape(-1)
    return order % 2 == 0, order % 2 == 1


def _parts(
    samples: Mapping[str, Asked], first: str, second: str
) -> tuple[Asked | None, Asked | None]:
    """Return what to calibrate on and what to judge."""
    judged = samples[second]
    if first == ALL_OTHERS:
        others = [one for name, one in samples.items() if name != second]
        return (join(others), judged) if others else (None, None)
    if first != second:
        return samples[first], judged
    one, other = halves(judged.block)
    if not (one.any() and other.any()):
        return None, None
    return judged.select(one), judged.select(other)


def join(parts: Sequence[Asked]) -> Asked:
    """Put the samples of several domains together; features are left behind."""
    blocks, largest = [], 0
    for part in parts:
        own = np.unique(part.block, return_inverse=True)[1].reshape(-1)
        blocks.append(largest + own)
        largest += int(own.max()) + 1
    references: list[Any] = [part.reference for part in parts]
    return Asked(
        np.concatenate([part.members for part in parts], axis=1),
        np.concatenate(blocks).astype(np.int64),
        np.concatenate(references),
    )
