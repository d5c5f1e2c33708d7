"""Kinds of scans of training choices, and the points of each."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, ClassVar

from aiida_enne.science.checks import count, distinct, finite, flag, one_of
from aiida_enne.science.options import Options, option
from aiida_enne.science.plans.points import SEEDS, Point
from aiida_enne.science.plans.training_sets import Draw, order_liquids
from aiida_enne.science.structures.domains import Domain

#: Role of the dataset that is predicted unless others are named, and what stands for all of them.
TRAINING, ALL = 'training', 'all'


@dataclass(frozen=True, slots=True)
class Base:
    """The main ensemble, from which the points of a scan differ in one or two choices."""

    size: int
    seeds: tuple[int, ...]
    domains: Mapping[str, Domain]
    max_epochs: int
    draw_seed: int


@dataclass(frozen=True, slots=True)
class Choice:
    """What is chosen at a point.

    Attributes:
        values: Of the choices, by name.
        size: Of the training set; None where the scan does not vary it.
        index: Number of the training set among those of one seed.
        within: Domains to draw from; None for all.
        model: Options of the model that replace those of the ensemble.
    """

    values: dict[str, float]
    size: int | None = None
    index: int = 0
    within: tuple[str, ...] | None = None
    model: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Scan(Options):
    """What all kinds of scans have.

    Attributes:
        kind: Its name.
        seeds: Of the members of every point; those of the main ensemble by default.
        size: Of the training set where the scan does not vary it; that of the main ensemble.
        keep_steps: Whether small sets train for more epochs, so that all take as many steps.
        roles: Which datasets the members predict, or `all`; all of a scan of data sizes (S9), else
            what the ensemble is trained on.
        max_concurrent: Points that are worked on at a time.

    Raises:
        ValueError: If a value cannot be used.
    """

    kind: ClassVar[str]
    seeds: tuple[int, ...] | None = option(SEEDS, None)
    size: int | None = option(count, None)
    keep_steps: bool = option(flag, False)
    roles: Any = option(lambda _, value: value, None)
    max_concurrent: int = option(count, 1)

    @abstractmethod
    def choices(self, base: Base) -> Iterator[Choice]:
        """Return what is chosen at every point."""

    def points(self, base: Base) -> dict[str, Point]:
        """Return the points by label.

        Raises:
            ValueError: If the main ensemble does not have what is asked for, or two points would
                be called alike.
        """
        points: dict[str, Point] = {}
        for choice in self.choices(base):
            named = [f'{key}_{value:g}' for key, value in choice.values.items()]
            label = '_'.join(named).replace('.', 'p')
            if label in points:
                raise ValueError(
                    f'two points of a scan are both called {label}: too near to each other'
                )
            size = choice.size or self.size or base.size
            draw = Draw(size=size, seed=base.draw_seed, index=choice.index, within=choice.within)
            main = Draw(size=base.size, seed=base.draw_seed)
            parameters: dict[str, Any] = {}
            if choice.model:
                parameters['training_module'] = {'model': choice.model}
            if self.keep_steps and size != base.size:
                epochs = max(1, round(base.max_epochs * base.size / size))
                parameters['trainer'] = {'max_epochs': epochs}
            points[label] = Point(
                values=choice.values,
                draw=None if draw == main else draw,
                parameters=parameters,
                seeds=self.seeds or base.seeds,
            )
        return points

    @property
    def asked(self) -> Any:
        """Which datasets the members predict: `all`, or a list of roles."""
        default = ALL if isinstance(self, Sizes) else [TRAINING]
        return default if self.roles is None else self.roles

    def roles_among(self, known: Sequence[str]) -> list[str]:
        """Return which datasets the members predict.

        Raises:
            ValueError: If one is named that there is not.
        """
        chosen = self.asked
        if chosen == ALL:
            return list(known)
        if not isinstance(chosen, list) or any(one not in known for one in chosen):
            raise ValueError(f'`roles` must be {ALL} or some of {", ".join(known)}; got {chosen!r}')
        return chosen


@dataclass(frozen=True, kw_only=True)
class Grid(Scan):
    """Largest rotation order and data size."""

    kind = 'grid'
    l_max: tuple[int, ...] = option(partial(distinct, check=partial(count, minimum=0)))
    sizes: tuple[int, ...] = option(partial(distinct, check=count))

    def choices(self, base: Base) -> Iterator[Choice]:
        """Return every pair."""
        for l_max in self.l_max:
            for n in self.sizes:
                yield Choice({'l_max': l_max, 'n_train': n}, size=n, model={'l_max': l_max})


@dataclass(frozen=True, kw_only=True)
class Sizes(Scan):
    """Numbers of training configurations."""

    kind = 'sizes'
    sizes: tuple[int, ...] = option(partial(distinct, check=count))

    def choices(self, base: Base) -> Iterator[Choice]:
        """Return a training set of each size."""
        for n in self.sizes:
            yield Choice({'n_train': n}, size=n)


@dataclass(frozen=True, kw_only=True)
class Densities(Scan):
    """Numbers of densities, the middle one first."""

    kind = 'densities'
    densities: tuple[int, ...] = option(partial(distinct, check=count))

    def choices(self, base: Base) -> Iterator[Choice]:
        """Return a training set of each number of densities."""
        order = from_the_middle(base.domains)
        for n in self.densities:
            if n > len(order):
                raise ValueError(f'{n} densities are asked for, there are {len(order)}')
            within = None if n == len(order) else tuple(sorted(order[:n]))
            yield Choice({'densities': n}, within=within)


@dataclass(frozen=True, kw_only=True)
class Features(Scan):
    """Feature multiplicities."""

    kind = 'features'
    features: tuple[int, ...] = option(partial(distinct, check=count))

    def choices(self, base: Base) -> Iterator[Choice]:
        """Return a model of each multiplicity."""
        for n in self.features:
            yield Choice({'features': n}, model={'num_features': n})


@dataclass(frozen=True, kw_only=True)
class Cutoffs(Scan):
    """Cutoffs in Å."""

    kind = 'cutoffs'
    cutoffs: tuple[float, ...] = option(partial(distinct, check=partial(finite, minimum=0.1)))

    def choices(self, base: Base) -> Iterator[Choice]:
        """Return a model of each cutoff."""
        for radius in self.cutoffs:
            yield Choice({'cutoff': radius}, model={'r_max': float(radius)})


@dataclass(frozen=True, kw_only=True)
class Subsets(Scan):
    """A number of random training sets."""

    kind = 'subsets'
    sets: int = option(count)

    def choices(self, base: Base) -> Iterator[Choice]:
        """Return the sets; the first is that of the main ensemble."""
        for index in range(self.sets):
            yield Choice({'set': index}, index=index)


#: Every kind of scan by its name.
KINDS: dict[str, type[Scan]] = {
    one.kind: one for one in (Grid, Sizes, Densities, Features, Cutoffs, Subsets)
}


def read_scan(given: Mapping[str, Any]) -> Scan:
    """Return the scan of plain values.

    Args:
        given: `kind` and the options of that kind.

    Raises:
        ValueError: If the kind or an option is unknown, missing or cannot be used.
    """
    if not isinstance(given, Mapping):
        raise ValueError(f'a scan must be a mapping like {{kind: sizes, …}}, got {given!r}')
    kind = one_of('kind of a scan', given.get('kind'), KINDS)
    options = {name: value for name, value in given.items() if name != 'kind'}
    return KINDS[kind].from_dict(options, f'a scan of kind {kind}')


def from_the_middle(kinds: Mapping[str, Domain]) -> list[str]:
    """Return liquids by the distance of their density from the one in the middle.

    Args:
        kinds: What every domain is.
    """
    ordered = order_liquids(kinds)
    middle = kinds[ordered[len(ordered) // 2]].density or 0.0
    return sorted(ordered, key=lambda name: abs((kinds[name].density or 0.0) - middle))
