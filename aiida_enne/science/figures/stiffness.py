"""Elastic constants and phonons: the ensemble beside the reference."""

import numpy as np
from matplotlib.axes import Axes

from aiida_enne.science.figures import palette, style
from aiida_enne.science.properties.elastic import Elastic
from aiida_enne.science.properties.phonons import Phonons
from aiida_enne.science.uncertainty import ensemble


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
    axes.plot(at + 0.15, elastic.reference[rows, columns], 'D', color='black', label='reference')
    axes.set_xticks(at, [f'$C_{{{i + 1}{j + 1}}}$' for i, j in shown])
    axes.set_xlim(-0.6, len(shown) - 0.4)
    axes.set_ylabel('elastic constant (GPa)')
    axes.set_title(style.wrap(f'{elastic.name}, clamped ions', 66))
    style.legend_beside(axes)
    return axes


@style.styled
def draw_phonons(phonons: Phonons, axes: Axes) -> Axes:
    """Draw the frequencies in rising order: mean ± σ of the members, the reference in black."""
    share = (np.arange(len(phonons.reference)) + 1) / len(phonons.reference)
    colour, mean, spread = palette.shade(0), phonons.mean, phonons.spread
    label = f'mean ± {style.spread_symbol(phonons.ddof)} ({len(phonons.members)} members)'
    axes.fill_between(share, mean - spread, mean + spread, color=colour, alpha=0.3, lw=0)
    axes.plot(share, mean, color=colour, label=label)
    axes.plot(share, phonons.reference, color='black', ls='--', label='reference')
    rmse = float(np.sqrt(np.mean(ensemble.error(phonons.members, phonons.reference) ** 2)))
    axes.axhline(0.0, color='black', lw=0.5)
    axes.set_xlabel('share of the modes')
    axes.set_ylabel('frequency (THz)')
    axes.set_title(style.wrap(f'{phonons.name}: RMSE {rmse:.2g} THz', 66))
    style.legend_beside(axes)
    return axes
