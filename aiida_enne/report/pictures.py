"""Figures as a page shows them: files beside it, the picture itself in it."""

from __future__ import annotations

import base64
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from matplotlib.axes import Axes

from aiida_enne.science.figures import new_axes
from aiida_enne.science.figures.style import save, settle


@dataclass(frozen=True, slots=True)
class Picture:
    """A figure as the page shows it.

    Attributes:
        name: Of its files.
        caption: What is seen.
        png: The picture, base64.
        files: The picture as PNG and SVG, relative to the page.
        title: In front of the caption; may be empty.
        here: This study's number; may be empty.
        paper: The paper's number; may be empty.
        sources: UUIDs of what it came from, by name.
        wide: Whether it takes the whole width of the page.
        topic: Under which heading it stands.
    """

    name: str
    caption: str
    png: str
    files: tuple[str, str]
    title: str = ''
    here: str = ''
    paper: str = ''
    sources: dict[str, str] = field(default_factory=dict)
    wide: bool = False
    topic: str = ''


def write_picture(
    name: str,
    draw: Callable[[Axes], Axes],
    size: tuple[float, float],
    folder: Path,
) -> tuple[str, tuple[str, str]]:
    """Draw a figure and write its files.

    Args:
        name: Of its files.
        draw: Draws on axes.
        size: Width and height in inches.
        folder: Of the page; the files go into `figures`.

    Returns:
        The picture, base64, and the files.
    """
    axes = draw(new_axes(*size))
    settle(axes)
    name = re.sub(r'[^\w.-]', '_', name)  # labels of an archive may be anything, paths too
    files = (f'figures/{name}.png', f'figures/{name}.svg')
    for file in files:
        save(axes, folder / file, file[-3:])
    return base64.b64encode((folder / files[0]).read_bytes()).decode(), files
