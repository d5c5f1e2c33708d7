"""All figures of the paper that a study has the data for, and why the others cannot be had."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from aiida_enne.paper import FIGURES
from aiida_enne.paper.claims import Verdict
from aiida_enne.paper.figure import Figure, Result
from aiida_enne.paper.material import Material, Missing
from aiida_enne.paper.scatters import study_scatter
from aiida_enne.paper.tables import of_paper
from aiida_enne.paper.verdicts import judge_study, of_claims
from aiida_enne.report import interactive
from aiida_enne.report.interactive import Map
from aiida_enne.report.tables import Table
from aiida_enne.science.uncertainty.ensemble import PAPER_DDOF


@dataclass(frozen=True, slots=True)
class Form:
    """One form of a figure of the paper.

    Attributes:
        name: Of its files: that of the figure and, if it has several forms, a number.
        figure: The figure.
        options: All that was chosen.
        result: What was found.
    """

    name: str
    figure: Figure
    options: dict[str, Any]
    result: Result


@dataclass(frozen=True, slots=True)
class Absence:
    """A figure, or a form of one, that cannot be had.

    Attributes:
        name: Of the figure.
        title: What it would show.
        reason: What is missing and which work chain makes it, or why the data are refused.
    """

    name: str
    title: str
    reason: str


@dataclass(frozen=True, slots=True)
class Paper:
    """What a study says to the paper.

    Attributes:
        forms: Figures, in the paper's order.
        absences: Those that cannot be had.
        verdicts: On the paper's claims.
        claims: The verdicts as a table.
        tables: Numbers of the analyses.
        map: The interactive map; None where nothing can be shown on one.
        no_map: Why there is none.
    """

    forms: list[Form]
    absences: list[Absence]
    verdicts: list[Verdict]
    claims: Table
    tables: list[Table]
    map: Map | None
    no_map: str


def collect_paper(
    material: Material,
    *,
    map_limit: int = interactive.LIMIT,
    progress: Callable[[str], None] = lambda _: None,
) -> Paper:
    """Build every figure of the paper, and the map.

    Args:
        material: Of a study or any ensemble.
        map_limit: Largest number of structures in the map; 0 for no map.
        progress: Called with the name of every figure before it is built.
    """
    forms: list[Form] = []
    absences: list[Absence] = []
    for figure in FIGURES.values():
        progress(figure.name)
        _build(figure, material, forms, absences)
    progress('claims')
    verdicts = judge_study(material)
    found, reason = _map(material, map_limit)
    claims = of_claims(verdicts)
    return Paper(forms, absences, verdicts, claims, of_paper(material), found, reason)


def paper_numbers(paper: Paper) -> dict[str, Any]:
    """Return every number beside the paper's, fit for JSON: what two reports are compared by."""
    return {
        'figures': {
            form.name: {
                'title': form.figure.title,
                'form': form.result.title,
                'options': form.options,
                'here': form.result.measured,
                'paper': form.figure.paper,
                'sources': form.result.sources,
            }
            for form in paper.forms
        },
        'absent': [[absence.name, absence.reason] for absence in paper.absences],
        'tables': {
            table.title: [dict(zip(table.headers, row, strict=True)) for row in table.rows]
            for table in paper.tables
        },
        'claims': {
            verdict.claim.name: {
                'text': verdict.claim.text,
                'paper': verdict.claim.value,
                'here': verdict.value,
                'uncertainty': verdict.uncertainty,
                'outcome': verdict.outcome,
                'sentence': verdict.sentence,
                'threshold': verdict.threshold,
            }
            for verdict in paper.verdicts
        },
    }


def _build(figure: Figure, material: Material, forms: list[Form], absences: list[Absence]) -> None:
    wanted: list[Mapping[str, Any]] = list(figure.forms(material))
    for number, options in enumerate(wanted, 1):
        chosen = figure.choose(options)
        try:
            result = figure.build(material, **chosen)
        # what the science refuses in one figure is said, and no reason to have no other
        except (Missing, ValueError) as exception:
            absences.append(Absence(figure.name, figure.title, str(exception)))
            continue
        name = figure.name if len(wanted) == 1 else f'{figure.name}_{number}'
        forms.append(Form(name, figure, chosen, result))


def _map(material: Material, limit: int) -> tuple[Map | None, str]:
    if not limit:
        return None, 'No map was asked for.'
    if not interactive.is_available():
        return None, f'The map needs the viewer chemiscope: {interactive.EXTRA}.'
    try:
        rows = material.rows
    except Missing as exception:
        return None, f'No map: {exception}.'
    found = interactive.build_map(rows, study_scatter(material, PAPER_DDOF), limit)
    return found, '' if found else 'No configuration has both σ > 0 and ε ≠ 0.'
