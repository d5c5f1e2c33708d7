"""Confidence curves by domain as arrays for figures: the error left without the least sure."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from aiida_enne.science.fields import Floats
from aiida_enne.science.npz import Arrays
from aiida_enne.science.uncertainty.local import exchanged
from aiida_enne.science.uncertainty.options import AuditOptions
from aiida_enne.science.uncertainty.samples import Samples, some_of
from aiida_enne.science.uncertainty.scores.detection import REMOVED, confidence_curve

#: Curves of a quantity by what follows `<quantity>_confidence`.
CURVES = ('', '_oracle', '_honest', '_honest_low', '_honest_high')


def confidence_arrays(
    quantities: Mapping[str, Samples], n_domains: int, options: AuditOptions
) -> Arrays:
    """Return the confidence curves of every quantity, see `detection.confidence_curve`.

    Args:
        quantities: Samples by quantity.
        n_domains: D.
        options: Choices of the audit.

    Returns:
        `confidence_removed` (20,), the shares removed; `<quantity>_confidence`, RMSE of what is
        left in units of that of all, largest values of the estimator removed first, and `…_oracle`,
        largest |ε| first; `…_honest`, the median with a member as the truth, `…_honest_low` and
        `…_honest_high`, least and largest of these (of at most `n_force_samples` samples, and only
        where an estimator needs no more than members). Each (D, 20); NaN where there is no error or
        nothing to order by.
    """
    arrays: Arrays = {'confidence_removed': REMOVED}
    for quantity, samples in quantities.items():
        for end in CURVES:
            arrays[f'{quantity}_confidence{end}'] = np.full((n_domains, len(REMOVED)), np.nan)
        for domain in range(n_domains):
            chosen = (samples.domain == domain) & samples.used
            error = samples.mean[chosen] - samples.reference[chosen]
            own = _curve(error, samples.spread[chosen])
            if own is None:
                continue
            found = {'': own, '_oracle': confidence_curve(error, np.abs(error))}
            roles = exchanged(samples.errors(some_of(chosen, options)), options)
            several = [_curve(*role) for role in roles]
            known = [one for one in several if one is not None]
            if known:
                ends = (np.median(known, axis=0), np.min(known, axis=0), np.max(known, axis=0))
                found |= dict(zip(CURVES[2:], ends, strict=True))
            for end, curve in found.items():
                arrays[f'{quantity}_confidence{end}'][domain] = curve
    return arrays


def _curve(error: Floats, values: Floats) -> Floats | None:
    """Return a confidence curve; None where it is not defined."""
    if len(error) < 2 or not np.any(error) or np.ptp(values) == 0:
        return None
    return confidence_curve(error, values)
