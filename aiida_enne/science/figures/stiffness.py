"""Elastic constants and phonons: the ensemble beside the reference."""

import numpy as np
from matplotlib.axes import Axes

from aiida_enne.science.fields import Floats
from aiida_enne.science.figures import palette, style
from aiida_enne.science.properties.bands import Density, Dispersion
from aiida_enne.science.properties.elastic import Elastic
from aiida_enne.science.properties.phonons import Phonons
from aiida_enne.science.uncertainty.ensemble import OfMembers


@style.styled
def draw_elastic(elastic: Elastic, axes: Axes) -> Axes:
    """Draw each elastic constant: members as points, their mean ± σ, the reference in black."""
    shown = elastic.shown
    colour, at = palette.shade(0), np.arange(len(shown))
    rows, columns = np.array(shown).T
    members = elastic.members[:, rows, columns]
    places = np.broadcast_to(at - 0.15, members.shape)
    axes.plot(places.ravel(), members.ravel(), '.', color=colour, alpha=0.5, label='members')
    axes.errorbar(
        at,
        elastic.mean[rows, columns],
        elastic.spread[rows, columns],
        fmt='o',
        capsize=3,
        color=colour,
        label=f'mean ± {style.spread_symbol(elastic.ddof)}',
    )
    if elastic.reference is not None:
        reference = elastic.reference[rows, columns]
        axes.plot(at + 0.15, reference, 'D', color='black', label='reference')
    axes.set_xticks(at, [f'$C_{{{i + 1}{j + 1}}}$' for i, j in shown])
    axes.set_xlim(-0.6, len(shown) - 0.4)
    axes.set_ylabel('elastic constant (GPa)')
    axes.set_title(style.wrap(f'{elastic.name}, clamped ions', 66))
    style.legend_beside(axes)
    return axes


@style.styled
def draw_phonons(phonons: Phonons, axes: Axes) -> Axes:
    """Draw the frequencies in rising order: mean ± σ of the members, the reference in black."""
    share = (np.arange(phonons.members.shape[1]) + 1) / phonons.members.shape[1]
    _band(axes, share, phonons)
    axes.axhline(0.0, color='black', lw=0.5)
    axes.set_xlabel('share of the modes')
    axes.set_ylabel('frequency (THz)')
    title = phonons.name
    if phonons.reference is not None:
        title += f': RMSE {float(np.sqrt(np.mean(phonons.error**2))):.2g} THz'
    axes.set_title(style.wrap(title, 66))
    style.legend_beside(axes)
    return axes


@style.styled
def draw_dispersion(dispersion: Dispersion, axes: Axes) -> Axes:
    """Draw every branch along the path: mean ± σ of the members, the reference in black."""
    _band(axes, dispersion.at, dispersion)
    axes.axhline(0.0, color='black', lw=0.5)
    places: dict[float, str] = {}
    for name, at in dispersion.ticks:
        places[at] = f'{places[at]}|{name}' if at in places else name
    axes.set_xticks(list(places), list(places.values()))
    for at in places:
        axes.axvline(at, color='black', lw=0.3)
    axes.set_xlim(dispersion.at[0], dispersion.at[-1])
    axes.set_ylabel('frequency (THz)')
    axes.set_title(style.wrap(f'{dispersion.name}: phonon dispersion', 66))
    style.legend_beside(axes)
    return axes


@style.styled
def draw_density(density: Density, axes: Axes) -> Axes:
    """Draw the density of states: mean ± σ of the members, the reference in black."""
    _band(axes, density.at, density)
    axes.set_xlim(density.at[0], density.at[-1])
    axes.set_ylim(bottom=0)
    axes.set_xlabel('frequency (THz)')
    axes.set_ylabel('density of states (1/THz)')
    axes.set_title(style.wrap(f'{density.name}: phonons of a primitive cell', 66))
    style.legend_beside(axes)
    return axes


def _band(axes: Axes, at: Floats, found: OfMembers) -> None:
    """Draw mean ± σ and the reference, each branch of several in the same way."""
    colour, mean, spread = palette.shade(0), found.mean, found.spread
    columns = mean.reshape(len(at), -1).T
    widths = spread.reshape(len(at), -1).T
    for number, (middle, width) in enumerate(zip(columns, widths, strict=True)):
        label = f'mean ± {style.spread_symbol(found.ddof)} ({len(found.members)} members)'
        name = None if number else label
        axes.fill_between(at, middle - width, middle + width, color=colour, alpha=0.3, lw=0)
        axes.plot(at, middle, color=colour, label=name)
    if found.reference is not None:
        for number, line in enumerate(found.reference.reshape(len(at), -1).T):
            name = None if number else 'reference'
            axes.plot(at, line, color='black', ls='--', label=name)
