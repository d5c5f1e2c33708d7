"""Stored predictions audited anew: by another estimator, ddof or alignment."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import numpy as np
from aiida import orm
from aiida.common.exceptions import NotExistent

from aiida_enne.calculations.audits import align
from aiida_enne.calculations.trained import (
    EXCLUDE,
    REFUSE,
    WAYS,
    find_overlaps,
    left,
    trained_domains,
    why_refused,
)
from aiida_enne.data.dataset import DatasetData
from aiida_enne.data.features import trained_gates
from aiida_enne.data.trainings import TrainedOn
from aiida_enne.provenance.ensembles import Ensemble
from aiida_enne.provenance.features import find_fitted, find_trained, stored_features
from aiida_enne.provenance.rows import find_stresses, gather_forces, gather_rows
from aiida_enne.provenance.snapshots import stored_snapshots
from aiida_enne.science.uncertainty.audit import Audit, audit
from aiida_enne.science.uncertainty.beside import Snapshots
from aiida_enne.science.uncertainty.options import AuditOptions


def audit_again(
    ensemble: Ensemble,
    datasets: Iterable[DatasetData],
    options: AuditOptions | None = None,
    alignment: dict[str, Any] | None = None,
    trained_frames: str = REFUSE,
) -> dict[str, Audit]:
    """Audit stored predictions anew, e.g. with another ddof; nothing is run or stored.

    Args:
        ensemble: The members.
        datasets: What they predicted.
        options: Choices; training domains that are not named are those of the ensemble's training.
        alignment: `domain` whose zero of energy is taken, and `by`: 'minimum' or 'mean'.
        trained_frames: What becomes of predictions of configurations that the ensemble was trained
            on or validated with: 'refuse', 'exclude' or 'include'.

    Returns:
        The audit by the UUID of the dataset.

    Raises:
        NotExistent: If a member never predicted one of the datasets, or not with the features that
            the estimator needs, or the snapshots that it needs did not.
        ValueError: If configurations were trained on, or the reference domain of the alignment is
            not there.
    """
    if trained_frames not in WAYS:
        raise ValueError(f'`trained_frames` must be one of {WAYS}, got {trained_frames!r}')
    nodes = {dataset.uuid: dataset for dataset in datasets}
    models: dict[str, Any] = {one.label: orm.load_node(one.uuid) for one in ensemble.members}
    known = TrainedOn.of(models)
    rows = {uuid: gather_rows(ensemble, dataset) for uuid, dataset in nodes.items()}
    asked = {uuid: (nodes[uuid], one.indices) for uuid, one in rows.items()}
    overlaps = find_overlaps(known, asked)
    if reason := why_refused(asked, overlaps, trained_frames):
        raise ValueError(reason)
    if trained_frames == EXCLUDE:
        for uuid, indices in left(asked, overlaps).items():
            rows[uuid] = rows[uuid].select(np.flatnonzero(np.isin(rows[uuid].indices, indices)))
    tables = {
        uuid: (one.configurations, one.energies, gather_forces(ensemble, one))
        for uuid, one in rows.items()
    }
    chosen = options or AuditOptions()
    needs, rivals = chosen.make_estimator().needs, dict[str, Snapshots]()
    if 'snapshots' in needs:
        if (stored := stored_snapshots(ensemble, *rows.values())) is None:
            raise NotExistent(
                f'no member has snapshots that all predicted {sorted(nodes)}: train with '
                '`snapshots: 5`, say, and audit with `snapshots`'
            )
        rivals = dict(zip(rows, stored, strict=True))
    offsets = align(tables, rivals, **alignment) if alignment else None
    if not chosen.training_domains:
        chosen = replace(chosen, training_domains=tuple(trained_domains(known, nodes.values())))
    if not chosen.r_max:
        chosen = replace(chosen, r_max=ensemble.r_max)
    trained, found = find_fitted(ensemble), {}
    for uuid, table in tables.items():
        beside: dict[str, Any] = {'stresses': find_stresses(ensemble, rows[uuid])}
        if 'features' in needs:
            beside['features'] = stored_features(ensemble, rows[uuid])
        if rivals:
            beside['snapshots'] = rivals[uuid]
        if trained is not None:
            beside['gates'] = trained_gates(
                find_trained(ensemble) if 'features' in beside else trained,
                beside.get('features'),
                chosen,
                table,
            )
        found[uuid] = audit(*table, options=chosen, offsets=offsets, **beside)
    return found
