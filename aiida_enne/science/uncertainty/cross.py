"""Correlations of members' errors within one ensemble and across several (S10)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from aiida_enne.science.fields import Floats, Integers
from aiida_enne.science.structures.domains import Domain
from aiida_enne.science.uncertainty.scores.correlations import centre_within, correlation_matrix

#: Stretches of the samples in their order, neighbours together, that a jackknife leaves out.
STRETCHES = 20


@dataclass(frozen=True, slots=True)
class Pairs:
    """Correlations of pairs of members; those of members whose errors do not vary are left out.

    Attributes:
        within: Of the pairs of each ensemble, M (M - 1)/2 of them, by its label.
        across: Of the pairs of members of two different ensembles; empty for one ensemble.
    """

    within: dict[str, Floats]
    across: Floats

    @property
    def all_within(self) -> Floats:
        """Of the pairs of every ensemble together."""
        return np.concatenate(list(self.within.values()))


@dataclass(frozen=True, slots=True)
class Cross:
    """Correlations of errors on the same samples.

    Attributes:
        centred: Pearson's: each member's mean error is removed first.
        uncentred: The cosine between error vectors: a bias in common counts.
        within_groups: Each member's mean error in every group is removed first, so that what
            differs only from one density to another does not count; None without groups.
        n_samples: Samples in an error vector.
        n_members: Members of each ensemble.
        means: Of the mean errors of every pair of ensembles, centred; empty for one ensemble.
        errors: Standard errors of the mean centred correlation 'within' and 'across' ensembles,
            from a jackknife over members or over ensembles and one over stretches of samples, their
            squares added; NaN where it is not defined.
        n_units: Members and ensembles that were left out in turn for these.
        elsewhere: Samples and members of each ensemble that `across`, `means` and their error are
            of, where these are others.
    """

    centred: Pairs
    uncentred: Pairs
    within_groups: Pairs | None
    n_samples: int
    n_members: dict[str, int]
    means: Floats = field(default_factory=lambda: np.empty(0))
    errors: dict[str, float] = field(default_factory=dict)
    n_units: dict[str, int] = field(default_factory=dict)
    elsewhere: tuple[int, dict[str, int]] | None = None

    @property
    def n_samples_across(self) -> int:
        """Samples in an error vector of members of different ensembles."""
        return self.n_samples if self.elsewhere is None else self.elsewhere[0]


def correlate(errors: Mapping[str, Floats], groups: Integers | None = None) -> Cross:
    """Return the correlation of every pair of members.

    Args:
        errors: Errors of the members of each ensemble on the same n samples, shape (M_k, n), by
            label; the mean over members has no part in it.
        groups: Number of the group of each sample, from 0, shape (n,).

    Raises:
        ValueError: If there is no ensemble, one has fewer than two members or other samples, or
            an error is not finite.
    """
    sizes = {label: one.shape for label, one in errors.items()}
    if not sizes or len({shape[1:] for shape in sizes.values()}) > 1:
        raise ValueError(f'ensembles must have errors on the same samples, got shapes {sizes}')
    if min(shape[0] for shape in sizes.values()) < 2:
        raise ValueError(f'every ensemble needs two or more members, got shapes {sizes}')
    stacked = np.concatenate(list(errors.values())).astype(np.float64)
    if not np.isfinite(stacked).all():
        raise ValueError('errors must be finite: failed members must be left out')
    if groups is not None and groups.shape != stacked.shape[1:]:
        raise ValueError(f'{len(groups)} groups do not fit {stacked.shape[1]} samples')
    within = None
    if groups is not None:
        within = correlation_matrix(centre_within(stacked, groups), centred=False)
    n_members = {label: shape[0] for label, shape in sizes.items()}
    matrix = correlation_matrix(stacked, centred=True)
    means = correlation_matrix(
        np.array([one.mean(axis=0) for one in errors.values()]), centred=True
    )
    pairs = means[np.triu_indices(len(means), 1)]
    return Cross(
        _pairs(matrix, n_members),
        _pairs(correlation_matrix(stacked, centred=False), n_members),
        None if within is None else _pairs(within, n_members),
        stacked.shape[1],
        n_members,
        pairs[np.isfinite(pairs)],
        *_jackknife(matrix, _without(stacked), n_members),
    )


def join(within: Cross, across: Cross) -> Cross:
    """Return what one says within its ensembles with what the other says across its own.

    They may be of other samples and members: a mean over pairs needs no common ones.
    """
    grouped = None
    if within.within_groups is not None and across.within_groups is not None:
        grouped = Pairs(within.within_groups.within, across.within_groups.across)
    chosen = {'within': within, 'across': across}
    return replace(
        within,
        centred=Pairs(within.centred.within, across.centred.across),
        uncentred=Pairs(within.uncentred.within, across.uncentred.across),
        within_groups=grouped,
        means=across.means,
        errors={name: one.errors[name] for name, one in chosen.items()},
        n_units={name: one.n_units[name] for name, one in chosen.items()},
        elsewhere=(across.n_samples, across.n_members),
    )


def _without(errors: Floats) -> list[Floats]:
    """Return the centred correlation matrix without each stretch of samples in turn."""
    n = errors.shape[1]
    centred = errors - errors.mean(axis=1, keepdims=True)
    parts = np.array_split(centred, min(STRETCHES, n), axis=1)
    products, sums = [part @ part.T for part in parts], [part.sum(axis=1) for part in parts]
    found = []
    for part, product, total in zip(parts, products, sums, strict=True):
        left = n - part.shape[1]
        # the sums of the whole are 0
        covariance = sum(products) - product - np.outer(total, total) / max(left, 1)
        norms = np.sqrt(np.diag(covariance))
        with np.errstate(divide='ignore', invalid='ignore'):
            found.append(covariance / np.outer(norms, norms))
    return found


def _jackknife(
    matrix: Floats, without: Sequence[Floats], n_members: Mapping[str, int]
) -> tuple[dict[str, float], dict[str, int]]:
    """Return standard errors of mean correlations, and the number of units left out in turn.

    Pairs share members: how much the mean varies shows when a member, or an ensemble, is left out.
    They share samples, too, and what all members have in common varies with these.
    """
    owner = np.repeat(np.arange(len(n_members)), list(n_members.values()))
    same = (owner[:, None] == owner) & ~np.eye(len(owner), dtype=bool)
    apart = owner[:, None] != owner
    units = {'within': np.arange(len(owner)), 'across': owner}
    errors, counts = {}, {}
    for name, chosen in (('within', same), ('across', apart)):
        left = []
        for unit in np.unique(units[name]):
            kept = units[name] != unit
            values = matrix[np.ix_(kept, kept)][chosen[np.ix_(kept, kept)]]
            values = values[np.isfinite(values)]
            left.append(float(values.mean()) if values.size else float('nan'))
        counts[name] = len(left)
        samples = [float(one[chosen].mean()) if chosen.any() else float('nan') for one in without]
        errors[name] = float(np.hypot(_error(left), _error(samples)))
    return errors, counts


def _error(left: Sequence[float]) -> float:
    """Return the standard error of a mean from its values with one unit left out each time."""
    n = len(left)
    return float(np.sqrt((n - 1) / n * np.sum((np.array(left) - np.mean(left)) ** 2)))


def density_groups(domains: Sequence[str], kinds: Mapping[str, Domain]) -> Integers:
    """Return the number of the liquid's density for each sample, for the groups of `correlate`.

    Domains that are not liquids are groups of their own.

    Args:
        domains: Domain of each sample, n of them.
        kinds: What every domain is.
    """
    keys = [
        name if (density := kinds[name].density) is None else f'{density:g}' for name in domains
    ]
    return np.unique(keys, return_inverse=True)[1].astype(np.int64)


def _pairs(matrix: Floats, n_members: Mapping[str, int]) -> Pairs:
    owner = np.repeat(np.arange(len(n_members)), list(n_members.values()))
    rows, columns = np.triu_indices(len(matrix), 1)
    values = matrix[rows, columns]
    known = np.isfinite(values)
    same = owner[rows] == owner[columns]
    within = {
        label: values[known & same & (owner[rows] == index)]
        for index, label in enumerate(n_members)
    }
    return Pairs(within, values[known & ~same])
