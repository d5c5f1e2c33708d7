"""Equations of state: the ensemble beside the reference, all phases (F4)."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.axes import Axes

from aiida_enne.science.figures import style
from aiida_enne.science.figures.palette import ALONE, Palette, shown
from aiida_enne.science.properties.curves import Curve
from aiida_enne.science.properties.eos import Fit, fit_curve
from aiida_enne.science.uncertainty import ensemble
from aiida_enne.science.uncertainty.ensemble import PAPER_DDOF

#: Energies are shown up to so many times the highest minimum of a phase, and in eV/atom at least
#: so far: what matters is which phase is lowest, not how stiff one is when it is compressed.
OVER, LEAST = 1.4, 0.2
#: The phase whose minimum is the zero of energy, where it is there.
ZERO = 'diamond'


@style.styled
def draw_equations_of_state(
    curves: Mapping[str, Curve],
    axes: Axes,
    *,
    aligned: bool = False,
    form: str | None = None,
    ddof: int = PAPER_DDOF,
    palette: Palette = ALONE,
) -> Axes:
    """Draw the mean energy ± σ of every phase over volume, and the reference as points (F4).

    Args:
        curves: E(V) by phase.
        axes: Where to draw.
        aligned: Whether the reference and every member have their own zero, their lowest energy of
            cubic diamond (F4, right), or all have the reference's (F4, left). Without cubic diamond
            it is the phase that is lowest in the reference.
        form: Equation of state whose fits are drawn as lines in place of straight ones between
            the volumes; a refused one is not drawn.
        ddof: See `ensemble.spread`.
        palette: How domains look.

    Raises:
        ValueError: If there are no curves.
    """
    if not curves:
        raise ValueError('there are no equations of state to draw')
    lowest = min(curves, key=lambda name: float(curves[name].reference.min()))
    zero = ZERO if ZERO in curves else lowest
    own = curves[zero].members.min(axis=1)
    offset = float(curves[zero].reference.min())
    names = {curve.domain: name for name, curve in curves.items()}
    palette = palette.extended(names)
    for domain in palette.sorted(names):
        name = names[domain]
        curve = curves[name].shifted(offset, own if aligned else offset)
        mean, spread = ensemble.mean(curve.members), ensemble.spread(curve.members, ddof=ddof)
        colour, line = palette.colour(domain), palette.line(domain)
        label = palette.label(domain) if domain in palette.trained else shown(name)
        axes.fill_between(
            curve.volumes, mean - spread, mean + spread, color=colour, alpha=0.2, linewidth=0
        )
        fits = None if form is None else fit_curve(curve, form)
        if fits is None or fits.mean is None:
            axes.plot(curve.volumes, mean, color=colour, linestyle=line, label=label)
        else:
            _draw_fit(axes, fits.mean, color=colour, linestyle=line, label=label)
        if fits is not None and fits.reference is not None:
            _draw_fit(axes, fits.reference, color=colour, linewidth=0.6)
        axes.plot(
            curve.volumes,
            curve.reference,
            marker=palette.marker(domain),
            linestyle='none',
            color=colour,
            markerfacecolor='none',
            markersize=5,
            markeredgewidth=0.9,
            zorder=3,
        )
    top = max(float(curve.reference.min()) for curve in curves.values()) - offset
    cut = _cut(axes, max(OVER * top, LEAST))
    axes.set(xlabel='volume (Å³/atom)', ylabel='energy (eV/atom)')
    whose = "each one's own" if aligned else "the reference's"
    fitted = '' if form is None else f'; fits: {form}'
    title = f'Zero of energy: {whose} minimum of {shown(zero)}{fitted}{cut}'
    axes.set_title(style.wrap(title, 70))
    style.key(axes, 'o', 'reference', mfc='white')
    style.key(axes, '-', f'mean ± {style.spread_symbol(ddof)}', linewidth=5, alpha=0.3)
    style.legend_beside(axes)
    return axes


def _cut(axes: Axes, top: float) -> str:
    """Let the axes end at an energy if curves go on above it, and say so."""
    low, high = axes.get_ylim()
    if high <= top:
        return ''
    axes.set_ylim(max(low, -0.3 * top), top)
    return f'; above {top:.2g} eV/atom not shown'


def _draw_fit(axes: Axes, fit: Fit, **look: Any) -> None:
    volumes = np.linspace(fit.low, fit.high, 200)
    axes.plot(volumes, fit.energies(volumes), **look)
