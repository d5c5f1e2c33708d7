"""Gather all that a report shows: queries in, plain values out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from aiida.common.exceptions import NotExistent

from aiida_enne import provenance
from aiida_enne.provenance import Material
from aiida_enne.provenance.labels import Labelling, find_labellings, find_samplers
from aiida_enne.report import interactive, tables
from aiida_enne.report.converged import say_noise
from aiida_enne.report.figures import Figure, Result, all_figures
from aiida_enne.report.interactive import Map
from aiida_enne.report.judged import of_advice, of_command, of_verdicts, of_words, verdict_numbers
from aiida_enne.report.tables import Table
from aiida_enne.science.figures.palette import ALONE, Palette
from aiida_enne.science.guard import Absence, attempt, guarded
from aiida_enne.science.plugins import registered
from aiida_enne.science.uncertainty.audit import Audit
from aiida_enne.science.uncertainty.ensemble import PAPER_DDOF
from aiida_enne.science.uncertainty.findings import find
from aiida_enne.science.uncertainty.gates import caps
from aiida_enne.science.uncertainty.table import gate_lines, reasons

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
        tables: Error and spread by domain, and what the reference failed at.
    """

    label: str
    statistics: provenance.Statistics
    audit: Audit
    findings: list[str]
    labellings: list[Labelling]
    tables: list[Table]


@dataclass(frozen=True, slots=True)
class Form:
    """One form of a figure."""

    name: str
    figure: Figure
    options: dict[str, Any]
    result: Result


@dataclass(frozen=True, slots=True)
class Report:
    """All that a page shows.

    Attributes:
        material: What it is about.
        created: When the work chain was started, ISO 8601.
        sections: One per stored audit.
        forms: Figures, in the order of the registry.
        absences: What cannot be shown.
        tables: Numbers of the analyses.
        members: One row a member; None where it cannot be shown.
        map: The interactive map; None where nothing can be shown on one.
        no_map: Why there is none.
        palette: How domains look.
        judged: An audit of everything together, with verdicts; None where nothing can be judged.
        words: Its verdicts in a word each, a row per domain.
        verdicts: Its verdicts with their numbers.
        gates: A sentence for every gate.
        reasons: A sentence for every verdict.
        advice: What to do next.
        command: What chooses labels and trains on them; empty where none would help.
        samplers: Who moved the frames and who labelled them, where these are two.
        noise: How well the reference itself is known; empty where nobody has looked.
    """

    material: Material
    created: str
    sections: list[Section]
    forms: list[Form]
    absences: list[Absence]
    tables: list[Table]
    members: Table | None
    map: Map | None
    no_map: str
    palette: Palette = ALONE
    judged: Audit | None = None
    words: Table | None = None
    verdicts: Table | None = None
    gates: Sequence[str] = ()
    reasons: Sequence[str] = ()
    advice: Sequence[str] = ()
    command: str = ''
    samplers: Sequence[tuple[str, str]] = ()
    noise: str = ''

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
    found: list[Table] = []
    for name, entry in registered(TABLES).items():
        progress(name)
        found += attempt(partial(_tables, entry, material), name, absences) or []
    palette = attempt(lambda: material.palette, 'palette', absences) or ALONE
    labels = attempt(material.audits, 'audits', absences) or []
    sections = [attempt(partial(_section, material, one, palette), one, absences) for one in labels]
    progress('verdicts')
    judged = attempt(partial(provenance.joint_audit, material), 'verdicts', absences)
    verdicts: dict[str, Any] = {}
    if judged is not None:
        verdicts['words'] = attempt(partial(of_words, judged), 'words', absences)
        verdicts['verdicts'] = attempt(partial(of_verdicts, judged), 'verdicts', absences)
        verdicts['gates'] = attempt(partial(gate_lines, judged.gates), 'gates', absences) or ()
        verdicts['reasons'] = attempt(partial(reasons, judged.verdicts), 'reasons', absences) or ()
        verdicts['advice'] = attempt(partial(of_advice, material, judged), 'advice', absences) or ()
        command = attempt(partial(of_command, material, judged), 'command', absences)
        verdicts['command'] = command or ''
    nodes = [one.uuid for one in record.datasets.values()]
    verdicts['samplers'] = attempt(partial(find_samplers, nodes), 'samplers', absences) or ()
    verdicts['noise'] = attempt(partial(say_noise, material), 'noise', absences) or ''
    members = attempt(partial(tables.of_members, record.ensemble), 'members', absences)
    created = provenance.created(record.process)
    chart, no_map = _map(material, map_limit, palette)
    return Report(
        material,
        created,
        [section for section in sections if section is not None],
        forms,
        absences,
        found,
        members,
        chart,
        no_map,
        palette,
        judged,
        **verdicts,
    )


def build_forms(
    figure: Figure, material: Material, forms: list[Form], absences: list[Absence]
) -> None:
    """Build all forms of a figure; what cannot be built joins what is absent."""
    wanted = attempt(partial(figure.forms, material), figure.name, absences, figure.title) or ()
    for number, options in enumerate(wanted, 1):
        chosen = figure.choose(options)
        make = partial(figure.build, material, **chosen)
        result = attempt(make, figure.name, absences, figure.title)
        if result is not None:
            own = (str(options[key]) for key in ('dataset', 'of') if key in options)
            suffix = '_'.join(own) if 'dataset' in options else str(number)
            name = figure.name if len(wanted) == 1 else f'{figure.name}_{suffix}'
            forms.append(Form(name, figure, chosen, result))


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


def _section(material: Material, label: str, palette: Palette) -> Section:
    statistics, audit = material.record.statistics[label], material.audit(label)
    labellings = find_labellings(statistics.sources['datasets'])
    failed = tables.of_failed_labels(labellings)
    return Section(
        label,
        statistics,
        audit,
        [finding.text for finding in find(audit.domains, audit.parameters, caps(audit.gates))],
        labellings,
        tables.of_audit(audit, palette) + ([] if failed is None else [failed]),
    )


def _map(material: Material, limit: int, palette: Palette) -> tuple[Map | None, str]:
    if not limit:
        return None, 'No map was asked for.'
    if not interactive.is_available():
        return None, f'The map needs the viewer chemiscope: {interactive.EXTRA}.'

    def make() -> Map | None:
        scatter = material.scatter(PAPER_DDOF)
        return interactive.build_map(material.rows, scatter, limit, palette)

    found, reason = guarded(make)
    if reason:
        return None, f'No map, because {reason}.'
    return found, '' if found else 'No configuration has both σ > 0 and ε ≠ 0.'
