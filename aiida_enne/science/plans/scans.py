"""Scans of training choices as points: which training set, which parameters, which seeds."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from aiida_enne.science.plans.training_sets import order_domains
from aiida_enne.science.structures.domains import parse

#: One point: `values` of the choices, `draw` of the training set (None for that of the main
#: ensemble), `parameters` of NequIP that replace the ensemble's, and `seeds`.
Point = dict[str, Any]

#: Role of the dataset that is predicted unless others are named, and what stands for all of them.
TRAINING, ALL = 'training', 'all'
#: Seed with which training sets are drawn, unless another is chosen.
DRAW_SEED = 1
#: Options that every kind of scan has.
COMMON = ('kind', 'seeds', 'roles', 'size', 'keep_steps', 'max_concurrent')


@dataclass(frozen=True, slots=True)
class Base:
    """The main ensemble, from which the points of a scan differ in one or two choices.

    Attributes:
        size: Training configurations.
        seeds: Seeds of its members.
        domains: Domains that it is trained on.
        max_epochs: Epochs of its training.
        draw_seed: Seed with which training sets are drawn.
    """

    size: int
    seeds: tuple[int, ...]
    domains: tuple[str, ...]
    max_epochs: int
    draw_seed: int


def plan_scan(scan: Mapping[str, Any], base: Base) -> dict[str, Point]:
    """Return the points of a scan by label.

    Args:
        scan: `kind` and what it needs, each a list: grid (`l_max`, `sizes`), sizes (`sizes`),
            densities (`densities`, numbers of them, the middle one first), features (`features`),
            cutoffs (`cutoffs` in Å), subsets (`sets`, a number: random training sets). `seeds` are
            the main ensemble's by default and so is the `size` of the training set where the scan
            does not vary it. `keep_steps` trains small sets for more epochs, so that all points
            take as many steps. `roles` and `max_concurrent` are for whoever runs it.
        base: The main ensemble.

    Raises:
        ValueError: If the kind or an option is unknown, missing or of no use.
    """
    kind = scan.get('kind')
    if not isinstance(kind, str) or kind not in PLANNERS:
        raise ValueError(f'`kind` of a scan must be one of {", ".join(PLANNERS)}; got {kind!r}')
    planner, needed = PLANNERS[kind]
    if unknown := sorted(str(name) for name in set(scan) - {*COMMON, *needed}):
        expected = ', '.join((*needed, *COMMON))
        raise ValueError(f'a scan of kind {kind} has no {", ".join(unknown)}; it has {expected}')
    if missing := [name for name in needed if name not in scan]:
        raise ValueError(f'a scan of kind {kind} needs {", ".join(missing)}')
    for name in needed:
        _check(name, scan[name])
    seeds = scan.get('seeds', list(base.seeds))
    _check_seeds(seeds)
    _check_common(scan)
    points = {}
    for values, change in planner(scan, base):
        size = change.get('size', scan.get('size', base.size))
        label = '_'.join(f'{key}_{value:g}' for key, value in values.items()).replace('.', 'p')
        parameters = {'training_module': {'model': change['model']}} if 'model' in change else {}
        if scan.get('keep_steps', False) and size != base.size:
            epochs = max(1, round(base.max_epochs * base.size / size))
            parameters['trainer'] = {'max_epochs': epochs}
        draw = {'size': size, 'seed': base.draw_seed, 'index': change.get('index', 0)}
        if 'within' in change:
            draw['within'] = change['within']
        if label in points:
            raise ValueError(
                f'two points of a scan are both called {label}: too near to each other'
            )
        main = size == base.size and not draw['index'] and 'within' not in change
        points[label] = {
            'values': values,
            'draw': None if main else draw,
            'parameters': parameters,
            'seeds': list(seeds),
        }
    return points


def roles_of(scan: Mapping[str, Any], known: Sequence[str]) -> list[str]:
    """Return which datasets the members of a scan predict: all of them by data size (S9).

    Raises:
        ValueError: If one is named that there is not.
    """
    default = ALL if scan.get('kind') == 'sizes' else [TRAINING]
    chosen = scan.get('roles', default)
    if chosen == ALL:
        return list(known)
    if not isinstance(chosen, list) or any(one not in known for one in chosen):
        raise ValueError(f'`roles` must be {ALL} or some of {", ".join(known)}; got {chosen!r}')
    return list(chosen)


def from_the_middle(domains: Sequence[str]) -> list[str]:
    """Return liquids by the distance of their density from the one in the middle."""
    ordered = order_domains(domains)
    middle = parse(ordered[len(ordered) // 2]).density or 0.0
    return sorted(ordered, key=lambda name: abs((parse(name).density or 0.0) - middle))


def _check_seeds(seeds: Any) -> None:
    whole = isinstance(seeds, list) and all(type(seed) is int and seed >= 0 for seed in seeds)
    if not whole or not seeds or len(set(seeds)) < len(seeds):
        raise ValueError(
            f'`seeds` of a scan must be a list of distinct numbers from 0, got {seeds!r}'
        )


def _check_common(scan: Mapping[str, Any]) -> None:
    """Check the options whose use is not that of one kind."""
    for name in ('size', 'max_concurrent'):
        if name in scan and (type(scan[name]) is not int or scan[name] < 1):
            raise ValueError(f'`{name}` of a scan must be a number from 1, got {scan[name]!r}')
    if not isinstance(keep := scan.get('keep_steps', False), bool):
        raise ValueError(f'`keep_steps` of a scan must be true or false, got {keep!r}')


Planned = list[tuple[dict[str, Any], dict[str, Any]]]


def _grid(scan: Mapping[str, Any], base: Base) -> Planned:
    return [
        ({'l_max': l_max, 'n_train': size}, {'size': size, 'model': {'l_max': l_max}})
        for l_max in scan['l_max']
        for size in scan['sizes']
    ]


def _sizes(scan: Mapping[str, Any], base: Base) -> Planned:
    return [({'n_train': size}, {'size': size}) for size in scan['sizes']]


def _densities(scan: Mapping[str, Any], base: Base) -> Planned:
    order, planned = from_the_middle(base.domains), []
    for n in scan['densities']:
        if n > len(order):
            raise ValueError(f'{n} densities are asked for, there are {len(order)}')
        change = {} if n == len(order) else {'within': sorted(order[:n])}
        planned.append(({'densities': n}, change))
    return planned


def _features(scan: Mapping[str, Any], base: Base) -> Planned:
    return [({'features': n}, {'model': {'num_features': n}}) for n in scan['features']]


def _cutoffs(scan: Mapping[str, Any], base: Base) -> Planned:
    return [({'cutoff': r}, {'model': {'r_max': float(r)}}) for r in scan['cutoffs']]


def _subsets(scan: Mapping[str, Any], base: Base) -> Planned:
    return [({'set': index}, {'index': index}) for index in range(scan['sets'])]


#: How each kind is planned, and the options that it needs.
PLANNERS: dict[str, tuple[Callable[[Mapping[str, Any], Base], Planned], tuple[str, ...]]] = {
    'grid': (_grid, ('l_max', 'sizes')),
    'sizes': (_sizes, ('sizes',)),
    'densities': (_densities, ('densities',)),
    'features': (_features, ('features',)),
    'cutoffs': (_cutoffs, ('cutoffs',)),
    'subsets': (_subsets, ('sets',)),
}
#: Smallest value of an option.
_LEAST = {'l_max': 0, 'cutoffs': 0.1}


def _check(name: str, value: Any) -> None:
    values = [value] if name == 'sets' else value
    least, kinds = _LEAST.get(name, 1), (int, float) if name == 'cutoffs' else (int,)
    good = isinstance(values, list | tuple) and all(
        isinstance(one, kinds) and not isinstance(one, bool) and least <= one < math.inf
        for one in values
    )
    if not good or not values or len(set(values)) < len(values):
        what = 'a number' if name == 'sets' else 'a list of distinct numbers'
        raise ValueError(f'`{name}` of a scan must be {what} from {least}, got {value!r}')
