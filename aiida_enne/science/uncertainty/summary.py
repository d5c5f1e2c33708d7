"""One quantity of one domain as scalars: what a database stores and a table shows."""

import numpy as np

from aiida_enne.science.fields import Floats, Integers
from aiida_enne.science.uncertainty import ensemble
from aiida_enne.science.uncertainty.estimators.interface import Estimator
from aiida_enne.science.uncertainty.options import AuditOptions
from aiida_enne.science.uncertainty.scores import Judged, Scalars, all_scores, finite

#: Ensembles are compared with their subsets of this size: the paper's σ(30)/σ(4).
SMALL_ENSEMBLE = 4


def summarise(
    errors: Floats, width: Floats, blocks: Integers, options: AuditOptions, *, is_width: bool = True
) -> Scalars:
    """Return error, spread and their agreement for one quantity.

    Args:
        errors: Errors of the members, shape (M, n), n ≥ 1; the unit is that of the result.
        width: Values of the estimator, shape (n,).
        blocks: Number of the trajectory block of each sample, from 0, shape (n,).
        options: Choices of the audit.
        is_width: Whether the values are widths in the unit of the errors.

    Returns:
        Scalars by name; None where one is not defined.
    """
    return all_scores(Judged(errors, ensemble.mean(errors), width, is_width, blocks, options))


def undefined() -> Scalars:
    """Return the names of `summarise` with no values: a quantity that has no samples."""
    # the names come from the scores, which alone know them: a sample of nothing
    nothing = np.zeros((2, 1))
    options = AuditOptions(n_bootstrap=0)
    return dict.fromkeys(summarise(nothing, nothing[0], np.zeros(1, dtype=np.int64), options))


def expectations(n_members: int, estimator: Estimator, ddof: int) -> Scalars:
    """Return what perfect widths would score, by name; None where that is not known."""
    sizes = [SMALL_ENSEMBLE, n_members]
    null = ensemble.null_spread(sizes, ddof=ddof)
    known = estimator.expectations(n_members)
    names = ('cone_coverage', 'rmse_over_spread', 'mean_squared_z')
    values: Scalars = {f'expected_{name}': known.get(name) for name in names}
    values['expected_spread_growth'] = float(null[1] / null[0]) if n_members > sizes[0] else None
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
