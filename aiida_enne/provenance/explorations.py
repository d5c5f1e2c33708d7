"""Trajectories that were run on the mean of an ensemble with σ on every frame."""

from __future__ import annotations

from typing import Any

import numpy as np
from aiida import orm

from aiida_enne.data.dataset import DatasetData
from aiida_enne.data.model import ModelData
from aiida_enne.provenance.ensembles import Ensemble
from aiida_enne.science.figures import Explored

#: What a frame says of its σ, by quantity.
SIGMA = {'energy': 'sigma_energy', 'force': 'sigma_force'}


def find_explorations(ensemble: Ensemble) -> list[str]:
    """Return the UUIDs of all datasets that jobs with these very members returned, by age."""
    query = orm.QueryBuilder()
    query.append(
        ModelData, filters={'attributes.weights_sha256': {'in': ensemble.weights}}, tag='model'
    )
    jobs = {'process_type': {'like': '%enne.ase%'}}
    query.append(orm.CalcJobNode, filters=jobs, with_incoming='model', tag='job')
    query.append(DatasetData, with_incoming='job', project=['uuid', 'id'])
    query.distinct()
    return [uuid for uuid, _ in sorted(query.iterall(), key=lambda row: int(row[1]))]


def trajectories(uuid: str, of: str) -> list[Explored]:
    """Return σ along the trajectories of a dataset; none where its frames have no σ or time.

    Args:
        uuid: Of the dataset.
        of: 'energy' or 'force'.
    """
    node: Any = orm.load_node(uuid)
    frames = node.get_configurations()
    info = frames.info
    if SIGMA[of] not in info or 'time' not in info:
        return []
    found = []
    for block in np.unique(frames.blocks):
        own = np.flatnonzero(frames.blocks == block)
        own = own[np.argsort(info['time'][own], kind='stable')]
        for domain in dict.fromkeys(frames.domains[own].tolist()):
            mine = own[frames.domains[own] == domain]
            found.append(Explored(domain, info['time'][mine], info[SIGMA[of]][mine]))
    return found
