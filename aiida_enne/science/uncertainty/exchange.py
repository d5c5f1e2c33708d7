"""The exact test of exchangeability: every potential, the truth included, is the truth once."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import repeat
from math import isfinite
from typing import TYPE_CHECKING, Any

import numpy as np

from aiida_enne.science.fields import Floats
from aiida_enne.science.uncertainty import ensemble

if TYPE_CHECKING:
    from aiida_enne.science.uncertainty.estimators.interface import Asked, Estimator

#: Level of every test that a finding or a claim stands on.
LEVEL = 0.05
#: With fewer members the truth is the most extreme of M + 1 too often by chance.
MIN_MEMBERS = 8
#: Samples at most in a test: it costs M times as much as one score.
N_TESTED = 4000
#: Rounding that does not make two values of a statistic different.
_SAME = 1e-12

#: From members (M, n) and truth (n,) to one number.
Statistic = Callable[[Floats, Floats], float]
#: From members (M, n) to the width of each sample (n,).
Width = Callable[[Floats], Floats]


@dataclass(frozen=True, slots=True)
class Exchange:
    """A statistic with the truth as truth, and with each member in its place.

    If the truth is one more member, the rank of its value among all M + 1 is uniform, whatever the
    statistic and however samples depend on each other (a permutation test; e.g. Lehmann & Romano,
    Testing Statistical Hypotheses, 15.2).

    Attributes:
        truth: T₀, the value with the real truth.
        members: T_j, the values with each member as the truth, shape (M,).
    """

    truth: float
    members: Floats

    @property
    def n_members(self) -> int:
        """M."""
        return len(self.members)

    @property
    def resolution(self) -> float:
        """Smallest p that M members allow, 1/(M + 1)."""
        return 1 / (self.n_members + 1)

    @property
    def p_high(self) -> float:
        """Probability that an honest ensemble has a value as large as T₀; ties count as larger."""
        margin = _SAME * abs(self.truth)
        return float(1 + (self.members >= self.truth - margin).sum()) * self.resolution

    @property
    def p_low(self) -> float:
        """Probability that an honest ensemble has a value as small as T₀."""
        margin = _SAME * abs(self.truth)
        return float(1 + (self.members <= self.truth + margin).sum()) * self.resolution

    @property
    def median(self) -> float:
        """Median of the members' values: what an honest ensemble of this kind scores."""
        return float(np.median(self.members))

    @property
    def effect(self) -> float:
        """T₀ over the median of T_j; NaN where that is 0."""
        return self.truth / self.median if self.median else float('nan')


def attainable_level(n_members: int, level: float = LEVEL) -> float | None:
    """Return the largest level up to the nominal one that ranks among M + 1 can have.

    None where there is none: 18 members or fewer can never reach 5 %.

    Args:
        n_members: M.
        level: Nominal level of a one-sided test.
    """
    steps = int(np.floor(level * (n_members + 1) + 1e-9))
    return steps / (n_members + 1) if steps else None


def members_needed(level: float = LEVEL) -> int:
    """Return the smallest number of members whose test can reach a level: 19 for 5 %."""
    return int(np.ceil(1 / level - 1e-9)) - 1


def is_extreme(p: float, n_members: int) -> bool:
    """Return whether the truth is told from the members, at 5 % or else at the least p there is.

    Of honest ensembles it says so in at most `LEVEL`, or 1/(M + 1) where that is more; never with
    fewer than `MIN_MEMBERS`.

    Args:
        p: Of a one-sided test.
        n_members: M.
    """
    return n_members >= MIN_MEMBERS and p <= max(LEVEL, 1 / (n_members + 1)) + _SAME


def some_columns(errors: Floats) -> Floats:
    """Return at most `N_TESTED` of the samples of errors (M, n), always the same ones."""
    if errors.shape[1] <= N_TESTED:
        return errors
    chosen = np.random.default_rng(0).choice(errors.shape[1], N_TESTED, replace=False)
    return errors[:, np.sort(chosen)]


