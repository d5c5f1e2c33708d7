"""Radial distribution functions of the liquids (F1)."""

from collections.abc import Sequence

from matplotlib.axes import Axes

from aiida_enne.science.figures import style
from aiida_enne.science.figures.palette import ALONE, TRAINED, Palette
from aiida_enne.science.properties.radial import RadialCurve


@style.styled
def draw_radial_distributions(
    curves: Sequence[RadialCurve], axes: Axes, *, palette: Palette = ALONE
) -> Axes:
    """Draw g(r) of every liquid, averaged over its frames (F1).

    Raises:
        ValueError: If there are none.
    """
    if not curves:
        raise ValueError('there are no liquids to draw')
    palette = palette.extended(curve.domain for curve in curves)
    for curve in curves:
        label = f'{curve.density:g} g/cm³'
        label += '' if curve.temperature is None else f', {curve.temperature:g} K'
        label += TRAINED * (curve.domain in palette.trained)
        look = {'color': palette.colour(curve.domain), 'linestyle': palette.line(curve.domain)}
        axes.plot(curve.r, curve.g, label=label, **look)
    axes.axhline(1, color=style.GREY, linewidth=0.6, linestyle=':')
    axes.set_xlim(0, max(float(curve.r[-1]) for curve in curves))
    axes.set_ylim(bottom=0)
    axes.set(xlabel='distance r (Å)', ylabel='g(r)')
    frames = sorted({curve.n_frames for curve in curves})
    number = f'{frames[0]}' if len(frames) == 1 else f'{frames[0]} to {frames[-1]}'
    axes.set_title(f'Radial distribution of the reference, {number} frames each')
    style.legend_beside(axes)
    return axes
