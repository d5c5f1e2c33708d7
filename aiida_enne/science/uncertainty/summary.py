"""One quantity of one domain as scalars: what a database stores and a table shows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from aiida_enne.science.fields import Floats, Integers
from aiida_enne.science.uncertainty import ensemble
from aiida_enne.science.uncertainty.estimators.interface import Asked, Estimator
from aiida_enne.science.uncertainty.options import AuditOptions
from aiida_enne.science.uncertainty.scores import (
    Judged,
    Scalars,
    Score,
    all_scores,
    finite,
    load_scores,
)

#: Ensembles are compared with their subsets of this size: the paper's σ(30)/σ(4).
SMALL_ENSEMBLE = 4


@dataclass(frozen=True, slots=True)
class Judge:
    """Everything that samples are judged by, looked up once.

    Attributes:
        options: Choices of the audit.
        estimator: Whose values are judged.
        scores: All registered ones, by name.
        names: Names of what they give.
    """

    options: AuditOptions
    estimator: Estimator
    scores: Mapping[str, Score]
    names: tuple[str, ...]

    @classmethod
    def of(cls, options: AuditOptions) -> Judge:
        """Return the judge of an audit's choices."""
        estimator, scores = options.make_estimator(), load_scores()
        # the names come from the scores, which alone know them: a sample of nothing
        nothing, block = np.zeros((2, 1)), np.zeros(1, dtype=np.int64)
        few = replace(options, n_bootstrap=0)
        empty = Judged.of(nothing, nothing[0], (block, block), 'energy', few, estimator)
        return cls(options, estimator, scores, tuple(all_scores(empty, scores)))

    def judge(
        self,
        errors: Floats,
        width: Floats,
        blocks: tuple[Integers, Integers],
        prefix: str,
        learnt: tuple[Asked | None, Asked | None] = (None, None),
    ) -> Scalars:
        """Return error, width and their agreement for one quantity, None where undefined.

        Args:
            errors: Errors of the members, shape (M, n); the unit is that of the result.
            width: Values of the estimator, shape (n,).
            blocks: Numbers of the independent and of the stored block of each sample, each (n,).
            prefix: 'energy', 'aligned' or 'force'.
            learnt: Some of the samples as the estimator was asked, and of what it has learnt from.
        """
        if not errors.shape[1]:
            return dict.fromkeys(self.names)
        judged = Judged.of(errors, width, blocks, prefix, self.options, self.estimator)
        judged = replace(judged, samples=learnt[0], calibration=learnt[1])
        return all_scores(judged, self.scores)


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
