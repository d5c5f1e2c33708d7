"""Error over spread of energies from any number of datasets (F7, S9), and the threshold rule."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Literal

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from numpy.typing import NDArray

from aiida_enne.science.fields import Strings
from aiida_enne.science.figures import style
from aiida_enne.science.figures.palette import ALONE, Palette
from aiida_enne.science.properties.scatter import PER_ATOM, Scatter, flags, join

By = Literal['domain', 'family']

MEV = 1000.0

#: What an energy in each unit is of.
NOUNS = {PER_ATOM: 'atom', 'eV': 'defect', 'eV per surface atom': 'surface atom'}

#: Points that are smaller than the largest by more than this are not shown on logarithmic axes.
DECADES = 1e5

#: Panels beside each other.
COLUMNS = 3


@style.styled
def draw_scatter(
    scatter: Scatter,
    axes: Axes,
    *,
    by: By = 'domain',
    log: bool = False,
    palette: Palette = ALONE,
) -> Axes:
    """Draw ε over σ, one point per energy, with the cone |ε| ≤ σ (F7 a, b, c).

    A cross marks where the ensemble has the lowest energy of a phase.

    Args:
        scatter: Points; choose the liquids for F7a, the phases for F7b.
        axes: Where to draw.
        by: What has a colour of its own.
        log: Whether to draw |ε| on logarithmic axes, or ε with its sign on linear ones.
        palette: How domains look.

    Raises:
        ValueError: If there are no points.
    """
    if not len(scatter):
        raise ValueError('there are no points to draw')
    unit, factor = _unit(scatter)
    palette = palette.extended(_labels(scatter, by).tolist())
    _draw_points(scatter, axes, by, factor, palette=palette, log=log)
    _draw_cone(axes, scatter, factor, log=log)
    axes.set_xlabel(f'spread {scatter.width or style.spread_symbol(scatter.ddof)} ({unit})')
    axes.set_ylabel(f'error of the mean {"|ε|" if log else "ε"} ({unit})')
    if scatter.marked.any():
        style.key(axes, 'x', "ensemble's minimum of a phase", color='black')
    axes.set_title('Shaded: |ε| ≤ σ' + (_hidden(scatter) if log else ''))
    style.legend_beside(axes)
    return axes


@style.styled
def draw_scatter_panels(
    scatters: Mapping[str, Scatter],
    axes: Axes,
    *,
    by: By = 'family',
    palette: Palette = ALONE,
) -> Axes:
    """Draw ε over σ of several ensembles, a panel each on the same axes (S9).

    Args:
        scatters: Points by title of the panel.
        axes: Where to draw; split into panels.
        by: What has a colour of its own.
        palette: How domains look.

    Raises:
        ValueError: If there is nothing to draw, or panels differ in their `ddof`.
    """
    known = {title: one for title, one in scatters.items() if len(one)}
    if not known:
        raise ValueError('there are no points to draw')
    columns = min(COLUMNS, len(known))
    panels = style.split(axes, -(-len(known) // columns), columns)
    # panels may have lost different members; limits and colours do not depend on that
    every = join([replace(one, n_members=0) for one in known.values()])
    unit, factor = _unit(every)
    palette = palette.extended(_labels(every, by).tolist())
    spread = factor * float(every.spread.max())
    low, high = (factor * float(end) for end in (every.error.min(), every.error.max()))
    low, high = min(low, 0.0), max(high, 0.0)
    handles: dict[Any, Artist] = {}
    pad = 0.05 * (high - low or 1.0)
    for number, (panel, (title, one)) in enumerate(zip(panels, known.items(), strict=False)):
        _draw_points(one, panel, by, factor, palette=palette, log=False)
        found, labels = panel.get_legend_handles_labels()
        handles |= dict(zip(labels, found, strict=True))
        _draw_cone(panel, one, factor, log=False, right=1.08 * spread)
        panel.set(xlim=(0, 1.08 * spread or 1.0), ylim=(low - pad, high + pad))
        panel.set_title(title)
        if number % columns:
            panel.tick_params(labelleft=False)
        else:
            panel.set_ylabel(f'ε ({unit})')
        if number + columns >= len(known):
            panel.set_xlabel(f'{style.spread_symbol(one.ddof)} ({unit})')
        else:
            panel.tick_params(labelbottom=False)
    for panel in panels[len(known) :]:
        panel.set_axis_off()
    figure = axes.get_figure(root=True)
    if figure is not None:
        figure.legend(list(handles.values()), list(handles), loc='outside lower center', ncols=5)
    return axes


@style.styled
def draw_flags(
    scatter: Scatter,
    axes: Axes,
    *,
    training_domains: Sequence[str],
    palette: Palette = ALONE,
) -> Axes:
    """Draw the σ of every domain beside the threshold, and how accurate what it flags is (Disc).

    Raises:
        ValueError: If a point is not an energy per atom, or none is of the training domains.
    """
    found = flags(scatter, training_domains)
    palette = (palette if palette.domains else Palette.of(found, training_domains)).extended(found)
    names = palette.sorted(found)
    threshold = MEV * float(found[names[0]]['spread_threshold'] or 0)
    tolerated = MEV * float(found[names[0]]['error_threshold'] or 0)
    for row, name in enumerate(names):
        spread = MEV * scatter.spread[scatter.domain == name]
        spread = spread[spread > 0]
        colour = palette.colour(name)
        if not spread.size:
            style.nothing(axes, row, 'σ = 0')
        else:
            axes.plot([spread.min(), spread.max()], [row, row], '|-', color=colour)
            axes.plot(
                np.median(spread), row, marker=palette.marker(name), color=colour, markersize=5
            )
        axes.text(
            1.02,
            row,
            _share(found[name]['flagged'], found[name]['flagged_accurate']),
            transform=axes.get_yaxis_transform(),
            va='center',
            fontsize=8,
        )
    axes.axvline(threshold, color=style.GREY, linestyle='--', linewidth=1.1)
    style.log_axes(axes, 'x')
    style.name_rows(axes, [palette.label(name) for name in names])
    axes.text(
        1.02,
        -0.75,
        'flagged',
        transform=axes.get_yaxis_transform(),
        va='bottom',
        fontsize=8,
        style='italic',
    )
    axes.set_xlabel(f'{style.spread_symbol(scatter.ddof)} of energies (meV/atom): range and median')
    axes.set_title(
        f'Flagged: σ above {threshold:.3g} meV/atom, the largest trained on;\n'
        f'accurate: |ε| at most {tolerated:.3g} meV/atom, the largest there'
    )
    return axes


def _share(flagged: float | None, accurate: float | None) -> str:
    text = '–' if flagged is None else f'{flagged:.0%}'
    return text if accurate is None else f'{text}; {accurate:.0%} of these accurate'


def _unit(scatter: Scatter) -> tuple[str, float]:
    units = set(scatter.unit.tolist())
    if units == {PER_ATOM}:
        return 'meV/atom', MEV
    *first, last = [noun for unit, noun in NOUNS.items() if unit in units]
    return f'eV per {", ".join(first)}{" or " if first else ""}{last}', 1.0


def _labels(scatter: Scatter, by: By) -> Strings:
    return scatter.domain if by == 'domain' else scatter.families


def _draw_points(
    scatter: Scatter,
    axes: Axes,
    by: By,
    factor: float,
    *,
    palette: Palette,
    log: bool,
) -> None:
    labels = _labels(scatter, by)
    for name in palette.sorted(labels.tolist()):
        own = labels == name
        error = factor * scatter.error[own]
        axes.scatter(
            factor * scatter.spread[own],
            np.abs(error) if log else error,
            s=22,
            marker=palette.marker(name),
            facecolor=palette.colour(name),
            edgecolor='white',
            linewidth=0.25,
            alpha=0.85 if own.sum() < 300 else 0.4,
            label=palette.label(name),
            rasterized=len(scatter) > 3000,
        )
    chosen = scatter.marked
    marks = factor * scatter.error[chosen]
    if chosen.any():
        axes.scatter(
            factor * scatter.spread[chosen],
            np.abs(marks) if log else marks,
            s=34,
            marker='x',
            color='black',
            linewidth=1.1,
            zorder=4,
        )


def _draw_cone(
    axes: Axes, scatter: Scatter, factor: float, *, log: bool, right: float | None = None
) -> None:
    spread, error = factor * scatter.spread, factor * scatter.error
    if log:
        shown = _shown(scatter)
        x, y = spread[shown], np.abs(error)[shown]
        axes.set(xscale='log', yscale='log')
        if x.size and y.size:
            ends = np.array([min(x.min(), y.min()) / 2, max(x.max(), y.max()) * 2])
            axes.fill_between(ends, ends[0] / 1e3, ends, color=style.SHADE, zorder=0)
            axes.plot(ends, ends, color=style.GREY, linewidth=0.9, linestyle='--', zorder=1)
            axes.set(xlim=(x.min() / 1.5, x.max() * 1.5), ylim=(y.min() / 1.5, y.max() * 1.5))
        style.log_axes(axes, 'xy')
        return
    end = (right or 1.08 * float(spread.max())) or 1.0
    style.draw_cone(axes, end)
    axes.set_xlim(0, end)


def _shown(scatter: Scatter) -> NDArray[np.bool_]:
    """Return which points logarithmic axes have a place for, shape (n,)."""
    size = np.abs(scatter.error)
    shown: NDArray[np.bool_] = (scatter.spread > scatter.spread.max() / DECADES) & (
        size > size.max() / DECADES
    )
    return shown


def _hidden(scatter: Scatter) -> str:
    hidden = int((~_shown(scatter)).sum())
    return f'; {hidden} next to σ = 0 or ε = 0 not shown' if hidden else ''
