"""The members' raw predictions on any dataset, found by content."""

from collections.abc import Iterable
from typing import Any

from aiida import orm

from aiida_enne.data.prediction import PredictionData
from aiida_enne.provenance.ensembles import Ensemble


def find_predictions(
    ensemble: Ensemble, dataset_sha256: str, n_frames: int | None = None
) -> dict[str, str]:
    """Return the UUID of each member's prediction on a dataset, by the member's label.

    Predictions are found by content, so that cached copies, or predictions made elsewhere and
    imported, count alike. Where members have several, those on most configurations are taken, of
    equal number if there is a number that all of them have.
    """
    query = orm.QueryBuilder().append(
        PredictionData,
        filters={
            'attributes.dataset_sha256': dataset_sha256,
            'attributes.weights_sha256': {'in': ensemble.weights},
        },
        project=['uuid', 'attributes.weights_sha256', 'attributes.n_frames'],
    )
    sizes: dict[str, dict[int, str]] = {}
    for uuid, weights, size in query.iterall():
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
