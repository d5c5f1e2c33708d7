"""Tables of the paper's analyses: equations of state, order of phases, formation energies."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from aiida_enne.paper.crystals import phase_curves, phase_fits
from aiida_enne.paper.formations import study_formations
from aiida_enne.provenance.material import Material, missing
from aiida_enne.report.tables import Table, percent, shown
from aiida_enne.science.properties.eos import FORMS, Summary
from aiida_enne.science.properties.ranking import rank
from aiida_enne.science.structures.domains import natural
from aiida_enne.science.uncertainty.ensemble import PAPER_DDOF

MEV = 1000.0
#: Pairs of phases that members may get wrong: those closer than this in the reference, eV/atom.
CLOSE = 0.1


def of_equations(material: Material) -> Iterator[Table]:
    """Yield the equations of state of all phases.

    Raises:
        Missing: If there are no phases.
    """
    ddof = PAPER_DDOF
    rows = []
    for name, fits in phase_fits(material, FORMS[0]).items():
        found = [fits.summary(key, ddof=ddof) for key in ('volume', 'energy', 'bulk_modulus_gpa')]
        cells = [cell for one in found for cell in (shown(one.reference), *_ensemble(one))]
        rows.append([name, str(found[0].n), str(fits.n_refused), *cells])
    headers = ['phase', 'members fitted', 'refused']
    for symbol, unit in (('V0', 'Å³/atom'), ('E0', 'eV/atom'), ('B0', 'GPa')):
        headers += [f'{symbol} reference ({unit})', f'{symbol} members', 'fit of their mean']
    title = f'Equations of state, {FORMS[0]}: mean of the fits of members ± σ (ddof {ddof})'
    yield Table(title, headers, rows)


def of_order(material: Material) -> Iterator[Table]:
    """Yield the pairs of phases whose order is doubtful, if there are any.

    Raises:
        Missing: If there are no phases.
    """
    curves = phase_curves(material)
    if len(curves) < 2:
        return
    ranking = rank(curves)
    rows = [
        [
            pair.lower,
            pair.upper,
            shown(pair.gap, MEV),
            shown(pair.mean_gap, MEV) if np.isfinite(pair.mean_gap) else '–',
            f'{pair.wrong} of {pair.compared}',
            percent(pair.wrong / pair.compared) if pair.compared else '–',
        ]
        for pair in ranking.pairs()
        if pair.gap < CLOSE or pair.wrong
    ]
    headers = ['lower', 'higher', 'gap of the reference (meV/atom)', 'gap of the mean']
    title = f'Order of phases: pairs within {MEV * CLOSE:.0f} meV/atom, or that a member gets wrong'
    if rows:
        yield Table(title, [*headers, 'members that have it the other way', 'share'], rows)


def of_formations(material: Material) -> Iterator[Table]:
    """Yield the energies of all defects and surfaces at the end of their relaxation.

    Raises:
        Missing: If there are none.
    """
    ddof = PAPER_DDOF
    rows = []
    found = study_formations(material, ddof)
    for domain, (_, one) in sorted(found.items(), key=lambda pair: natural(pair[0])):
        known = bool(np.isfinite(one.reference[-1]))
        rows.append(
            [
                domain,
                str(one.n_atoms),
                str(len(one.steps)),
                one.unit,
                shown(float(one.reference[-1])) if known else '–',
                shown(float(one.mean[-1])),
                shown(float(one.error[-1])) if known else '–',
                shown(float(one.spread[-1])),
                shown(float(one.quadrature[-1])),
            ]
        )
    headers = ['path', 'atoms', 'steps', 'unit', 'reference', 'mean', 'ε', f'σ (ddof {ddof})']
    if not rows:
        raise missing('relaxed defects or surfaces', 'enne.defect or enne.surface')
    title = 'Formation and surface energies at the end of the relaxation, member by member'
    yield Table(title, [*headers, 'σ if errors were independent'], rows)


def _ensemble(summary: Summary) -> list[str]:
    spread = '' if summary.spread is None else f' ± {shown(summary.spread)}'
    return [f'{_precise(summary.mean_of_fits)}{spread}', _precise(summary.fit_of_mean)]


def _precise(value: float | None) -> str:
    return '–' if value is None else f'{value:.4g}'
