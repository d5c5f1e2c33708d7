"""The contract of a figure as checks, for the tests of any package that registers one."""

from __future__ import annotations

import inspect
import re

from aiida import orm
from aiida.plugins.entry_point import get_entry_point_names
from matplotlib.axes import Axes

from aiida_enne.provenance import Material
from aiida_enne.report.figures import Figure, Result, find_figure
from aiida_enne.science.contracts import ContractError, require
from aiida_enne.science.figures import new_axes

__all__ = ['ContractError', 'check_figure']


def check_figure(name: str, material: Material) -> list[Result]:
    """Check what a figure says of itself, and draw all forms of it that a report shows.

    Returns:
        The results of its forms, to compare with numbers of your own.

    Raises:
        ContractError: If something is missing, or of another kind than it should be.
        Missing: If the study does not have what the figure needs.
    """
    figure = find_figure(name)
    for word in ('title', 'caption'):
        require(bool(getattr(figure, word).strip()), f'{name} has no {word}')
    makers = re.findall(r'enne\.\w+', figure.maker)
    unknown = set(makers) - set(get_entry_point_names('aiida.workflows'))
    require(bool(makers) and not unknown, f'{name}: {figure.maker!r} names no work chains of ours')
    of_audit = figure.needs == 'statistics'
    require(not of_audit or 'dataset' in figure.options, f'{name} has no option `dataset`')
    try:
        inspect.signature(figure.build).bind(material, **figure.choose({}))
    except TypeError as exception:
        raise ContractError(f'{name}: `build` does not take the options: {exception}') from None
    forms = list(figure.forms(material))
    require(bool(forms), f'{name} has no form for this study')
    return [_check_form(figure, figure.build(material, **figure.choose(one))) for one in forms]


def _check_form(figure: Figure, result: Result) -> Result:
    known, uuids = inspect.signature(figure.draw).parameters, set(result.sources.values())
    require(
        'palette' not in known or 'palette' in result.content,
        f'{figure.name}: pass `material.palette`, so that domains look alike on a whole page',
    )
    query = orm.QueryBuilder().append(orm.Node, filters={'uuid': {'in': sorted(uuids)}})
    found = query.count() if uuids else 0
    require(found == len(uuids) > 0, f'{figure.name}: {found} of {len(uuids)} sources are nodes')
    axes = figure.draw(axes=new_axes(*figure.size), **result.content)
    require(isinstance(axes, Axes), f'{figure.name}: `draw` returns {axes!r}, no axes')
    drawn = axes.get_figure(root=True)
    panels = [] if drawn is None else drawn.axes
    require(any(one.has_data() for one in panels), f'{figure.name} draws nothing')
    return result
