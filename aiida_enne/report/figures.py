"""What a figure is, and all that there are: found by the entry points `aiida_enne.figures`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from matplotlib.axes import Axes

from aiida_enne.provenance import Material
from aiida_enne.science.options import nearest
from aiida_enne.science.plugins import registered
from aiida_enne.science.uncertainty.ensemble import PAPER_DDOF

GROUP = 'aiida_enne.figures'

#: The option of every figure that shows a spread.
DDOF: Mapping[str, Any] = {'ddof': PAPER_DDOF}


@dataclass(frozen=True, slots=True)
class Result:
    """What was found for a figure.

    Attributes:
        content: Arguments of the drawing by name: the science's own dataclasses, and the palette.
        measured: This study's number, to stand beside the published one; may be empty.
        sources: UUIDs of the nodes that it came from, by name.
        title: What is shown where the figure has several forms, e.g. 'vacancy 3³'.
    """

    content: Mapping[str, Any]
    measured: str
    sources: dict[str, str]
    title: str = ''


@dataclass(frozen=True, slots=True)
class Figure:
    """One figure: of the paper, of an audit, or of yours.

    Attributes:
        name: Of its own: 'F4', 'S10', 'coverage'.
        title: What it is, in a few words.
        caption: What is seen.
        build: Takes the material of a study and the options, and returns a `Result`; raises
            `Missing` where the study does not have the data.
        draw: Takes `axes` and the content of a result, all by name, and returns axes.
        maker: The work chains that make what it needs.
        needs: 'rows' for raw predictions, 'statistics' for stored audits (it then has the option
            `dataset`, the label of one), 'histories' for those of the trainings.
        paper: The published number; empty where there is none.
        options: Names of what can be chosen, with defaults.
        forms: Lists the options of all forms that a report shows.
        size: Width and height in inches.
        topic: Under which of the page's headings it stands.
    """

    name: str
    title: str
    caption: str
    build: Callable[..., Result]
    draw: Callable[..., Axes]
    maker: str = 'enne.audit, enne.study'
    needs: Literal['rows', 'statistics', 'histories'] = 'rows'
    paper: str = ''
    options: Mapping[str, Any] = field(default_factory=dict)
    forms: Callable[[Material], Sequence[Mapping[str, Any]]] = lambda _: [{}]
    size: tuple[float, float] = (7.0, 4.6)
    topic: str = 'Further figures'

    def choose(self, options: Mapping[str, Any]) -> dict[str, Any]:
        """Return all options, defaults where nothing was chosen.

        Raises:
            ValueError: If the figure has no such option, or the value is of another type.
        """
        known = sorted(self.options)
        if unknown := sorted(set(options) - set(known)):
            raise ValueError(f'{self.name} has no option {unknown[0]!r}; it has {known}')
        return {
            key: _typed(key, options.get(key, default), default)
            for key, default in self.options.items()
        }


def all_figures() -> dict[str, Figure]:
    """Return all registered figures by name, those of one entry point in its order.

    Raises:
        ValueError: If two have the same name.
    """
    found: dict[str, Figure] = {}
    for entry in registered(GROUP).values():
        loaded = entry.load()
        for figure in [loaded] if isinstance(loaded, Figure) else loaded:
            if figure.name.lower() in map(str.lower, found):
                raise ValueError(f'there are two figures {figure.name!r}; see {entry.value}')
            found[figure.name] = figure
    return found


def find_figure(name: str) -> Figure:
    """Return a figure by its name, in small or capital letters.

    Raises:
        ValueError: If there is no such figure.
    """
    known = all_figures()
    lower = {one.lower(): one for one in known}
    if name.lower() not in lower:
        hint = nearest(name, known)
        raise ValueError(f'{name!r} is not a figure{hint}; there are {", ".join(known)}')
    return known[lower[name.lower()]]


def _typed(name: str, value: Any, default: Any) -> Any:
    """Return the value as the type of its default, which may be None for a text."""
    kind = str if default is None else type(default)
    if value is None or isinstance(value, kind):
        return value
    try:
        return kind(value)
    except ValueError:
        raise ValueError(f'`{name}` must be of type {kind.__name__}, got {value!r}') from None
