"""Counts that figures of millions of force components are drawn from."""

import numpy as np

from aiida_enne.science.fields import Floats, Integers
from aiida_enne.science.npz import Arrays
from aiida_enne.science.uncertainty.options import AuditOptions
from aiida_enne.science.uncertainty.samples import Samples


def force_histograms(samples: Samples, n_domains: int, options: AuditOptions) -> Arrays:
    """Count force components by error, by value and by spread.

    Args:
        samples: Force components, n of them.
        n_domains: D.
        options: Choices of the audit: numbers of bins.

    Returns:
        `force_error_edges` (D, bins + 1) in eV/Å and `force_error_density` (D, bins) in Å/eV: the
        error histogram of each domain (F3), normalised over all its components;
        `force_parity_edges` (bins + 1,) in eV/Å and `force_parity_counts` (D, bins, bins), axes
        reference and mean (F2); `force_cone_spread_edges`, `force_cone_error_edges` (bins + 1,),
        decadic logarithms of eV/Å, and `force_cone_counts` (D, bins, bins), axes σ and |ε|, what
        lies beyond an edge counted in the outermost bin. NaN or 0 where a domain has no component.
    """
    keep = samples.used
    reference, mean, spread = samples.reference[keep], samples.mean[keep], samples.spread[keep]
    domain, error = samples.domain[keep], mean - reference
    limit = float(np.abs([reference, mean]).max(initial=0)) or 1.0
    parity = np.linspace(-limit, limit, options.parity_bins + 1)
    spread_edges = _log_edges(spread, options.cone_bins)
    error_edges = _log_edges(np.abs(error), options.cone_bins)
    arrays: Arrays = {
        'force_error_edges': np.full((n_domains, options.error_bins + 1), np.nan),
        'force_error_density': np.full((n_domains, options.error_bins), np.nan),
        'force_parity_edges': parity,
        'force_parity_counts': np.zeros((n_domains, *2 * [options.parity_bins]), dtype=np.int64),
        'force_cone_spread_edges': spread_edges,
        'force_cone_error_edges': error_edges,
        'force_cone_counts': np.zeros((n_domains, *2 * [options.cone_bins]), dtype=np.int64),
    }
    for index in range(n_domains):
        own = domain == index
        if not own.any():
            continue
        edges, density = error_histogram(error[own], options.error_bins)
        arrays['force_error_edges'][index], arrays['force_error_density'][index] = edges, density
        arrays['force_parity_counts'][index] = _count(reference[own], mean[own], parity, parity)
        arrays['force_cone_counts'][index] = _count(
            _log(spread[own]), _log(np.abs(error[own])), spread_edges, error_edges
        )
    return arrays


def error_histogram(error: Floats, bins: int) -> tuple[Floats, Floats]:
    """Return edges, symmetric about 0, and the density per unit of error.

    The edges leave out the outermost 0.2 % of |ε|, which would flatten the rest; the density is
    normalised over all samples, so that nothing is hidden: its integral falls short of 1.
    """
    limit = float(np.percentile(np.abs(error), 99.8)) or 1e-12
    edges = np.linspace(-limit, limit, bins + 1)
    counts, _ = np.histogram(error, bins=edges)
    return edges, counts / (len(error) * np.diff(edges))


def _log(values: Floats) -> Floats:
    with np.errstate(divide='ignore'):
        logarithms: Floats = np.log10(values)
    return logarithms


def _log_edges(values: Floats, bins: int) -> Floats:
    """Span the values, less the lowest 0.1 %, which exact agreement draws out without end."""
    values = values[values > 0]
    low, high = np.log10(np.percentile(values, [0.1, 100])) if len(values) else (-3.0, 0.0)
    return np.linspace(low - 0.05, high + 0.05, bins + 1)


def _count(first: Floats, second: Floats, edges: Floats, other: Floats) -> Integers:
    x, y = np.clip(first, edges[0], edges[-1]), np.clip(second, other[0], other[-1])
    counts = np.histogram2d(x, y, bins=(edges, other))[0]
    return counts.astype(np.int64)
