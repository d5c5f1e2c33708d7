"""A figure of the paper: what it shows, what it needs, how it is built from a study and drawn."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from matplotlib.axes import Axes

from aiida_enne.paper.material import Material
from aiida_enne.science.uncertainty.ensemble import PAPER_DDOF

#: The option of every figure that shows a spread.
DDOF: Mapping[str, Any] = {'ddof': PAPER_DDOF}


@dataclass(frozen=True, slots=True)
class Result:
    """What was found for a figure.

    Attributes:
        content: What is drawn: the science's own dataclasses.
        measured: This study's number, to stand beside the paper's; empty where there is none.
        sources: UUIDs of the nodes that it came from, by name.
        title: What is shown where the figure has several forms, e.g. 'vacancy 3³'.
    """

    content: Any
    measured: str
    sources: dict[str, str]
    title: str = ''


@dataclass(frozen=True, slots=True)
class Figure:
    """One figure of the paper.

    Attributes:
        name: As in the paper: 'F4', 'S10', 'Disc'.
        title: What it is, in a few words.
        caption: What is seen.
        paper: The paper's own number; empty where it has none.
        maker: The work chains that make what it needs.
        build: Takes the material of a study and the options; raises `Missing` where it must.
        draw: Takes the content of a result, axes and the options.
        options: Names of what can be chosen, with defaults.
        forms: Lists the options of all forms that a report shows.
        size: Width and height in inches.
    """

    name: str
    title: str
    caption: str
    paper: str
    maker: str
    build: Callable[..., Result]
    draw: Callable[..., Axes]
    options: Mapping[str, Any] = field(default_factory=dict)
    forms: Callable[[Material], Sequence[Mapping[str, Any]]] = lambda _: [{}]
    size: tuple[float, float] = (7.0, 4.6)

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


def _typed(name: str, value: Any, default: Any) -> Any:
    """Return the value as the type of its default, which may be None for a text."""
    kind = str if default is None else type(default)
    if value is None or isinstance(value, kind):
        return value
    try:
        return kind(value)
    except ValueError:
        raise ValueError(f'`{name}` must be of type {kind.__name__}, got {value!r}') from None
