"""One look for all figures: colours that every eye can tell apart, units and ddof in labels."""

import functools
import textwrap
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, BinaryIO, ParamSpec, TypeVar

import matplotlib as mpl
import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

from aiida_enne.science.fields import Floats

GREY, SHADE = '#555555', '#E8EEF4'

RC_PARAMS: Any = {
    'font.family': 'sans-serif',
    'font.size': 9,
    'axes.titlesize': 9.5,
    'axes.titlelocation': 'left',
    'axes.labelsize': 9,
    'axes.spines.top': False,
    'axes.spines.right': False,
    'axes.axisbelow': True,
    'axes.linewidth': 0.8,
    'xtick.labelsize': 8,
    'ytick.labelsize': 8,
    'legend.fontsize': 8,
    'legend.frameon': False,
    'lines.linewidth': 1.4,
    'lines.markersize': 4,
    'legend.markerscale': 1.3,
    'savefig.dpi': 160,
    'svg.fonttype': 'none',
    'svg.hashsalt': 'aiida-enne',
}

#: Unit of each quantity as figures show it, and the factor from that of the data.
UNITS = {
    'energy': ('meV/atom', 1000.0),
    'aligned': ('meV/atom', 1000.0),
    'force': ('eV/Å', 1.0),
    'stress': ('GPa', 1.0),
}
NOUNS = {
    'energy': 'energy per atom',
    'aligned': 'energy per atom, own zeros',
    'force': 'force components',
    'stress': 'stress components',
}

#: Heights of a legend: of a line and of the space between entries in units of its font size, and
#: what title and labels of the axes take of the figure, in inches.
LINE_HEIGHT, LEGEND_SPACING, LEGEND_MARGIN = 1.25, 0.6, 0.8
POINTS_PER_INCH = 72

#: Panels of domains in a row, and their height in inches.
COLUMNS, TILE = 3, 2.0

#: Height of a row that is named, and of all else of such a figure, in inches.
ROW, ROOM = 0.34, 1.6

P = ParamSpec('P')
R = TypeVar('R')


def styled(function: Callable[P, R]) -> Callable[P, R]:
    """Run a function that draws with this module's look, whatever the caller's settings."""

    @functools.wraps(function)
    def inner(*args: P.args, **kwargs: P.kwargs) -> R:
        with mpl.rc_context(RC_PARAMS):
            return function(*args, **kwargs)

    return inner


@styled
def new_axes(width: float = 6.4, height: float = 4.2) -> Axes:
    """Return the axes of a new figure of a size in inches that makes room for what is outside.

    The figure belongs to no window and is gone when nobody refers to it any more.
    """
    figure = Figure(figsize=(width, height), layout='constrained')
    return figure.add_subplot()


@styled
def settle(axes: Axes) -> None:
    """Lay out the figure of the axes once and for all, for it to be saved more than once.

    Matplotlib lays a figure out, and draws it to nowhere, each time that it is saved: a quarter of
    what PNG and SVG of a report cost.
    """
    figure = axes.get_figure(root=True)
    engine = None if figure is None else figure.get_layout_engine()
    if figure is not None and engine is not None:
        own, figure.dpi = figure.dpi, RC_PARAMS['savefig.dpi']
        engine.execute(figure)
        figure.dpi = own
        figure.set_layout_engine(None)


@styled
def save(axes: Axes, target: Path | BinaryIO, kind: str = 'png') -> None:
    """Write the figure of the axes; equal figures give equal bytes.

    Args:
        axes: Any axes of the figure.
        target: File to write.
        kind: 'png', 'svg' (text stays text) or 'pdf'.

    Raises:
        ValueError: If the kind is none of these.
    """
    # each format has its own name for the time of day, which must not get into the file
    dates: dict[str, dict[str, str | None]] = {
        'png': {},
        'svg': {'Date': None},
        'pdf': {'CreationDate': None},
    }
    if kind not in dates:
        raise ValueError(f'figures are written as {sorted(dates)}, got {kind!r}')
    figure = axes.get_figure(root=True)
    if figure is not None:
        figure.savefig(target, format=kind, metadata=dates[kind])


def split(
    axes: Axes, rows: int, columns: int, *, heights: Sequence[float] | None = None
) -> list[Axes]:
    """Put panels in the place of axes, row by row; the axes themselves stay, and show nothing.

    Args:
        axes: Axes of `new_axes`, or any that have a place in a grid.
        rows: Number of rows.
        columns: Number of columns.
        heights: Relative heights of the rows.

    Raises:
        ValueError: If the axes have no place in a grid.
    """
    place, figure = axes.get_subplotspec(), axes.get_figure()
    if place is None or figure is None:
        raise ValueError('only axes that have a place in a grid can be split')
    axes.set_axis_off()
    grid = place.subgridspec(rows, columns, height_ratios=heights)
    return [
        figure.add_subplot(grid[row, column]) for row in range(rows) for column in range(columns)
    ]


