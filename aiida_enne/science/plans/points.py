"""Points of scans: which training set, which parameters, which seeds, and what was trained."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from aiida_enne.science.checks import count, distinct
from aiida_enne.science.options import Options, option
from aiida_enne.science.plans.training_sets import Draw

#: Check of the seeds of members.
SEEDS = partial(distinct, check=partial(count, minimum=0))


def _mapping(name: str, value: Any) -> dict[str, Any]:
    if not isinstance(value, Mapping):
        raise ValueError(f'`{name}` must be a mapping, got {value!r}')
    return dict(value)


def _draw(name: str, value: Any) -> Draw:
    return value if isinstance(value, Draw) else Draw.from_dict(value, name)


@dataclass(frozen=True, kw_only=True)
class Point(Options):
    """One point of a scan.

    Attributes:
        values: Of the choices.
        draw: Of the training set; None for that of the main ensemble.
        parameters: Of the trainer, which replace some of the ensemble's.
        seeds: Of the members.

    Raises:
        ValueError: If a value cannot be used.
    """

    values: dict[str, float] = option(_mapping)
    draw: Draw | None = option(_draw, None)
    parameters: dict[str, Any] = option(_mapping)
    seeds: tuple[int, ...] = option(SEEDS)

    def to_dict(self) -> dict[str, Any]:
        """Return plain values by name; `draw` is null where nothing is drawn."""
        return {'draw': None} | super().to_dict()


def read_points(given: Mapping[str, Any]) -> dict[str, Point]:
    """Return points of plain values, by label.

    Raises:
        ValueError: If there is none, or one cannot be used.
    """
    if not given:
        raise ValueError('`points` must hold at least one')
    return {label: Point.from_dict(one, label) for label, one in given.items()}


@dataclass(frozen=True, kw_only=True)
class Trained(Options):
    """A point of a scan once it is trained.

    Attributes:
        values: Of the choices.
        n_train: Training configurations.
        members: Digests of the weights, by label; those that have none are left out.
    """

    values: dict[str, float] = option(_mapping)
    n_train: int = option(count)
    members: dict[str, str] = option(_mapping)
