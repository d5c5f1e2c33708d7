"""Dynamics on the mean of an ensemble with σ along the way: inputs of `SampleWorkChain`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from aiida import orm
from aiida.engine import ProcessBuilder

from aiida_enne.aiida_private import fill_builder
from aiida_enne.data.configurations import ConfigurationsData
from aiida_enne.data.model import ModelData
from aiida_enne.science.plans.samples import Sample
from aiida_enne.workflows.reference.samples import SampleWorkChain
from aiida_enne.workflows.study.ports import own_engine

#: Domain of the frames: `explored liquid, 2000 K`.
DOMAIN = 'explored {domain}'


def plan_samples(
    temperatures: Sequence[float],
    *,
    start: Mapping[str, Any],
    stage: Mapping[str, Any],
    sigma: Mapping[str, Any],
    seed: int,
) -> dict[str, dict[str, Any]]:
    """Return a sample for each temperature: several trajectories in a job.

    Args:
        temperatures: In K.
        start: See `science.plans.samples.select_starts`.
        stage: Of the task `md`, without `temperature` and `domain`.
        sigma: What is looked at, and the thresholds; see `science.plans.tasks.Sigma`.
        seed: Of the first temperature; each further one has the next.

    Raises:
        ValueError: If there are no temperatures, or one is given twice or is not positive.
    """
    if not temperatures or len(set(temperatures)) < len(temperatures) or min(temperatures) <= 0:
        raise ValueError(f'expected distinct temperatures above 0 K, got {list(temperatures)}')
    samples = {}
    for number, temperature in enumerate(temperatures):
        domain = f'{DOMAIN}, {temperature:g} K'
        one = dict(stage) | {'temperature': temperature, 'domain': domain}
        label = f'explore_{temperature:g}K'.replace('.', 'p')
        samples[label] = {
            'start': dict(start),
            'task': {'kind': 'md', 'stages': [one], 'sigma': dict(sigma)},
            'seed': seed + number,
        }
    return samples


def get_builder(
    code: orm.AbstractCode,
    models: Mapping[str, ModelData],
    pool: ConfigurationsData,
    samples: Mapping[str, Mapping[str, Any]],
    *,
    protocol: str | None = None,
    overrides: Mapping[str, Any] | None = None,
) -> ProcessBuilder:
    """Return the inputs of dynamics on the mean of an ensemble.

    Args:
        code: Python with NequIP.
        models: The members by label.
        pool: What trajectories start from.
        samples: See `plan_samples`.
        protocol: One of the protocols of the ASE engine.
        overrides: Of the engine's `base`; `gpus` is not a port but becomes the device.

    Raises:
        ValueError: If a sample cannot be used, or there is no such protocol.
    """
    frames = pool.get_configurations()
    for label, one in samples.items():
        Sample.of(label, one, frames)
    base = own_engine(code, protocol or 'laptop', overrides or {})
    base['ase']['models'] = dict(models)
    builder = SampleWorkChain.get_builder()
    given = {label: orm.Dict(dict(one)) for label, one in samples.items()}
    fill_builder(
        builder, {'engine': 'ase', 'inputs': {'base': base}, 'samples': given, 'pool': pool}
    )
    return builder
