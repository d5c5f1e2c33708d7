"""σ along trajectories of dynamics on the mean of an ensemble: when does it leave what it knows?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from matplotlib.axes import Axes

from aiida_enne.science.fields import Floats
from aiida_enne.science.figures import style
from aiida_enne.science.figures.palette import LINES, shade, shown


@dataclass(frozen=True, slots=True)
class Explored:
    """One trajectory.

    Attributes:
        domain: Of its frames: where it started, and the temperature.
        time: Of the recorded frames in ps, shape (n,).
        spread: σ of each, in eV/atom or eV/Å, shape (n,).
    """

    domain: str
    time: Floats
    spread: Floats


@style.styled
def draw_exploration(
    trajectories: Sequence[Explored],
    axes: Axes,
    *,
    of: str = 'energy',
    threshold: float | None = None,
) -> Axes:
    """Draw σ over time, a line a trajectory, a shade a domain, with the threshold.

    Args:
        trajectories: What was run.
        axes: Where to draw.
        of: 'energy' (per atom) or 'force' (the largest component of a frame).
        threshold: The largest σ of the training domains, in eV/atom or eV/Å.

    Raises:
        ValueError: If there are no trajectories.
    """
    if not trajectories:
        raise ValueError('there are no trajectories to draw')
    unit, factor = style.UNITS[of]
    domains = list(dict.fromkeys(one.domain for one in trajectories))
    seen: dict[str, int] = {}
    for one in trajectories:
        start = seen.get(one.domain, 0)
        seen[one.domain] = start + 1
        index = domains.index(one.domain)
        axes.plot(
            one.time,
            factor * one.spread,
            color=shade(index, len(domains)),
            linestyle=LINES[index % len(LINES)],
            linewidth=1,
            marker='.' if len(one.time) < 3 else None,
            label=None if start else shown(one.domain),
        )
    if threshold is not None:
        label = f'largest σ of what was trained on: {factor * threshold:.3g} {unit}'
        axes.axhline(factor * threshold, color='black', linestyle='--', linewidth=1.1, label=label)
    axes.set_ylim(bottom=0)
    axes.set_xlim(left=0)
    axes.set_xlabel('time (ps)')
    what = 'largest σ of a force component' if of == 'force' else 'σ of the energy'
    axes.set_ylabel(f'{what} ({unit})')
    axes.set_title(f'{len(trajectories)} trajectories on the mean of the members')
    style.legend_beside(axes)
    return axes
