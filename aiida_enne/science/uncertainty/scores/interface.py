"""What a score is: the one interface between it and the package."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from aiida_enne.science.fields import Floats, Integers
from aiida_enne.science.uncertainty import ensemble

if TYPE_CHECKING:
    from aiida_enne.science.uncertainty.estimators.interface import Asked, Estimator
    from aiida_enne.science.uncertainty.options import AuditOptions

Scalars = dict[str, float | int | None]


@dataclass(frozen=True, slots=True)
class Judged:
    """What scores look at: one quantity of one domain, n samples, n ≥ 1.

    Attributes:
        errors: Errors of the M members, shape (M, n), in eV/atom or eV/Å.
        error: ε, error of their mean, shape (n,).
        width: Values of the estimator, shape (n,): σ in the unit of ε, or a score.
        is_width: Whether they are widths, comparable with |ε|.
        block: Number of the independent block of each sample, from 0, shape (n,).
        trajectory: Number of the stored block of each sample, shape (n,).
        options: Choices of the audit.
        tolerance: τ, the error that the user tolerates, in the unit of ε.
        estimator: What the values come from.
        samples: Some of these samples as the estimator was asked, with features and reference;
            None where it needs no more than members.
        calibration: Some of those that it has learnt from; None where it has not.
    """

    errors: Floats
    error: Floats
    width: Floats
    is_width: bool
    block: Integers
    trajectory: Integers
    options: AuditOptions
    tolerance: float
    estimator: Estimator
    samples: Asked | None = None
    calibration: Asked | None = None

    @classmethod
    def of(
        cls,
        errors: Floats,
        width: Floats,
        blocks: tuple[Integers, Integers],
        quantity: str,
        options: AuditOptions,
        estimator: Estimator,
    ) -> Judged:
        """Return what scores look at.

        Args:
            errors: Errors of the members, shape (M, n).
            width: Values of the estimator, shape (n,).
            blocks: Independent and stored blocks, each of shape (n,).
            quantity: 'energy', 'aligned' or 'force': whose error is tolerated.
            options: Choices of the audit.
            estimator: What the values come from.
        """
        is_width, tolerance = estimator.unit is not None, options.tolerance(quantity)
        error = ensemble.mean(errors)
        return cls(errors, error, width, is_width, *blocks, options, tolerance, estimator)


#: A score, registered in `aiida_enne.scores`: values by name, None (or not finite) where one is not
#: defined. Its names stand in statistics after `energy_`, `aligned_` or `force_`.
Score = Callable[[Judged], Scalars]
