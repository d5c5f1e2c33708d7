"""What the members have in common: the bias–variance–covariance identity, and correlations."""

from aiida_enne.science.uncertainty.scores.calibration import (
    decompose,
    rmse_over_spread_from_correlation,
)
from aiida_enne.science.uncertainty.scores.correlations import (
    centre_within,
    correlation_matrix,
    over_pairs,
)
from aiida_enne.science.uncertainty.scores.interface import Judged, Scalars


def score(judged: Judged) -> Scalars:
    """Return the terms of the identity, and mean and deviation of correlations over pairs."""
    errors, options = judged.errors, judged.options
    identity = decompose(errors)
    values: Scalars = {
        'identity_bias': identity.bias,
        'identity_variance': identity.variance,
        'identity_covariance': identity.covariance,
        'identity_bias_variance': identity.bias_variance,
        'identity_correlation': identity.correlation,
        'identity_mean_squared_error': identity.mean_squared_error,
        'identity_mean_squared_spread': identity.mean_squared_spread,
        'rmse_over_spread_from_correlation': rmse_over_spread_from_correlation(
            identity.correlation, len(errors), ddof=options.ddof
        ),
    }
    kinds = {
        'member_correlation': correlation_matrix(errors, centred=True),
        'member_correlation_uncentred': correlation_matrix(errors, centred=False),
        'member_correlation_within_blocks': correlation_matrix(
            centre_within(errors, judged.trajectory), centred=False
        ),
    }
    for name, matrix in kinds.items():
        values[f'{name}_mean'], values[f'{name}_std'] = over_pairs(matrix)
    return values
