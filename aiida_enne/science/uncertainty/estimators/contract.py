"""The contract of an estimator as checks, for the tests of any package that registers one."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, get_args

import numpy as np

from aiida_enne.science.contracts import ContractError, require
from aiida_enne.science.fields import Floats
from aiida_enne.science.uncertainty.estimators import make_estimator
from aiida_enne.science.uncertainty.estimators.interface import (
    Asked,
    Estimator,
    Fitted,
    Need,
    Portable,
)


def make_samples(seed: int, *, scale: float = 1.0, n: int = 60, n_members: int = 8) -> Asked:
    """Return samples of a synthetic ensemble whose errors have a common part."""
    rng = np.random.default_rng(seed)
    size = 0.1 + rng.random(n)
    reference = rng.normal(size=n)
    shared, own = rng.normal(size=n), rng.normal(size=(n_members, n))
    members = reference + size * (0.8 * shared + own)
    block = np.repeat(np.arange(n // 6), 6).astype(np.int64)
    features = rng.normal(size=(n_members, n, 5)) + size[:, None]
    trained = 0.5 + rng.normal(size=(n_members, 2 * n, 5))
    domain = (block % 2).astype(np.int64)
    errors = 0.1 * scale * rng.normal(size=(n_members, 2 * n))
    parts = n_members * [np.repeat(['one', 'two', 'three', 'four'], n // 2)]
    known = trained, errors, parts
    snapshots = scale * (reference + 0.3 * size * rng.normal(size=(5, n)))
    return Asked(scale * members, block, scale * reference, features, *known, domain, snapshots)


def check_estimator(name: str, options: dict[str, Any] | None = None) -> Estimator:
    """Check everything that an estimator defines and returns, and return it.

    Raises:
        ContractError: If something is missing, of another shape, or breaks a law.
    """
    estimator = make_estimator(name, options)
    require(isinstance(estimator, Estimator), f'{name} lacks members of `interface.Estimator`')
    require(estimator.name == name, f'{name} calls itself {estimator.name!r}')
    require(estimator.unit in ('quantity', None), f'{name}: unit {estimator.unit!r}')
    require(set(estimator.needs) <= set(get_args(Need)), f'{name} needs {estimator.needs}')
    require(bool(estimator.label()), f'{name} has no label')
    calibration = make_samples(1)
    if estimator.calibrated:
        try:
            estimator.fit(None)
        except ValueError:
            pass
        else:
            raise ContractError(f'{name} is fitted to nothing')
    fitted = estimator.fit(calibration if estimator.calibrated else None)
    judged = make_samples(2)
    values = _values(fitted, judged)
    again = estimator.fit(calibration if estimator.calibrated else None)
    require(np.array_equal(values, _values(again, judged)), f'{name} is not reproducible')
    _check_laws(name, estimator, fitted, judged, values)
    _check_portable(name, fitted, judged)
    return estimator


def _values(fitted: Fitted, samples: Asked) -> Floats:
    """Return the values of samples whose labels are hidden."""
    values = fitted(replace(samples, reference=None))
    require(values.shape == (len(samples),), f'values of shape {values.shape}')
    require(bool(np.isfinite(values).all() and (values >= 0).all()), 'values must be ≥ 0')
    return values


def _check_portable(name: str, fitted: Fitted, judged: Asked) -> None:
    """Compare what plain numbers say with the fitted estimator, if they say it."""
    if not isinstance(fitted, Portable):
        return
    try:
        found = fitted.portable(len(judged.members))
    except ValueError:
        return
    values = _values(fitted, replace(judged, domain=None))
    expected = np.full(len(judged), found.get('constant', 0.0))
    if 'factor' in found:
        expected = found['factor'] * np.std(judged.members, axis=0, ddof=int(found['ddof']))
    require(np.allclose(values, expected, rtol=1e-12), f'{name}: {found} are other widths')


def _check_laws(
    name: str, estimator: Estimator, fitted: Fitted, judged: Asked, values: Floats
) -> None:
    order = np.random.default_rng(0).permutation(len(judged))
    moved = _values(fitted, judged.select(order))
    require(np.allclose(moved, values[order], rtol=1e-12), f'{name}: samples must not meet')
    of_members = 'members', 'features', 'trained', 'trained_errors', 'trained_group'
    turned = replace(judged, **{one: getattr(judged, one)[::-1] for one in of_members})
    require(np.allclose(fitted(turned), values, rtol=1e-9), f'{name}: members have no order')
    if estimator.unit == 'quantity':
        larger = make_samples(1, scale=10.0)
        refitted = estimator.fit(larger if estimator.calibrated else None)
        errors = 10 * np.asarray(judged.trained_errors)
        several = 10 * np.asarray(judged.snapshots)
        tenfold = replace(
            judged, members=10 * judged.members, trained_errors=errors, snapshots=several
        )
        found = refitted(replace(tenfold, reference=None))
        require(np.allclose(found, 10 * values, rtol=1e-9), f'{name} must scale with its unit')
    for key, value in estimator.expectations(8).items():
        require(
            key in ('cone_coverage', 'rmse_over_spread', 'mean_squared_z') and value > 0,
            f'{name}: the expectation {key} = {value}',
        )
