"""Scans of training choices: error and spread at every point, and the scatter of the seeds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from aiida_enne.science.fields import Floats, Integers
from aiida_enne.science.uncertainty import ensemble
from aiida_enne.science.uncertainty.ensemble import PAPER_DDOF

Value = float | int | str


@dataclass(frozen=True, slots=True)
class Row:
    """One point of a scan on one test set, in the unit of the errors.

    Attributes:
        label: Of the point.
        values: What was chosen there, by name.
        member_maes: Mean absolute error of every member, a seed each, shape (M,).
        mae: Mean absolute error of the members' mean.
        rmse: Root mean squared error of the members' mean; NaN for one member, as is `spread`.
        spread: Mean σ.
        ddof: See `ensemble.spread`.
    """

    label: str
    values: dict[str, Value]
    member_maes: Floats
    mae: float
    rmse: float
    spread: float
    ddof: int

    @property
    def member_mae(self) -> float:
        """Mean over seeds of the members' mean absolute errors."""
        return float(self.member_maes.mean())

    @property
    def member_mae_std(self) -> float:
        """Their standard deviation over seeds, `ddof` 1; NaN for one seed."""
        n = len(self.member_maes)
        return float(self.member_maes.std(ddof=1)) if n > 1 else float('nan')


@dataclass(frozen=True, slots=True)
class Comparison:
    """One choice varied, all others held; in the unit of the errors.

    Attributes:
        name: What is varied.
        held: What is held, by name.
        values: Values of the choice, rising where they are numbers, k of them.
        member_mae: Mean over seeds of the members' mean absolute errors, shape (k,).
        member_mae_std: Their standard deviation over seeds, `ddof` 1, NaN for one seed, (k,).
        n_seeds: Number of seeds, shape (k,).
        mae: Mean absolute error of the members' mean, shape (k,).
        spread: Mean σ, NaN for one member, shape (k,).
        seeds: Mean absolute errors of the single members by value, k arrays.
    """

    name: str
    held: dict[str, Value]
    values: tuple[Value, ...]
    member_mae: Floats
    member_mae_std: Floats
    n_seeds: Integers
    mae: Floats
    spread: Floats
    seeds: tuple[Floats, ...] = ()

    @property
    def best(self) -> Value:
        """Value of least error of single members."""
        return self.values[int(self.member_mae.argmin())]

    @property
    def relative_range(self) -> float:
        """How much larger the largest error is than the smallest: 0 where nothing matters."""
        return float(self.member_mae.max() / self.member_mae.min() - 1)

    @property
    def last_change(self) -> float:
        """Relative change of the error at the last step; NaN for one value."""
        if len(self.values) < 2:
            return float('nan')
        return float(self.member_mae[-1] / self.member_mae[-2] - 1)

    def flat(self, tolerance: float) -> bool:
        """Return whether no error is larger than the smallest by more than this share of it."""
        return self.relative_range <= tolerance

    def converged_at(self, tolerance: float) -> Value:
        """Return the first value from which on no error differs from the last by this share."""
        off = np.flatnonzero(np.abs(self.member_mae / self.member_mae[-1] - 1) > tolerance)
        return self.values[int(off[-1]) + 1 if off.size else 0]


def row(label: str, values: Mapping[str, Value], errors: Floats, *, ddof: int = PAPER_DDOF) -> Row:
    """Return error and spread at one point.

    Args:
        label: Of the point.
        values: What was chosen there, by name.
        errors: Errors of the members on the test set, shape (M, n), M ≥ 1.
        ddof: See `ensemble.spread`.

    Raises:
        ValueError: If there are no errors, or one is not finite.
    """
    if errors.ndim != 2 or not errors.size or not np.isfinite(errors).all():
        raise ValueError(f'{label}: errors must be finite and of shape (M, n), got {errors.shape}')
    mean = ensemble.mean(errors)
    spread = float('nan')
    if len(errors) > 1:
        spread = float(ensemble.spread(errors, ddof=ddof).mean())
    return Row(
        label,
        dict(values),
        np.abs(errors).mean(axis=1),
        float(np.abs(mean).mean()),
        float(np.sqrt(np.mean(mean**2))),
        spread,
        ddof,
    )


def compare(rows: Sequence[Row], name: str) -> list[Comparison]:
    """Return one comparison for every choice of what else was varied.

    Args:
        rows: Points on one test set, each with the same names of values. Points with the same
            values count as one with more seeds.
        name: What is varied.

    Raises:
        ValueError: If there are no rows, or one does not have the names of the others.
    """
    names = {frozenset(row.values) for row in rows}
    if len(names) != 1 or name not in next(iter(names)):
        raise ValueError(f'every point must have a value of {name!r}, and the same others')
    groups: dict[tuple[tuple[str, Value], ...], list[Row]] = {}
    for item in rows:
        held = tuple(sorted((key, value) for key, value in item.values.items() if key != name))
        groups.setdefault(held, []).append(item)
    keys = sorted(groups, key=lambda held: [_order(value) for _, value in held])
    return [_compare(groups[held], name, dict(held)) for held in keys]


def _compare(rows: Sequence[Row], name: str, held: dict[str, Value]) -> Comparison:
    points: dict[Value, list[Row]] = {}
    for item in rows:
        points.setdefault(item.values[name], []).append(item)
    values = sorted(points, key=_order)
    seeds = [np.concatenate([item.member_maes for item in points[value]]) for value in values]
    stds = [one.std(ddof=1) if len(one) > 1 else np.nan for one in seeds]
    return Comparison(
        name,
        held,
        tuple(values),
        np.array([one.mean() for one in seeds]),
        np.array(stds),
        np.array([len(one) for one in seeds], dtype=np.int64),
        np.array([np.mean([item.mae for item in points[value]]) for value in values]),
        np.array([np.mean([item.spread for item in points[value]]) for value in values]),
        tuple(seeds),
    )


def _order(value: Value) -> tuple[bool, float, str]:
    """Sort numbers by size, then text."""
    text = isinstance(value, str)
    return (text, 0.0, str(value)) if isinstance(value, str) else (text, float(value), '')
