"""Gather all that a report shows: queries in, plain values out."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from aiida.common.exceptions import NotExistent

from aiida_enne import provenance
from aiida_enne.provenance import Material, Missing
from aiida_enne.provenance.labels import Labelling, find_labellings
from aiida_enne.report import interactive
from aiida_enne.report.figures import Figure, Result, all_figures
from aiida_enne.report.interactive import Map
from aiida_enne.report.judged import verdict_numbers
from aiida_enne.report.tables import Table
from aiida_enne.science.plugins import registered
from aiida_enne.science.uncertainty.audit import Audit
from aiida_enne.science.uncertainty.ensemble import PAPER_DDOF
from aiida_enne.science.uncertainty.findings import find
from aiida_enne.science.uncertainty.gates import caps

#: Entry points of functions that take the material of a study and yield tables.
TABLES = 'aiida_enne.tables'


@dataclass(frozen=True, slots=True)
class Section:
    """The audit of one ensemble on one dataset.

    Attributes:
        label: Label of the dataset.
        statistics: The statistics node and all that it came from.
        audit: Its content.
        findings: Sentences with numbers.
        labellings: The reference calculations behind the dataset, if it was not imported.
    """

    label: str
    statistics: provenance.Statistics
    audit: Audit
    findings: list[str]
    labellings: list[Labelling]


@dataclass(frozen=True, slots=True)
class Form:
    """One form of a figure.

    Attributes:
        name: Of its files: that of the figure and, if it has several forms, a label or a number.
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
    """A figure, a form of one, or a group of tables that cannot be shown.

    Attributes:
        name: Of the figure.
        title: What it would show.
        reason: What is missing and which work chain makes it, or why the data are refused.
    """

    name: str
    title: str
    reason: str


@dataclass(frozen=True, slots=True)
class Report:
    """All that a page shows.

    Attributes:
        material: What it is about.
        created: When the work chain was started, ISO 8601.
        sections: One per stored audit.
        forms: Figures, in the order of the registry.
        absences: Those that cannot be drawn.
        tables: Numbers of the analyses.
        map: The interactive map; None where nothing can be shown on one.
        no_map: Why there is none.
        judged: An audit of everything together, with verdicts; None where nothing can be judged.
    """

    material: Material
    created: str
    sections: list[Section]
    forms: list[Form]
    absences: list[Absence]
    tables: list[Table]
    map: Map | None
    no_map: str
    judged: Audit | None = None

    @property
    def findings(self) -> list[str]:
        """All findings, the dataset named where there is more than one."""
        many = len(self.sections) > 1
        return [
            f'{section.label}: {sentence}' if many else sentence
            for section in self.sections
            for sentence in section.findings
        ]


def collect(
    identifier: str | int,
    *,
    map_limit: int = interactive.LIMIT,
    progress: Callable[[str], None] = lambda _: None,
) -> Report:
    """Gather the report of an audit or a study.

    Args:
        identifier: PK or UUID of a work chain that returned statistics, or of any that knows an
            ensemble which predicted something.
        map_limit: Largest number of structures in the map; 0 for no map.
        progress: Called with the name of every figure before it is built.

    Raises:
        NotExistent: If there is no such work chain, or there is nothing to report of it.
    """
    material = Material.of(identifier)
    record = material.record
    if not record.statistics and not provenance.predicted_datasets(record.ensemble):
        raise NotExistent(f'work chain <{record.process}> returned no statistics')
    forms: list[Form] = []
    absences: list[Absence] = []
    for figure in all_figures().values():
        progress(figure.name)
        build_forms(figure, material, forms, absences)
    tables: list[Table] = []
    for name, entry in registered(TABLES).items():
        progress(name)
        tables += attempt(partial(_tables, entry, material), name, absences) or []
    sections = [_section(material, label) for label in material.audits()]
    progress('verdicts')
    judged = attempt(partial(provenance.joint_audit, material), 'verdicts', absences)
    created = provenance.created(record.process)
    shown = _map(material, map_limit)
    return Report(material, created, sections, forms, absences, tables, *shown, judged)


def build_forms(
    figure: Figure, material: Material, forms: list[Form], absences: list[Absence]
) -> None:
    """Build all forms of a figure; what cannot be built joins what is absent."""
    wanted: list[Mapping[str, Any]]
    wanted = attempt(partial(figure.forms, material), figure.name, absences, figure.title) or []
    for number, options in enumerate(wanted, 1):
        chosen = figure.choose(options)
        make = partial(figure.build, material, **chosen)
        result = attempt(make, figure.name, absences, figure.title)
        if result is not None:
            own = (str(options[key]) for key in ('dataset', 'of') if key in options)
            suffix = '_'.join(own) if 'dataset' in options else str(number)
            name = figure.name if len(wanted) == 1 else f'{figure.name}_{suffix}'
            forms.append(Form(name, figure, chosen, result))


def attempt(make: Callable[[], Any], name: str, absences: list[Absence], title: str = '') -> Any:
    """Return what a figure or a table makes, or None with the reason among what is absent.

    Whatever goes wrong in one, which may be of another package, is a line and takes no other along.
    """
    try:
        return make()
    except (Missing, ValueError) as exception:
        absences.append(Absence(name, title or name, str(exception)))
    except Exception as exception:
        absences.append(Absence(name, title or name, f'{type(exception).__name__}: {exception}'))
    return None


def scalars(report: Report) -> dict[str, Any]:
    """Return every number of the audits, fit for JSON: what two reports are compared by."""
    return {
        section.label: {
            'domains': section.audit.domains,
            'pooled': section.audit.pooled,
            'parameters': section.audit.parameters,
            'statistics': section.statistics.uuid,
            'n_failed_labels': sum(len(one.failures) for one in section.labellings),
        }
        for section in report.sections
    }


def figure_numbers(report: Report) -> dict[str, Any]:
    """Return every number of figures and tables beside the published one, fit for JSON."""
    numbers: dict[str, Any] = {
        'figures': {
            form.name: {
                'title': form.figure.title,
                'form': form.result.title,
                'options': form.options,
                'here': form.result.measured,
                'paper': form.figure.paper,
                'sources': form.result.sources,
            }
            for form in report.forms
        },
        'absent': [[absence.name, absence.reason] for absence in report.absences],
        'tables': {},
    }
    if report.judged is not None:
        numbers |= verdict_numbers(report.judged)
    for table in report.tables:
        if table.numbers:
            numbers |= table.numbers
        else:
            rows = [dict(zip(table.headers, row, strict=True)) for row in table.rows]
            numbers['tables'][table.title] = rows
    return numbers


def _tables(entry: Any, material: Material) -> list[Table]:
    return list(entry.load()(material))


def _section(material: Material, label: str) -> Section:
    statistics, audit = material.record.statistics[label], material.audit(label)
    return Section(
        label,
        statistics,
        audit,
        [finding.text for finding in find(audit.domains, audit.parameters, caps(audit.gates))],
        find_labellings(statistics.sources['datasets']),
    )


def _map(material: Material, limit: int) -> tuple[Map | None, str]:
    if not limit:
        return None, 'No map was asked for.'
    if not interactive.is_available():
        return None, f'The map needs the viewer chemiscope: {interactive.EXTRA}.'
    try:
        scatter = material.scatter(PAPER_DDOF)
        found = interactive.build_map(material.rows, scatter, limit, material.palette)
    except (Missing, ValueError) as exception:
        return None, f'No map: {exception}.'
    return found, '' if found else 'No configuration has both σ > 0 and ε ≠ 0.'
