"""The contract of a score as checks, for the tests of any package that registers one."""

from __future__ import annotations

import numbers

import numpy as np

from aiida_enne.science.contracts import ContractError, require
from aiida_enne.science.uncertainty.estimators.contract import make_samples
from aiida_enne.science.uncertainty.options import AuditOptions
from aiida_enne.science.uncertainty.scores import Judged, Score, all_scores, load_scores

__all__ = ['ContractError', 'check_score', 'make_judged']


def make_judged(
    seed: int = 0, *, n: int = 60, n_members: int = 8, options: AuditOptions | None = None
) -> Judged:
    """Return n energies of a made-up ensemble with the values of an estimator.

    Args:
        seed: Of the samples.
        n: Number of samples.
        n_members: M.
        options: Choices of the audit; without intervals by default.

    Raises:
        ValueError: If the estimator of the options learns from labels.
    """
    options = options or AuditOptions(n_bootstrap=0)
    samples, estimator = make_samples(seed, n=n, n_members=n_members), options.make_estimator()
    if estimator.calibrated:
        raise ValueError(f'{options.estimator!r} learns from labels: choose another estimator')
    errors, width = samples.members - np.asarray(samples.reference), estimator.fit(None)(samples)
    return Judged.of(errors, width, 2 * (samples.block,), 'energy', options, estimator)


def check_score(name: str) -> Score:
    """Check what a score gives, and return it.

    Raises:
        ContractError: If it gives no numbers by name, other names for other samples, other numbers
            for the same ones, changes what it is given, or uses a name of another score.
        KeyError: If there is no score of this name.
    """
    scores = load_scores()
    score, judged = scores[name], make_judged()
    values = score(judged)
    require(bool(values), f'{name} gives nothing')
    for key, value in values.items():
        require(key.isidentifier() and key == key.lower(), f'{name}: {key!r} is not a plain name')
        known = value is None or isinstance(value, numbers.Real)
        require(known and not isinstance(value, bool), f'{name}: {key} is {value!r}, not a number')
    fresh = make_judged()
    for kept in ('errors', 'error', 'width', 'block', 'trajectory'):
        same = np.array_equal(getattr(judged, kept), getattr(fresh, kept))
        require(same, f'{name} changes `{kept}`')
    require(_equal(score(fresh), values), f'{name} is not reproducible')
    for other in (make_judged(1), make_judged(2, n=6, n_members=2), _nothing()):
        require(set(score(other)) == set(values), f'{name} gives other names for other samples')
    ranks = make_judged(options=AuditOptions(n_bootstrap=0, estimator='mahalanobis'))
    require(set(score(ranks)) == set(values), f'{name} gives other names for what only ranks')
    try:
        all_scores(judged, scores)
    except ValueError as exception:
        raise ContractError(str(exception)) from exception
    return score


def _nothing() -> Judged:
    """Return what the names of an audit are read from: one sample on which all is zero."""
    options, zero = AuditOptions(n_bootstrap=0), np.zeros(1, dtype=np.int64)
    nothing = np.zeros((2, 1))
    return Judged.of(nothing, nothing[0], (zero, zero), 'energy', options, options.make_estimator())


def _equal(one: object, other: object) -> bool:
    # as text, NaN is equal to itself
    return repr(one) == repr(other)
