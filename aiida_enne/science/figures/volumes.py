"""Energy over volume: the ensemble beside the reference (F4)."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes

from aiida_enne.science.figures import style
from aiida_enne.science.uncertainty.audit import Audit

#: Fewer volumes make no curve.
MIN_VOLUMES = 4


def volume_scans(audit: Audit) -> list[str]:
    """Return the domains in which the reference energy is a function of volume.

    Those are domains of at least four configurations, all of different volume, whose energy per
    atom falls towards one minimum and rises after it, or only falls or rises.
    """
    arrays, found = audit.arrays, []
    for index, name in enumerate(arrays['domain_names'].tolist()):
        own = arrays['domain_index'] == index
        volumes, energies = arrays['volume_per_atom'][own], arrays['energy_reference'][own]
        order = np.argsort(volumes)
        steps, slopes = np.diff(volumes[order]), np.sign(np.diff(energies[order]))
        distinct = len(volumes) >= MIN_VOLUMES and bool((steps > 1e-6 * volumes.max()).all())
        if distinct and bool((np.diff(slopes) >= 0).all()):
            found.append(name)
    return found


@style.styled
def draw_energy_volume(
    audit: Audit, axes: Axes, *, domains: Sequence[str] | None = None, aligned: bool = False
) -> Axes:
    """Draw the mean energy ± σ over volume and the reference as points (F4).

    Args:
        audit: Result of an audit.
        axes: Where to draw.
        domains: Volume scans to draw; those found by `volume_scans` by default.
        aligned: Whether each one's own zero of energy is taken off (F4, right) or the reference's
            lowest energy of what is drawn off all of them (F4, left).

    Raises:
        ValueError: If there is nothing to draw or the audit was not aligned and `aligned` is true.
    """
    prefix = 'aligned' if aligned else 'energy'
    if f'{prefix}_spread' not in audit.arrays:
        raise ValueError('this audit was not aligned: it knows no domain to take the zeros from')
    chosen = volume_scans(audit) if domains is None else list(domains)
    names = audit.arrays['domain_names'].tolist()
    if not chosen or set(chosen) - set(names):
        raise ValueError(f'no volume scans to draw: {chosen} of {names}')
    arrays, labels = audit.arrays, np.isin(audit.arrays['domain_names'], chosen)
    drawn = labels[arrays['domain_index']]
    zero = 0.0 if aligned else float(arrays['energy_reference'][drawn].min())
    for index, name in enumerate(names):
        if name not in chosen:
            continue
        own = np.flatnonzero(arrays['domain_index'] == index)
        own = own[np.argsort(arrays['volume_per_atom'][own])]
        volumes = arrays['volume_per_atom'][own]
        reference, mean = (arrays[f'{prefix}_{key}'][own] - zero for key in ('reference', 'mean'))
        spread, colour = arrays[f'{prefix}_spread'][own], style.colour(index)
        axes.fill_between(
            volumes, mean - spread, mean + spread, color=colour, alpha=0.2, linewidth=0
        )
        axes.plot(volumes, mean, color=colour, linestyle=style.line(index), label=name)
        axes.plot(
            volumes, reference, style.marker(index), color=colour, markerfacecolor='white', zorder=3
        )
    axes.set_xlabel('volume (Å³/atom)')
    where = (
        f'own, in {audit.parameters["aligned_domain"]}' if aligned else "the reference's minimum"
    )
    axes.set_ylabel('energy (eV/atom)')
    band = audit.width_label
    axes.plot([], [], 'o', color=style.GREY, markerfacecolor='white', label='reference')
    axes.plot([], [], color=style.GREY, linewidth=5, alpha=0.3, label=f'mean ± {band}')
    axes.set_title(f'Energy over volume; zero: {where}')
    style.legend_beside(axes)
    return axes
