"""Write a report: figures as PNG and SVG, every number as JSON, one self-contained page."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial
from math import isfinite
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from aiida_enne import __version__
from aiida_enne.report.collect import Form, Report, collect, figure_numbers, scalars
from aiida_enne.report.interactive import LIMIT
from aiida_enne.report.pictures import Picture, write_picture
from aiida_enne.science.figures import Palette
from aiida_enne.science.figures.palette import MARKERS, TRAINED
from aiida_enne.science.guard import Absence, attempt
from aiida_enne.science.uncertainty.options import describe

#: The figure beside the verdicts, and the width in inches from which a figure has a row of its own.
FIRST, WIDE = 'error_and_spread', 8.0
#: Findings that are not folded away.
N_OPEN = 5
#: Background of a verdict; each has a shape of its own, too.
WORDS = {
    'believe': '#d5ecdf',
    'do not believe': '#f6d4c2',
    'cannot say': '#f3ecc8',
    'unlabelled': '#e6e6e6',
}


def report_on(
    identifier: str | int,
    folder: Path,
    *,
    map_limit: int = LIMIT,
    progress: Callable[[str], None] = lambda _: None,
) -> tuple[Path, Report]:
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
    report = collect(identifier, map_limit=map_limit)
    return write_report(report, folder, progress), report


def write_report(
    report: Report, folder: Path, progress: Callable[[str], None] = lambda _: None
) -> Path:
    """Write everything into a folder and return the path of the page.

    Args:
        report: What is shown.
        folder: Made if it is not there; files of an older report are replaced.
        progress: Called with the name of every figure before it is drawn.
    """
    (folder / 'figures').mkdir(parents=True, exist_ok=True)
    _write_numbers(folder / 'numbers.json', scalars(report))
    _write_numbers(folder / 'paper.json', figure_numbers(report))
    absences = list(report.absences)
    drawn = [(form, _draw(form, folder, absences, progress)) for form in report.forms]
    first = next((one for one in drawn if one[0].figure.name == FIRST and one[1]), None)
    rest = [one for one in drawn if one is not first]
    own: dict[str, list[Picture]] = {}
    for form, picture in rest:
        if picture is not None and form.figure.needs != 'histories':
            own.setdefault(form.options.get('dataset') or '', []).append(picture)
    sections = [(section, own.get(section.label, [])) for section in report.sections]
    page = (
        environment()
        .get_template('page.html')
        .render(
            report=report,
            record=report.material.record,
            describe=describe,
            sections=sections,
            red=[line for line in report.gates if not line.startswith('passed')],
            first=None if first is None else first[1],
            topics=_by_topic(own.get('', [])),
            training=[one for form, one in rest if one and form.figure.needs == 'histories'],
            absences=absences,
            swatches=_swatches(report.palette),
            n_markers=len(MARKERS),
            n_open=N_OPEN,
            words=WORDS,
            version=__version__,
        )
    )
    path = folder / 'report.html'
    path.write_text(page)
    return path


def _by_topic(pictures: list[Picture]) -> dict[str, list[Picture]]:
    found: dict[str, list[Picture]] = {}
    for picture in pictures:
        found.setdefault(picture.topic, []).append(picture)
    return found


def _draw(
    form: Form, folder: Path, absences: list[Absence], progress: Callable[[str], None]
) -> Picture | None:
    """Draw a figure; what refuses to be drawn joins what is absent."""
    progress(form.name)
    figure, result = form.figure, form.result

    def draw() -> tuple[str, tuple[str, str]]:
        on = partial(figure.draw, **result.content)
        return write_picture(form.name, lambda axes: on(axes=axes), figure.size, folder)

    written = attempt(draw, figure.name, absences, figure.title)
    if written is None:
        return None
    png, files = written
    title = f'{figure.name}. {figure.title}{f": {result.title}" if result.title else ""}.'
    return Picture(
        form.name,
        figure.caption,
        png,
        files,
        title,
        result.measured,
        figure.paper,
        result.sources,
        figure.size[0] > WIDE,
        figure.topic,
    )


def _swatches(palette: Palette) -> dict[str, tuple[str, str]]:
    """Return colour and marker of every domain, by what a table calls it."""
    found = {
        name: (palette.colour(name), MARKERS[palette.marker(name)]) for name in palette.domains
    }
    return found | {name + TRAINED: found[name] for name in palette.trained}


def _write_numbers(path: Path, numbers: dict[str, Any]) -> None:
    text = json.dumps(_plain(numbers), indent=1, sort_keys=True, allow_nan=False)
    path.write_text(text + '\n')


def _plain(value: Any) -> Any:
    """Return nested values with None for what is not finite: JSON knows no NaN."""
    if isinstance(value, dict):
        return {key: _plain(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    return None if isinstance(value, float) and not isfinite(value) else value


def environment() -> Environment:
    """Return what fills the templates."""
    return Environment(
        loader=PackageLoader('aiida_enne.report', 'templates'),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
