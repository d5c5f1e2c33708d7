"""Correlations of members within one ensemble and across several, as histograms (S10)."""

from collections.abc import Mapping
from typing import Literal

import numpy as np
from matplotlib.axes import Axes

from aiida_enne.science.figures import palette, style
from aiida_enne.science.uncertainty.cross import Cross

Kind = Literal['centred', 'uncentred', 'within_groups']

TITLES = {
    'centred': "Pearson correlation of the members' errors",
    'uncentred': "correlation of the members' errors, uncentred",
    'within_groups': "correlation of the members' errors within densities",
}

N_BINS = 40
#: With fewer pairs than this each is a point: a histogram of a few values is none.
MIN_PAIRS = 60


@style.styled
def draw_pair_correlations(cross: Cross, axes: Axes, *, kind: Kind = 'centred') -> Axes:
    """Draw histograms of the pairs within one ensemble and of those across ensembles (S10).

    Raises:
        ValueError: If correlations of this kind were not computed, or no pair has one.
    """
    pairs = getattr(cross, kind)
    if pairs is None:
        raise ValueError(f'there are no correlations of the kind {kind}: no groups were given')
    groups = {
        f'within one ensemble ({len(pairs.within)})': pairs.all_within,
        'across ensembles': pairs.across,
    }
    groups = {name: values for name, values in groups.items() if values.size}
    if not groups:
        raise ValueError('no pair of members has a correlation')
    every = np.concatenate(list(groups.values()))
    width = max(float(np.ptp(every)), 1e-3)
    edges = np.linspace(every.min() - 0.02 * width, every.max() + 0.02 * width, N_BINS + 1)
    for index, (name, values) in enumerate(groups.items()):
        tint = palette.shade(index, len(groups))
        label = f'{name}: {values.mean():.3f} ± {values.std():.3f}, {len(values):,} pairs'
        if len(every) < MIN_PAIRS:
            height = index + style.strip(values, reach=0.3)
            axes.plot(values, height, 'o', color=tint, alpha=0.6, label=label)
        else:
            look = {'histtype': 'stepfilled', 'alpha': 0.35, 'color': tint, 'label': label}
            axes.hist(values, edges.tolist(), density=True, **look)
        axes.axvline(values.mean(), color=tint, linewidth=1.1)
    axes.set_xlabel(TITLES[kind])
    if len(every) < MIN_PAIRS:
        axes.set_yticks([])
    else:
        axes.set_ylabel('density of pairs')
    title = _size(cross.n_members, cross.n_samples)
    if cross.elsewhere is not None:
        title += f'; across: {_size(cross.elsewhere[1], cross.elsewhere[0])}'
    axes.set_title(title, pad=34)
    axes.legend(loc='lower left', bbox_to_anchor=(0, 1.0), borderaxespad=0.2)
    return axes


def _size(n_members: Mapping[str, int], n_samples: int) -> str:
    members = sorted(set(n_members.values()))
    number = f'{members[0]}' if len(members) == 1 else f'{members[0]} to {members[-1]}'
    return f'{len(n_members)} × {number} members on {n_samples:,} samples'
