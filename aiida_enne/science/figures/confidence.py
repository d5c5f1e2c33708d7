"""Confidence curves: does the error fall when the least sure are left out?"""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.patches import Patch

from aiida_enne.science.figures import style
from aiida_enne.science.figures.palette import ALONE, Palette
from aiida_enne.science.uncertainty.audit import Audit

#: Of what an honest ensemble would have.
HONEST = '#BBBBBB'


@style.styled
def draw_confidence(
    audit: Audit, axes: Axes, *, prefix: str = 'energy', palette: Palette = ALONE
) -> Axes:
    """Draw RMSE of what is left over the share removed, a panel per domain, beside the oracle's.

    Args:
        audit: Result of an audit.
        axes: Where to draw; split into panels.
        prefix: 'energy', 'aligned', 'force' or 'stress'.
        palette: How domains look.

    Raises:
        ValueError: If no domain has a curve.
    """
    names = curved(audit, prefix)
    if not names:
        raise ValueError(f'no domain has a confidence curve of {style.NOUNS[prefix]}')
    palette = palette.extended(names)
    removed = 100 * audit.arrays['confidence_removed']
    own = {end: _by_domain(audit, f'{prefix}_confidence{end}') for end in ('', '_oracle')}
    honest = {end: _by_domain(audit, f'{prefix}_confidence_honest{end}') for end in _ENDS}
    panels = style.tiles(axes, len(names))
    top = max(
        1.0, *(float(np.nanmax([own[''][name], *_known(honest[''][name])])) for name in names)
    )
    for panel, name in zip(panels, palette.sorted(names), strict=True):
        low, high = honest['_low'][name], honest['_high'][name]
        panel.fill_between(removed, low, high, color=HONEST, alpha=0.45, linewidth=0)
        panel.plot(removed, honest[''][name], color=style.GREY, linestyle='--', linewidth=1)
        panel.plot(removed, own['_oracle'][name], color='black', linestyle=':', linewidth=1.2)
        panel.plot(removed, own[''][name], color=palette.colour(name), linewidth=2)
        panel.axhline(1, color=style.GREY, linewidth=0.6)
        panel.set(xlim=(0, 95), ylim=(0, 1.06 * top))
        style.title(panel, palette.label(name), _numbers(audit, name, prefix))
    style.label_tiles(
        axes,
        f'share removed (%), largest {audit.width_label} first',
        f'RMSE of the rest / of all ({style.NOUNS[prefix]})',
    )
    look: dict[str, Any] = {'linewidth': 1.2}
    handles = [
        style.key(axes, '-', f'by {audit.width_label}', linewidth=2),
        style.key(axes, '--', 'honest ensemble, median', **look),
        Patch(color=HONEST, alpha=0.45, linewidth=0, label='least to largest of honest ones'),
        style.key(axes, ':', 'oracle: by |ε|', **look | {'color': 'black'}),
    ]
    style.legend_above(axes, handles)
    return axes


#: Ends of the names of what an honest ensemble would have.
_ENDS = ('', '_low', '_high')


def curved(audit: Audit, prefix: str) -> list[str]:
    """Return the domains that have a confidence curve; none in an audit of an older version."""
    if f'{prefix}_confidence' not in audit.arrays:
        return []
    curves = _by_domain(audit, f'{prefix}_confidence')
    return [name for name, one in curves.items() if np.isfinite(one).all()]


def _by_domain(audit: Audit, name: str) -> dict[str, Any]:
    return dict(zip(audit.arrays['domain_names'].tolist(), audit.arrays[name], strict=True))


def _known(curve: Any) -> list[Any]:
    return [curve] if np.isfinite(curve).all() else []


def _numbers(audit: Audit, name: str, prefix: str) -> str:
    scalars = audit.domains[name]
    area, honest = (scalars.get(f'{prefix}_confidence_area{end}') for end in ('', '_honest'))
    text = f'area {area:.2f}' if area is not None else ''
    return text + (f', honest {honest:.2f}' if honest is not None else '')
