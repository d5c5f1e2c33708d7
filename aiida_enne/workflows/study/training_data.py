"""What the ensemble of a study is trained on: liquids that melted or, without liquids, samples."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from aiida import orm

from aiida_enne.calculations.functions import split_dataset
from aiida_enne.calculations.study import map_split, take_production, thin_training
from aiida_enne.data.dataset import DatasetData
from aiida_enne.data.split import SplitData
from aiida_enne.science.plans import samples, studies
from aiida_enne.science.plans.scans import TRAINING
from aiida_enne.science.structures.domains import Domain
from aiida_enne.workflows.reference.liquid import series
from aiida_enne.workflows.study import scanning

#: Roles of the datasets of liquids and of samples.
LIQUID, SAMPLE = 'liquid', 'sample'


@dataclass(frozen=True, slots=True)
class TrainingData:
    """What is trained on, and what that leaves to be tested.

    Attributes:
        datasets: All datasets there are now, by role; `training` is one of them.
        domains: Those that are trained on, each with what it is.
        pool: Split of `training` that scans draw from.
        splits: Of `training` and of datasets that hold the same frames, by role.
    """

    datasets: dict[str, DatasetData]
    domains: dict[str, Domain]
    pool: SplitData
    splits: dict[str, SplitData]


def choose(
    inputs: Mapping[str, Any], datasets: Mapping[str, DatasetData], analyses: Mapping[str, Any]
) -> TrainingData:
    """Return what is trained on; each dataset and split is a node with its parents.

    Raises:
        ValueError: If there is not enough to train on.
    """
    choice = _of_liquids if LIQUID in inputs else _of_samples
    return choice(inputs, dict(datasets), analyses)


def _of_liquids(
    inputs: Mapping[str, Any], datasets: dict[str, DatasetData], analyses: Mapping[str, Any]
) -> TrainingData:
    molten = [label for label, found in analyses.items() if found['melt']['molten']]
    planned = series(inputs[LIQUID]).trajectories()
    domains, missing = studies.select_molten(planned, molten)
    needed = int(inputs.get('min_densities', len(domains) + len(missing)))
    if len(domains) < needed or LIQUID not in datasets:
        raise ValueError(f'no liquid of {", ".join(missing)}')
    liquid, named = datasets[LIQUID], orm.List(domains)
    datasets[TRAINING] = take_production(liquid, named)
    pool, split = _split(inputs, datasets[TRAINING])
    splits = {TRAINING: split, LIQUID: map_split(liquid, named, split)}
    return TrainingData(datasets, _kinds(datasets[TRAINING], domains), pool, splits)


def _of_samples(
    inputs: Mapping[str, Any], datasets: dict[str, DatasetData], _: Mapping[str, Any]
) -> TrainingData:
    if SAMPLE not in datasets:
        raise ValueError('no sample has labels')
    training = datasets[TRAINING] = datasets.pop(SAMPLE)
    pool, split = _split(inputs, training)
    domains = samples.training_domains(inputs['split'].get_dict(), list(training.domains))
    return TrainingData(datasets, _kinds(training, domains), pool, {TRAINING: split})


def _kinds(dataset: DatasetData, domains: Sequence[str]) -> dict[str, Domain]:
    return {name: dataset.kinds[name] for name in domains}


def _split(inputs: Mapping[str, Any], training: DatasetData) -> tuple[SplitData, SplitData]:
    """Return the whole split, and the one whose training set may be drawn from it."""
    pool = split_dataset(training, inputs['split'])
    if 'draw' not in inputs:
        return pool, pool
    return pool, thin_training(training, pool, orm.Dict(scanning.draw_of(inputs).to_dict()))
