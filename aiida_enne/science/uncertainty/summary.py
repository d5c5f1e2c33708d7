"""One quantity of one domain as scalars: what a database stores and a table shows."""

import math

import numpy as np

from aiida_enne.science.fields import Floats, Integers
from aiida_enne.science.uncertainty import calibration, ensemble
from aiida_enne.science.uncertainty.bootstrap import block_intervals
from aiida_enne.science.uncertainty.correlations import (
    centre_within,
    correlation_matrix,
    over_pairs,
)
from aiida_enne.science.uncertainty.options import AuditOptions

Scalars = dict[str, float | int | None]

#: Nominal levels, in percent, of the finite-M intervals that are checked.
INTERVAL_LEVELS = (68, 95)

#: Ensembles are compared with their subsets of this size: the paper's σ(30)/σ(4).
SMALL_ENSEMBLE = 4


def summarise(errors: Floats, blocks: Integers, options: AuditOptions) -> Scalars:
    """Return error, spread and their agreement for one quantity.

    Args:
        errors: Errors of the members, shape (M, n), n ≥ 1; the unit is that of the result.
        blocks: Number of the trajectory block of each sample, from 0, shape (n,).
        options: Choices of the audit.

    Returns:
        Scalars by name; None where one is not defined.
    """
    m, ddof = len(errors), options.ddof
    error, spread = ensemble.mean(errors), ensemble.spread(errors, ddof=ddof)
    rmse, rms_spread = _rms(error), _rms(spread)
    member_maes = np.abs(errors).mean(axis=1)
    identity = calibration.decompose(errors)
    values: Scalars = {
        'mae': float(np.abs(error).mean()),
        'rmse': rmse,
        'bias': float(error.mean()),
        'error_max': float(np.abs(error).max()),
        'member_mae_mean': float(member_maes.mean()),
        'member_mae_max': float(member_maes.max()),
        'spread_mean': float(spread.mean()),
        'spread_rms': rms_spread,
        'spread_min': float(spread.min()),
        'spread_max': float(spread.max()),
        'rmse_over_spread': rmse / rms_spread if rms_spread > 0 else None,
        'cone_coverage': calibration.cone_coverage(error, spread),
        'mean_squared_z': calibration.mean_squared_z(error, spread),
        'rank_correlation': calibration.rank_correlation(error, spread),
        'expected_rank_correlation': calibration.expected_rank_correlation(
            spread, seed=options.seed
        ),
        'n_zero_spread': int((spread == 0).sum()),
        'identity_bias': identity.bias,
        'identity_variance': identity.variance,
        'identity_covariance': identity.covariance,
        'identity_bias_variance': identity.bias_variance,
        'identity_correlation': identity.correlation,
        'identity_mean_squared_error': identity.mean_squared_error,
        'identity_mean_squared_spread': identity.mean_squared_spread,
        'rmse_over_spread_from_correlation': calibration.rmse_over_spread_from_correlation(
            identity.correlation, m, ddof=ddof
        ),
    }
    for level in INTERVAL_LEVELS:
        values[f'interval_coverage_{level}'] = calibration.interval_coverage(
            error, spread, m, level=level / 100, ddof=ddof
        )
    kinds = {
        'member_correlation': correlation_matrix(errors, centred=True),
        'member_correlation_uncentred': correlation_matrix(errors, centred=False),
        'member_correlation_within_blocks': correlation_matrix(
            centre_within(errors, blocks), centred=False
        ),
    }
    for name, matrix in kinds.items():
        values[f'{name}_mean'], values[f'{name}_std'] = over_pairs(matrix)
    intervals = block_intervals(
        error,
        spread,
        blocks,
        n_bootstrap=options.n_bootstrap,
        seed=options.seed,
        level=options.interval_level,
    )
    for name, (low, high) in intervals.items():
        values[f'{name}_low'], values[f'{name}_high'] = low, high
    return {name: finite(value) for name, value in values.items()}


def undefined() -> Scalars:
    """Return the names of `summarise` with no values: a quantity that has no samples."""
    # the names come from the one place that knows them: a sample of nothing
    none, options = np.zeros((2, 1)), AuditOptions(n_bootstrap=0)
    return dict.fromkeys(summarise(none, np.zeros(1, dtype=np.int64), options))


def expectations(n_members: int, ddof: int) -> Scalars:
    """Return what an ensemble exchangeable with the truth would score, by name."""
    sizes = [SMALL_ENSEMBLE, n_members]
    null = ensemble.null_spread(sizes, ddof=ddof)
    values: Scalars = {
        'expected_cone_coverage': calibration.expected_cone_coverage(n_members, ddof=ddof),
        'expected_rmse_over_spread': calibration.expected_rmse_over_spread(n_members, ddof=ddof),
        'expected_mean_squared_z': calibration.expected_mean_squared_z(n_members, ddof=ddof),
        'expected_spread_growth': float(null[1] / null[0]) if n_members > sizes[0] else None,
    }
    return {name: finite(value) for name, value in values.items()}


def spread_growth(means: Floats, sizes: Integers) -> float | None:
    """Return σ(M)/σ(4) of a size curve; None where there are no more than 4 members.

    Args:
        means: ⟨σ⟩ by size, shape (s,).
        sizes: Numbers of members, increasing, shape (s,).
    """
    small = np.flatnonzero(sizes == SMALL_ENSEMBLE)
    if not small.size or sizes[-1] == SMALL_ENSEMBLE or not means[small[0]] > 0:
        return None
    return float(means[-1] / means[small[0]])


def finite(value: float | int | None) -> float | int | None:
    """Return the number, or None for what is not finite: JSON knows no NaN."""
    return None if value is None or not math.isfinite(value) else value


def _rms(values: Floats) -> float:
    return float(np.sqrt(np.mean(values**2)))
