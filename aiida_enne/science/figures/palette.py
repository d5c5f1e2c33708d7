"""Each domain looks the same on a whole page, and nothing else looks like a domain."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

from matplotlib import colormaps

from aiida_enne.science.structures.domains import in_order, natural

#: Okabe and Ito's colours, less the yellow, with three of Tol's: by order of the domains.
COLOURS = (
    '#0072B2',
    '#D55E00',
    '#009E73',
    '#CC79A7',
    '#E69F00',
    '#56B4E9',
    '#882255',
    '#999933',
    '#332288',
    '#7F7F7F',
)
#: A name or vertices, as Matplotlib takes them.
Marker = Any
#: Markers, each with the character that stands for it in a table, in the order of Plotly, which
#: draws the map. Triangles in a corner are given by their vertices.
MARKERS: dict[Marker, str] = {
    'o': '●',
    's': '■',
    'D': '◆',
    'P': '✚',
    'X': '✖',
    '^': '▲',
    'v': '▼',
    '<': '◀',
    '>': '▶',
    ((-1, 1), (1, 1), (1, -1), (-1, 1)): '◥',
    ((1, 1), (1, -1), (-1, -1), (1, 1)): '◢',
    ((1, -1), (-1, -1), (-1, 1), (1, -1)): '◣',
    ((-1, -1), (-1, 1), (1, 1), (-1, -1)): '◤',
    'p': '⬟',
    'h': '⬢',
    'H': '⬣',
}
LINES: tuple[Any, ...] = ('-', (0, (6, 2)), (0, (2, 1.5)))
#: Behind the name of a domain that the ensemble was trained on.
TRAINED = ' (trained on)'


def shown(name: str) -> str:
    """Return a name as a figure can show it, whatever a user has put into it."""
    text = ''.join(letter if letter.isprintable() else '\ufffd' for letter in name)
    # Matplotlib reads formulas between dollars; a name with a line in front is in no legend
    return ' ' * text.startswith('_') + text.replace('$', r'\$') or '(no name)'


def shade(index: int, number: int = 1) -> Any:
    """Return the colour of one of so many things that are not domains: dark to light cividis."""
    return colormaps['cividis'](0.85 * index / max(number - 1, 1))


def marker(index: int) -> Marker:
    """Return the marker of what has a number; they repeat after as many as there are."""
    return list(MARKERS)[index % len(MARKERS)]


def line(index: int) -> Any:
    """Return the line style of what has a number: another each time that colours repeat."""
    return LINES[(index // len(COLOURS)) % len(LINES)]


@dataclass(frozen=True, slots=True)
class Palette:
    """How domains look; `Palette.of` puts them in order.

    Attributes:
        domains: In the order of legends, rows and tables.
        trained: Those that the ensemble was trained on.
        mapped: Those with a point on the map, which gives its symbols to these alone: they have
            the first markers.
    """

    domains: tuple[str, ...] = ()
    trained: frozenset[str] = frozenset()
    mapped: frozenset[str] = frozenset()

    @classmethod
    def of(
        cls, domains: Iterable[str], trained: Iterable[str] = (), mapped: Iterable[str] = ()
    ) -> Palette:
        """Return the palette of domains: those trained on first, each part in natural order."""
        chosen = frozenset(trained)
        order = sorted({*domains}, key=lambda name: (name not in chosen, natural(name)))
        return cls(tuple(order), chosen, frozenset(mapped))

    def extended(self, names: Iterable[str]) -> Palette:
        """Return a palette with further names behind those that are known."""
        more = in_order({*names} - {*self.domains})
        return replace(self, domains=self.domains + tuple(more)) if more else self

    def sorted(self, names: Iterable[str]) -> list[str]:
        """Return names in the order of the palette."""
        return sorted({*names}, key=self.domains.index)

    def colour(self, name: str) -> str:
        """Return the colour of a domain."""
        return COLOURS[self.domains.index(name) % len(COLOURS)]

    def marker(self, name: str) -> Marker:
        """Return the marker of a domain."""
        return marker(self.marked().index(name))

    def marked(self) -> list[str]:
        """Return the domains in the order of their markers."""
        return sorted(self.domains, key=lambda name: name not in self.mapped)

    def line(self, name: str) -> Any:
        """Return the line style of a domain."""
        return line(self.domains.index(name))

    def label(self, name: str) -> str:
        """Return the name of a domain, marked if it was trained on."""
        return shown(name) + TRAINED * (name in self.trained)


#: That of a figure which stands alone: its domains in natural order.
ALONE = Palette()
