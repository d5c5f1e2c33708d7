"""Local calibration: is σ right in every part of its range, at every volume and temperature?"""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from aiida_enne.science.figures import style
from aiida_enne.science.figures.palette import ALONE, Palette
from aiida_enne.science.uncertainty.audit import Audit

#: Ratio of the largest to the smallest σ from which their axis is logarithmic.
DECADE = 10
#: What may be binned: its label with its unit.
BINNED = {
    'spread': '',
    'volume': 'volume (Å³/atom)',
    'temperature': 'temperature (K)',
}


@style.styled
def draw_local_z(
    audit: Audit,
    axes: Axes,
    *,
    prefix: str = 'energy',
    by: str = 'spread',
    palette: Palette = ALONE,
) -> Axes:
    """Draw ⟨ε²/σ²⟩ in bins of equal count, a panel per domain, beside that of an honest ensemble.

    Args:
        audit: Result of an audit.
        axes: Where to draw; split into panels.
        prefix: 'energy', 'aligned', 'force' or 'stress'.
        by: What is binned: 'spread', 'volume' or 'temperature'.
        palette: How domains look.

    Raises:
        ValueError: If no domain has bins of that.
    """
    names = binned(audit, prefix, by)
    if not names:
        raise ValueError(f'no domain has bins of {by} of {style.NOUNS[prefix]}')
    palette = palette.extended(names)
    unit, factor = style.UNITS[prefix]
    scale = factor if by == 'spread' else 1.0
    found = {name: _bins(audit, prefix, by, name) for name in names}
    drawn = np.concatenate(
        [np.concatenate([one['value'], one['honest']]) for one in found.values()]
    )
    known = drawn[drawn > 0]
    limits = 0.4 * float(known.min()), 2.5 * float(known.max())
    for panel, name in zip(style.tiles(axes, len(names)), palette.sorted(names), strict=True):
        one, colour = found[name], palette.colour(name)
        at = scale * one['centre']
        low = np.where(one['low'] > 0, one['low'], limits[0] / 10)
        panel.vlines(at, low, one['high'], color=colour, alpha=0.55, linewidth=1.4)
        panel.plot(at, one['value'], color=colour, marker=palette.marker(name), markersize=5)
        panel.plot(at, one['honest'], color=style.GREY, linestyle='--', linewidth=1)
        panel.axhline(1, color=style.GREY, linewidth=0.6)
        panel.margins(x=0.12)
        panel.set_yscale('log')
        panel.set_ylim(*limits)
        is_wide = by == 'spread' and 0 < DECADE * at.min() < at.max()
        if is_wide:
            panel.set_xscale('log')
        else:
            panel.xaxis.set_major_locator(MaxNLocator(5))
        style.log_axes(panel, 'xy' if is_wide else 'y')
        count = one['count']
        each = f'{count.min()}' if count.min() == count.max() else f'{count.min()} to {count.max()}'
        style.title(panel, palette.label(name), f'{each} samples a bin')
    label = BINNED[by] or f'{audit.width_label} ({unit})'
    style.label_tiles(axes, f'{label}, mean of the bin', f'⟨ε²/σ²⟩, {style.NOUNS[prefix]}')
    handles = [
        style.key(axes, 'o-', 'of the bin, with its interval', markersize=5),
        style.key(axes, '--', 'honest ensemble, median', linewidth=1),
    ]
    style.legend_above(axes, handles)
    return axes


def binned(audit: Audit, prefix: str, by: str) -> list[str]:
    """Return the domains with bins of something that varies there."""
    if f'{prefix}_local_z_{by}' not in audit.arrays:
        return []
    names = audit.arrays['domain_names'].tolist()
    found = []
    for name in names:
        one = _bins(audit, prefix, by, name)
        differs = np.ptp(one['centre']) > 1e-6 * np.abs(one['centre']).max()
        if np.isfinite(one['value']).all() and differs:
            found.append(name)
    return found


def _bins(audit: Audit, prefix: str, by: str, name: str) -> dict[str, Any]:
    row = audit.arrays['domain_names'].tolist().index(name)
    arrays, stem = audit.arrays, f'{prefix}_local_z_{by}'
    ends = ('centre', 'low', 'high', 'honest', 'count')
    return {'value': arrays[stem][row]} | {end: arrays[f'{stem}_{end}'][row] for end in ends}
