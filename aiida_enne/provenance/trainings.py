"""What members were trained on: datasets and the parts of their splits."""

from __future__ import annotations

from collections.abc import Iterable

from aiida import orm

from aiida_enne.data.dataset import DatasetData
from aiida_enne.data.model import ModelData
from aiida_enne.data.split import SplitData


def find_trainings(weights: Iterable[str]) -> dict[str, tuple[str, str]]:
    """Return the UUIDs of dataset and split that each member was trained on, by its weights.

    Members are found by content: one whose training is not in the profile is left out.
    """
    query = orm.QueryBuilder()
    query.append(
        ModelData,
        filters={'attributes.weights_sha256': {'in': sorted(set(weights))}},
        tag='model',
        project='attributes.weights_sha256',
    )
    query.append(orm.CalcJobNode, with_outgoing='model', tag='job')
    query.append(DatasetData, with_outgoing='job', project='uuid')
    query.append(SplitData, with_outgoing='job', project='uuid')
    # cached copies of a job have equal inputs: the first by UUID stands for all
    found: dict[str, tuple[str, str]] = {}
    for digest, dataset, split in sorted(query.iterall()):
        found.setdefault(digest, (dataset, split))
    return found
