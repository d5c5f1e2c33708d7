"""Figures and tables of deformed crystals: elastic constants and phonons, member by member."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any

import numpy as np

from aiida_enne.provenance import Material, joint_audit
from aiida_enne.provenance.deformed import crystals, load_deformed
from aiida_enne.report.figures import DDOF, Figure, Result
from aiida_enne.report.tables import Table
from aiida_enne.science import figures
from aiida_enne.science.guard import guarded
from aiida_enne.science.properties import bands, stated
from aiida_enne.science.properties.elastic import Elastic
from aiida_enne.science.properties.phonons import Phonons
from aiida_enne.science.structures.deformations import DISPLACED, STRAINED
from aiida_enne.science.uncertainty.ensemble import PAPER_DDOF
from aiida_enne.science.uncertainty.gates import failed
from aiida_enne.science.uncertainty.wording import number

MAKERS = 'enne.stiffness'


def find_elastic(material: Material, crystal: str, ddof: int) -> tuple[Elastic, dict[str, str]]:
    """Return the elastic constants of a crystal, and UUIDs of the nodes that they are from.

    Raises:
        Missing: If there are no strained cells.
        ValueError: If labels or predictions have no stress.
    """

    def make() -> tuple[Elastic, dict[str, str]]:
        name, cells, sources = load_deformed(material, STRAINED, crystal)
        return cells.elastic(name, ddof=ddof), sources

    return material.once(('elastic', crystal, ddof), make)


def find_phonons(
    material: Material, crystal: str, ddof: int
) -> tuple[Phonons, tuple[Any, Any, Any], dict[str, str]]:
    """Return the phonons of a crystal, its supercell, and UUIDs of the nodes they are from.

    Raises:
        Missing: If there are no supercells with displaced atoms.
        ValueError: If displacements are reduced by symmetry and phonopy is not installed.
    """

    def make() -> tuple[Phonons, tuple[Any, Any, Any], dict[str, str]]:
        name, cells, sources = load_deformed(material, DISPLACED, crystal)
        displaced = cells.supercell(name)
        supercell = displaced.cell, displaced.sites, displaced.numbers
        return cells.phonons(name, ddof=ddof), supercell, sources

    return material.once(('phonons', crystal, ddof), make)


def build_elastic(material: Material, *, ddof: int, crystal: str) -> Result:
    """Return the elastic constants of the reference and of every member.

    Errors are those of `find_elastic`.
    """
    found, sources = find_elastic(material, crystal, ddof)
    numbers = stated.of_elastic(found)
    return Result({'elastic': found}, _measured(numbers, 3), sources, found.name)


def build_phonons(material: Material, *, ddof: int, crystal: str) -> Result:
    """Return the frequencies of the reference and of every member.

    Errors are those of `find_phonons`.
    """
    found, _, sources = find_phonons(material, crystal, ddof)
    highest = int(found.mean.argmax())
    measured = f'highest {found.mean[highest]:.3g} ± {found.spread[highest]:.2g} THz'
    if found.reference is not None:
        inside = float((np.abs(found.error) < found.spread).mean())
        measured += f' (reference {found.reference[highest]:.3g}); |ε| < σ of {inside:.0%} of the '
        measured += 'modes'
    return Result({'phonons': found}, measured, sources, found.name)


def build_bands(material: Material, *, ddof: int, crystal: str) -> Result:
    """Return the dispersion by phonopy; errors are those of `find_phonons`."""
    return _by_phonopy(bands.dispersion, 'dispersion', material, ddof, crystal)


def build_density(material: Material, *, ddof: int, crystal: str) -> Result:
    """Return the density of states by phonopy; errors are those of `find_phonons`."""
    return _by_phonopy(bands.density, 'density', material, ddof, crystal)


def _by_phonopy(
    make: Callable[..., Any], key: str, material: Material, ddof: int, crystal: str
) -> Result:
    bands.check_available('phonon bands and densities of states')
    found, supercell, sources = find_phonons(material, crystal, ddof)
    made = make(found.name, supercell, found.reference_constants, found.constants, ddof=ddof)
    return Result(
        {key: made}, _measured(stated.of_phonons(found), 2, last=True), sources, made.name
    )


def _measured(numbers: stated.Stated, most: int, *, last: bool = False) -> str:
    """Return the first or last numbers in words."""
    chosen = list(range(len(numbers.names)))
    chosen = chosen[-most:] if last else chosen[:most]
    return f'{numbers.unit}: ' + ', '.join(
        f'{numbers.names[i]} {_with_reference(numbers, i)}' for i in chosen
    )


def _with_reference(numbers: stated.Stated, index: int) -> str:
    text = f'{numbers.mean[index]:.4g} ± {numbers.spread[index]:.2g}'
    return (
        text if numbers.reference is None else f'{text} (reference {numbers.reference[index]:.4g})'
    )


def of_stiffness(material: Material) -> Iterator[Table]:
    """Yield the numbers of every crystal with σ and reference, and the claims on them."""
    claims: list[stated.Claim] = []
    for what, title, kind, gate in (
        (STRAINED, 'Elastic constants', 'elastic constants', 'stress'),
        (DISPLACED, 'Phonons at points of high symmetry', 'phonon frequencies', 'force'),
    ):
        found = []
        for crystal in crystals(material, what):
            numbers, reason = guarded(partial(_numbers, material, what, crystal))
            if numbers is None:
                claim = stated.Claim(f'{kind} of {crystal}', 'undecided', f'{reason}.', '–')
            else:
                found.append(numbers)
                claim = stated.claim(numbers, kind, _blocked(material, gate))
            claims.append(claim)
        if found:
            yield _table(found, title)
    if claims:
        rows = [[one.text, one.outcome, one.sentence, one.threshold] for one in claims]
        headers = ['claim', 'verdict', 'what was found', 'judged by']
        held = sum(one.outcome == 'holds' for one in claims)
        text = f'Stiffness: {held} of {len(claims)} claims hold here'
        yield Table(text, headers, rows, prose=True)


def _numbers(material: Material, what: str, crystal: str) -> stated.Stated:
    if what == STRAINED:
        return stated.of_elastic(find_elastic(material, crystal, PAPER_DDOF)[0])
    return stated.of_phonons(find_phonons(material, crystal, PAPER_DDOF)[0])


def _blocked(material: Material, gate: str) -> str:
    """Return which gate is failed, after which nothing may be judged; empty if none is."""
    joined, _ = guarded(lambda: joint_audit(material))
    if joined is None:
        return ''
    # without audited stresses the gates of energies are what is known of the trainings
    gates = joined.gates.get(gate) or joined.gates.get('energy', [])
    if not (red := failed(gates)):
        return ''
    return f'{red[0].reason}: {red[0].remedy}'


def _table(found: list[stated.Stated], title: str) -> Table:
    """Return a row a number; without any reference there is no column of it."""
    labelled = any(numbers.reference is not None for numbers in found)
    unit = found[0].unit
    rows = []
    for numbers in found:
        for index, name in enumerate(numbers.names):
            row = [numbers.crystal, name, number(numbers.mean[index])]
            row += [number(numbers.spread[index]), number(numbers.widths[index])]
            if labelled:
                row += ['–', '–']
                if numbers.reference is not None:
                    row[-2:] = [number(numbers.reference[index]), number(numbers.error[index])]
            rows.append(row)
    headers = ['crystal', 'what', f'mean ({unit})', 'σ', f'{stated.INSIDE:.0%} interval ±']
    headers += [f'reference ({unit})', 'ε'] if labelled else []
    return Table(f'{title} ({unit}, σ of ddof {PAPER_DDOF})', headers, rows)


def forms_of(what: str, *, by_phonopy: bool = False) -> Any:
    """Return what lists one form for each crystal that was deformed so."""

    def forms(material: Material) -> list[Mapping[str, Any]]:
        known = crystals(material, what)
        if known and by_phonopy:
            bands.check_available('phonon bands and densities of states')
        return [{'crystal': name} for name in known]

    return forms


def _figure(name: str, title: str, caption: str, build: Any, draw: Any, forms: Any) -> Figure:
    return Figure(
        name,
        title,
        caption,
        build,
        draw,
        MAKERS,
        options={**DDOF, 'crystal': ''},
        forms=forms,
        size=(6.4, 4.4),
        topic='Crystal phases',
    )


FIGURES = (
    _figure(
        'elastic',
        'Elastic constants',
        'Slopes of the stress over the strain of a crystal whose ions follow the cell: members, '
        'their mean and spread, and the reference on the same cells.',
        build_elastic,
        figures.draw_elastic,
        forms_of(STRAINED),
    ),
    _figure(
        'phonons',
        'Phonons',
        'All frequencies of a supercell in rising order, from forces on displaced atoms: mean of '
        'the members and spread, and the reference on the same cells; below zero are imaginary '
        'ones.',
        build_phonons,
        figures.draw_phonons,
        forms_of(DISPLACED),
    ),
    _figure(
        'bands',
        'Phonon dispersion',
        'Frequencies between points of high symmetry by phonopy: mean of the members and spread, '
        'and the reference. Waves that do not fit into the supercell are interpolated.',
        build_bands,
        figures.draw_dispersion,
        forms_of(DISPLACED, by_phonopy=True),
    ),
    _figure(
        'phonon-density',
        'Density of states of phonons',
        'By phonopy, on a mesh: mean of the members and spread, and the reference.',
        build_density,
        figures.draw_density,
        forms_of(DISPLACED, by_phonopy=True),
    ),
)
