"""Histograms of force errors by domain (F3)."""

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from scipy.stats import norm

from aiida_enne.science.fields import Floats
from aiida_enne.science.figures import style
from aiida_enne.science.figures.palette import ALONE, Palette
from aiida_enne.science.uncertainty.audit import Audit

#: Share of samples in bins between empty ones from which a density is that of few values.
SPIKES = 0.3


def is_spiky(density: Floats) -> bool:
    """Return whether symmetry leaves errors few values, so that their density is spikes.

    Args:
        density: By bin of one width, shape (b,).
    """
    beside = np.concatenate([[0.0], density, [0.0]])
    alone = (density > 0) & (beside[:-2] == 0) & (beside[2:] == 0)
    total = float(density.sum())
    return total > 0 and float(density[alone].sum()) > SPIKES * total


@style.styled
def draw_force_errors(audit: Audit, axes: Axes, *, palette: Palette = ALONE) -> Axes:
    """Draw the density of ε_F of every domain, each over the Gaussian of its mean and variance.

    The scale is logarithmic: a Gaussian is a parabola and tails are seen. Where symmetry leaves
    few values, these stand at the foot.
    """
    arrays, palette = audit.arrays, palette.extended(audit.domains)
    lowest, widest = np.inf, 0.0
    few: list[Floats] = []
    places = {name: index for index, name in enumerate(arrays['domain_names'].tolist())}
    for name in palette.sorted(places):
        index = places[name]
        edges, density = arrays['force_error_edges'][index], arrays['force_error_density'][index]
        scalars = audit.domains[name]
        bias, rmse = scalars.get('force_bias'), scalars.get('force_rmse')
        if not np.isfinite(density).all() or bias is None or rmse is None:
            continue
        colour, std = palette.colour(name), np.sqrt(max(rmse**2 - bias**2, 0))
        shown = np.where(density > 0, density, np.nan)
        look = {'color': colour, 'linestyle': palette.line(name), 'label': palette.label(name)}
        if is_spiky(density):
            label = f'{palette.label(name)}: few values, at the foot'
            few.append((edges[:-1] + np.diff(edges) / 2)[density > 0])
            place: dict[str, Any] = {'transform': axes.get_xaxis_transform(), 'clip_on': False}
            height = np.full(len(few[-1]), 0.012 + 0.03 * (len(few) - 1))
            axes.plot(few[-1], height, '|', color=colour, label=label, markersize=7, **place)
            widest = max(widest, edges[-1])
            continue
        axes.stairs(shown, edges, **look)
        if std > 0:
            axes.plot(edges, norm.pdf(edges, bias, std), color=colour, linewidth=0.7, alpha=0.7)
        lowest, widest = min(lowest, np.nanmin(shown)), max(widest, edges[-1])
    if widest:
        axes.set_xlim(-widest, widest)
    if np.isfinite(lowest):
        axes.set(yscale='log', ylim=(lowest / 2, None))
        style.log_axes(axes, 'y')
    axes.set(xlabel='force error ε (eV/Å)', ylabel='density (Å/eV)')
    axes.set_title('Errors of force components; thin: Gaussians of equal mean and variance')
    style.legend_beside(axes)
    return axes
