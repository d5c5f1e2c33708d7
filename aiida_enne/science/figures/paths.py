"""The path of error over spread of one phase with its volume (F5)."""

import numpy as np
from matplotlib.axes import Axes

from aiida_enne.science.figures import style
from aiida_enne.science.properties.paths import VolumePath

MEV = 1000.0

#: Volumes that are written beside their points, at most.
MAX_NAMED = 7


@style.styled
def draw_volume_path(path: VolumePath, axes: Axes) -> Axes:
    """Draw ε over σ, joined in the order of the volume, with the cone |ε| ≤ σ (F5)."""
    spread, error = MEV * path.spread, MEV * path.error
    low, high = min(float(error.min()), 0.0), max(float(error.max()), 0.0)
    pad = 0.06 * (high - low or 1.0)
    right = max(1.08 * float(spread.max()), 1e-9)
    style.draw_cone(axes, right)
    axes.plot(spread, error, color=style.GREY, linewidth=0.9, zorder=2)
    points = axes.scatter(
        spread,
        error,
        c=path.volumes,
        cmap='viridis',
        s=26,
        edgecolor='white',
        linewidth=0.4,
        zorder=3,
    )
    bar = axes.figure.colorbar(points, ax=axes, shrink=0.85, pad=0.02)
    bar.set_label('volume (Å³/atom)', fontsize=8)
    for index in np.unique(
        np.linspace(0, len(spread) - 1, min(len(spread), MAX_NAMED)).astype(int)
    ):
        axes.annotate(
            f'{path.volumes[index]:.1f}',
            (spread[index], error[index]),
            xytext=(5, 4),
            textcoords='offset points',
            fontsize=7,
            color=style.GREY,
        )
    axes.set(xlim=(0, right), ylim=(low - pad, high + pad))
    axes.set_xlabel(f'spread {style.spread_symbol(path.ddof)} (meV/atom)')
    axes.set_ylabel('error of the mean ε (meV/atom)')
    inside = ', '.join(f'{a:.2f} to {b:.2f}' for a, b in path.inside)
    where = f'at {inside} Å³/atom' if inside else 'nowhere'
    axes.set_title(style.wrap(f'{path.name}; shaded: |ε| ≤ σ, {where}', 66))
    return axes
