"""One row per domain: how large is the error, and how large does σ say it is?"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes

from aiida_enne.science.figures import style
from aiida_enne.science.figures.palette import ALONE, Palette
from aiida_enne.science.uncertainty.audit import Audit


@style.styled
def draw_error_and_spread(
    audit: Audit, axes: Axes, *, prefix: str = 'energy', palette: Palette = ALONE
) -> Axes:
    """Draw RMSE, with its bootstrap interval, and rms σ of every domain.

    Args:
        audit: Result of an audit.
        axes: Where to draw.
        prefix: 'energy', 'aligned' or 'force'.
        palette: How domains look.
    """
    unit, factor = style.UNITS[prefix]
    palette, names = _rows(audit, axes, palette)
    for row, name in enumerate(names):
        scalars = audit.domains[name]
        rmse, spread = scalars.get(f'{prefix}_rmse'), scalars.get(f'{prefix}_spread_rms')
        if rmse is None or spread is None:
            style.nothing(axes, row)
            continue
        colour, marker = palette.colour(name), palette.marker(name)
        look: dict[str, Any] = {'marker': marker, 'color': colour, 'markersize': 6}
        if spread > 0:
            ends = [factor * spread, factor * rmse]
            axes.plot(ends, [row, row], color=colour, alpha=0.4, zorder=1)
            axes.plot(factor * spread, row, markerfacecolor='white', **look)
        else:
            style.nothing(axes, row, 'σ = 0')
        axes.plot(factor * rmse, row, **look)
        low, high = scalars.get(f'{prefix}_rmse_low'), scalars.get(f'{prefix}_rmse_high')
        if low is not None and high is not None:
            axes.plot([factor * low, factor * high], [row, row], '|-', color=colour, zorder=2)
    style.log_axes(axes, 'x')
    handles = [
        style.key(axes, 'o', 'RMSE of the mean', markersize=6),
        style.key(axes, 'o', f'rms {audit.width_label}', markersize=6, mfc='white'),
    ]
    axes.legend(handles=handles, loc='lower center', bbox_to_anchor=(0.5, 1.0), ncols=2)
    axes.set_xlabel(f'{style.NOUNS[prefix]} ({unit})')
    return axes


@style.styled
def draw_coverage(
    audit: Audit,
    axes: Axes,
    *,
    prefixes: Sequence[str] = ('energy', 'force'),
    palette: Palette = ALONE,
) -> Axes:
    """Draw the share of samples with |ε| ≤ σ of every domain beside what honesty would give.

    Args:
        audit: Result of an audit.
        axes: Where to draw.
        prefixes: Some of 'energy', 'aligned' and 'force', filled in different ways.
        palette: How domains look.
    """
    palette, names = _rows(audit, axes, palette)
    shifts = np.linspace(-0.16, 0.16, len(prefixes)) if len(prefixes) > 1 else np.zeros(1)
    fills: dict[str, Any] = dict(zip(style.UNITS, ('full', 'left', 'none', 'top'), strict=True))
    for row, name in enumerate(names):
        scalars, colour = audit.domains[name], palette.colour(name)
        for shift, prefix in zip(shifts, prefixes, strict=True):
            coverage = scalars.get(f'{prefix}_cone_coverage')
            if coverage is None:
                continue
            low, high = (scalars.get(f'{prefix}_cone_coverage_{end}') for end in ('low', 'high'))
            if low is not None and high is not None:
                axes.plot(
                    [low, high], 2 * [row + shift], '|-', color=palette.colour(name), zorder=1
                )
            axes.plot(
                coverage,
                row + shift,
                marker=palette.marker(name),
                color=colour,
                fillstyle=fills[prefix],
                markerfacecoloralt='white',
            )
    expected = audit.pooled['expected_cone_coverage']
    members = audit.pooled['n_members']
    axes.axvline(expected or 0, color=style.GREY, linestyle='--', linewidth=1)
    half = {'markerfacecoloralt': 'white'}
    handles = [
        style.key(axes, 'o', style.NOUNS[prefix], fillstyle=fills[prefix], **half)
        for prefix in prefixes
    ]
    handles.append(style.key(axes, '--', f'honest, M = {members}: {expected:.3f}'))
    axes.legend(handles=handles, loc='lower center', bbox_to_anchor=(0.5, 1.0), ncols=3)
    axes.set_xlim(-0.02, 1.02)
    axes.set_xlabel(f'share with |ε| ≤ {audit.width_label}')
    return axes


def _rows(audit: Audit, axes: Axes, palette: Palette) -> tuple[Palette, list[str]]:
    """Name the rows, one per domain, and return these names in order."""
    palette = palette.extended(audit.domains)
    names = palette.sorted(audit.domains)
    style.make_room(axes, style.ROOM + style.ROW * len(names))
    style.name_rows(axes, [palette.label(name) for name in names])
    return palette, names
