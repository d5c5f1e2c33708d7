"""Correlation of the members' errors: what averaging cannot remove."""

import numpy as np

from aiida_enne.science.fields import Floats, Integers


def correlation_matrix(errors: Floats, *, centred: bool) -> Floats:
    """Return the correlation of every pair of members' error vectors, shape (M, M).

    Args:
        errors: Errors of the members, shape (M, n).
        centred: Whether each member's mean error is removed first (Pearson); else the cosine of
            the angle between the vectors, which keeps a bias that all members share.

    Returns:
        Symmetric matrix, NaN in the rows of members whose errors do not vary.
    """
    vectors = errors - errors.mean(axis=1, keepdims=True) if centred else errors
    products = vectors @ vectors.T
    norms = np.sqrt(np.diag(products))
    with np.errstate(divide='ignore', invalid='ignore'):
        matrix: Floats = products / np.outer(norms, norms)
    # rounding leaves a constant vector with a tiny length and a meaningless direction
    scale = np.abs(errors).max(axis=1, initial=0) * np.sqrt(errors.shape[1])
    flat = norms <= 1e-13 * scale
    matrix[flat] = matrix[:, flat] = np.nan
    np.fill_diagonal(matrix, np.where(flat, np.nan, 1.0))
    return np.clip(matrix, -1, 1)


def centre_within(errors: Floats, groups: Integers) -> Floats:
    """Return the errors less each member's mean error in each group, shape (M, n).

    What is left is correlated by how configurations of one trajectory or density differ, not by
    how trajectories or densities do.

    Args:
        errors: Errors of the members, shape (M, n).
        groups: Number of the group of each sample, from 0, shape (n,).
    """
    counts = np.maximum(np.bincount(groups), 1)
    means = np.array([np.bincount(groups, weights=member) for member in errors]) / counts
    centred: Floats = errors - means[:, groups]
    return centred


def over_pairs(matrix: Floats) -> tuple[float, float]:
    """Return mean and standard deviation (`ddof` 0) over the M (M - 1)/2 pairs; NaN if undefined.

    Args:
        matrix: Correlations, shape (M, M).
    """
    pairs = matrix[np.triu_indices(len(matrix), 1)]
    pairs = pairs[np.isfinite(pairs)]
    if not pairs.size:
        return float('nan'), float('nan')
    return float(pairs.mean()), float(pairs.std())
