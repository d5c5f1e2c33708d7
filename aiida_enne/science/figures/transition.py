"""Transition pressures of the members (S5)."""

from matplotlib.axes import Axes

from aiida_enne.science.figures import palette, style
from aiida_enne.science.properties.transition import Transition
from aiida_enne.science.uncertainty.ensemble import PAPER_DDOF


@style.styled
def draw_transition(transition: Transition, axes: Axes, *, ddof: int = PAPER_DDOF) -> Axes:
    """Draw the members' transition pressures, a point each, beside the reference's (S5).

    Raises:
        ValueError: If neither the reference nor a member has one.
    """
    known = transition.known
    if not known.size and transition.reference is None:
        raise ValueError(
            f'no transition from {transition.low} to {transition.high}: {transition.reasons}'
        )
    colour = palette.shade(0)
    if known.size:
        label = f'members ({len(known)})'
        axes.plot(known, style.strip(known), 'o', color=colour, alpha=0.6, label=label)
        mean, spread = transition.mean, transition.spread(ddof=ddof)
        text = f'mean of the members: {mean:.1f}'
        if mean is not None and spread is not None:
            text += f' ± {spread:.1f} GPa, {style.spread_symbol(ddof)}'
            axes.axvspan(mean - spread, mean + spread, color=style.SHADE, zorder=0)
        axes.axvline(mean or 0, color=colour, label=text)
    if transition.of_mean is not None:
        axes.axvline(
            transition.of_mean,
            color=colour,
            linestyle='--',
            label=f'of the mean energies: {transition.of_mean:.1f} GPa',
        )
    if transition.reference is not None:
        axes.axvline(
            transition.reference, color='black', label=f'reference: {transition.reference:.1f} GPa'
        )
    axes.set_xlabel('transition pressure (GPa)')
    axes.set_ylim(-1, 1)
    axes.set_yticks([])
    title = f'{transition.low} → {transition.high} ({transition.form})'
    if transition.n_without_root:
        title += f'; {transition.n_without_root} of {len(transition.members)} members have none'
    if transition.n_censored:
        title += f', {transition.n_censored} beyond the scans; median {transition.median}'
    axes.set_title(style.wrap(title, 66))
    style.legend_beside(axes)
    return axes
