"""Write a report: figures as PNG and SVG, every number as JSON, one self-contained page."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined

from aiida_enne import __version__
from aiida_enne.report import catalogue, tables
from aiida_enne.report.collect import Section, Study, scalars
from aiida_enne.science.figures import new_axes
from aiida_enne.science.figures.style import save


@dataclass(frozen=True, slots=True)
class Picture:
    """A figure as the page shows it."""

    name: str
    caption: str
    png: str
    files: tuple[str, str]


def write_report(
    study: Study, folder: Path, progress: Callable[[str], None] = lambda _: None
) -> Path:
    """Write everything into a folder and return the path of the page.

    Args:
        study: What is reported.
        folder: Made if it is not there; files of an older report are replaced.
        progress: Called with the name of every figure before it is drawn.
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
    numbers = json.dumps(scalars(study), indent=1, sort_keys=True)
    (folder / 'numbers.json').write_text(numbers + '\n')
    page = (
        _environment()
        .get_template('page.html')
        .render(
            study=study,
            sections=sections,
            training=training,
            members=tables.of_members(study),
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
    return list(_draw(catalogue.of_section(section), prefix, folder, progress))


def _draw(
    entries: Iterable[catalogue.Entry], prefix: str, folder: Path, progress: Callable[[str], None]
) -> Iterable[Picture]:
    for entry in entries:
        name = prefix + entry.name
        progress(name)
        axes = entry.draw(new_axes(*entry.size))
        files = (f'figures/{name}.png', f'figures/{name}.svg')
        for file in files:
            save(axes, folder / file, file[-3:])
        png = base64.b64encode((folder / files[0]).read_bytes()).decode()
        yield Picture(name, entry.caption, png, files)


def _environment() -> Environment:
    return Environment(
        loader=PackageLoader('aiida_enne.report', 'templates'),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
