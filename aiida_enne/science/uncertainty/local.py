"""⟨ε²/σ²⟩ by domain in bins of σ, volume and temperature, as arrays for figures."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from aiida_enne.science.data.configurations import Configurations
from aiida_enne.science.fields import Floats
from aiida_enne.science.npz import Arrays
from aiida_enne.science.uncertainty.samples import Samples
from aiida_enne.science.uncertainty.scores.local import LOCAL_BINS, local_mean_squared_z


def local_arrays(
    quantities: Mapping[str, Samples], configurations: Configurations, n_domains: int
) -> Arrays:
    """Return local calibration of every quantity whose values are widths.

    Bins are of equal count within a domain. What is binned: σ itself, volume per atom (Å³; the
    reciprocal of the density), and temperature (K) where it is in the info of all configurations.

    Args:
        quantities: Samples by quantity.
        configurations: Those of the samples.
        n_domains: D.

    Returns:
        `<quantity>_local_z_<by>` and `…_centre`, `…_count`, each (D, LOCAL_BINS); NaN, or 0 of a
        count, where there are fewer samples than bins.
    """
    by_frame: dict[str, Floats] = {'volume': configurations.volumes / configurations.n_atoms}
    temperature = configurations.info.get('temperature')
    if temperature is not None and np.isfinite(temperature).all():
        by_frame['temperature'] = temperature
    arrays: Arrays = {}
    for quantity, samples in quantities.items():
        if not samples.is_width:
            continue
        each = 3 * configurations.n_atoms if quantity == 'force' else 1
        by = {'spread': samples.spread}
        by |= {name: np.repeat(values, each) for name, values in by_frame.items()}
        for name, values in by.items():
            arrays |= _binned(f'{quantity}_local_z_{name}', samples, values, n_domains)
    return arrays


def _binned(name: str, samples: Samples, by: Floats, n_domains: int) -> Arrays:
    shape = (n_domains, LOCAL_BINS)
    value, centre = np.full(shape, np.nan), np.full(shape, np.nan)
    count = np.zeros(shape, dtype=np.int64)
    for domain in range(n_domains):
        own = (samples.domain == domain) & samples.used
        if own.sum() < LOCAL_BINS:
            continue
        error = samples.mean[own] - samples.reference[own]
        found = local_mean_squared_z(error, samples.spread[own], by[own])
        value[domain], centre[domain], count[domain] = found.value, found.centre, found.count
    return {name: value, f'{name}_centre': centre, f'{name}_count': count}
