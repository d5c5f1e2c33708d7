"""Calculation functions of liquids: last frame of a trajectory, and whether it is molten."""

import numpy as np
from aiida import orm
from aiida.engine import calcfunction

from aiida_enne.data.configurations import ConfigurationsData
from aiida_enne.data.dataset import DatasetData
from aiida_enne.science.properties import liquid


@calcfunction
def take_last_frame(dataset: DatasetData, domain: orm.Str) -> ConfigurationsData:
    """Return the last frame of a domain, without its labels."""
    frames = dataset.get_configurations()
    chosen = np.flatnonzero(frames.domains == domain.value)
    if not len(chosen):
        raise ValueError(f'no frame of the domain `{domain.value}` in {dataset.domains}')
    return ConfigurationsData.from_configurations(frames.unlabelled().select(chosen[-1:]))


@calcfunction
def analyse_liquid(dataset: DatasetData, domain: orm.Str, criteria: orm.Dict) -> orm.Dict:
    """Analyse the frames of one domain as `science.liquid.analyse` does."""
    frames = dataset.get_configurations()
    chosen = frames.select(np.flatnonzero(frames.domains == domain.value))
    analysis = liquid.analyse(chosen, liquid.MeltCriteria(**criteria.get_dict()))
    return orm.Dict({'domain': domain.value} | analysis)
