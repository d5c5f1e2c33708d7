"""Calculation functions of a study: what is trained on, and how the parts of it are drawn."""

from __future__ import annotations

from aiida import orm
from aiida.engine import calcfunction

from aiida_enne.data.dataset import DatasetData
from aiida_enne.data.split import SplitData
from aiida_enne.science.plans import training_sets


@calcfunction
def take_production(liquid: DatasetData, domains: orm.List) -> DatasetData:
    """Return the frames of the domains, whatever else the dataset holds."""
    frames = training_sets.take_production(liquid.get_configurations(), domains.get_list())
    return DatasetData.from_configurations(frames, level_of_theory=liquid.level_of_theory)


@calcfunction
def map_split(liquid: DatasetData, domains: orm.List, split: SplitData) -> SplitData:
    """Return a split of the production frames as one of the dataset that they were taken from."""
    mapped = training_sets.map_split(
        liquid.get_configurations(), domains.get_list(), split.get_split()
    )
    return SplitData.from_split(mapped, liquid, method='mapped', shared=is_shared(split))


@calcfunction
def thin_training(dataset: DatasetData, split: SplitData, parameters: orm.Dict) -> SplitData:
    """Draw one training set from the training part of a split; see `science.training_sets.thin`."""
    draw = training_sets.Draw.from_dict(parameters.get_dict(), 'draw').to_dict()
    drawn = training_sets.thin(dataset.get_configurations().domains, split.get_split(), **draw)
    return SplitData.from_split(drawn, dataset, method='thin', shared=is_shared(split))


def is_shared(split: SplitData) -> bool:
    """Return whether relatives may stand in two parts of a split."""
    return bool(split.base.attributes.get('n_shared_blocks'))
