"""Nodes of an audit as arrays, and the result as a node."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from aiida import orm

from aiida_enne.data.dataset import DatasetData
from aiida_enne.data.features import (
    Trained,
    are_summed,
    gather_features,
    has_features,
    read_features,
    trained_gates,
)
from aiida_enne.data.model import ensemble_sha256
from aiida_enne.data.prediction import PredictionData, stack_predictions
from aiida_enne.data.statistics import StatisticsData
from aiida_enne.science.data.configurations import Configurations
from aiida_enne.science.fields import Floats
from aiida_enne.science.plugins import versions
from aiida_enne.science.structures.domains import in_order
from aiida_enne.science.uncertainty import estimators, scores
from aiida_enne.science.uncertainty.alignment import By, Offsets, reference_offset
from aiida_enne.science.uncertainty.audit import Audit
from aiida_enne.science.uncertainty.beside import Snapshots
from aiida_enne.science.uncertainty.options import AuditOptions

Predictions = Mapping[str, PredictionData]
Table = tuple[Configurations, Floats, Floats]


def judges_of(parameters: orm.Dict) -> orm.Dict:
    """Return the estimator and the scores of an audit, each with its package and version.

    An input of the audit, so that AiiDA never takes one from its cache that had others.
    """
    name = parameters.get('estimator', estimators.DEFAULT)
    kinds = versions(estimators.GROUP)
    return orm.Dict({'estimator': {name: kinds[name]}, 'scores': versions(scores.GROUP)})


def tabulate(dataset: DatasetData, predictions: Predictions) -> Table:
    """Stack the members' predictions on one dataset.

    Returns:
        The n configurations that were predicted, energies (M, n) in eV and forces (M, N, 3) in
        eV/Å; members in alphabetical order of their labels.

    Raises:
        ValueError: If a prediction belongs to another dataset, two members were asked about
            different configurations, or there are fewer than two members.
    """
    if len(predictions) < 2:
        raise ValueError(f'a spread needs two or more members, got {sorted(predictions)}')
    indices, found = stack_predictions(predictions, dataset)
    forces = found['forces'].astype(np.float64)
    return dataset.get_configurations().select(indices), found['energies'], forces


def stresses_of(predictions: Predictions, dataset: DatasetData) -> Floats | None:
    """Return the members' stresses in eV/Å³, shape (M, n, 3, 3); None where one has none."""
    try:
        return stack_predictions(predictions, dataset, ['stresses'])[1]['stresses']
    except ValueError:
        return None


def tabulate_snapshots(dataset: DatasetData, predictions: Predictions) -> Snapshots:
    """Stack what the snapshots of one member predicted, by epoch; raises as `tabulate` does."""
    _, energies, forces = tabulate(dataset, predictions)
    return Snapshots(energies, forces, stresses_of(predictions, dataset))


def trained_on(nodes: Mapping[str, Any]) -> Trained:
    """Return what each member was trained on, from `datasets` and `predictions` by set."""
    return {
        label: (nodes['datasets'][name], node)
        for name, several in nodes['predictions'].items()
        for label, node in several.items()
    }


def beside_training(
    predictions: Predictions, table: Table, trained: Trained | None, options: AuditOptions
) -> dict[str, Any]:
    """Return the gates that training frames show and, where there are any, features.

    Args:
        predictions: By label of the member.
        table: What they predicted, see `tabulate`.
        trained: What each member was trained on; None where it predicted nothing of that.
        options: Choices of the audit.

    Raises:
        ValueError: If a prediction has no features, which the estimator needs.
    """
    if trained is None:
        return {}
    labels, frames = sorted(predictions), table[0]
    known = {label: trained[label] for label in labels}
    nodes = [*predictions.values(), *(node for _, node in known.values())]
    found: dict[str, Any] = {}
    if 'features' in options.make_estimator().needs or all(map(has_features, nodes)):
        summed = are_summed(nodes)
        own = [read_features(predictions[label], frames, summed=summed) for label in labels]
        found['features'] = gather_features(own, known, summed=summed)
    return found | {'gates': trained_gates(known, found.get('features'), options, table)}


def align(
    tables: Mapping[str, Table],
    snapshots: Mapping[str, Snapshots] | None = None,
    *,
    domain: str,
    by: By,
) -> Offsets:
    """Return the offsets of the reference, every member and snapshot on the reference domain.

    Args:
        tables: By dataset, see `tabulate`.
        snapshots: What snapshots predicted, by dataset; of those of one training.
        domain: Where the zeros are taken.
        by: 'minimum' or 'mean', see `reference_offset`.

    Raises:
        ValueError: If no dataset, or more than one, holds the domain.
    """
    holders = [label for label, table in tables.items() if domain in table[0].domains]
    if len(holders) != 1:
        known = in_order(d for table in tables.values() for d in table[0].domains.tolist())
        raise ValueError(
            f'the reference domain {domain!r} must stand in exactly one dataset, it stands in '
            f'{holders}; there are the domains {known}'
        )
    (holder,) = holders
    configurations, energies, _ = tables[holder]
    rivals = snapshots[holder].energies if snapshots else None
    return reference_offset(configurations, energies, domain, by, rivals)


def statistics_node(
    result: Audit, dataset: DatasetData, predictions: Predictions
) -> StatisticsData:
    """Wrap an audit with the attributes by which its node is found."""
    return StatisticsData.from_statistics(
        result.domains,
        result.arrays,
        pooled=result.pooled,
        verdicts=[row.as_dict() for row in result.verdicts],
        gates={name: [one.as_dict() for one in gates] for name, gates in result.gates.items()},
        parameters=result.parameters,
        dataset_sha256=dataset.sha256,
        level_of_theory=dataset.level_of_theory,
        ensemble_sha256=ensemble_sha256(predictions),
        n_members=len(predictions),
        seeds=[predictions[label].base.attributes.get('seed') for label in sorted(predictions)],
    )
