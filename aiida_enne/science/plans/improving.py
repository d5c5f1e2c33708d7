"""An improvement of an ensemble: arms, rounds, and what ends it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from aiida_enne.science.checks import count, finite, flag, positive
from aiida_enne.science.options import Options, option
from aiida_enne.science.selection import make_selector
from aiida_enne.science.selection.refusals import CLOSEST, LOOSEST

#: What can name an arm: it becomes a part of the labels of links.
NAME = '[a-z][a-z0-9]*'
#: The selector that the others are compared with.
CHANCE = 'random'


def _share(name: str, value: Any) -> float:
    number = finite(name, value)
    if not 0 <= number < 1:
        raise ValueError(f'`{name}` must be at least 0 and below 1, got {value!r}')
    return number


@dataclass(frozen=True, slots=True)
class Improving(Options):
    """How an ensemble is improved.

    Attributes:
        rounds: So many times configurations are chosen, labelled and trained on.
        batch: Labels of each round.
        budget: Labels of one arm in all; none by default.
        target: RMSE of forces on the held-out set in eV/Å that ends an arm; none by default.
        validation: Share of each batch that validates; the others train.
        closest: Candidates with atoms closer than this share of the shortest distance in the
            training set are refused.
        loosest: Candidates with an atom whose nearest neighbour is farther than this many times
            the longest such distance in the training set are refused.
        repeats: Times that all is done, each with members of its own seeds: one repeat cannot say
            whether a choice was better than chance.
        seed: Of all choices by chance.
        warm: Whether members of a round begin with the weights of the round before; else they
            begin anew.

    Raises:
        ValueError: If an option is out of its range.
    """

    rounds: int = option(count, 3)
    batch: int = option(count, 8)
    budget: int | None = option(count, None)
    target: float | None = option(positive, None)
    validation: float = option(_share, 0.125)
    closest: float = option(_share, CLOSEST)
    loosest: float = option(positive, LOOSEST)
    repeats: int = option(count, 1)
    seed: int = option(partial(count, minimum=0), 1)
    warm: bool = option(flag, False)


def read_arms(given: Any) -> dict[str, dict[str, Any]]:
    """Return the selection of each arm by its name, checked.

    Args:
        given: A selection by name; see `science.selection.make_selector`.

    Raises:
        ValueError: If there is none, a name cannot be used, or a selection cannot.
    """
    if not isinstance(given, Mapping) or not given:
        raise ValueError(f'`arms` must map names to selections, got {given!r}')
    for name, selection in given.items():
        if not re.fullmatch(NAME, str(name)):
            raise ValueError(
                f'{name!r} cannot name an arm: a name has small letters and digits, a letter first'
            )
        try:
            make_selector(selection)
        except ValueError as exception:
            raise ValueError(f'arm {name}: {exception}') from None
    return {name: dict(selection) for name, selection in given.items()}


def too_few_members(arms: Mapping[str, Any], n_members: int) -> str | None:
    """Return which arm so many members are too few for, or None if they suffice."""
    for name, selection in arms.items():
        needed = getattr(make_selector(selection), 'min_members', 1)
        if n_members < needed:
            return (
                f'arm {name}: {selection} takes {needed} or more members, there are {n_members}; '
                'give more `ensemble.seeds`'
            )
    return None


def paths_of(arms: Mapping[str, Any], repeats: int) -> dict[str, tuple[str, int]]:
    """Return every arm in every repeat, by the label of the path: `ensemble_2`."""
    return {f'{arm}_{one}': (arm, one) for one in range(1, repeats + 1) for arm in arms}


def seeds_of(seeds: list[int], repeat: int) -> list[int]:
    """Return the seeds of the members of a repeat: those given, moved so that none occurs twice.

    Args:
        seeds: Of the first repeat.
        repeat: Its number, 1 for the first.
    """
    step = max(seeds) - min(seeds) + 1
    return [seed + (repeat - 1) * step for seed in seeds]