def tiles(axes: Axes, number: int) -> list[Axes]:
    """Put so many panels in the place of axes, at most `COLUMNS` in a row; the figure may grow."""
    columns = min(COLUMNS, number)
    rows = -(-number // columns)
    make_room(axes, ROOM + TILE * rows)
    panels = split(axes, rows, columns)
    for empty in panels[number:]:
        empty.set_axis_off()
    return panels[:number]


def title(axes: Axes, name: str, below: str) -> None:
    """Name a panel, with a smaller line beneath the name."""
    axes.set_title(wrap(name, 24), pad=16 if below else 4)
    axes.text(0, 1.02, below, transform=axes.transAxes, va='bottom', fontsize=7.5, color=GREY)


def label_tiles(axes: Axes, x: str, y: str) -> None:
    """Label all panels of the figure of the axes together."""
    figure = axes.get_figure(root=True)
    if figure is not None:
        figure.supxlabel(x, fontsize=RC_PARAMS['axes.labelsize'])
        figure.supylabel(y, fontsize=RC_PARAMS['axes.labelsize'])


def legend_above(axes: Axes, handles: Sequence[Artist]) -> None:
    """Put the legend above all panels of the figure of the axes."""
    figure = axes.get_figure(root=True)
    if figure is not None:
        figure.legend(handles=list(handles), loc='outside upper center', ncols=2)


def log_axes(axes: Axes, names: str) -> None:
    """Make axes, 'x', 'y' or 'xy', logarithmic, with plain numbers: 0.02, 0.05, 0.1."""
    axes.set(**{f'{name}scale': 'log' for name in names})
    for name in names:
        _label_log(axes.xaxis if name == 'x' else axes.yaxis)


def _label_log(axis: Axis) -> None:
    low, high = sorted(axis.get_view_interval())
    crowded = low <= 0 or high / low > 200
    axis.set_major_locator(LogLocator(subs=(1.0,) if crowded else (1.0, 2.0, 5.0), numticks=12))
    axis.set_major_formatter(FuncFormatter(lambda value, _: f'{value:g}'))
    axis.set_minor_formatter(NullFormatter())


def key(axes: Axes, look: str, label: str, **more: Any) -> Artist:
    """Return a grey entry of the legend that stands for marks or lines of any colour."""
    return axes.plot([], [], look, **{'color': GREY, 'label': label, **more})[0]


def draw_cone(axes: Axes, right: float) -> None:
    """Shade |ε| ≤ σ from σ = 0 up to a σ, on linear axes."""
    ends = np.array([0.0, right])
    axes.fill_between(ends, -ends, ends, color=SHADE, zorder=0)
    for sign in (-1, 1):
        axes.plot(ends, sign * ends, color=GREY, linewidth=0.9, linestyle='--', zorder=1)
    axes.axhline(0, color=GREY, linewidth=0.6)


def wrap(label: str, width: int = 27) -> str:
    """Break a long label into lines."""
    return '\n'.join(textwrap.wrap(label, width)) or label


def spread_symbol(ddof: int) -> str:
    """Return σ with its ddof: never the one without the other."""
    return f'σ (ddof {ddof})'


def name_rows(axes: Axes, labels: Sequence[str]) -> None:
    """Name the rows of axes, from top to bottom."""
    axes.set_yticks(range(len(labels)), [wrap(label) for label in labels])
    axes.set_ylim(len(labels) - 0.4, -0.6)
    axes.grid(axis='x', color='#DDDDDD', linewidth=0.6)
    axes.tick_params(axis='y', length=0)


def strip(values: Floats, n_lanes: int = 7, reach: float = 0.5) -> Floats:
    """Return heights that keep near values apart, shape (n,): neighbours are in other lanes.

    Args:
        values: What is drawn, shape (n,).
        n_lanes: Number of heights.
        reach: Largest height; the smallest is its negative.
    """
    # a walk of three lanes a step meets each lane once before it comes back
    lanes = (3 * np.arange(len(values))) % n_lanes
    heights = np.empty(len(values))
    heights[np.argsort(values, kind='stable')] = reach * (2 * lanes / (n_lanes - 1) - 1)
    return heights


def nothing(axes: Axes, row: int, text: str = 'none') -> None:
    """Say why a row is empty: by default, that there is nothing to show."""
    transform = axes.get_yaxis_transform()
    axes.text(0.02, row, text, transform=transform, va='center', color=GREY, style='italic')


def legend_beside(axes: Axes) -> None:
    """Put the legend to the right of the axes, where it covers no data.

    A figure too low for its entries grows: the layout would else squeeze the axes to nothing.
    """
    handles, labels = axes.get_legend_handles_labels()
    wrapped = [wrap(label) for label in labels]
    axes.legend(
        handles,
        wrapped,
        loc='upper left',
        bbox_to_anchor=(1.01, 1.0),
        borderaxespad=0,
        labelspacing=LEGEND_SPACING,
    )
    lines = sum(label.count('\n') + 1 for label in wrapped)
    size = RC_PARAMS['legend.fontsize'] / POINTS_PER_INCH
    make_room(axes, LEGEND_MARGIN + size * (LINE_HEIGHT * lines + LEGEND_SPACING * len(wrapped)))


def make_room(axes: Axes, height: float) -> None:
    """Let the figure of the axes have at least a height in inches."""
    figure = axes.get_figure(root=True)
    if figure is not None and figure.get_figheight() < height:
        figure.set_figheight(height)
