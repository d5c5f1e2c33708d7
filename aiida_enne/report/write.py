"""Write a report: figures as PNG and SVG, every number as JSON, one self-contained page."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from aiida_enne import __version__
from aiida_enne.paper.collect import Absence, Paper, collect_paper, paper_numbers
from aiida_enne.paper.material import Material
from aiida_enne.report import catalogue, tables
from aiida_enne.report.collect import Section, Study, collect, scalars
from aiida_enne.report.interactive import LIMIT
from aiida_enne.report.pictures import Picture, write_picture

#: Datasets of which each is shown in detail; the figures of the paper sum up more of them.
MAX_DETAILED = 4


def report_on(
    identifier: str | int,
    folder: Path,
    *,
    map_limit: int = LIMIT,
    progress: Callable[[str], None] = lambda _: None,
) -> tuple[Path, Study, Paper]:
    """Gather and write the report of a study, or of any work chain that knows an ensemble.

    Args:
        identifier: PK or UUID of the work chain.
        folder: See `write_report`.
        map_limit: Largest number of structures in the map; 0 for no map.
        progress: See `write_report`.

    Returns:
        The page, and what is on it.

    Raises:
        NotExistent: If there is no such work chain, or there is nothing to report of it.
    """
    study = collect(identifier)
    paper = collect_paper(Material.of(identifier), map_limit=map_limit)
    return write_report(study, folder, progress, paper), study, paper


def write_report(
    study: Study,
    folder: Path,
    progress: Callable[[str], None] = lambda _: None,
    paper: Paper | None = None,
) -> Path:
    """Write everything into a folder and return the path of the page.

    Args:
        study: What is reported.
        folder: Made if it is not there; files of an older report are replaced.
        progress: Called with the name of every figure before it is drawn.
        paper: What the study says to the paper, where it says something.
    """
    (folder / 'figures').mkdir(parents=True, exist_ok=True)
    sections = [
        (
            section,
            [*tables.of_section(section), *filter(None, [tables.of_failed_labels(section)])],
            _pictures(section, study, folder, progress),
        )
        for section in study.sections
    ]
    training = (
        list(_draw([catalogue.of_training(study)], '', folder, progress)) if study.histories else []
    )
    _write_numbers(folder / 'numbers.json', scalars(study))
    drawn: list[Picture] = []
    absences: list[Absence] = []
    if paper is not None:
        drawn, absences = _paper_pictures(paper, folder, progress)
        _write_numbers(folder / 'paper.json', paper_numbers(paper))
    page = (
        environment()
        .get_template('page.html')
        .render(
            study=study,
            sections=sections,
            training=training,
            members=tables.of_members(study),
            paper=paper,
            drawn=drawn,
            absences=absences,
            version=__version__,
        )
    )
    path = folder / 'report.html'
    path.write_text(page)
    return path


def _pictures(
    section: Section, study: Study, folder: Path, progress: Callable[[str], None]
) -> list[Picture]:
    prefix = f'{section.label}_' if len(study.sections) > 1 else ''
    entries = catalogue.of_section(section, brief=len(study.sections) > MAX_DETAILED)
    return list(_draw(entries, prefix, folder, progress))


def _draw(
    entries: Iterable[catalogue.Entry], prefix: str, folder: Path, progress: Callable[[str], None]
) -> Iterable[Picture]:
    for entry in entries:
        name = prefix + entry.name
        progress(name)
        png, files = write_picture(name, entry.draw, entry.size, folder)
        yield Picture(name, entry.caption, png, files)


def _paper_pictures(
    paper: Paper, folder: Path, progress: Callable[[str], None]
) -> tuple[list[Picture], list[Absence]]:
    """Draw the figures of the paper; what refuses to be drawn joins what is absent."""
    drawn, absences = [], list(paper.absences)
    for form in paper.forms:
        progress(form.name)
        figure, result = form.figure, form.result
        try:
            png, files = write_picture(
                form.name, partial(figure.draw, result.content), figure.size, folder
            )
        except ValueError as exception:
            absences.append(Absence(figure.name, figure.title, str(exception)))
            continue
        title = f'{figure.name}. {figure.title}{f": {result.title}" if result.title else ""}.'
        drawn.append(
            Picture(
                form.name,
                figure.caption,
                png,
                files,
                title,
                result.measured,
                figure.paper,
                result.sources,
            )
        )
    return drawn, absences


def _write_numbers(path: Path, numbers: dict[str, Any]) -> None:
    path.write_text(json.dumps(numbers, indent=1, sort_keys=True) + '\n')


def environment() -> Environment:
    """Return what fills the templates."""
    return Environment(
        loader=PackageLoader('aiida_enne.report', 'templates'),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
