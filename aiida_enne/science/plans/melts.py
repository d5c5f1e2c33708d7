"""The paper's series of liquids as trajectories: what each starts from and goes through."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from aiida_enne.science.properties.liquid import trajectory_seed

#: Stages in their order; what is given of a stage is an option of a stage of molecular dynamics.
STAGES = ('melt', 'equilibrate', 'production')
#: Frames that production must record at least, for a displacement to be told from it.
MIN_FRAMES = 10


def name_trajectory(density: float, temperature: float | None = None) -> str:
    """Return a label fit for a port: `density_2p57`, `density_2p57_1600K`."""
    label = f'density_{density:g}'
    label += '' if temperature is None else f'_{temperature:g}K'
    return label.replace('.', 'p')


def name_domain(stage: str, density: float, temperature: float | None = None) -> str:
    """Return the domain of frames: `liquid 2.57 g/cm³, 2000 K`, `melt 2.57 g/cm³`."""
    name = {'production': 'liquid'}.get(stage, stage)
    label = f'{name} {density:g} g/cm³'
    return label if temperature is None else f'{label}, {temperature:g} K'


def last_temperature(stage: Mapping[str, Any]) -> float:
    """Return the temperature in K with which a stage ends."""
    value = stage['temperature']
    return float(value[-1] if isinstance(value, Sequence) else value)


def melt_task(stages: Mapping[str, Mapping[str, Any]], density: float) -> dict[str, Any]:
    """Return the task of a trajectory that melts a crystal; its last melt frame is recorded."""
    done = []
    for name in STAGES:
        if name not in stages:
            continue
        stage = dict(stages[name])
        if name == 'melt':
            stage = {'record_every': stage['steps'], 'domain': name_domain(name, density)} | stage
        else:
            stage = {'domain': name_domain(name, density, last_temperature(stage))} | stage
        done.append(stage)
    return {'kind': 'md', 'stages': done}


def temperature_task(
    stages: Mapping[str, Mapping[str, Any]], density: float, temperature: float
) -> dict[str, Any]:
    """Return the task of a trajectory at another temperature, from a frame of a melt.

    It is equilibrated, where that is a stage, and recorded at its own temperature; velocities are
    drawn anew at that temperature.
    """
    return {
        'kind': 'md',
        'stages': [
            dict(stages[name])
            | {'temperature': temperature, 'domain': name_domain(name, density, temperature)}
            for name in STAGES[1:]
            if name in stages
        ],
    }


def plan(
    stages: Mapping[str, Mapping[str, Any]],
    densities: Sequence[float],
    temperatures: Sequence[float],
    temperature_density: float,
    seed: int,
) -> dict[str, dict[str, Any]]:
    """Return all trajectories by label.

    Returns:
        Of each: `density` in g/cm³, `start` ('crystal', or the label of the trajectory whose last
        melt frame it starts from), `task`, `seed`, `domain` of its production.
    """
    planned: dict[str, dict[str, Any]] = {}
    at = last_temperature(stages['production'])
    for density in densities:
        planned[name_trajectory(density)] = {
            'density': density,
            'start': 'crystal',
            'task': melt_task(stages, density),
            'seed': trajectory_seed(seed, density),
            'domain': name_domain('production', density, at),
        }
    for temperature in temperatures:
        planned[name_trajectory(temperature_density, temperature)] = {
            'density': temperature_density,
            'start': name_trajectory(temperature_density),
            'task': temperature_task(stages, temperature_density, temperature),
            'seed': trajectory_seed(seed, temperature_density, temperature),
            'domain': name_domain('production', temperature_density, temperature),
        }
    return planned


def check_stages(stages: Mapping[str, Any]) -> None:
    """Check what the series itself asks of the stages; the engine checks their options.

    Raises:
        ValueError: If a stage is unknown or missing, or does not record what is needed.
    """
    needed = {'melt', 'production'}
    if set(stages) - set(STAGES) or needed - set(stages):
        raise ValueError(f'`stages` must hold melt, production, perhaps equilibrate; got {stages}')
    for name, stage in stages.items():
        if not isinstance(stage, Mapping) or not {'temperature', 'steps'} <= set(stage):
            raise ValueError(f'the stage {name} needs `temperature` and `steps`, got {stage!r}')
        if 'domain' in stage:
            raise ValueError(f'the stage {name} must not name its `domain`: the series does')
    melt, production = stages['melt'], stages['production']
    every = melt.get('record_every', melt['steps'])
    if not every or melt['steps'] % every:
        raise ValueError(
            f'the last melt frame must be recorded: {every} does not divide {melt["steps"]} steps'
        )
    every = production.get('record_every', 0)
    if not every or production['steps'] // every < MIN_FRAMES:
        raise ValueError(
            f'production must record {MIN_FRAMES} frames or more, got {production["steps"]} steps '
            f'with `record_every` {every}'
        )


def check_numbers(name: str, values: Sequence[Any], minimum: int = 0) -> None:
    """Check that there are distinct positive numbers.

    Raises:
        ValueError: If there are too few, or one is not positive or not a number, or given twice.
    """
    good = all(
        isinstance(value, int | float) and not isinstance(value, bool) and 0 < value < float('inf')
        for value in values
    )
    if not good or len(values) < minimum or len({f'{v:g}' for v in values}) < len(values):
        raise ValueError(f'`{name}` must be distinct positive numbers, got {list(values)}')
