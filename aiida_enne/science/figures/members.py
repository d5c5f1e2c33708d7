"""What the members have in common: spread over their number (S3), correlations (S10)."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from aiida_enne.science.figures import style
from aiida_enne.science.uncertainty.audit import Audit

#: With more domains than this the bands, std over subsets, would cover each other.
MAX_BANDS = 3


@style.styled
def draw_spread_by_size(audit: Audit, axes: Axes, *, prefix: str = 'energy') -> Axes:
    """Draw σ(M)/σ(M_max) of every domain, with the null of independent Gaussian members (S3).

    Args:
        audit: Result of an audit.
        axes: Where to draw.
        prefix: 'energy', 'aligned' or 'force'.
    """
    arrays = audit.arrays
    sizes = arrays['spread_sizes']
    for index, name in enumerate(arrays['domain_names'].tolist()):
        means, stds = (arrays[f'{prefix}_spread_by_size{s}'][index] for s in ('', '_std'))
        if not means[-1] > 0:
            continue
        colour = style.colour(index)
        axes.plot(
            sizes,
            means / means[-1],
            color=colour,
            linestyle=style.line(index),
            marker=style.marker(index),
            markersize=3.5,
            label=name,
        )
        if len(arrays['domain_names']) <= MAX_BANDS:
            low, high = (means - stds) / means[-1], (means + stds) / means[-1]
            axes.fill_between(sizes, low, high, color=colour, alpha=0.1, linewidth=0)
    axes.plot(
        sizes, arrays['spread_null'], color='black', linestyle='--', label='independent Gaussians'
    )
    axes.set_xlabel('number of members M')
    axes.set_ylabel(f'{style.spread_symbol(audit.parameters["ddof"])} relative to M = {sizes[-1]}')
    axes.set_title(f'Spread of {style.NOUNS[prefix]}, averaged over subsets of members')
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    style.legend_beside(axes)
    return axes


@style.styled
def draw_correlation_matrix(
    audit: Audit, axes: Axes, *, domain: str, prefix: str = 'force', centred: bool = True
) -> Axes:
    """Draw the correlations of the members' errors in one domain (S10).

    Args:
        audit: Result of an audit.
        axes: Where to draw.
        domain: Which domain.
        prefix: 'energy', 'aligned' or 'force'.
        centred: Whether each member's mean error is removed first (Pearson).

    Raises:
        ValueError: If there is no such domain.
    """
    names = audit.arrays['domain_names'].tolist()
    if domain not in names:
        raise ValueError(f'no domain {domain!r}; there are {names}')
    key = f'{prefix}_correlations' + ('' if centred else '_uncentred')
    matrix = audit.arrays[key][names.index(domain)].copy()
    np.fill_diagonal(matrix, np.nan)
    known = matrix[np.isfinite(matrix)]
    low, high = (float(known.min()), float(known.max())) if known.size else (0.0, 1.0)
    image = axes.imshow(matrix, vmin=low - 0.005, vmax=high + 0.005, cmap='viridis')
    bar = axes.figure.colorbar(image, ax=axes, shrink=0.85, pad=0.02)
    bar.set_label('correlation of errors' if centred else 'correlation, uncentred', fontsize=8)
    step = max(1, len(matrix) // 10)
    ticks = range(0, len(matrix), step)
    axes.set_xticks(ticks, [str(tick + 1) for tick in ticks])
    axes.set_yticks(ticks, [str(tick + 1) for tick in ticks])
    axes.set_xlabel('member')
    axes.set_ylabel('member')
    title = f'{style.wrap(domain, 40)}: {style.NOUNS[prefix]}'
    if known.size:
        pairs = matrix[np.triu_indices(len(matrix), 1)]
        title += f'\n{np.nanmean(pairs):.3f} ± {np.nanstd(pairs):.3f} over the pairs'
    axes.set_title(title)
    return axes


@style.styled
def draw_member_correlations(audit: Audit, axes: Axes, *, prefix: str = 'force') -> Axes:
    """Draw the correlation of every pair of members in every domain (S10).

    Args:
        audit: Result of an audit.
        axes: Where to draw.
        prefix: 'energy', 'aligned' or 'force'.
    """
    names = audit.arrays['domain_names'].tolist()
    n_members = len(audit.arrays[f'{prefix}_member_mae'][0])
    upper = np.triu_indices(n_members, 1)
    for row in range(len(names)):
        pairs = audit.arrays[f'{prefix}_correlations'][row][upper]
        raw = audit.arrays[f'{prefix}_correlations_uncentred'][row][upper]
        # the same jitter on every call: a figure is a function of its data
        jitter = 0.5 * (np.random.default_rng(0).random(len(pairs)) - 0.5)
        axes.scatter(
            pairs, row + jitter, s=8, color=style.colour(row), alpha=0.5, linewidth=0, zorder=2
        )
        if not np.isfinite(raw).any():
            style.nothing(axes, row)
        if np.isfinite(pairs).any():
            axes.plot(2 * [np.nanmean(pairs)], [row - 0.35, row + 0.35], color='black')
        if np.isfinite(raw).any():
            axes.plot(np.nanmean(raw), row, 'D', color='black', markerfacecolor='white')
    axes.set_yticks(range(len(names)), [style.wrap(name) for name in names])
    axes.set_ylim(len(names) - 0.4, -0.6)
    axes.tick_params(axis='y', length=0)
    axes.grid(axis='x', color='#DDDDDD', linewidth=0.6)
    handles = [
        axes.plot([], [], '.', color=style.GREY, label='pair of members (Pearson)')[0],
        axes.plot([], [], color='black', label='mean over pairs')[0],
        axes.plot([], [], 'D', color='black', markerfacecolor='white', label='uncentred mean')[0],
    ]
    axes.legend(handles=handles, loc='lower center', bbox_to_anchor=(0.5, 1.0), ncols=3)
    axes.set_xlim(right=1.02)
    axes.set_xlabel(f"correlation of the members' errors, {style.NOUNS[prefix]}")
    return axes
