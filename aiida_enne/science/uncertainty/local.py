"""⟨ε²/σ²⟩ by domain in bins of σ, volume and temperature, as arrays for figures."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from aiida_enne.science.data.configurations import Configurations
from aiida_enne.science.fields import Floats, Integers
from aiida_enne.science.npz import Arrays
from aiida_enne.science.structures.deformations import VOIGT
from aiida_enne.science.uncertainty import ensemble
from aiida_enne.science.uncertainty.estimators import Asked
from aiida_enne.science.uncertainty.exchange import each_as_truth
from aiida_enne.science.uncertainty.options import AuditOptions
from aiida_enne.science.uncertainty.samples import Samples
from aiida_enne.science.uncertainty.scores.bootstrap import mean_interval
from aiida_enne.science.uncertainty.scores.local import (
    LOCAL_BINS,
    equal_bins,
    local_mean_squared_z,
)

#: Error and width of samples with one member in the place of the truth.
Roles = list[tuple[Floats, Floats]]


def local_arrays(
    quantities: Mapping[str, Samples],
    configurations: Configurations,
    n_domains: int,
    options: AuditOptions,
) -> Arrays:
    """Return local calibration of every quantity whose values are widths.

    Bins are of equal count within a domain. What is binned: σ itself, volume per atom (Å³; the
    reciprocal of the density), and temperature (K) where it is in the info of all configurations.

    Args:
        quantities: Samples by quantity.
        configurations: Those of the samples.
        n_domains: D.
        options: Choices of the audit.

    Returns:
        `<quantity>_local_z_<by>` and `…_centre`, `…_count`; `…_low` and `…_high`, its interval over
        blocks; `…_honest`, the median with a member as the truth (of at most `n_force_samples`
        samples, and only where an estimator needs no more than members). Each (D, LOCAL_BINS); NaN,
        or 0 of a count, where there are fewer samples than bins.
    """
    by_frame: dict[str, Floats] = {'volume': configurations.volumes / configurations.n_atoms}
    temperature = configurations.info.get('temperature')
    if temperature is not None and np.isfinite(temperature).all():
        by_frame['temperature'] = temperature
    arrays: Arrays = {}
    for quantity, samples in quantities.items():
        if not samples.is_width:
            continue
        by = dict(by_frame)
        if quantity in ('force', 'stress'):
            each = 3 * configurations.n_atoms
            each = each if quantity == 'force' else np.full_like(each, len(VOIGT))
            by = {name: np.repeat(values, each) for name, values in by.items()}
        names = [f'{quantity}_local_z_{name}' for name in ('spread', *by)]
        arrays |= {key: value for name in names for key, value in _empty(name, n_domains).items()}
        for domain in range(n_domains):
            own = np.flatnonzero((samples.domain == domain) & samples.used)
            if len(own) >= LOCAL_BINS:
                for name, found in _of_domain(samples, own, by, options).items():
                    arrays[f'{quantity}_local_z_{name}'][domain] = found
    return arrays


def _empty(name: str, n_domains: int) -> Arrays:
    shape = (n_domains, LOCAL_BINS)
    ends = ('', '_centre', '_low', '_high', '_honest')
    arrays: Arrays = {f'{name}{end}': np.full(shape, np.nan) for end in ends}
    return arrays | {f'{name}_count': np.zeros(shape, dtype=np.int64)}


def _of_domain(
    samples: Samples, own: Integers, by_frame: Mapping[str, Floats], options: AuditOptions
) -> Arrays:
    """Return the rows of one domain by the name of what is binned."""
    error, width = samples.mean[own] - samples.reference[own], samples.spread[own]
    some = own
    if len(own) > options.n_force_samples:
        rng = np.random.default_rng(options.seed)
        some = np.sort(rng.choice(own, options.n_force_samples, replace=False))
    roles = exchanged(samples.errors(some), options)
    arrays: Arrays = {}
    for name, by in {'spread': samples.spread, **by_frame}.items():
        found = local_mean_squared_z(error, width, by[own])
        arrays |= {name: found.value, f'{name}_centre': found.centre, f'{name}_count': found.count}
        ends = [
            _interval(error[part], width[part], samples.block[own][part], options)
            for part in equal_bins(by[own])
        ]
        arrays[f'{name}_low'], arrays[f'{name}_high'] = np.array(ends).T
        if roles:
            values = [
                local_mean_squared_z(wrong, wide, wide if name == 'spread' else by[some]).value
                for wrong, wide in roles
            ]
            arrays[f'{name}_honest'] = np.median(values, axis=0)
    return arrays


def _interval(
    error: Floats, width: Floats, block: Integers, options: AuditOptions
) -> tuple[float, float]:
    known = width > 0
    square = (error[known] / width[known]) ** 2
    return mean_interval(
        square, block[known], options.n_bootstrap, options.seed, options.interval_level
    )


def exchanged(errors: Floats, options: AuditOptions) -> Roles:
    """Return samples with each member as the truth; nothing where that has no meaning."""
    estimator = options.make_estimator()
    if estimator.calibrated or tuple(estimator.needs) != ('members',) or len(errors) < 3:
        return []
    fitted, block = estimator.fit(None), np.zeros(errors.shape[1], dtype=np.int64)
    roles = list(each_as_truth(errors, np.zeros(errors.shape[1])))[1:]
    return [
        (ensemble.mean(members) - truth, fitted(Asked(members, block))) for members, truth in roles
    ]
