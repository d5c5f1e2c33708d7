"""One domain, one colour and one marker on a whole page; what was trained on comes first."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from aiida_enne.science.structures.domains import natural

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


def colour(index: int) -> str:
    """Return the colour of what has a number."""
    return COLOURS[index % len(COLOURS)]


def marker(index: int) -> Marker:
    """Return the marker of what has a number: another once colours repeat."""
    return list(MARKERS)[index % len(MARKERS)]


def line(index: int) -> Any:
    """Return the line style of what has a number: another once colours repeat."""
    return LINES[(index // len(COLOURS)) % len(LINES)]


@dataclass(frozen=True, slots=True)
class Palette:
    """How domains look; `Palette.of` puts them in order.

    Attributes:
        domains: In the order of legends, rows and tables.
        trained: Those that the ensemble was trained on.
    """

    domains: tuple[str, ...] = ()
    trained: frozenset[str] = frozenset()

    @classmethod
    def of(cls, domains: Iterable[str], trained: Iterable[str] = ()) -> Palette:
        """Return the palette of domains: those trained on first, each part in natural order."""
        chosen = frozenset(trained)
        order = sorted({*domains}, key=lambda name: (name not in chosen, natural(name)))
        return cls(tuple(order), chosen)

    def extended(self, names: Iterable[str]) -> Palette:
        """Return a palette with further names behind those that are known."""
        more = sorted({*names} - {*self.domains}, key=natural)
        return Palette(self.domains + tuple(more), self.trained) if more else self

    def sorted(self, names: Iterable[str]) -> list[str]:
        """Return names in the order of the palette."""
        return sorted({*names}, key=self.domains.index)

    def colour(self, name: str) -> str:
        """Return the colour of a domain."""
        return colour(self.domains.index(name))

    def marker(self, name: str) -> Marker:
        """Return the marker of a domain."""
        return marker(self.domains.index(name))

    def line(self, name: str) -> Any:
        """Return the line style of a domain."""
        return line(self.domains.index(name))

    def label(self, name: str) -> str:
        """Return the name of a domain, marked if it was trained on."""
        return shown(name) + TRAINED * (name in self.trained)


#: That of a figure which stands alone: its domains in natural order.
ALONE = Palette()
