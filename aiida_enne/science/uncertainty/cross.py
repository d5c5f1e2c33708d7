"""Correlations of members' errors within one ensemble and across several (S10)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from aiida_enne.science.fields import Floats, Integers
from aiida_enne.science.structures.domains import parse
from aiida_enne.science.uncertainty.scores.correlations import centre_within, correlation_matrix


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
    """

    centred: Pairs
    uncentred: Pairs
    within_groups: Pairs | None
    n_samples: int
    n_members: dict[str, int]


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
    return Cross(
        _pairs(correlation_matrix(stacked, centred=True), n_members),
        _pairs(correlation_matrix(stacked, centred=False), n_members),
        None if within is None else _pairs(within, n_members),
        stacked.shape[1],
        n_members,
    )


def density_groups(domains: Sequence[str]) -> Integers:
    """Return the number of the liquid's density for each sample, for the groups of `correlate`.

    Domains that are not liquids are groups of their own.

    Args:
        domains: Domain of each sample, n of them.
    """
    parsed = {name: parse(name) for name in set(domains)}
    keys = [
        name if (density := parsed[name].density) is None else f'{density:g}' for name in domains
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