def each_as_truth(members: Floats, truth: Floats) -> Iterator[tuple[Floats, Floats]]:
    """Yield the M members and the truth, the real one first, then each member in its place.

    Args:
        members: Predictions of the members, first axis M.
        truth: The reference, the shape of one member.
    """
    potentials = np.concatenate([truth[None], members])
    for index in range(len(potentials)):
        yield np.delete(potentials, index, axis=0), potentials[index]


def exchange(members: Floats, truth: Floats, statistic: Statistic) -> Exchange | None:
    """Test whether the truth can be told from the members by a statistic.

    Args:
        members: Predictions of the members, first axis M.
        truth: The reference, the shape of one member.
        statistic: Of members and truth.

    Returns:
        The values; None where the statistic is not defined for the truth or for a member.
    """
    values = [statistic(*roles) for roles in each_as_truth(members, truth)]
    if not all(map(isfinite, values)):
        return None
    return Exchange(values[0], np.array(values[1:]))


def exchange_widths(
    errors: Floats, width: Width, statistics: Mapping[str, Callable[[Floats, Floats], float]]
) -> dict[str, Exchange | None]:
    """Test several statistics of error and width of the same samples.

    What all potentials have in common cancels, so errors serve as well as predictions do.

    Args:
        errors: Errors of the M members, shape (M, n).
        width: Of an ensemble.
        statistics: Of ε (n,) and width (n,), by name.
    """
    roles = each_as_truth(errors, np.zeros(errors.shape[1]))
    judged = ((ensemble.mean(members) - truth, width(members)) for members, truth in roles)
    return _exchanged(judged, statistics)


def exchange_fits(
    samples: Asked,
    calibration: Asked | None,
    estimator: Estimator,
    statistics: Mapping[str, Callable[[Floats, Floats], float]],
) -> dict[str, Exchange | None]:
    """Test several statistics of error and width of an estimator that learns, or knows features.

    With a member as the truth the estimator is fitted anew to that truth and these members, on the
    calibration samples: all that is done with the M + 1 potentials is done alike in every role, so
    that the test stays exact. Features are those of the configurations: they stay as they are.

    Args:
        samples: To be judged, with `reference`.
        calibration: To be learnt from, with `reference`; None for an estimator that does not.
        estimator: What widths come from.
        statistics: Of ε (n,) and width (n,), by name.

    Returns:
        The values by name; all None where the estimator cannot be fitted in every role.
    """
    try:
        return _exchanged(_refitted(samples, calibration, estimator), statistics)
    except ValueError:
        return dict.fromkeys(statistics)


def _refitted(
    samples: Asked, calibration: Asked | None, estimator: Estimator
) -> Iterator[tuple[Floats, Floats]]:
    """Yield ε and width in every role."""
    seen: Iterator[Any] = repeat(None)
    if estimator.calibrated and calibration is not None:
        seen = each_as_truth(calibration.members, np.asarray(calibration.reference))
    fixed = None
    if not estimator.calibrated and 'members' not in estimator.needs:
        fixed = estimator.fit(None)(samples)
    roles = each_as_truth(samples.members, np.asarray(samples.reference))
    for (members, truth), known in zip(roles, seen, strict=False):
        if (width := fixed) is None:
            learnt = None
            if calibration is not None and known is not None:
                learnt = replace(calibration, members=known[0], reference=known[1])
            width = estimator.fit(learnt)(replace(samples, members=members, reference=None))
        yield ensemble.mean(members) - truth, width


def _exchanged(
    judged: Iterable[tuple[Floats, Floats]],
    statistics: Mapping[str, Callable[[Floats, Floats], float]],
) -> dict[str, Exchange | None]:
    """Return statistics of ε and width in every role, the real truth's first."""
    found: dict[str, list[float]] = {name: [] for name in statistics}
    for error, size in judged:
        for name, statistic in statistics.items():
            found[name].append(statistic(error, size))
    return {
        name: Exchange(values[0], np.array(values[1:])) if all(map(isfinite, values)) else None
        for name, values in found.items()
    }
