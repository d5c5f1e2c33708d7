"""The transfer matrix: coverage of a width calibrated on one domain and judged on another."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import TwoSlopeNorm

from aiida_enne.science.figures import style
from aiida_enne.science.figures.palette import ALONE, Palette, shown
from aiida_enne.science.uncertainty.transfer import ALL_OTHERS, Transfer


@style.styled
def draw_transfer(transfer: Transfer, axes: Axes, *, palette: Palette = ALONE) -> Axes:
    """Draw the coverage of every pair, the colour centred on the nominal one.

    Below the coverage stands the factor by which a scaled σ is too narrow; a dash where there are
    too few blocks. Domains on the diagonal are calibrated on one half of their blocks.
    """
    order = palette.extended(transfer.judged).sorted(transfer.judged)
    columns = [transfer.judged.index(name) for name in order]
    rows = [*columns, transfer.calibrated.index(ALL_OTHERS)]
    coverage = transfer.coverage[np.ix_(rows, columns)]
    factor = transfer.factor[np.ix_(rows, columns)]
    norm = TwoSlopeNorm(transfer.level, 0.0, 1.0)
    image = axes.imshow(np.ma.masked_invalid(coverage), cmap='RdBu', norm=norm, aspect='auto')
    axes.set_facecolor('#eeeeee')
    for row, column in np.ndindex(coverage.shape):
        value, scale = coverage[row, column], factor[row, column]
        text = '–' if np.isnan(value) else f'{value:.0%}'
        if np.isfinite(scale):
            text += f'\n×{scale:.2g}'
        red, green, blue, _ = image.cmap(norm(value if np.isfinite(value) else transfer.level))
        dark = 0.2126 * red + 0.7152 * green + 0.0722 * blue < 0.45
        axes.text(
            column, row, text, ha='center', va='center', fontsize=7, color='w' if dark else 'k'
        )
    names = [shown(name) for name in order]
    axes.set_xticks(range(len(names)), names, rotation=40, ha='right')
    axes.set_yticks(range(len(names) + 1), [*names, ALL_OTHERS])
    axes.set(xlabel='judged on', ylabel='calibrated on')
    bar = axes.figure.colorbar(image, ax=axes, fraction=0.04, pad=0.02)
    bar.set_label(f'coverage (nominal {transfer.level:.0%})')
    return axes
