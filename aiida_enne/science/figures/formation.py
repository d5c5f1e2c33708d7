"""Formation and surface energies along relaxations (F6) and over the size of the cell (S6-S8)."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from aiida_enne.science.fields import Floats, Integers
from aiida_enne.science.figures import style
from aiida_enne.science.figures.palette import ALONE, Palette, marker, shade, shown
from aiida_enne.science.figures.violins import Violin, summarise
from aiida_enne.science.properties.formation import Formation, SizeSeries

NOUNS = {'E_f': 'formation energy', 'γ': 'surface energy γ'}

#: Steps that get a violin, at most.
MAX_VIOLINS = 12

SIZES = {'repeats': 'conventional cells along each edge', 'layers': 'layers of the slab'}


@style.styled
def draw_formation(
    formation: Formation,
    axes: Axes,
    *,
    own: Formation | None = None,
    palette: Palette = ALONE,
) -> Axes:
    """Draw E_f or γ along a relaxation, and below it the distribution of the members' errors (F6).

    Violins: dot mean, line median, box quartiles, whiskers 5 % and 95 %. Without a reference they
    are those of the members less their mean.

    Args:
        formation: Along the reference's relaxation.
        axes: Where to draw; split into two.
        own: Along the relaxation by the ensemble itself, drawn beside it where given.
        palette: How domains look.
    """
    palette = palette.extended([formation.domain])
    upper, lower = style.split(axes, 2, 1, heights=(3, 2))
    steps, mean, spread = formation.steps, formation.mean, formation.spread
    tint = palette.colour(formation.domain)
    upper.fill_between(steps, mean - spread, mean + spread, color=tint, alpha=0.2, linewidth=0)
    band = f'mean ± {style.spread_symbol(formation.ddof)}'
    upper.plot(steps, mean, color=tint, label=band)
    known = bool(np.isfinite(formation.reference).all())
    if known:
        upper.plot(
            steps,
            formation.reference,
            'o-',
            color='black',
            markerfacecolor='white',
            markersize=3.5,
            linewidth=0.8,
            label='reference',
        )
    if own is not None:
        upper.plot(
            own.steps,
            own.mean,
            color=tint,
            linestyle='--',
            label='mean, relaxed by the ensemble itself',
        )
    upper.set_ylabel(f'{NOUNS[formation.symbol]}\n({formation.unit})')
    upper.tick_params(labelbottom=False)
    upper.legend(loc='lower left', bbox_to_anchor=(0, 1.0), ncols=3, borderaxespad=0.2)
    if formation.joule_per_square_metre is not None:
        factor = formation.joule_per_square_metre
        functions = (lambda y: np.asarray(y) * factor, lambda y: np.asarray(y) / factor)
        second = upper.secondary_yaxis('right', functions=functions)
        second.set_ylabel('J/m²', fontsize=8)
    deviations = formation.errors if known else formation.members - mean
    _draw_violins(lower, steps, deviations, tint)
    lower.axhline(0, color='black', linewidth=0.8, zorder=1)
    limits = np.array([upper.get_xlim(), lower.get_xlim()])
    for panel in (upper, lower):
        panel.set_xlim(limits.min(), limits.max())
    lower.xaxis.set_major_locator(MaxNLocator(integer=True))
    lower.set_xlabel(f'{shown(formation.domain)}: step of the relaxation')
    what = 'errors of\nthe members' if known else 'members less\ntheir mean'
    lower.set_ylabel(f'{what} ({"eV" if formation.symbol == "E_f" else "eV/surf. atom"})')
    return axes


@style.styled
def draw_size_series(series: Sequence[SizeSeries], axes: Axes) -> Axes:
    """Draw E_f or γ of relaxed geometries over the size of the cell (S6, S7, S8).

    Raises:
        ValueError: If there are none, or kinds are mixed.
    """
    kinds = {(one.unit, one.size_name, one.symbol, one.ddof) for one in series}
    if len(kinds) != 1:
        raise ValueError(f'series of one kind can be drawn together, got {sorted(kinds)}')
    unit, size_name, symbol, ddof = kinds.pop()
    shifts = 0.06 * (np.arange(len(series)) - (len(series) - 1) / 2)
    for index, one in enumerate(series):
        look: dict[str, Any] = {'color': shade(index, len(series)), 'marker': marker(index)}
        x = one.sizes + shifts[index]
        axes.errorbar(x, one.mean, one.spread, fmt='none', ecolor=look['color'], capsize=3)
        axes.plot(x, one.mean, label=shown(one.name), **look)
        axes.plot(x, one.reference, '--', mfc='white', linewidth=0.8, **look)
    style.key(axes, '|-', f'mean ± {style.spread_symbol(ddof)}')
    style.key(axes, 'o--', 'reference', mfc='white', linewidth=0.8)
    axes.set_xticks(sorted({int(size) for one in series for size in one.sizes}))
    axes.set(xlabel=SIZES[size_name], ylabel=f'{NOUNS[symbol]} ({unit})')
    axes.set_title('At the end of the relaxation by the reference')
    style.legend_beside(axes)
    return axes


def _draw_violins(axes: Axes, steps: Integers, deviations: Floats, tint: str) -> None:
    # evenly from the last step backwards: the end of the relaxation is what matters
    chosen = range(len(steps) - 1, -1, -len(steps) // MAX_VIOLINS)
    gap = float(np.diff(steps[list(chosen)[::-1]]).min()) if len(chosen) > 1 else 1.0
    for index in chosen:
        _draw_violin(axes, float(steps[index]), summarise(deviations[:, index]), 0.4 * gap, tint)


def _draw_violin(axes: Axes, x: float, violin: Violin, width: float, tint: str) -> None:
    half = width * violin.density / violin.density.max()
    axes.fill_betweenx(violin.grid, x - half, x + half, color=tint, alpha=0.25, linewidth=0)
    axes.plot([x, x], violin.whiskers, color=tint, linewidth=0.9)
    box = 0.3 * width
    low, high = violin.quartiles
    axes.fill_between([x - box, x + box], low, high, color=tint, alpha=0.5, linewidth=0)
    axes.plot([x - box, x + box], 2 * [violin.median], color='white', linewidth=1.2)
    axes.plot(x, violin.mean, 'o', color='black', markersize=2.5, zorder=3)
