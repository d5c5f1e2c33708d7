"""Figures of scans: training choices (S1, S2, S4), data size (S9), correlations (S10)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import partial

import numpy as np

from aiida_enne.paper.crystals import COMMON_ZERO, find_offsets
from aiida_enne.paper.scans import (
    MAKERS,
    find_scan,
    held_out_rows,
    point_ensembles,
    scan_forms,
    scan_rows,
    scan_sources,
    scan_table,
)
from aiida_enne.provenance import Ensemble, Rows, Scan, join_rows
from aiida_enne.provenance.material import Material, force_errors, missing
from aiida_enne.provenance.rows import thin
from aiida_enne.report.figures import DDOF, Figure, Result
from aiida_enne.science import figures
from aiida_enne.science.checks import one_of
from aiida_enne.science.fields import Floats, Integers
from aiida_enne.science.guard import Missing
from aiida_enne.science.properties.scatter import Scatter, agreement, of_energies
from aiida_enne.science.uncertainty.cross import Cross, correlate, density_groups, join
from aiida_enne.science.uncertainty.scans import Row, compare

#: Frames of each domain on which the members of a scan are compared.
SCAN_FRAMES = 200
#: Members from which the pairs of the ensemble itself stand for all within one.
MIN_WITHIN = 3
#: What a grid is drawn over; every other value has its own line.
SIZE = 'n_train'


def build_table(
    material: Material, *, ddof: int, n_frames: int, kind: str, scan: str | None
) -> Result:
    """Return the force error over what a scan varies."""
    chosen = find_scan(material, kind, scan)
    rows = scan_table(material, chosen, ddof, n_frames)
    name = varied(rows)
    found = compare(rows, name)
    least = min(found, key=lambda one: float(one.member_mae.min()))
    held = ''.join(f', {key} = {value}' for key, value in least.held.items())
    measured = f'least force MAE {least.member_mae.min():.4f} eV/Å at {name} = {least.best}{held}'
    title = f'{chosen.name}{_left_out(chosen, len(rows))}'
    return Result({'comparisons': found}, measured, scan_sources(material, chosen), title)


def varied(rows: Sequence[Row]) -> str:
    """Return what a scan is drawn over: the data size, else the one value that varies.

    Raises:
        ValueError: If nothing varies.
    """
    names = [n for n in rows[0].values if len({item.values.get(n) for item in rows}) > 1]
    if not names:
        raise ValueError(f'nothing varies in the points {[item.label for item in rows]}')
    return SIZE if SIZE in names else names[0]


def size_scatters(material: Material, ddof: int, zero: str = COMMON_ZERO) -> dict[int, Scatter]:
    """Return σ and ε of energies by the number of training configurations.

    Raises:
        Missing: If no two members predicted something at any size, or there is no domain to take
            own zeros from.
        ValueError: If members of a size did not predict that domain.
    """
    scan = find_scan(material, 'sizes')
    found: dict[int, Scatter] = {}
    for label, parts in scan_rows(material, scan, lambda _, kind: not kind.own).items():
        if len(parts[0].members) > 1:
            rows = join_rows(parts)
            size = scan.points[label].n_train
            offsets = find_offsets(material, zero, rows)
            found[size] = of_energies(
                rows.configurations, rows.energies, ddof=ddof, offsets=offsets
            )
    if not found:
        raise missing('predictions by two or more members at each size', MAKERS)
    return dict(sorted(found.items()))


def build_sizes(material: Material, *, ddof: int) -> Result:
    """Return σ and ε of energies for every number of training configurations."""
    scan = find_scan(material, 'sizes')
    found = size_scatters(material, ddof)
    ranks = []
    for scatter in found.values():
        scalars = agreement(scatter, by='family')
        ranks += [r for s in scalars.values() if (r := s['rank_correlation']) is not None]
    measured = ''
    if ranks:
        measured = f'Spearman of σ and |ε| {min(ranks):+.2f} to {max(ranks):+.2f} by family and N'
    panels = {f'N = {size}': scatter for size, scatter in found.items()}
    content = {'scatters': panels, 'palette': material.palette}
    return Result(content, measured, scan_sources(material, scan), _left_out(scan, len(found)))


def build_correlations(material: Material, *, n_frames: int, of: str) -> Result:
    """Return the correlations of members' errors, within the ensemble and across a scan's.

    An ensemble of fewer than `MIN_WITHIN` members leaves the pairs within to the scan's ensembles.
    """
    one_of('of', of, ('force', 'energy'))
    parts: list[Cross] = []
    sources: dict[str, str] = {}
    main, n_across = material.record.ensemble, 0
    with suppress(Missing):
        scan = find_scan(material, 'subsets')
        asked = held_out_rows(material, scan, n_frames)
        parts.append(_correlate(point_ensembles(scan), asked, of))
        sources, n_across = scan_sources(material, scan), len(asked)
    if not parts or len(main.members) >= MIN_WITHIN:
        rows = thin(material.held_out(), n_frames)
        parts.insert(0, _correlate({'ensemble': main}, {'ensemble': rows}, of))
        sources = {**sources, **material.sources(rows)}
    found = join(parts[0], parts[1]) if len(parts) > 1 else parts[0]
    within = found.centred.all_within
    measured = f'{within.mean():.3f} ± {within.std():.3f} within one ensemble'
    if len(found.centred.across):
        across = found.centred.across
        measured += f'; {across.mean():.3f} ± {across.std():.3f} across {n_across}'
    title = 'force components' if of == 'force' else 'energies'
    return Result({'cross': found}, measured, sources, title)


def _left_out(scan: Scan, n_points: int) -> str:
    """Say how many points there are where some are left out because they lack predictions."""
    total = len(scan.points)
    return '' if n_points == total else f' ({n_points} of {total} points have predictions)'


def _correlate(ensembles: Mapping[str, Ensemble], asked: Mapping[str, Rows], of: str) -> Cross:
    errors = {label: _errors(ensembles[label], rows, of) for label, rows in asked.items()}
    return correlate(errors, _groups(next(iter(asked.values())), of))


def _errors(ensemble: Ensemble, rows: Rows, of: str) -> Floats:
    if of == 'force':
        return force_errors(ensemble, rows)
    frames = rows.configurations
    errors: Floats = (rows.energies - np.asarray(frames.energies)) / frames.n_atoms
    return errors


def _groups(rows: Rows, of: str) -> Integers:
    """Return the density's number of each energy, or of each force component."""
    frames = rows.configurations
    groups = density_groups(frames.domains.tolist(), frames.kinds)
    if of == 'energy':
        return groups
    every: Integers = np.repeat(groups, 3 * frames.n_atoms)
    return every[frames.known_forces.reshape(-1)]


