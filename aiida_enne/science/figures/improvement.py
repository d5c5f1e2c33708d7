"""Error over labels: what each way of choosing made of them."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes

from aiida_enne.science.figures import palette, style
from aiida_enne.science.selection.comparison import Curve


@style.styled
def draw_improvement(
    curves: Sequence[Curve], axes: Axes, *, verdicts: Mapping[str, str] | None = None
) -> Axes:
    """Draw the error on the held-out set over labels, one line an arm.

    Thick lines are means over the logarithms of repeats where all have as many labels, thin ones
    single repeats.

    Raises:
        ValueError: If there are no curves.
    """
    if not curves:
        raise ValueError('no round has ended yet: there is no error to draw')
    arms = list(dict.fromkeys(curve.arm for curve in curves))
    for index, arm in enumerate(arms):
        own = [curve for curve in curves if curve.arm == arm]
        look = {'color': palette.shade(index, len(arms)), 'marker': palette.marker(index)}
        common = sorted(set.intersection(*(set(curve.labels) for curve in own)))
        logs = [np.interp(common, curve.labels, np.log(curve.errors)) for curve in own]
        word = (verdicts or {}).get(arm)
        name = palette.shown(arm) + (f': {word}' if word else '')
        axes.plot(common, np.exp(np.mean(logs, axis=0)), **look, label=name, zorder=3)
        for curve in own if len(own) > 1 else ():
            axes.plot(curve.labels, curve.errors, color=look['color'], linewidth=0.6, alpha=0.5)
    style.log_axes(axes, 'y')
    axes.set(xlabel='labels bought', ylabel='RMSE of force components,\nheld-out set (eV/Å)')
    repeats = len({curve.repeat for curve in curves})
    axes.set_title(f'{repeats} repeat{"" if repeats == 1 else "s"}')
    axes.grid(axis='y', which='both', color='#E6E6E6', linewidth=0.5)
    style.legend_beside(axes)
    return axes
