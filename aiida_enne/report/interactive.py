"""The map: σ and ε of configurations, where a click on a point shows its structure and its node."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from importlib.util import find_spec
from typing import Any

import numpy as np
from ase.data import chemical_symbols
from ase.geometry import wrap_positions

from aiida_enne.provenance import Rows
from aiida_enne.science.data.configurations import Configurations
from aiida_enne.science.fields import Integers, Strings
from aiida_enne.science.figures.palette import ALONE, MARKERS, Palette
from aiida_enne.science.properties.scatter import Scatter

#: Structures in a map unless another number is chosen: about half a megabyte of liquids.
LIMIT = 300
MEV = 1000.0
#: The package whose viewer is written into the page.
VIEWER, EXTRA = 'chemiscope', "pip install 'aiida-enne[report]'"
VIEWER_FILE = 'sphinx/static/chemiscope.min.js'


@dataclass(frozen=True, slots=True)
class Map:
    """What a page needs to show a map.

    Attributes:
        viewer: Text of the viewer's script.
        dataset: JSON of structures and properties, as the viewer reads them.
        origins: JSON of where each structure is from: lists by name, in the order of structures.
        n_shown: Number of points.
        n_all: Number of configurations that there are.
        n_undefined: Number of those without a place on logarithmic axes, σ = 0 or ε = 0.
        has_symbols: Whether domains have their markers on it.
        legend: Domains with the characters of their symbols; empty without symbols.
    """

    viewer: str
    dataset: str
    origins: str
    n_shown: int
    n_all: int
    n_undefined: int
    has_symbols: bool
    legend: list[tuple[str, str]]


def is_available() -> bool:
    """Return whether the viewer is installed."""
    return find_spec(VIEWER) is not None


def build_map(
    rows: Rows, scatter: Scatter, limit: int = LIMIT, palette: Palette = ALONE
) -> Map | None:
    """Return the map of configurations, or None if none has a place on it.

    Args:
        rows: n configurations and where they are from.
        scatter: Their σ and ε in eV/atom, in the same order.
        limit: Largest number of structures; if there are more, a subset stands for them.
        palette: How domains look. The viewer gives its symbols in the order of their appearance:
            where these would not be the markers of the domains, all points look alike.

    Raises:
        ModuleNotFoundError: If the viewer is not installed.
        ValueError: If the limit is less than 1.
    """
    import chemiscope

    if limit < 1:
        raise ValueError(f'a map needs room for at least one structure, got a limit of {limit}')
    defined = np.flatnonzero(scatter.positive)
    if not len(defined):
        return None
    chosen = defined[stratify(scatter.domain[defined], scatter.spread[defined], limit)]
    order = palette.extended(scatter.domain.tolist()).marked()
    chosen = np.array(sorted(chosen, key=lambda i: (order.index(str(scatter.domain[i])), i)))
    shown = rows.select(chosen)
    spread, error = MEV * scatter.spread[chosen], MEV * scatter.error[chosen]
    names = scatter.domain[chosen].tolist()
    first = list(dict.fromkeys(names))
    has_symbols = len(first) <= len(MARKERS) and first == order[: len(first)]
    spread_name = f'σ (ddof {scatter.ddof})'
    properties = {
        spread_name: _property(spread, 'meV/atom'),
        '|ε|': _property(np.abs(error), 'meV/atom'),
        'ε': _property(error, 'meV/atom'),
        '|ε|/σ': _property(np.abs(error) / spread),
        'volume': _property(shown.configurations.volumes / shown.configurations.n_atoms, 'Å³/atom'),
        'system': {'target': 'structure', 'values': names},
    }
    # white where |ε| = σ, as far to either side as the map needs, and a decade at most
    powers = np.abs(np.log10(np.abs(error) / spread))
    reach = float(np.clip(powers.max(), 0.1, 1.0))
    settings = {
        'target': 'structure',
        'map': {
            'x': {'property': spread_name, 'scale': 'log'},
            'y': {'property': '|ε|', 'scale': 'log'},
            'color': {
                'property': '|ε|/σ',
                'mode': 'log',
                'palette': 'bwr',
                'min': -reach,
                'max': reach,
            },
            'symbol': 'system' if has_symbols else '',
        },
        'structure': [{'unitCell': True, 'bonds': True, 'spaceFilling': False}],
    }
    dataset = chemiscope.create_input(
        structures=list(map(_structure, *_split(shown.configurations))),
        properties=properties,
        metadata={'name': 'error and spread of energies'},
        settings=settings,
    )
    origins = {
        'domain': shown.configurations.domains.tolist(),
        'dataset': shown.datasets.tolist(),
        'index': shown.indices.tolist(),
        'spread': [f'{value:.3g}' for value in spread],
        'error': [f'{value:+.3g}' for value in error],
        'axes': [spread_name, '|ε|'],
        'range': [float(one) for one in (spread.min() / 2, spread.max() * 2)],
    }
    viewer = (files(VIEWER) / VIEWER_FILE).read_text()
    texts = (viewer, _script(dataset), _script(origins))
    counts = len(chosen), len(rows), len(rows) - len(defined)
    legend = list(zip(first, MARKERS.values(), strict=False)) if has_symbols else []
    return Map(*texts, *counts, has_symbols, legend)


def stratify(groups: Strings, values: Any, limit: int) -> Integers:
    """Choose so many of n items that every group has its share, rising in order, shape (k,).

    Groups get equal numbers; what a small one leaves goes to the others. Within a group, items
    are taken at even distances in the order of their values, the extremes first of all.

    Args:
        groups: Group of each item, shape (n,).
        values: What items of a group are ordered by, shape (n,).
        limit: Largest number of items.
    """
    names, index, sizes = np.unique(groups, return_inverse=True, return_counts=True)
    shares, left = np.zeros(len(names), dtype=np.int64), min(limit, len(groups))
    for position, group in enumerate(np.argsort(sizes, kind='stable').tolist()):
        shares[group] = min(sizes[group], left // (len(names) - position))
        left -= shares[group]
    chosen = []
    for group, share in enumerate(shares.tolist()):
        own = np.flatnonzero(index == group)
        own = own[np.argsort(np.asarray(values)[own], kind='stable')]
        at = np.linspace(0, len(own) - 1, share) if share > 1 else np.full(share, len(own) // 2)
        chosen.append(own[np.round(at).astype(np.int64)])
    return np.sort(np.concatenate(chosen))


def _property(values: Any, units: str | None = None) -> dict[str, Any]:
    found = {'target': 'structure', 'values': [float(f'{value:.6g}') for value in values]}
    return found if units is None else found | {'units': units}


def _split(configurations: Configurations) -> tuple[list[Any], ...]:
    ends = configurations.offsets[1:-1]
    return (
        np.split(configurations.numbers, ends),
        np.split(configurations.positions, ends),
        list(configurations.cells),
        list(configurations.pbc),
    )


def _structure(numbers: Any, positions: Any, cell: Any, pbc: Any) -> dict[str, Any]:
    """Return a structure as the viewer reads it, to 0.1 mÅ: a picture needs no more.

    Atoms that have left the cell, as those of a liquid do in time, are brought back.
    """
    if np.any(pbc):
        positions = wrap_positions(positions, cell, pbc)
    x, y, z = np.round(positions, 4).T.tolist()
    names = [chemical_symbols[number] for number in numbers]
    found = {'size': len(names), 'names': names, 'x': x, 'y': y, 'z': z}
    return found | {'cell': np.round(cell, 4).ravel().tolist()} if np.any(cell) else found


def _script(content: Mapping[str, Any]) -> str:
    """Write JSON that may stand in a script element whatever the labels in it are."""
    text = json.dumps(content, separators=(',', ':'), allow_nan=False, ensure_ascii=True)
    return text.replace('<', '\\u003c').replace('>', '\\u003e').replace('&', '\\u0026')
