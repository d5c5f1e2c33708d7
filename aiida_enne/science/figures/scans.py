"""Scans of training choices: error of single members and of their mean (S1, S2, S4)."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes

from aiida_enne.science.figures import palette, style
from aiida_enne.science.uncertainty.scans import Comparison

#: What choices are called; others by their own name.
NAMES = {
    'l_max': 'largest degree l_max',
    'n_train': 'training configurations N',
    'densities': 'densities in the training set',
    'features': 'features',
    'num_features': 'features',
    'cutoff': 'cutoff (Å)',
    'r_max': 'cutoff (Å)',
    'set': 'training set',
}
SHORT = {'n_train': 'N'}


@style.styled
def draw_comparisons(
    comparisons: Sequence[Comparison],
    axes: Axes,
    *,
    unit: str = 'eV/Å',
    quantity: str = 'force MAE',
) -> Axes:
    """Draw the error over a choice, a line for everything else that was varied (S1, S2, S4).

    Full: single members, mean ± standard deviation over seeds; dotted: the mean of the members.

    Raises:
        ValueError: If there are none, or choices are mixed.
    """
    names = {one.name for one in comparisons}
    if len(names) != 1:
        raise ValueError(f'comparisons of one choice can be drawn together, got {sorted(names)}')
    name = names.pop()
    values = list(dict.fromkeys(value for one in comparisons for value in one.values))
    numbers = all(not isinstance(value, str) for value in values)
    places = {value: float(value) if numbers else float(i) for i, value in enumerate(values)}
    for index, one in enumerate(comparisons):
        x = np.array([places[value] for value in one.values])
        tint = palette.shade(index, len(comparisons))
        look: dict[str, Any] = {'color': tint, 'marker': palette.marker(index)}
        held = ', '.join(f'{SHORT.get(key, key)} = {value}' for key, value in one.held.items())
        std = np.nan_to_num(one.member_mae_std)
        axes.errorbar(x, one.member_mae, std, fmt='none', ecolor=look['color'], capsize=2.5)
        axes.plot(
            x, one.member_mae, linestyle=palette.line(index), label=held or 'single members', **look
        )
        axes.plot(x, one.mae, linestyle=':', mfc='white', linewidth=1, **look)
    style.key(axes, '|-', 'single members ± std of seeds')
    style.key(axes, 'o:', 'their mean', mfc='white')
    axes.set_xticks(list(places.values()), [f'{value}' for value in places])
    # room above the highest bar: a margin of the data's own range is none where all are alike
    axes.set_ylim(0, 1.06 * axes.get_ylim()[1])
    axes.set(xlabel=NAMES.get(name, name), ylabel=f'{quantity} ({unit})')
    seeds = sorted({int(n) for one in comparisons for n in one.n_seeds})
    count = f'{seeds[0]}' if len(seeds) == 1 else f'{seeds[0]} to {seeds[-1]}'
    noun = 'seed' if seeds == [1] else 'seeds'
    axes.set_title(f'{quantity[0].upper()}{quantity[1:]}, {count} {noun} at each point')
    style.legend_beside(axes)
    return axes
