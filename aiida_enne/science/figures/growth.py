"""σ over the number of members for every system (S3)."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from aiida_enne.science.fields import Floats
from aiida_enne.science.figures import style
from aiida_enne.science.figures.palette import ALONE, Palette, shade, shown
from aiida_enne.science.uncertainty.growth import Growth


@style.styled
def draw_spread_growth(
    growth: Growth,
    axes: Axes,
    *,
    domains: Mapping[str, str] | None = None,
    palette: Palette = ALONE,
) -> Axes:
    """Draw σ(M) of all systems relative to that of all members, and σ(M)/σ(4) of each (S3).

    Args:
        growth: Systems, each in its own unit.
        axes: Where to draw.
        domains: Domain of each system; its own name by default.
        palette: How domains look.
    """
    known = {name: one for name, one in growth.curves.items() if one.means[-1] > 0}
    ratios = {name: ratio for name in known if (ratio := growth.ratio(name)) is not None}
    left, *right = style.split(axes, 1, 2 if ratios else 1)
    sizes = next(iter(growth.curves.values())).sizes
    _draw_curves(left, growth, [one.means / one.means[-1] for one in known.values()])
    left.set_xlabel('number of members M')
    left.set_ylabel(f'{style.spread_symbol(growth.ddof)} relative to M = {sizes[-1]}')
    if not right:
        return axes
    own = {name: (domains or {}).get(name, name) for name in ratios}
    palette = palette.extended(own.values())
    order = sorted(ratios, key=lambda name: palette.domains.index(own[name]))
    for row, name in enumerate(order):
        look = {'color': palette.colour(own[name]), 'marker': palette.marker(own[name])}
        right[0].plot(ratios[name], row, markersize=6, **look)
    right[0].axvline(growth.expected_ratio or 0, color='black', linestyle='--', linewidth=1)
    style.make_room(axes, style.ROOM + style.ROW * len(order))
    names = [palette.label(name) if own[name] == name else shown(name) for name in order]
    style.name_rows(right[0], names)
    right[0].set_xlabel(f'σ({sizes[-1]})/σ({growth.small})')
    return axes


def _draw_curves(axes: Axes, growth: Growth, curves: Sequence[Floats]) -> None:
    """Draw what all systems have in common: lines that lie on each other tell no more."""
    sizes = next(iter(growth.curves.values())).sizes
    expected = growth.expected_ratio
    null = 'independent Gaussians' + ('' if expected is None else f' ({expected:.2f})')
    if curves:
        low, middle, high = np.percentile(curves, [0, 50, 100], axis=0)
        look: dict[str, Any] = {'color': shade(0), 'alpha': 0.25, 'linewidth': 0}
        axes.fill_between(sizes, low, high, label=f'range of {len(curves)} systems', **look)
        axes.plot(sizes, middle, color=shade(0), label='their median')
    axes.plot(sizes, growth.null, color='black', linestyle='--', label=null)
    axes.set_ylim(bottom=0)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.legend(loc='lower right')
