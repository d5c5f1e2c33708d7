"""Conformal widths: the quantile of what was seen on a calibration domain, with its guarantee."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import ceil
from typing import ClassVar, Literal

import numpy as np

from aiida_enne.science.fields import Floats, Integers
from aiida_enne.science.uncertainty import ensemble
from aiida_enne.science.uncertainty.estimators.features import leverage
from aiida_enne.science.uncertainty.estimators.interface import (
    Asked,
    Fitted,
    Need,
    check_level,
    labelled,
)

Score = Literal['spread', 'absolute', 'leverage']

#: What errors are divided by, by the name of the score.
_SCALES: dict[str, Callable[[Asked], Floats]] = {
    'spread': lambda samples: ensemble.spread(samples.members, ddof=1),
    'absolute': lambda samples: np.ones(len(samples)),
    'leverage': leverage,
}


class TooFew(ValueError):  # noqa: N818 (it is a verdict on data, not a fault)
    """So few calibration blocks that the interval of this level is infinite."""


def conformal_quantile(scores: Floats, block: Integers, level: float) -> float:
    """Return the quantile of calibration scores that covers a new sample with this probability.

    The ⌈(n + 1) level⌉-th smallest of n exchangeable scores (Vovk et al. 2005). Samples of a block
    are relatives: the rank is that of as many scores as there are blocks, among all samples.

    Args:
        scores: Of the calibration samples, shape (n,).
        block: Number of the independent block of each sample, shape (n,).
        level: Probability that a new sample has no larger score.

    Raises:
        TooFew: If there are fewer than level/(1 - level) blocks: the width would be infinite.
    """
    n_blocks = len(np.unique(block))
    rank = ceil((n_blocks + 1) * level - 1e-9)
    if rank > n_blocks:
        raise TooFew(
            f'{n_blocks} independent block{"s" * (n_blocks != 1)} cannot bound an interval at '
            f'{level:.0%}: it takes {blocks_needed(level)} or more'
        )
    ordered = np.sort(scores)
    return float(ordered[min(ceil(rank / n_blocks * len(scores) - 1e-9), len(scores)) - 1])


def blocks_needed(level: float) -> int:
    """Return the smallest number of blocks whose interval at this level is finite: 9 for 90 %."""
    return ceil(level / (1 - level) - 1e-9)


@dataclass(frozen=True, slots=True)
class _Widths:
    score: Score
    quantile: float
    by_domain: dict[int, float]

    def __call__(self, samples: Asked) -> Floats:
        factor = np.full(len(samples), self.quantile)
        if samples.domain is not None:
            for domain, quantile in self.by_domain.items():
                factor[samples.domain == domain] = quantile
        widths: Floats = factor * _SCALES[self.score](samples)
        return widths

    def portable(self, n_members: int) -> dict[str, float]:
        """Return the quantile as a factor of the spread, or as the one width of all samples.

        Raises:
            ValueError: If errors are divided by the leverage, which takes training features.
        """
        if self.score == 'absolute':
            return {'constant': self.quantile}
        if self.score == 'spread':
            return {'factor': self.quantile, 'ddof': 1}
        raise ValueError(f'conformal widths over the {self.score} need features of the training')


@dataclass(frozen=True, slots=True)
class Conformal:
    """Half-width q × scale, q the conformal quantile of |ε|/scale on the calibration domain.

    It covers new samples of that domain with the stated probability, whatever the errors'
    distribution; elsewhere nothing is guaranteed, which is what a transfer matrix shows.

    Attributes:
        level: Probability.
        score: 'spread': |ε|/σ; 'absolute': |ε|, one width for all; 'leverage': |ε| over the
            leverage of last-layer features.
        mondrian: Whether each domain among the calibration samples has a quantile of its own
            (Vovk's Mondrian taxonomy); others have that of all.
    """

    level: float = 0.9
    score: Score = 'spread'
    mondrian: bool = False
    name: ClassVar[str] = 'conformal'
    unit: ClassVar[Literal['quantity']] = 'quantity'
    calibrated: ClassVar[bool] = True

    def __post_init__(self) -> None:
        check_level(self.level)
        if self.score not in _SCALES:
            raise ValueError(f'`score` must be one of {sorted(_SCALES)}, got {self.score!r}')

    @property
    def needs(self) -> tuple[Need, ...]:
        """Members, and features for the leverage."""
        return ('members', 'features') if self.score == 'leverage' else ('members',)

    @property
    def min_blocks(self) -> int:
        """Independent blocks of the calibration domain that it takes."""
        return blocks_needed(self.level)

    def fit(self, calibration: Asked | None) -> Fitted:
        """Return widths of the calibration domain's quantile.

        Raises:
            ValueError: If there are no labels, too few blocks, or nothing to divide errors by.
        """
        samples, error = labelled(calibration, 'a conformal width')
        scale = _SCALES[self.score](samples)
        known = scale > 0
        if not known.any():
            raise ValueError('a conformal width needs samples on which the members differ')
        scores = np.full(len(samples), np.inf)
        scores[known] = np.abs(error[known]) / scale[known]
        quantile = conformal_quantile(scores, samples.block, self.level)
        if not np.isfinite(quantile):
            raise ValueError('members agree to the last digit on too many calibration samples')
        own = {}
        if self.mondrian and samples.domain is not None:
            for domain in np.unique(samples.domain).tolist():
                chosen = samples.domain == domain
                own[domain] = conformal_quantile(scores[chosen], samples.block[chosen], self.level)
        return _Widths(self.score, quantile, own)

    def label(self) -> str:
        """Return what figures and sentences call it."""
        return f'{self.level:.0%} conformal width'

    def expectations(self, n_members: int) -> dict[str, float]:
        """Return the share of samples inside; as half-width of an interval it is not an error."""
        return {'cone_coverage': self.level}
