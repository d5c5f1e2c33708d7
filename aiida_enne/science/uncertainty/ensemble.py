"""The member axis: always the first one; members that failed are never on it."""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from math import comb

import numpy as np
from scipy.special import gammaln

from aiida_enne.science.fields import Floats, Integers

#: Divisor M - ddof of the variance over members. 0 is the paper's; 1 must be a choice.
PAPER_DDOF = 0

#: Numbers held at a time when subsets of members are summed.
_CHUNK = 2_000_000


def check_members(predictions: Floats, name: str, *, ddof: int = PAPER_DDOF) -> None:
    """Refuse what is not an ensemble.

    Raises:
        ValueError: If there are fewer than two members, `ddof` is not 0 or 1, or a member holds
            values that are not finite.
    """
    if ddof not in (0, 1):
        raise ValueError(f'`ddof` must be 0 (the divisor is M) or 1 (M - 1), got {ddof}')
    if len(predictions) < 2:
        raise ValueError(f'the spread of `{name}` needs 2 or more members, got {len(predictions)}')
    lost = [m for m, member in enumerate(predictions) if not np.isfinite(member).all()]
    if lost:
        raise ValueError(
            f'`{name}` of the members {lost} are not finite: failed members must be left out'
        )


def mean(predictions: Floats) -> Floats:
    """Return the mean over members P̄ = M⁻¹ Σ_m P^m, shape (...), of predictions (M, ...)."""
    average: Floats = predictions.mean(axis=0)
    return average


def spread(predictions: Floats, *, ddof: int = PAPER_DDOF) -> Floats:
    """Return σ = [(M - ddof)⁻¹ Σ_m (P^m - P̄)²]^½, shape (...), of predictions (M, ...).

    Raises:
        ValueError: If there are fewer than two members or `ddof` is not 0 or 1.
    """
    if ddof not in (0, 1) or len(predictions) < 2:
        raise ValueError(f'no spread of {len(predictions)} members with `ddof` {ddof}')
    deviation: Floats = predictions.std(axis=0, ddof=ddof)
    return deviation


def error(predictions: Floats, reference: Floats) -> Floats:
    """Return the signed actual error ε = P̄ - P^ref, shape (...)."""
    difference: Floats = mean(predictions) - reference
    return difference


class OfMembers:
    """What follows from values of members beside those of a reference, both of n samples.

    Errors of a reference that is None raise `ValueError`.
    """

    __slots__ = ()
    reference: Floats | None
    members: Floats
    ddof: int

    @property
    def mean(self) -> Floats:
        """Mean over members, shape (n,)."""
        return mean(self.members)

    @property
    def spread(self) -> Floats:
        """σ over members, shape (n,)."""
        return spread(self.members, ddof=self.ddof)

    @property
    def errors(self) -> Floats:
        """Errors of the members, shape (M, n)."""
        errors: Floats = self.members - self.truth
        return errors

    @property
    def error(self) -> Floats:
        """Actual error ε of the mean, shape (n,)."""
        return error(self.members, self.truth)

    @property
    def truth(self) -> Floats:
        """The reference, where there must be one, shape (n,)."""
        if self.reference is None:
            raise ValueError('there is no reference, so that there are no errors')
        return self.reference


@dataclass(frozen=True, slots=True)
class SizeCurve:
    """Mean spread of ensembles of each size.

    Attributes:
        sizes: Number of members, shape (s,).
        means: ⟨σ⟩ over all quantities and subsets, shape (s,).
        stds: Standard deviation of ⟨σ⟩ over the subsets, shape (s,).
    """

    sizes: Integers
    means: Floats
    stds: Floats


def spread_by_size(
    predictions: Floats, *, n_subsets: int, seed: int, ddof: int = PAPER_DDOF
) -> SizeCurve:
    """Return σ(M) for every size from 2, averaged over random subsets of the members (S3).

    The first M members of one list would show the luck of its order; all subsets of a size are
    taken where there are no more than `n_subsets` of them.

    Args:
        predictions: Predictions (or errors) of the members, shape (M, n).
        n_subsets: Subsets to draw per size.
        seed: The same arguments always give the same curve.
        ddof: See `spread`.

    Raises:
        ValueError: If there are fewer than two members.
    """
    check_members(predictions, 'predictions', ddof=ddof)
    total = len(predictions)
    # deviations first: sums of squares of raw total energies would lose all their digits
    deviations = predictions - predictions.mean(axis=0)
    squares = deviations**2
    rng = np.random.default_rng(seed)
    sizes = np.arange(2, total + 1, dtype=np.int64)
    means, stds = np.empty(len(sizes)), np.empty(len(sizes))
    for index, size in enumerate(sizes.tolist()):
        chosen = _subsets(total, size, n_subsets, rng)
        sums = np.zeros(len(chosen))
        step = max(1, _CHUNK // len(chosen))
        for start in range(0, deviations.shape[1], step):
            part = slice(start, start + step)
            first, second = chosen @ deviations[:, part], chosen @ squares[:, part]
            variance = np.maximum(second - first**2 / size, 0) / (size - ddof)
            sums += np.sqrt(variance).sum(axis=1)
        averages = sums / deviations.shape[1]
        means[index], stds[index] = averages.mean(), averages.std()
    return SizeCurve(sizes, means, stds)


def null_spread(sizes: Sequence[int] | Integers, *, ddof: int = PAPER_DDOF) -> Floats:
    """Return what σ(M) would be if members were independent Gaussians, 1 at the largest size.

    σ(M) = c₄(M) √((M - 1)/(M - ddof)), c₄(M) = √(2/(M - 1)) Γ(M/2)/Γ((M - 1)/2): growth by 1.22
    from 4 to 30 members (`ddof` 0) shows nothing.
    """
    count = np.asarray(sizes, dtype=np.float64)
    c4 = np.sqrt(2 / (count - 1)) * np.exp(gammaln(count / 2) - gammaln((count - 1) / 2))
    expected = c4 * np.sqrt((count - 1) / (count - ddof))
    relative: Floats = expected / expected[np.argmax(count)]
    return relative


def _subsets(total: int, size: int, n_subsets: int, rng: np.random.Generator) -> Floats:
    """Return subsets as rows of zeros and ones, shape (subsets, total)."""
    if comb(total, size) <= n_subsets:
        members = np.array(list(itertools.combinations(range(total), size)))
        chosen = np.zeros((len(members), total))
        np.put_along_axis(chosen, members, 1, axis=1)
        return chosen
    ranks = rng.permuted(np.tile(np.arange(total), (n_subsets, 1)), axis=1)
    return (ranks < size).astype(np.float64)
