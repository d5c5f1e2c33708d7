"""From scans, of a study or alone, to the inputs of their work chains; what is known already."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from aiida import orm
from aiida.manage.caching import get_use_cache

from aiida_enne.calculations.nequip_predict import NequipPredictCalculation as Predict
from aiida_enne.calculations.nequip_predict import chosen_indices
from aiida_enne.data.configurations import ConfigurationsData
from aiida_enne.data.model import ModelData
from aiida_enne.data.prediction import PredictionData
from aiida_enne.data.split import SplitData
from aiida_enne.science.plans.scans import TRAINING, Base, read_scan
from aiida_enne.science.plans.training_sets import Draw
from aiida_enne.science.structures.domains import Domain

#: Inputs of an ensemble that differ between the points of a scan, or are the scan's own.
OWNED = ('dataset', 'split', 'seeds')
#: Inputs of an audit that are not those of its predictions.
OF_AUDIT = ('audit', 'fit_frames')


def draw_of(inputs: Mapping[str, Any], size: int = 1) -> Draw:
    """Return how the main training set is drawn; its size where it is not drawn."""
    given = inputs['draw'].get_dict() if 'draw' in inputs else {'size': size}
    return Draw.from_dict(given, 'draw')


def base_of(inputs: Mapping[str, Any], split: SplitData, domains: Mapping[str, Domain]) -> Base:
    """Return the main ensemble of a study, from which scans depart."""
    ensemble = inputs['ensemble']
    parameters = ensemble['training']['train']['parameters'].get_dict()
    return Base(
        size=int(split.base.attributes.get('n_train')),
        seeds=tuple(ensemble['seeds'].get_list()),
        domains=domains,
        max_epochs=parameters['trainer']['max_epochs'],
        draw_seed=draw_of(inputs).seed,
    )


def scan_inputs(
    scan: Mapping[str, Any],
    base: Base,
    ensemble: Mapping[str, Any],
    audit: Mapping[str, Any],
    known: Mapping[str, Any],
) -> dict[str, Any]:
    """Return the inputs of a scan.

    Args:
        scan: See `science.plans.scans.read_scan`.
        base: The main ensemble.
        ensemble: Inputs of its work chain that do not depend on the data.
        audit: Inputs of its audit, of which those of the predictions are taken.
        known: `datasets` by role, `splits` of some, and the `pool` that sets are drawn from.

    Raises:
        ValueError: If a point or a role cannot be used.
    """
    datasets = known['datasets']
    chosen = read_scan(scan)
    points = {label: point.to_dict() for label, point in chosen.points(base).items()}
    roles = chosen.roles_among(list(datasets))
    return {
        'kind': orm.Str(chosen.kind),
        'points': orm.Dict(points),
        'dataset': datasets[TRAINING],
        'split': known['splits'][TRAINING],
        'pool': known['pool'],
        'ensemble': {name: value for name, value in ensemble.items() if name not in OWNED},
        'prediction': {name: value for name, value in audit.items() if name not in OF_AUDIT},
        'datasets': {role: datasets[role] for role in roles},
        'parts': {role: split for role, split in known['splits'].items() if role in roles},
        'max_concurrent': chosen.max_concurrent,
    }


def labelled_for(scan: Mapping[str, Any], branches: Sequence[str]) -> list[str]:
    """Return the branches that label what the members of a scan predict.

    Args:
        scan: See `science.plans.scans.read_scan`.
        branches: Those of the study that label anything, e.g. `liquid`, `eos`.
    """
    roles = read_scan(scan).asked
    if not isinstance(roles, list):
        return list(branches)
    kinds = {str(role).split('_')[0] for role in roles}
    return [name for name in branches if name in kinds]


def known_prediction(
    dataset: ConfigurationsData, part: SplitData | None, model: ModelData
) -> PredictionData | None:
    """Return what a member has said of the same configurations before, if caching is on."""
    if not get_use_cache(identifier=Predict.build_process_type()):
        return None
    indices = chosen_indices(dataset, part, None)
    query = orm.QueryBuilder().append(
        PredictionData,
        filters={
            'attributes.weights_sha256': model.weights_sha256,
            'attributes.dataset_sha256': dataset.sha256,
            'attributes.n_frames': len(indices),
        },
    )
    for (node,) in query.order_by({PredictionData: {'id': 'asc'}}).iterall():
        if np.array_equal(node.indices, indices):
            return node
    return None
