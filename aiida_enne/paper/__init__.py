"""The figures of the paper, each from the database by its name."""

from __future__ import annotations

from aiida_enne.paper import crystals, formations, liquids, scanned, scatters
from aiida_enne.paper.figure import Figure, Result
from aiida_enne.paper.material import Material, Missing

#: In the order in which the paper has them.
ORDER = (
    *('F1', 'F2', 'F3', 'F4', 'F5', 'F6', 'F7a', 'F7b', 'F7c'),
    *('S1', 'S2', 'S3', 'S4', 'S5', 'S6', 'S7', 'S8', 'S9', 'S10', 'Disc'),
)
_ALL: dict[str, Figure] = {
    figure.name: figure
    for module in (liquids, crystals, formations, scatters, scanned)
    for figure in module.FIGURES
}
FIGURES = {name: _ALL[name] for name in ORDER}
#: F7 alone is its last part, which holds the others.
ALIASES = {'f7': 'F7c'}


def find_figure(name: str) -> Figure:
    """Return a figure by its name, in small or capital letters.

    Raises:
        ValueError: If there is no such figure.
    """
    lower = name.lower()
    names = {known.lower(): known for known in FIGURES} | ALIASES
    if lower not in names:
        raise ValueError(f'the paper has no figure {name!r}; there are {", ".join(FIGURES)}')
    return FIGURES[names[lower]]


__all__ = ['FIGURES', 'Figure', 'Material', 'Missing', 'Result', 'find_figure']
