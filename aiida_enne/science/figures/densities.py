"""Densities of many force components: parity (F2), and error over spread."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm

from aiida_enne.science.fields import Floats
from aiida_enne.science.figures import style
from aiida_enne.science.figures.palette import shown
from aiida_enne.science.uncertainty.audit import Audit
from aiida_enne.science.uncertainty.scores import Scalars

#: One hue from light to dark, so that order survives print and colour blindness.
COLOUR_MAP = 'viridis_r'


@style.styled
def draw_force_parity(audit: Audit, axes: Axes, *, domain: str | None = None) -> Axes:
    """Draw the ensemble's mean force components over the reference's, as a density (F2).

    Args:
        audit: Result of an audit.
        axes: Where to draw.
        domain: One domain; all together by default.

    Raises:
        ValueError: If there is no such domain.
    """
    counts, scalars = _chosen(audit, 'force_parity_counts', domain)
    edges = audit.arrays['force_parity_edges']
    _density(axes, edges, edges, counts)
    axes.axline((0, 0), slope=1, color=style.GREY, linewidth=0.8, linestyle='--')
    limit = _occupied(edges, counts)
    axes.set(xlim=(-limit, limit), ylim=(-limit, limit), aspect='equal')
    axes.set(xlabel='reference force component (eV/Å)', ylabel='mean of the ensemble (eV/Å)')
    axes.set_title(_title(audit, domain, scalars))
    lines = [
        f'{name} {scalars[key]:.3g} eV/Å'
        for name, key in (('MAE', 'force_mae'), ('RMSE', 'force_rmse'))
        if scalars.get(key) is not None
    ]
    _note(axes, lines, 'upper left')
    return axes


@style.styled
def draw_force_cone(audit: Audit, axes: Axes, *, domain: str | None = None) -> Axes:
    """Draw |ε| over σ of force components as a density, with the cone |ε| ≤ σ.

    Args:
        audit: Result of an audit.
        axes: Where to draw.
        domain: One domain; all together by default.

    Raises:
        ValueError: If there is no such domain.
    """
    counts, scalars = _chosen(audit, 'force_cone_counts', domain)
    x, y = (10 ** audit.arrays[f'force_cone_{name}_edges'] for name in ('spread', 'error'))
    _density(axes, x, y, counts)
    axes.set(xscale='log', yscale='log', xlim=(x[0], x[-1]), ylim=(y[0], y[-1]))
    style.log_axes(axes, 'xy')
    axes.plot(x, x, color=style.GREY, linewidth=1, linestyle='--')
    axes.fill_between(x, y[0], x, color=style.SHADE, zorder=0)
    axes.set(xlabel=f'spread {audit.width_label} (eV/Å)', ylabel='error of the mean |ε| (eV/Å)')
    axes.set_title(_title(audit, domain, scalars))
    coverage, expected = scalars.get('force_cone_coverage'), scalars['expected_cone_coverage']
    if coverage is not None:
        _note(axes, [f'|ε| ≤ σ: {coverage:.0%}', f'if honest: {expected:.0%}'], 'lower right')
    return axes


def _chosen(audit: Audit, name: str, domain: str | None) -> tuple[Floats, Scalars]:
    counts = audit.arrays[name]
    if domain is None:
        return counts.sum(axis=0), audit.pooled
    names = audit.arrays['domain_names'].tolist()
    if domain not in names:
        raise ValueError(f'no domain {domain!r}; there are {names}')
    return counts[names.index(domain)], audit.domains[domain]


def _density(axes: Axes, x: Floats, y: Floats, counts: Floats) -> None:
    if not counts.any():
        axes.text(0.5, 0.5, 'no force components', ha='center', transform=axes.transAxes)
        return
    cells = np.ma.masked_equal(counts.T, 0)
    mesh = axes.pcolormesh(x, y, cells, norm=LogNorm(1, max(2, counts.max())), cmap=COLOUR_MAP)
    mesh.set_rasterized(True)
    bar = axes.figure.colorbar(mesh, ax=axes, shrink=0.85, pad=0.02)
    bar.set_label('components per cell', fontsize=8)


def _occupied(edges: Floats, counts: Floats) -> float:
    """Return the half width of the square that holds every count."""
    found = np.flatnonzero(counts.any(axis=0) | counts.any(axis=1))
    if not found.size:
        return float(edges[-1])
    return float(np.abs([edges[found[0]], edges[found[-1] + 1]]).max())


def _title(audit: Audit, domain: str | None, scalars: Scalars) -> str:
    names = list(audit.domains) if domain is None else [domain]
    where = shown(names[0]) if len(names) == 1 else f'{len(names)} domains'
    return f'{style.wrap(where, 40)}: {scalars.get("n_force_components", 0):,} components'


def _note(axes: Axes, lines: list[str], corner: str) -> None:
    vertical, horizontal = corner.split()
    axes.text(
        {'left': 0.03, 'right': 0.97}[horizontal],
        {'lower': 0.03, 'upper': 0.97}[vertical],
        '\n'.join(lines),
        ha=horizontal,
        va={'lower': 'bottom', 'upper': 'top'}[vertical],
        transform=axes.transAxes,
    )