def _table(
    name: str, title: str, paper: str, kinds: Sequence[str], size: tuple[float, float]
) -> Figure:
    return Figure(
        name,
        title,
        'Mean absolute error of force components on held-out frames of the domains trained on: '
        'mean over seeds, with their standard deviation.',
        build_table,
        figures.draw_comparisons,
        MAKERS,
        paper=paper,
        options={**DDOF, 'n_frames': SCAN_FRAMES, 'kind': kinds[0], 'scan': None},
        forms=partial(scan_forms, kinds=kinds),
        size=size,
        topic='Choices of the training',
    )


FIGURES = (
    _table(
        'S1',
        'Error over the number of densities',
        'converged at 5 densities',
        ['densities'],
        (5.8, 4.2),
    ),
    _table(
        'S2',
        'Error over l_max and data size',
        'l_max 3 best, flat in N',
        ['grid'],
        (6.4, 4.4),
    ),
    _table(
        'S4',
        'Error over feature multiplicity and cutoff',
        '16 features; 5.0 Å',
        ['features', 'cutoffs'],
        (5.8, 4.2),
    ),
    Figure(
        'S9',
        'Error over spread by data size',
        'F7 for ensembles trained on N configurations.',
        build_sizes,
        figures.draw_scatter_panels,
        MAKERS,
        paper='no useful relation at any N',
        options=DDOF,
        size=(8.4, 6.0),
        topic='Error over spread',
    ),
    Figure(
        'S10',
        "Correlation of the members' errors",
        'Correlation of the error vectors of every pair of members on the same held-out frames, '
        'within the ensemble and, where a scan trained several, across those.',
        build_correlations,
        figures.draw_pair_correlations,
        'enne.audit; enne.scan for several ensembles',
        paper='0.85 ± 0.04 within, 0.88 ± 0.05 across 8 ensembles',
        options={'n_frames': 1000, 'of': 'energy'},
        forms=lambda _: [{}, {'of': 'force', 'n_frames': SCAN_FRAMES}],
        topic='Members',
    ),
)
