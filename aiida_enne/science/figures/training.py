"""Training histories: did every member learn?"""

from collections.abc import Mapping

from matplotlib.axes import Axes

from aiida_enne.science.fields import Floats, Integers
from aiida_enne.science.figures import palette, style

#: More members than this are not told apart by a legend.
MAX_NAMED = 12


@style.styled
def draw_training(histories: Mapping[str, tuple[Integers | Floats, Floats]], axes: Axes) -> Axes:
    """Draw the validation force MAE of every member over the epochs.

    Args:
        histories: Epochs and force MAE in eV/Å, both of shape (epochs,), by name of the member.
        axes: Where to draw.

    Raises:
        ValueError: If there are no histories.
    """
    if not histories:
        raise ValueError('there are no training histories to draw')
    for index, (name, (epochs, values)) in enumerate(histories.items()):
        axes.plot(
            epochs,
            values,
            color=palette.shade(index, len(histories)),
            linestyle=palette.line(index),
            linewidth=1.1,
            alpha=0.85,
            marker='.' if len(epochs) < 3 else None,
            label=name,
        )
    style.log_axes(axes, 'y')
    axes.set(xlabel='epoch', ylabel='validation force MAE (eV/Å)')
    axes.set_title(f'Training of {len(histories)} members')
    axes.grid(axis='y', which='both', color='#E6E6E6', linewidth=0.5)
    if len(histories) <= MAX_NAMED:
        style.legend_beside(axes)
    return axes
