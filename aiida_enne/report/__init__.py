"""The report: figures, tables and sentences of an audit or a study, on one self-contained page."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def figure(name: str, ensemble: Any, axes: Axes | None = None, **options: Any) -> Axes:
    """Draw a figure from the database; no job is run.

    In a notebook, `figure('F4', pk).figure` as the last line of a cell shows it.

    Args:
        name: Of any registered figure: 'coverage', 'F4', 'S10' …; `aiida-enne figure --list`.
        ensemble: Node, PK or UUID of a study, a training, an audit or a demo.
        axes: Where to draw; new ones by default.
        **options: Choices of this figure, e.g. `ddof=1`; `aiida-enne figure --list` shows them.

    Raises:
        Missing: If the data are not there; the message says what makes them.
        NotExistent: If there is no such work chain or it knows no models.
        ValueError: If there is no such figure or option, or a value cannot be used.
    """
    from aiida_enne.provenance import Material
    from aiida_enne.report.figures import find_figure
    from aiida_enne.science.figures import new_axes

    found = find_figure(name)
    chosen = found.choose(options)
    result = found.build(Material.of(getattr(ensemble, 'uuid', ensemble)), **chosen)
    return found.draw(axes=new_axes(*found.size) if axes is None else axes, **result.content)


__all__ = ['figure']
