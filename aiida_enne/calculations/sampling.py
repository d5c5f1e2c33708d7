"""Calculation functions between an engine that samples and the one that labels."""

from __future__ import annotations

from typing import Any

from aiida import orm
from aiida.engine import calcfunction

from aiida_enne.data.configurations import ConfigurationsData
from aiida_enne.data.dataset import DatasetData
from aiida_enne.science.data import sampling


@calcfunction
def take_sampled(dataset: DatasetData, choice: orm.Dict) -> ConfigurationsData:
    """Return frames to label; `frames` of the choice is how many, see `science.data.sampling`."""
    frames = sampling.thin(dataset.get_configurations(), choice.get_dict()['frames'])
    return ConfigurationsData.from_configurations(frames)


@calcfunction
def take_ends(dataset: DatasetData, start: ConfigurationsData) -> ConfigurationsData:
    """Return the last frame of every path: where another engine goes on."""
    ends = sampling.take_ends(dataset.get_configurations(), start.n_frames)
    return ConfigurationsData.from_configurations(ends)


@calcfunction
def join_sampled(
    frames: ConfigurationsData, labels: DatasetData, failures: orm.Dict, sampled: orm.Dict
) -> dict[str, Any]:
    """Give labels what their frames tell, and list what has none.

    Args:
        frames: What was labelled.
        labels: Their labels; `info['configuration']` is the index of the frame.
        failures: Of the labelling, as `LabelWorkChain` lists them.
        sampled: Results of the engine that sampled.

    Returns:
        `dataset`, at the level of theory of the labels, and `results`, those of the sampling with
        `sampled_by`, `labelled_by`, `n_sampled`, `n_labelled` and `unlabelled`.
    """
    joined = sampling.restore(frames.get_configurations(), labels.get_configurations())
    told, level = failures.get_dict(), labels.level_of_theory
    results = sampled.get_dict() | {
        'labelled_by': level,
        'n_sampled': told['n_configurations'],
        'n_labelled': told['n_labelled'],
        'unlabelled': told['failures'],
    }
    return {
        'dataset': DatasetData.from_configurations(
            joined, level_of_theory=level, masked_forces=True
        ),
        'results': orm.Dict(results),
    }


@calcfunction
def tell_sampler(results: orm.Dict, dataset: DatasetData) -> orm.Dict:
    """Return results with the level of theory of what sampled."""
    return orm.Dict(results.get_dict() | {'sampled_by': dataset.level_of_theory})


@calcfunction
def join_relaxed(relaxed: DatasetData, sampled: DatasetData, results: orm.Dict) -> dict[str, Any]:
    """Return a relaxation that another engine began, and its results, which name both."""
    levels = {'sampled_by': sampled.level_of_theory, 'labelled_by': relaxed.level_of_theory}
    return {
        'dataset': DatasetData.from_configurations(
            relaxed.get_configurations(),
            level_of_theory=relaxed.level_of_theory,
            masked_forces=True,
        ),
        'results': orm.Dict(results.get_dict() | levels),
    }
