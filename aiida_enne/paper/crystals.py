"""Figures of the crystals: equations of state (F4), path with volume (F5), transition (S5)."""

from __future__ import annotations

from typing import Any

import numpy as np

from aiida_enne.provenance import Rows
from aiida_enne.provenance.joint import ZERO, zero_domain
from aiida_enne.provenance.material import Material, missing
from aiida_enne.report.figures import DDOF, Figure, Result
from aiida_enne.science import figures
from aiida_enne.science.checks import one_of
from aiida_enne.science.properties.curves import Curve, curves, shift_at_minimum, volume_scans
from aiida_enne.science.properties.eos import FORMS, CurveFits, fit_curve
from aiida_enne.science.properties.paths import volume_path
from aiida_enne.science.properties.transition import find_transition
from aiida_enne.science.uncertainty.alignment import Offsets, reference_offset

MEV = 1000.0
#: Whether all have one zero of energy, or each its own.
ZEROS = COMMON_ZERO, OWN_ZERO = 'common', 'own'


def find_offsets(material: Material, zero: str, rows: Rows | None = None) -> Offsets | None:
    """Return each one's own zero on the domain of `zero_domain` if that is the choice.

    Args:
        material: Of a study.
        zero: `common` or `own`.
        rows: Of the members; those of the ensemble by default.

    Raises:
        Missing: If it is and there is no such domain.
    """
    one_of('zero', zero, ZEROS)
    if zero == COMMON_ZERO:
        return None
    domain = zero_domain(material)
    if domain is None:
        raise missing(f'E(V) of {ZERO}, to take own zeros from', 'enne.eos')
    asked = material.rows if rows is None else rows
    return reference_offset(asked.configurations, asked.energies, domain)


def phase_rows(material: Material) -> Rows:
    """Return the rows of all crystal phases or, without any, of all scans of volumes."""
    rows, is_phase = material.rows, lambda one: one.family == 'phase'
    if not any(map(is_phase, rows.configurations.kinds.values())):
        names = volume_scans(rows.configurations)
        if names:
            return rows.select(np.flatnonzero(np.isin(rows.configurations.domains, names)))
    return material.pick(is_phase, 'crystal phases over their volume', 'enne.eos')


def phase_curves(material: Material) -> dict[str, Curve]:
    """Return E(V) of every phase."""

    def make() -> dict[str, Curve]:
        rows = phase_rows(material)
        return curves(rows.configurations, rows.energies)

    return material.once('curves', make)


def phase_fits(material: Material, form: str) -> dict[str, CurveFits]:
    """Return the equations of state of every phase.

    Raises:
        ValueError: If the form is unknown.
    """
    one_of('form', form, FORMS)
    found = phase_curves(material)
    return material.once(
        ('fits', form), lambda: {name: fit_curve(curve, form) for name, curve in found.items()}
    )


def build_equations(material: Material, *, ddof: int, zero: str, form: str) -> Result:
    """Return E(V) of all phases and their fits."""
    one_of('zero', zero, ZEROS)
    one_of('form', form, FORMS)
    found = phase_curves(material)
    measured = ''
    if ZERO in found:
        shift = shift_at_minimum(found[ZERO], ddof=ddof)
        measured = f'shift {shift.mean:+.4f} ± {shift.spread:.4f} eV/atom'
    title = 'one common zero' if zero == COMMON_ZERO else 'each with its own zero'
    content: dict[str, Any] = {
        'curves': found,
        'form': form,
        'aligned': zero == OWN_ZERO,
        'ddof': ddof,
    }
    content['palette'] = material.palette
    return Result(content, measured, material.sources(phase_rows(material)), title)


def build_path(material: Material, *, ddof: int, phase: str, zero: str) -> Result:
    """Return σ and ε of one phase over its volume."""
    one_of('zero', zero, ZEROS)
    found = phase_curves(material)
    if phase not in found:
        raise missing(f'E(V) of {phase}', 'enne.eos')
    curve = found[phase].own_zeros() if zero == OWN_ZERO else found[phase]
    path = volume_path(curve, ddof=ddof)
    measured = f'{"" if path.monotonic else "not "}monotonic; |ε| < σ in {path.share_inside:.0%} '
    measured += 'of the volumes'
    title = f'{phase}, {"own zeros" if zero == OWN_ZERO else "raw"}'
    rows = phase_rows(material)
    own = np.flatnonzero(rows.configurations.domains == curve.domain)
    return Result({'path': path}, measured, material.sources(rows.select(own)), title)


def build_transition(material: Material, *, ddof: int, low: str, high: str, form: str) -> Result:
    """Return the pressure at which one phase gives way to another, member by member."""
    fits = phase_fits(material, form)
    for phase in (low, high):
        if phase not in fits:
            raise missing(f'E(V) of {phase}', 'enne.eos')
    found = find_transition(fits[low], fits[high])
    if found.reference is None and found.mean is None:
        why = '; '.join(sorted(set(found.reasons.values())))
        raise ValueError(f'{low} gives way to {high} neither by the reference nor a member: {why}')
    spread, reference = found.spread(ddof=ddof), found.reference
    mean = 'no member has one' if found.mean is None else f'{found.mean:.1f}'
    mean += '' if spread is None else f' ± {spread:.1f}'
    mean += '' if found.mean is None else ' GPa'
    if found.n_censored:
        mean = f'median {found.median}, {found.n_censored} of {len(found.members)} members beyond '
        mean += 'what the scans reach'
    known = 'none' if reference is None else f'{reference:.1f} GPa'
    rows = phase_rows(material)
    names = [phase_curves(material)[phase].domain for phase in (low, high)]
    own = np.flatnonzero(np.isin(rows.configurations.domains, names))
    title = f'{low} to {high}'
    sources = material.sources(rows.select(own))
    content = {'transition': found, 'ddof': ddof}
    return Result(content, f'{mean} (reference {known})', sources, title)


FIGURES = (
    Figure(
        'F4',
        'Energy over volume of the crystal phases',
        'Mean of the ensemble and spread beside the reference. Left in the paper: zero at the '
        "reference's lowest energy of cubic diamond; right: each one with its own zero.",
        build_equations,
        figures.draw_equations_of_state,
        'enne.eos, enne.study',
        paper='shift 0.115 eV/atom at the diamond minimum',
        options={**DDOF, 'zero': COMMON_ZERO, 'form': FORMS[0]},
        forms=lambda _: [{}, {'zero': OWN_ZERO}],
        size=(7.4, 4.8),
        topic='Crystal phases',
    ),
    Figure(
        'F5',
        'Path of σ and ε with the volume',
        'Spread and error of cubic diamond as it is compressed and stretched; in the cone the '
        'ensemble would be honest.',
        build_path,
        figures.draw_volume_path,
        'enne.eos, enne.study',
        paper='not monotonic; |ε| < σ only in a small interval',
        options={**DDOF, 'phase': ZERO, 'zero': COMMON_ZERO},
        forms=lambda _: [{}, {'zero': OWN_ZERO}],
        size=(6.4, 4.8),
        topic='Crystal phases',
    ),
    Figure(
        'S5',
        'Transition pressure',
        'Pressure at which both phases have the same enthalpy, from the equations of state of '
        'every member.',
        build_transition,
        figures.draw_transition,
        'enne.eos, enne.study',
        paper='12.0 ± 3.1 GPa (reference 10.4)',
        options={**DDOF, 'low': ZERO, 'high': 'beta-tin', 'form': FORMS[0]},
        topic='Crystal phases',
    ),
)
