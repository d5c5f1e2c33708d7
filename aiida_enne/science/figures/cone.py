"""Error over spread of energies with the cone of figure F7."""

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import NDArray

from aiida_enne.science.fields import Floats
from aiida_enne.science.figures import style
from aiida_enne.science.uncertainty.audit import Audit

#: Points that are smaller than the largest by more than this are not shown on logarithmic axes.
DECADES = 1e5


@style.styled
def draw_cone(audit: Audit, axes: Axes, *, aligned: bool = False, log: bool = True) -> Axes:
    """Draw ε over σ of the energies per atom, one point per configuration (F7).

    Args:
        audit: Result of an audit.
        axes: Where to draw.
        aligned: Whether each one's own zero of energy is taken off.
        log: Whether to draw |ε| on logarithmic axes, or ε with its sign on linear ones.

    Raises:
        ValueError: If the audit was not aligned and `aligned` is true.
    """
    prefix = 'aligned' if aligned else 'energy'
    if f'{prefix}_spread' not in audit.arrays:
        raise ValueError('this audit was not aligned: it knows no domain to take the zeros from')
    unit, factor = style.UNITS[prefix]
    spread = factor * audit.arrays[f'{prefix}_spread']
    error = factor * (audit.arrays[f'{prefix}_mean'] - audit.arrays[f'{prefix}_reference'])
    if log:
        error = np.abs(error)
        # exact agreement, e.g. where the zero was taken, has no place on a logarithmic axis
        shown = (spread > spread.max() / DECADES) & (error > error.max() / DECADES)
    else:
        shown = np.ones(len(spread), dtype=bool)
    domain = audit.arrays['domain_index']
    for index, name in enumerate(audit.arrays['domain_names'].tolist()):
        own = shown & (domain == index)
        axes.scatter(
            spread[own],
            error[own],
            s=16,
            marker=style.marker(index),
            facecolor=style.colour(index),
            edgecolor='white',
            linewidth=0.25,
            alpha=0.8 if own.sum() < 300 else 0.4,
            label=name,
            rasterized=len(spread) > 3000,
        )
    if shown.any():
        (_log_cone if log else _linear_cone)(axes, spread[shown], error[shown])
    axes.set_xlabel(f'spread {audit.width_label} ({unit})')
    axes.set_ylabel(f'error of the mean {"|ε|" if log else "ε"} ({unit})')
    axes.set_title(_title(audit, aligned, shown))
    style.legend_beside(axes)
    return axes


def _title(audit: Audit, aligned: bool, shown: NDArray[np.bool_]) -> str:
    zero = f'zero: {audit.parameters["aligned_domain"]}, {audit.parameters["aligned_by"]}'
    title = f'Energies, {zero if aligned else "raw"}; shaded: |ε| ≤ σ'
    hidden = int((~shown).sum())
    return title + (f'; {hidden} at σ = 0 or ε = 0 not shown' if hidden else '')


def _log_cone(axes: Axes, spread: Floats, error: Floats) -> None:
    low, high = min(spread.min(), error.min()) / 1.5, max(spread.max(), error.max()) * 1.5
    axes.set(xscale='log', yscale='log')
    x_limits = (spread.min() / 1.5, spread.max() * 1.5)
    y_limits = (error.min() / 1.5, error.max() * 1.5)
    ends = np.array([low, high])
    axes.fill_between(ends, low / 1e3, ends, color=style.SHADE, zorder=0)
    axes.plot(ends, ends, color=style.GREY, linewidth=0.9, linestyle='--', zorder=1)
    axes.set(xlim=x_limits, ylim=y_limits)
    style.log_axis(axes.xaxis)
    style.log_axis(axes.yaxis)


def _linear_cone(axes: Axes, spread: Floats, error: Floats) -> None:
    ends = np.array([0, spread.max() * 1.05])
    axes.fill_between(ends, -ends, ends, color=style.SHADE, zorder=0)
    for sign in (-1, 1):
        axes.plot(ends, sign * ends, color=style.GREY, linewidth=0.9, linestyle='--', zorder=1)
    axes.axhline(0, color=style.GREY, linewidth=0.6)
    axes.set_xlim(0, ends[1])
