"""The cost of a study before it runs: jobs, hours and disk of every part, with assumptions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, NamedTuple, Protocol

from ase import Atoms

HOUR = 3600.0
MEGABYTE = 1e6
#: Bytes an atom of a dataset and of a prediction: positions and forces; forces alone.
DATASET_BYTES, PREDICTION_BYTES = 50.0, 24.0


@dataclass(frozen=True, slots=True)
class Assumptions:
    """What every number rests on. Seconds are those of one core unless they say otherwise.

    Attributes:
        label_seconds: Energy and forces of 64 atoms.
        step_seconds: One step of molecular dynamics of 64 atoms.
        exponent: A label of n atoms costs (n/64) to this power.
        relax_steps: Steps of a relaxation of positions.
        cell_steps: Steps of a relaxation of a crystal's shape.
        engine_megabytes: Left by one job of the engine.
        gpu_speedup: What a GPU does in the time of one core, for the network.
        model_megabytes: A checkpoint with its log.
        job_seconds: Of one core: import, scheduling and bookkeeping of one job.
        source: Where the numbers are from.
    """

    label_seconds: float
    step_seconds: float
    exponent: float
    relax_steps: int = 50
    cell_steps: int = 10
    engine_megabytes: float = 1.0
    gpu_speedup: float = 30.0
    model_megabytes: float = 4.2
    job_seconds: float = 12.0
    source: str = ''

    def __post_init__(self) -> None:
        for item in fields(self):
            value = getattr(self, item.name)
            if item.name != 'source' and not (
                isinstance(value, int | float) and 0 < value < float('inf')
            ):
                raise ValueError(f'`{item.name}` must be a positive number, got {value!r}')

    @classmethod
    def of(
        cls, engine: str, costs: Mapping[str, Any], changes: Mapping[str, Any] | None = None
    ) -> Assumptions:
        """Return those of an engine, some of them replaced.

        Raises:
            ValueError: If a name is unknown, a value not positive, or what cannot be guessed
                is missing.
        """
        known = [item.name for item in fields(cls)]
        if unknown := sorted(set(changes or {}) - set(known)):
            raise ValueError(f'unknown assumptions {unknown}; there are {known}')
        chosen = {**costs, **(changes or {})}
        if missing := sorted({'label_seconds', 'step_seconds', 'exponent'} - set(chosen)):
            raise ValueError(
                f'the costs of the engine {engine!r} are not known: {missing} are missing; give '
                'each as `--assume NAME=NUMBER`, or let the engine say them in `COSTS`'
            )
        return cls(**chosen)


@dataclass(frozen=True, slots=True)
class Part:
    """One part of a study."""

    name: str
    jobs: int
    core_hours: float = 0.0
    gpu_hours: float = 0.0
    megabytes: float = 0.0
    note: str = ''


class Networks(Protocol):
    """What models cost, by what they are: seconds for 64 atoms on one core."""

    def step_seconds(self, model: Mapping[str, Any]) -> float:
        """Return those of a training step."""

    def inference_seconds(self, model: Mapping[str, Any]) -> float:
        """Return those of energy and forces."""

    def gain(self, model: Mapping[str, Any]) -> float:
        """Return how many times less a member takes where all are computed at once on a CPU."""


@dataclass(frozen=True, slots=True)
class Frames:
    """Configurations of one role: their number, and their atoms in all."""

    n: int
    atoms: int


class Work(NamedTuple):
    """What one job, or several alike, are asked for.

    `steps` labels or steps are computed of structures of `n_atoms` atoms, and `kept` frames are
    kept. `example` is one of them, for engines whose cost depends on more than the atoms; `runs` of
    them begin anew: of an engine with a job for each they are its jobs.
    """

    n_atoms: int
    steps: int
    kept: int
    example: Atoms | None = None
    runs: int = 1


class Price(Protocol):
    """What a label costs an engine that has a job for each structure."""

    def seconds(self, atoms: Atoms, *, moved: bool = False) -> float:
        """Return the time of one core for a structure, or for the next step of one."""


def engine_part(
    name: str,
    work: Sequence[Work],
    assumptions: Assumptions,
    *,
    md: bool = False,
    price: Price | None = None,
) -> Part:
    """Return the cost of labels, trajectories or relaxations.

    Args:
        name: Of the part.
        work: Of each job.
        assumptions: Of the engine.
        md: Whether these are steps of dynamics.
        price: Of a label or step, by its structure; by the number of its atoms without one.
    """
    each = assumptions.step_seconds if md else assumptions.label_seconds
    seconds, jobs = 0.0, 0
    for one in work:
        if price is None or one.example is None:
            seconds += each * one.steps * (one.n_atoms / 64) ** assumptions.exponent
            jobs += 1
        else:
            seconds += one.runs * price.seconds(one.example)
            if more := one.steps - one.runs:
                seconds += more * price.seconds(one.example, moved=True)
            jobs += one.runs
    seconds += assumptions.job_seconds * jobs
    disk = sum(one.n_atoms * one.kept for one in work) * DATASET_BYTES / MEGABYTE
    disk += assumptions.engine_megabytes * jobs
    return Part(name, jobs, core_hours=seconds / HOUR, megabytes=disk)


def training_part(
    name: str,
    members: Sequence[tuple[Mapping[str, Any], int, int]],
    jobs: int,
    assumptions: Assumptions,
    networks: Networks,
    *,
    gpu: bool,
    together: bool,
) -> Part:
    """Return the cost of training.

    Args:
        name: Of the part.
        members: Of each, the model, the training configurations n and the epochs e at most.
        jobs: Number of jobs.
        assumptions: Of the engine.
        networks: What models cost.
        gpu: Whether they train on GPUs.
        together: Whether those of a job may take their steps at once.
    """
    seconds = sum(
        networks.step_seconds(model) / (networks.gain(model) if together and not gpu else 1) * n * e
        for model, n, e in members
    )
    disk = assumptions.model_megabytes * len(members)
    return _network(name, jobs, seconds, disk, assumptions, gpu=gpu)


def prediction_part(
    name: str,
    asked: Sequence[tuple[Mapping[str, Any], Frames]],
    jobs: int,
    assumptions: Assumptions,
    networks: Networks,
    *,
    gpu: bool,
    together: bool,
) -> Part:
    """Return the cost of predictions.

    Args:
        name: Of the part.
        asked: Of each member and role, the model and the frames.
        jobs: Number of jobs.
        assumptions: Of the engine.
        networks: What models cost.
        gpu: Whether they are computed on GPUs.
        together: Whether all members predict a configuration at once.
    """
    seconds = sum(
        networks.inference_seconds(model)
        / (networks.gain(model) if together and not gpu else 1)
        * (frames.atoms / 64)
        for model, frames in asked
    )
    disk = sum(frames.atoms for _, frames in asked) * PREDICTION_BYTES / MEGABYTE
    return _network(name, jobs, seconds, disk, assumptions, gpu=gpu)


def _network(
    name: str, jobs: int, seconds: float, disk: float, assumptions: Assumptions, *, gpu: bool
) -> Part:
    overhead = jobs * assumptions.job_seconds / HOUR
    if gpu:
        hours = seconds / assumptions.gpu_speedup / HOUR + overhead
        return Part(name, jobs, gpu_hours=hours, megabytes=disk)
    return Part(name, jobs, core_hours=seconds / HOUR + overhead, megabytes=disk)


def total(parts: Sequence[Part], name: str = 'total') -> Part:
    """Return the sum of parts."""
    return Part(
        name,
        sum(part.jobs for part in parts),
        sum(part.core_hours for part in parts),
        sum(part.gpu_hours for part in parts),
        sum(part.megabytes for part in parts),
    )
