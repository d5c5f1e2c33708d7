"""Figures of a deformed crystal: elastic constants and phonons, member by member."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from aiida_enne.provenance import Material, Missing, Rows, gather_forces, gather_stresses
from aiida_enne.report.figures import DDOF, Figure, Result
from aiida_enne.science import figures
from aiida_enne.science.options import nearest
from aiida_enne.science.properties.elastic import elastic
from aiida_enne.science.properties.phonons import phonons
from aiida_enne.science.structures.deformations import DISPLACED, STRAINED

MAKERS = 'enne.label, enne.audit'


def crystals(material: Material, what: str) -> list[str]:
    """Return the crystals that were strained, or whose atoms were displaced, by name."""
    names = dict.fromkeys(material.rows.configurations.domains.tolist())
    return [name.removeprefix(f'{what} ') for name in names if name.startswith(f'{what} ')]


def rows_of(material: Material, what: str, crystal: str) -> tuple[str, Rows]:
    """Return the name of a crystal, the first by default, and its deformed cells.

    Raises:
        Missing: If there are none.
        ValueError: If there is no such crystal.
    """
    known = crystals(material, what)
    if not known:
        raise Missing(
            f'there are no {what} cells: `calculations.deformations.deform_crystal` makes them, '
            'then label and audit them'
        )
    name = crystal or known[0]
    if name not in known:
        raise ValueError(f'{name!r} is no {what} crystal{nearest(name, known)}; there are {known}')
    rows = material.rows
    chosen = np.flatnonzero(rows.configurations.domains == f'{what} {name}')
    return name, rows.select(chosen)


def build_elastic(material: Material, *, ddof: int, crystal: str) -> Result:
    """Return the elastic constants of the reference and of every member.

    Raises:
        Missing: If there are no strained cells, or their labels have no stress.
    """
    name, rows = rows_of(material, STRAINED, crystal)
    configurations = rows.configurations
    if configurations.stresses is None:
        raise Missing(f'the labels of the strained cells of {name} have no stress')
    members = gather_stresses(material.record.ensemble, rows)
    found = elastic(name, configurations.cells, configurations.stresses, members, ddof=ddof)
    parts = [
        f'C{i + 1}{j + 1} {found.mean[i, j]:.4g} ± {found.spread[i, j]:.2g} '
        f'(reference {found.reference[i, j]:.4g})'
        for i, j in found.shown
    ]
    inside = sum(abs(found.error[pair]) < found.spread[pair] for pair in found.shown)
    measured = f'|ε| < σ of {inside} of {len(parts)} constants; GPa: {", ".join(parts[:3])}'
    return Result({'elastic': found}, measured, material.sources(rows), name)


def build_phonons(material: Material, *, ddof: int, crystal: str) -> Result:
    """Return the frequencies of the reference and of every member.

    Raises:
        Missing: If there are no supercells with displaced atoms.
    """
    name, rows = rows_of(material, DISPLACED, crystal)
    one, n = rows.configurations, len(rows)
    members = gather_forces(material.record.ensemble, rows)
    found = phonons(
        name,
        one.cells[0],
        one.positions.reshape(n, -1, 3),
        one.numbers.reshape(n, -1)[0],
        (np.asarray(one.forces).reshape(n, -1, 3), members.reshape(len(members), n, -1, 3)),
        ddof=ddof,
    )
    highest = int(found.reference.argmax())
    inside = float((np.abs(found.error) < found.spread).mean())
    measured = f'highest {found.mean[highest]:.3g} ± {found.spread[highest]:.2g} THz (reference '
    measured += f'{found.reference[highest]:.3g}); |ε| < σ of {inside:.0%} of the modes'
    return Result({'phonons': found}, measured, material.sources(rows), name)


def forms_of(what: str) -> Any:
    """Return what lists one form for each crystal that was deformed so."""

    def forms(material: Material) -> list[Mapping[str, Any]]:
        return [{'crystal': name} for name in crystals(material, what)]

    return forms


FIGURES = (
    Figure(
        'elastic',
        'Elastic constants',
        'Slopes of the stress over the strain of a crystal whose ions follow the cell: members, '
        'their mean and spread, and the reference on the same cells.',
        build_elastic,
        figures.draw_elastic,
        MAKERS,
        options={**DDOF, 'crystal': ''},
        forms=forms_of(STRAINED),
        size=(6.4, 4.4),
        topic='Crystal phases',
    ),
    Figure(
        'phonons',
        'Phonons',
        'All frequencies of a supercell in rising order, from forces on displaced atoms: mean of '
        'the members and spread, and the reference on the same cells; below zero are imaginary '
        'ones.',
        build_phonons,
        figures.draw_phonons,
        MAKERS,
        options={**DDOF, 'crystal': ''},
        forms=forms_of(DISPLACED),
        size=(6.4, 4.4),
        topic='Crystal phases',
    ),
)
