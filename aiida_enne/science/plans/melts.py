"""The paper's series of liquids as trajectories: what each starts from and goes through."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from aiida_enne.science.checks import count, distinct, positive
from aiida_enne.science.options import Options, option
from aiida_enne.science.plans.tasks import Stage, Task, read_task
from aiida_enne.science.properties.liquid import trajectory_seed
from aiida_enne.science.structures.domains import Domain, stage_domain

#: Stages in their order; what is given of a stage is an option of a stage of molecular dynamics.
STAGES = ('melt', 'equilibrate', 'production')
#: Frames that production must record at least, for a displacement to be told from it.
MIN_FRAMES = 10


@dataclass(frozen=True, slots=True)
class Trajectory:
    """Molecular dynamics of one liquid.

    Attributes:
        liquid: Density and temperature of its production.
        start: Label of the trajectory whose last melt frame it starts from; None for a crystal.
        task: Its stages.
        seed: Of its velocities and thermostats.
    """

    liquid: Domain
    start: str | None
    task: Task
    seed: int

    @property
    def density(self) -> float:
        """In g/cm³."""
        return self.liquid.density or 0.0

    @property
    def melt(self) -> str:
        """Domain of the frames of its melt."""
        return stage_domain('melt', self.density)


def read_stages(name: str, given: Any) -> dict[str, dict[str, Any]]:
    """Return the stages of a series as they were given; the engine checks them once more.

    Raises:
        ValueError: If a stage is unknown or missing, cannot be used, or does not record what is
            needed.
    """
    needed = {'melt', 'production'}
    if not isinstance(given, Mapping) or set(given) - set(STAGES) or needed - set(given):
        raise ValueError(f'`{name}` must hold melt, production, perhaps equilibrate; got {given}')
    stages = {}
    for label, one in given.items():
        stages[label] = Stage.from_dict(one, f'stage {label}')
        if 'domain' in one:
            raise ValueError(f'the stage {label} must not name its `domain`: the series does')
    melt, production = stages['melt'], stages['production']
    if melt.record_every and melt.steps % melt.record_every:
        raise ValueError(
            f'the last melt frame must be recorded: {melt.record_every} does not divide '
            f'{melt.steps} steps'
        )
    if production.recorded < MIN_FRAMES:
        raise ValueError(
            f'production must record {MIN_FRAMES} frames or more, got {production.steps} steps '
            f'with `record_every` {production.record_every}'
        )
    return {label: dict(given[label]) for label in STAGES if label in given}


def _some(name: str, values: Any) -> tuple[float, ...]:
    return distinct(name, values, positive) if values else ()


@dataclass(frozen=True, kw_only=True)
class Series(Options):
    """Liquids of many densities, and other temperatures of one of them.

    Attributes:
        stages: Options of a stage by its name, see `STAGES` and `tasks.Stage`.
        densities: In g/cm³.
        temperatures: Further ones in K, each started from the last melt frame of one density.
        temperature_density: Which density that is; the first by default.
        seed: Of all trajectories; each has its own by it.

    Raises:
        ValueError: If a value cannot be used.
    """

    stages: dict[str, dict[str, Any]] = option(read_stages)
    densities: tuple[float, ...] = option(partial(distinct, check=positive))
    temperatures: tuple[float, ...] = option(_some, ())
    temperature_density: float | None = option(positive, None)
    seed: int = option(partial(count, minimum=0))

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.temperature_density not in (None, *self.densities):
            raise ValueError(
                f'`temperature_density` must be one of {list(self.densities)}, got '
                f'{self.temperature_density}'
            )

    @classmethod
    def of(cls, given: Mapping[str, Any]) -> Series:
        """Return the series among the plain inputs of liquids."""
        names = ('stages', 'densities', 'temperatures', 'temperature_density', 'seed')
        return cls(**{name: given[name] for name in names if name in given})

    @property
    def training_domains(self) -> dict[str, Domain]:
        """The liquids that start from crystals: what is trained on, with what each is."""
        planned = self.trajectories().values()
        return {one.liquid.label: one.liquid for one in planned if one.start is None}

    def trajectories(self) -> dict[str, Trajectory]:
        """Return all trajectories by label."""
        heat = Stage(**self.stages['production']).temperature[1]
        planned = {}
        for density in self.densities:
            liquid = Domain('liquid', 'liquid', density=density, temperature=heat)
            label = replace(liquid, temperature=None).port
            seed = trajectory_seed(self.seed, density)
            planned[label] = Trajectory(liquid, None, self._task(density), seed)
        density = self.temperature_density or self.densities[0]
        for temperature in self.temperatures:
            liquid = Domain('liquid', 'liquid', density=density, temperature=temperature)
            start = replace(liquid, temperature=None).port
            seed = trajectory_seed(self.seed, density, temperature)
            task = self._task(density, temperature)
            planned[liquid.port] = Trajectory(liquid, start, task, seed)
        return planned

    def _task(self, density: float, temperature: float | None = None) -> Task:
        """Return the task that melts a crystal, or one at another temperature, from a melt.

        Of a melt the last frame is recorded. At another temperature frames are equilibrated, where
        that is a stage, and recorded there; velocities are drawn anew at that temperature.
        """
        done = []
        for name, stage in self.stages.items():
            if name != 'melt':
                heat = temperature or Stage(**stage).temperature[1]
                more = {} if temperature is None else {'temperature': temperature}
                title = 'liquid' if name == 'production' else name
                done.append(stage | more | {'domain': stage_domain(title, density, heat)})
            elif temperature is None:
                melt = {'record_every': stage['steps'], 'domain': stage_domain(name, density)}
                done.append(melt | stage)
        return read_task({'kind': 'md', 'stages': done})
