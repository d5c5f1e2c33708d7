"""Error over a rule's descriptor: filled inside the domain of applicability, hollow outside."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes

from aiida_enne.science.fields import Floats, Strings
from aiida_enne.science.figures import style
from aiida_enne.science.figures.palette import ALONE, Palette
from aiida_enne.science.structures.descriptors import Descriptors
from aiida_enne.science.uncertainty.applicability import Applicability


@style.styled
def draw_applicability(
    found: Applicability,
    descriptors: Descriptors,
    error: Floats,
    domain: Strings,
    axes: Axes,
    *,
    palette: Palette = ALONE,
) -> Axes:
    """Draw |ε| of every configuration over the first descriptor of the rule.

    Args:
        found: The rule, and what it is worth.
        descriptors: Of n configurations.
        error: ε of each in eV/atom, shape (n,).
        domain: Domain of each, shape (n,).
        axes: Where to draw.
        palette: How domains look.
    """
    rule, values = found.rule, descriptors.values
    column = rule.terms[0][0]
    inside, size = rule.holds(values), np.maximum(1000 * np.abs(error), 1e-3)
    palette = palette.extended(domain.tolist())
    for name in palette.sorted(set(domain.tolist())):
        colour, label = palette.colour(name), palette.label(name)
        look = {'marker': palette.marker(name), 's': 16, 'edgecolors': colour, 'linewidths': 0.7}
        for part, face in ((inside, colour), (~inside, 'none')):
            chosen = (domain == name) & part
            axes.scatter(values[chosen, column], size[chosen], facecolors=face, **look)
        axes.scatter([], [], facecolors=colour, label=label, **look)
    for own, _, limit in rule.terms:
        if own == column:
            axes.axvline(limit, color='k', linewidth=0.8)
    for value, line, name in ((found.inside, '-', 'inside'), (found.outside, ':', 'outside')):
        label = f'RMSE {name}, judged half'
        axes.axhline(1000 * value, color='0.4', linewidth=1, linestyle=line, label=label)
    style.log_axes(axes, 'y')
    axes.set(xlabel=descriptors.names[column], ylabel='|ε| (meV/atom)')
    axes.set_title(f'Filled: {rule}')
    style.legend_beside(axes)
    return axes
