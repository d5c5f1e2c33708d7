"""Figures of the liquids: structure (F1), forces held out (F2), forces by temperature (F3)."""

from __future__ import annotations

from collections import Counter

import numpy as np

from aiida_enne.provenance.material import Material, missing, named
from aiida_enne.provenance.rows import N_FRAMES, Rows
from aiida_enne.report.figures import DDOF, Figure, Result
from aiida_enne.science import figures
from aiida_enne.science.properties.radial import radial_curves
from aiida_enne.science.uncertainty.options import AuditOptions


def build_structure(material: Material, *, temperature: float) -> Result:
    """Return g(r) of every density at one temperature; 0 is that of the most densities."""
    frames, uuids = material.liquids()
    kinds = {name: kind for name, kind in frames.kinds.items() if kind.density is not None}
    if not kinds:
        raise missing('liquids of one density each', 'enne.liquid')
    counted = Counter(kind.temperature for kind in kinds.values())
    chosen = temperature or max(counted, key=lambda one: (counted[one], one or 0.0))
    wanted = [name for name, kind in kinds.items() if kind.temperature == chosen]
    if not wanted:
        raise missing(f'liquids at {temperature:g} K', 'enne.liquid')
    curves = radial_curves(frames.select(np.flatnonzero(np.isin(frames.domains, wanted))))
    content = {'curves': curves, 'palette': material.palette}
    return Result(content, f'{len(curves)} densities', named('dataset', uuids))


def build_parity(material: Material, *, ddof: int, n_frames: int, of: str | None) -> Result:
    """Return the audit of forces of one domain; by default of those trained on, held out.

    Where nothing of these is held out, it is that of all domains.
    """
    rows = material.held_out() if of is None else domain_rows(material, of)
    result = material.audit_rows(rows, AuditOptions(ddof=ddof, n_bootstrap=0), n_frames)
    # a mean over domains of which none was trained on says nothing of any
    alone = len(result.domains) == 1 or set(result.domains) <= set(material.training_domains)
    measured = f'{result.pooled["force_mae"]:.3f} eV/Å' if alone else ''
    content = {'audit': result, 'domain': of}
    return Result(content, measured, material.sources(rows), of or covered(material, rows))


def domain_rows(material: Material, domain: str) -> Rows:
    """Return the rows of one domain.

    Raises:
        Missing: If there are none.
    """
    chosen = np.flatnonzero(material.rows.configurations.domains == domain)
    if not len(chosen):
        raise missing(f'held-out frames of {domain!r}', 'enne.audit')
    return material.rows.select(chosen)


def covered(material: Material, rows: Rows) -> str:
    """Say so where rows are of more than the domains trained on."""
    found = set(rows.configurations.domains.tolist())
    return '' if found <= set(material.training_domains) else 'all domains'


def build_errors(material: Material, *, ddof: int, n_frames: int, density: float) -> Result:
    """Return the audit of forces of one density by temperature; 0 is that of the most.

    Without liquids of known temperature it is that of all domains.
    """
    kinds = material.rows.configurations.kinds
    kinds = {n: one for n, one in kinds.items() if one.density and one.temperature}
    counted = Counter(kind.density for kind in kinds.values())
    chosen = density or max(counted, key=lambda one: (counted[one], one or 0.0), default=0)
    wanted = [name for name, kind in kinds.items() if kind.density == chosen]
    if density and not wanted:
        raise missing(f'liquids of {density:g} g/cm³', 'enne.liquid')
    rows = material.rows
    if wanted:
        rows = rows.select(np.flatnonzero(np.isin(rows.configurations.domains, wanted)))
    result = material.audit_rows(rows, AuditOptions(ddof=ddof, n_bootstrap=0), n_frames)
    known = (scalars['force_rmse'] for scalars in result.domains.values())
    rmse = [value for value in known if value is not None]
    groups = 'temperatures' if wanted else 'domains'
    span = ''
    if rmse:
        span = f'RMSE {min(rmse):.3f} to {max(rmse):.3f} eV/Å over {len(rmse)} {groups}'
    content = {'audit': result, 'palette': material.palette}
    return Result(content, span, material.sources(rows), '' if wanted else 'all domains')


FIGURES = (
    Figure(
        'F1',
        'Structure of the liquids',
        'Radial distribution function of the reference at every density, averaged over frames.',
        build_structure,
        figures.draw_radial_distributions,
        'enne.liquid, enne.study',
        paper='5 curves',
        options={'temperature': 0.0},
        topic='Liquids and forces',
    ),
    Figure(
        'F2',
        'Forces of held-out frames',
        'Force components, mean of the ensemble over reference, in the domains trained on: frames '
        'that the training never saw.',
        build_parity,
        figures.draw_force_parity,
        'enne.audit, enne.study',
        paper='MAE 0.063 eV/Å',
        options={**DDOF, 'n_frames': N_FRAMES, 'of': None},
        size=(5.6, 4.6),
        topic='Liquids and forces',
    ),
    Figure(
        'F3',
        'Force errors by temperature',
        'Density of the errors of force components at every temperature of one density, each over '
        'the Gaussian of equal mean and variance.',
        build_errors,
        figures.draw_force_errors,
        'enne.liquid, enne.study',
        paper='near Gaussian, independent of temperature',
        options={**DDOF, 'n_frames': N_FRAMES, 'density': 0.0},
        topic='Liquids and forces',
    ),
)
