"""Calculation functions that choose frames to label once more, and compare these labels."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from aiida import orm
from aiida.engine import calcfunction

from aiida_enne.data.configurations import ConfigurationsData
from aiida_enne.data.dataset import DatasetData
from aiida_enne.science.data.configurations import Configurations, concatenate
from aiida_enne.science.data.convergence import choose, compare
from aiida_enne.science.data.labelling import ORIGIN

#: What the labels of the datasets are called among the settings.
AS_LABELLED = 'as_labelled'


@calcfunction
def take_frames(parameters: orm.Dict, **datasets: DatasetData) -> ConfigurationsData:
    """Return frames without labels; `parameters` are those of `state_convergence`."""
    _, chosen = _chosen(parameters, datasets)
    bare = replace(chosen.unlabelled(), info={})
    return ConfigurationsData.from_configurations(bare)


@calcfunction
def state_convergence(parameters: orm.Dict, **nodes: Any) -> orm.Dict:
    """Return how far the labels by every setting are from the converged ones.

    Args:
        parameters: `per_domain` and, where it is not all, `domains`: which frames were labelled;
            `converged`: the setting that all others are compared with.
        **nodes: `datasets.<name>`, of which the frames are, and `labels.<setting>` of them.

    Returns:
        `settings`, by name what `science.data.convergence.compare` gives, `as_labelled` of the
        datasets' own labels; `levels` of theory by name; `frames`: `dataset`, `frame` (its index
        there) and `domain` of each; `converged`.

    Raises:
        ValueError: If there are no converged labels.
    """
    frames, chosen = _chosen(parameters, nodes['datasets'])
    converged = parameters['converged']
    if converged not in nodes['labels']:
        raise ValueError(f'no labels by {converged!r}, there are {sorted(nodes["labels"])}')
    labels = {name: node.get_configurations() for name, node in nodes['labels'].items()}
    levels = {name: node.level_of_theory for name, node in nodes['labels'].items()}
    truth = labels.pop(converged)
    labels = {AS_LABELLED: chosen, **{name: labels[name] for name in sorted(labels)}}
    levels[AS_LABELLED] = next(iter(nodes['datasets'].values())).level_of_theory
    there = set(truth.info[ORIGIN].tolist())
    return orm.Dict(
        {
            'converged': converged,
            'levels': levels,
            'frames': frames,
            'settings': {
                name: compare(one, truth)
                for name, one in labels.items()
                if there & set(one.info[ORIGIN].tolist())
            },
        }
    )


def _chosen(
    parameters: orm.Dict, datasets: Mapping[str, DatasetData]
) -> tuple[list[dict[str, Any]], Configurations]:
    """Return which frames are chosen, and these, numbered in `info['configuration']`."""
    given, told, parts = parameters.get_dict(), [], []
    for name in sorted(datasets):
        whole = datasets[name].get_configurations()
        index = choose(whole.domains, given['per_domain'], given.get('domains'))
        if len(index):
            parts.append(whole.select(index))
            domains = whole.domains[index].tolist()
            told += [
                {'dataset': name, 'frame': frame, 'domain': domain}
                for frame, domain in zip(index.tolist(), domains, strict=True)
            ]
    joined = concatenate(parts)
    return told, replace(joined, info={ORIGIN: np.arange(len(joined), dtype=np.float64)})
