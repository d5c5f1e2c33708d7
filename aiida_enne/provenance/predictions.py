"""The members' raw predictions on any dataset, found by content."""

from collections.abc import Iterable
from typing import Any

import numpy as np
from aiida import orm

from aiida_enne.data.prediction import PER_ATOM, SUMMED, TRAIN, PredictionData
from aiida_enne.provenance.ensembles import Ensemble
from aiida_enne.science.fields import Integers


def find_trained_predictions(
    ensemble: Ensemble, dataset_sha256: str, train: Integers
) -> dict[str, PredictionData]:
    """Return each member's prediction of frames of the training part of a dataset, by its label.

    That of most frames comes first, then those with features of atoms, then with sums of them.

    Args:
        ensemble: The members.
        dataset_sha256: Digest of the dataset.
        train: Indices of what they were trained on: predictions of other frames do not count.
    """
    query = orm.QueryBuilder().append(
        PredictionData,
        filters={
            'attributes.dataset_sha256': dataset_sha256,
            'attributes.weights_sha256': {'in': ensemble.weights},
            'attributes.part': TRAIN,
            'attributes.n_frames': {'<=': len(train)},
        },
        project=['*', 'attributes.n_frames', 'attributes.features'],
    )
    order = {SUMMED: 1, PER_ATOM: 2}
    rows = sorted(query.iterall(), key=lambda row: (row[1], order.get(row[2], 0), row[0].uuid))
    found: dict[str, PredictionData] = {}
    for node, *_ in reversed(rows):
        weights = node.base.attributes.get('weights_sha256')
        if weights not in found and np.isin(node.indices, train).all():
            found[weights] = node
    members = [one for one in ensemble.members if one.weights_sha256 in found]
    return {member.label: found[member.weights_sha256] for member in members}


def find_predictions(
    ensemble: Ensemble,
    dataset_sha256: str,
    n_frames: int | None = None,
    *,
    featured: bool = False,
) -> dict[str, str]:
    """Return the UUID of each member's prediction on a dataset, by the member's label.

    Predictions are found by content, so that cached copies, or predictions made elsewhere and
    imported, count alike. Where members have several, those on most configurations are taken, of
    equal number if there is a number that all of them have. Those on what members were trained on
    count only where there are no others; see `find_trained_predictions`. With `featured`, only
    those that hold last-layer features count.
    """
    filters: dict[str, Any] = {
        'attributes.dataset_sha256': dataset_sha256,
        'attributes.weights_sha256': {'in': ensemble.weights},
    }
    if featured:
        filters['attributes.features'] = {'in': [PER_ATOM, SUMMED]}
    query = orm.QueryBuilder().append(
        PredictionData,
        filters=filters,
        project=[
            'uuid',
            'attributes.weights_sha256',
            'attributes.n_frames',
            'attributes.part',
        ],
    )
    rows = query.all()
    held_out = [row for row in rows if row[3] != TRAIN]
    sizes: dict[str, dict[int, str]] = {}
    for uuid, weights, size, _ in held_out or rows:
        if n_frames is None or size == n_frames:
            mine = sizes.setdefault(weights, {})
            mine[size] = max(mine.get(size, ''), uuid)
    common = set.intersection(*(set(mine) for mine in sizes.values())) if sizes else set()
    known = {member.label: sizes.get(member.weights_sha256, {}) for member in ensemble.members}
    return {label: mine[max(common or mine)] for label, mine in known.items() if mine}


def prediction_scalars(
    ensembles: Iterable[Ensemble], names: tuple[str, ...] = ('energy_mae', 'force_mae')
) -> list[tuple[Any, ...]]:
    """Return (weights, dataset, scalars…) of every prediction of the ensembles: one projection."""
    weights = [digest for ensemble in ensembles for digest in ensemble.weights]
    query = orm.QueryBuilder().append(
        PredictionData,
        filters={'attributes.weights_sha256': {'in': weights}},
        project=[
            'attributes.weights_sha256',
            'attributes.dataset_sha256',
            *(f'attributes.{name}' for name in names),
        ],
    )
    return [tuple(row) for row in query.iterall()]
