"""The paper: its figures, tables and claims, registered as entries of the report."""

from __future__ import annotations

from aiida_enne.paper import crystals, formations, liquids, scanned, scatters
from aiida_enne.report.figures import Figure

#: In the order in which the paper has them.
ORDER = (
    *('F1', 'F2', 'F3', 'F4', 'F5', 'F6', 'F7', 'F7a', 'F7b', 'F7c'),
    *('S1', 'S2', 'S3', 'S4', 'S5', 'S6', 'S7', 'S8', 'S9', 'S10', 'Disc'),
)
_ALL: dict[str, Figure] = {
    figure.name: figure
    for module in (liquids, crystals, formations, scatters, scanned)
    for figure in module.FIGURES
}
FIGURES = tuple(_ALL[name] for name in ORDER)

__all__ = ['FIGURES']
