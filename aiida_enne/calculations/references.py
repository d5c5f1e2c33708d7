"""Calculation functions that join what the jobs of a reference engine gave."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from aiida import orm
from aiida.engine import calcfunction

from aiida_enne.data.configurations import ConfigurationsData
from aiida_enne.data.dataset import DatasetData
from aiida_enne.science.data.configurations import Configurations, concatenate
from aiida_enne.science.fields import Integers

#: Positions and cells in Å closer than this are the same: outputs are printed to 1e-8 Å.
SAME = 1e-7


@calcfunction
def join_attempts(kind: orm.Str, **datasets: DatasetData) -> DatasetData:
    """Join the steps of one run over its attempts, in alphabetical order of their labels.

    Args:
        kind: `md`: steps have numbers, and of one that two attempts give, the later is taken;
            `relax`: steps are numbered anew, and a geometry that is repeated is left out.
        **datasets: What each attempt gave.
    """
    nodes = [datasets[label] for label in sorted(datasets)]
    parts = [node.get_configurations() for node in nodes]
    joined = concatenate(parts)
    kept = _last_of_each(joined.info['step']) if kind.value == 'md' else _unrepeated(joined)
    frames = joined.select(kept)
    info = dict(frames.info)
    if kind.value == 'relax':
        info['step'] = np.arange(len(frames), dtype=np.float64)
    frames = replace(frames, blocks=np.repeat(parts[0].blocks[:1], len(frames)), info=info)
    return DatasetData.from_configurations(frames, level_of_theory=_level(nodes))


@calcfunction
def collect_reference(
    configurations: ConfigurationsData, outcomes: orm.Dict, **datasets: DatasetData
) -> dict[str, Any]:
    """Join what all jobs gave into one dataset, and say what became of every configuration.

    Args:
        configurations: What was worked on.
        outcomes: `kind` (label, md, relax); `statuses`, a list with `status` (finished, failed,
            unconverged, exploded) and `message` of every configuration; `parts`, which says of
            each dataset by its label to which `configuration` it belongs and, for md, its `stage`,
            `domain`, `steps` and `record_every`, and what was before it: `first_step` and
            `first_time` in ps of the trajectory, `stage_first_step` of the stage.
        **datasets: Labelled frames by label.

    Returns:
        `results` and, if there are frames, `dataset`, ordered by configuration and step.
    """
    outcome, inputs = outcomes.get_dict(), configurations.get_configurations()
    statuses = outcome['statuses']
    failures = [
        {'configuration': index, **item}
        for index, item in enumerate(statuses)
        if item['status'] != 'finished'
    ]
    results = {
        'kind': outcome['kind'],
        'n_configurations': len(statuses),
        'counts': dict(sorted(Counter(item['status'] for item in statuses).items())),
        'failures': failures,
    }
    parts: list[Configurations] = []
    order = sorted(datasets, key=lambda label: (outcome['parts'][label]['configuration'], label))
    for label in order:
        about, frames = outcome['parts'][label], datasets[label].get_configurations()
        if outcome['kind'] == 'md':
            frames = _recorded(frames, about)
        origin = int(about['configuration'])
        block = int(inputs.blocks[origin]) if outcome['kind'] == 'label' else origin
        parts.append(
            replace(
                frames,
                blocks=np.full(len(frames), block, dtype=np.int64),
                info=frames.info | {'configuration': np.full(len(frames), float(origin))},
            )
        )
    n_frames = sum(len(part) for part in parts)
    nodes: dict[str, Any] = {'results': orm.Dict(results | {'n_frames': n_frames})}
    if n_frames:
        joined = concatenate([part for part in parts if len(part)])
        # joining renumbers blocks; these are numbered already
        blocks = np.concatenate([part.blocks for part in parts])
        nodes['dataset'] = DatasetData.from_configurations(
            replace(joined, blocks=blocks, roles=inputs.roles),
            level_of_theory=_level([datasets[label] for label in order]),
        )
    return nodes


def _recorded(frames: Configurations, about: Mapping[str, Any]) -> Configurations:
    """Return the frames that a run of a trajectory keeps, counted from the trajectory's start.

    Step 0 is where the run begins, and is not counted as a frame.
    """
    own, every = frames.info['step'], int(about['record_every'])
    if every == 0:
        return frames.select([])
    steps = own + about['first_step'] - about['stage_first_step']
    within = (own > 0) & (own <= about['steps']) & (steps % every == 0)
    kept = frames.select(np.flatnonzero(within))
    domains = [about['domain'].replace('{domain}', domain) for domain in kept.domains.tolist()]
    info = kept.info | {
        'stage': np.full(len(kept), float(about['stage'])),
        'step': kept.info['step'] + about['first_step'],
        'time': kept.info['time'] + about['first_time'],
    }
    return replace(kept, domains=np.array(domains, dtype=np.str_), info=info)


def _last_of_each(steps: np.ndarray) -> Integers:
    last = {step: index for index, step in enumerate(steps.tolist())}
    return np.array([last[step] for step in sorted(last)], dtype=np.int64)


def _unrepeated(frames: Configurations) -> Integers:
    kept = [0]
    for index in range(1, len(frames)):
        pair = [frames.select([kept[-1]]), frames.select([index])]
        same = all(
            np.allclose(getattr(pair[0], name), getattr(pair[1], name), rtol=0, atol=SAME)
            for name in ('positions', 'cells')
        )
        if same:
            kept[-1] = index  # the later one knows whether it converged
        else:
            kept.append(index)
    return np.array(kept, dtype=np.int64)


def _level(nodes: list[DatasetData]) -> str:
    levels = sorted({node.level_of_theory for node in nodes})
    if len(levels) != 1:
        raise ValueError(f'only labels of one level of theory can be joined, got {levels}')
    return levels[0]
