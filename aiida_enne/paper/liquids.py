"""Figures of the liquids: structure (F1), forces held out (F2), forces by temperature (F3)."""

from __future__ import annotations

from collections import Counter

import numpy as np

from aiida_enne import provenance
from aiida_enne.paper.figure import DDOF, Figure, Result
from aiida_enne.paper.material import N_FRAMES, Material, missing, named, thin
from aiida_enne.provenance import Rows
from aiida_enne.science import figures
from aiida_enne.science.properties.radial import radial_curves
from aiida_enne.science.structures.domains import parse
from aiida_enne.science.uncertainty.audit import Audit, audit
from aiida_enne.science.uncertainty.options import AuditOptions


def build_structure(material: Material, *, temperature: float) -> Result:
    """Return g(r) of every density at one temperature; 0 is that of the most densities."""
    frames, uuids = material.liquids()
    kinds = {name: parse(name) for name in np.unique(frames.domains).tolist()}
    counted = Counter(kind.temperature for kind in kinds.values())
    chosen = temperature or max(counted, key=lambda one: (counted[one], one or 0.0))
    wanted = [name for name, kind in kinds.items() if kind.temperature == chosen]
    if not wanted:
        raise missing(f'liquids at {temperature:g} K', 'enne.liquid')
    curves = radial_curves(frames.select(np.flatnonzero(np.isin(frames.domains, wanted))))
    return Result(curves, f'{len(curves)} densities', named('dataset', uuids))


def build_parity(material: Material, *, ddof: int, n_frames: int) -> Result:
    """Return the audit of forces in the domains trained on, on frames held out."""
    trained = material.training_domains
    rows = material.rows
    chosen = np.flatnonzero(np.isin(rows.configurations.domains, trained))
    if not len(chosen):
        raise missing('held-out frames of what was trained on', 'enne.audit')
    rows = rows.select(chosen)
    result = audit_forces(material, rows, ddof, n_frames)
    return Result(result, f'{result.pooled["force_mae"]:.3f} eV/Å', material.sources(rows))


def build_errors(material: Material, *, ddof: int, n_frames: int, density: float) -> Result:
    """Return the audit of forces of one density by temperature; 0 is that of the most."""
    rows = material.pick(
        lambda one: one.family == 'liquid' and one.temperature is not None,
        'liquids of known temperature that were held out',
        'enne.liquid',
    )
    kinds = {name: parse(name) for name in np.unique(rows.configurations.domains).tolist()}
    counted = Counter(kind.density for kind in kinds.values())
    chosen = density or max(counted, key=lambda one: (counted[one], one or 0.0))
    wanted = [name for name, kind in kinds.items() if kind.density == chosen]
    if not wanted:
        raise missing(f'liquids of {density:g} g/cm³', 'enne.liquid')
    rows = rows.select(np.flatnonzero(np.isin(rows.configurations.domains, wanted)))
    result = audit_forces(material, rows, ddof, n_frames)
    rmse = [scalars['force_rmse'] or 0.0 for scalars in result.domains.values()]
    span = f'RMSE {min(rmse):.3f} to {max(rmse):.3f} eV/Å over {len(rmse)} temperatures'
    return Result(result, span, material.sources(rows))


def audit_forces(material: Material, rows: Rows, ddof: int, n_frames: int) -> Audit:
    """Audit rows, thinned, without the intervals that no figure draws."""
    rows = thin(rows, n_frames)
    forces = provenance.gather_forces(material.record.ensemble, rows)
    options = AuditOptions(ddof=ddof, n_bootstrap=0)
    return audit(rows.configurations, rows.energies, forces, options=options)


FIGURES = (
    Figure(
        'F1',
        'Structure of the liquids',
        'Radial distribution function of the reference at every density, averaged over frames.',
        '5 curves',
        'enne.liquid, enne.study',
        build_structure,
        figures.draw_radial_distributions,
        {'temperature': 0.0},
    ),
    Figure(
        'F2',
        'Forces of the held-out liquid',
        'Force components, mean of the ensemble over reference, in the domains trained on: frames '
        'that the training never saw.',
        'MAE 0.063 eV/Å',
        'enne.audit, enne.study',
        build_parity,
        figures.draw_force_parity,
        {**DDOF, 'n_frames': N_FRAMES},
        size=(5.6, 4.6),
    ),
    Figure(
        'F3',
        'Force errors by temperature',
        'Density of the errors of force components at every temperature of one density, each over '
        'the Gaussian of equal mean and variance.',
        'near Gaussian, independent of temperature',
        'enne.liquid, enne.study',
        build_errors,
        figures.draw_force_errors,
        {**DDOF, 'n_frames': N_FRAMES, 'density': 0.0},
    ),
)
