"""Deformed crystals that an ensemble predicted, labelled or not, found by their domains."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from aiida import orm

from aiida_enne.data.configurations import ConfigurationsData
from aiida_enne.data.dataset import DatasetData
from aiida_enne.data.trainings import find_trainings
from aiida_enne.provenance.material import Material
from aiida_enne.provenance.predictions import find_predictions
from aiida_enne.provenance.rows import (
    frame_keys,
    gather_forces,
    gather_rows,
    gather_stresses,
    trained_keys,
)
from aiida_enne.provenance.studies import predicted_datasets
from aiida_enne.science.guard import Missing, guarded
from aiida_enne.science.options import nearest
from aiida_enne.science.properties.deformed import Deformed
from aiida_enne.science.structures.deformations import AT_REST, DISPLACED, STRAINED


@dataclass(frozen=True, slots=True)
class Cells:
    """Deformed cells of one node.

    Attributes:
        uuid: Of the node.
        domains: Number of configurations by domain.
    """

    uuid: str
    domains: dict[str, int]


def find_cells(material: Material) -> list[Cells]:
    """Return what the ensemble predicted of deformed crystals.

    What the process itself made comes first, then what has labels, then what was made last.
    """

    def make() -> list[Cells]:
        ensemble = material.record.ensemble
        process: Any = orm.load_node(material.record.process)
        own = {node.uuid for node in process.base.links.get_outgoing().all_nodes()}
        query = orm.QueryBuilder().append(
            (ConfigurationsData, DatasetData),
            filters={'attributes.sha256': {'in': predicted_datasets(ensemble)}},
            project=['*'],
        )
        known = [
            node
            for (node,) in query.iterall()
            if any(name.startswith((f'{STRAINED} ', f'{DISPLACED} ')) for name in node.domains)
        ]
        known.sort(key=lambda node: node.pk, reverse=True)
        known.sort(key=lambda node: (node.uuid not in own, not isinstance(node, DatasetData)))
        return [Cells(node.uuid, node.domains) for node in known]

    return material.once('deformed cells', make)


def crystals(material: Material, what: str) -> list[str]:
    """Return the crystals that were `strained` or `displaced`, by name."""
    found = [name for cells in find_cells(material) for name in cells.domains]
    mine = [name.removeprefix(f'{what} ') for name in found if name.startswith(f'{what} ')]
    return list(dict.fromkeys(mine))


def load_deformed(
    material: Material, what: str, crystal: str
) -> tuple[str, Deformed, dict[str, str]]:
    """Return the name of a crystal, its deformed cells with predictions, and their sources.

    Args:
        material: Of any work chain that knows an ensemble.
        what: `strained` or `displaced`.
        crystal: Its name; empty for the first.

    Raises:
        Missing: If there is none, or the members were trained on these cells.
        ValueError: If there is no such crystal.
    """
    known = crystals(material, what)
    if not known:
        raise Missing(f'there are no {what} cells: `aiida-enne launch stiffness` makes them')
    name = crystal or known[0]
    if name not in known:
        raise ValueError(f'{name!r} is no {what} crystal{nearest(name, known)}; there are {known}')
    domain = f'{what} {name}'
    uuid = next(one.uuid for one in find_cells(material) if domain in one.domains)
    node: Any = orm.load_node(uuid)
    ensemble = material.record.ensemble
    rows = gather_rows(ensemble, node)
    rows = rows.select(
        np.flatnonzero(np.isin(rows.configurations.domains, [domain, f'{AT_REST} {name}']))
    )
    asked = rows.configurations.select(np.flatnonzero(rows.configurations.domains == domain))
    trained = trained_keys(set(find_trainings(ensemble.weights).values()))
    if trained & set(frame_keys(asked)):
        raise Missing(f'the members were trained on {what} cells of {name}')
    stresses, _ = guarded(lambda: gather_stresses(ensemble, rows))
    if stresses is None:
        stresses = np.full((len(rows.members), len(rows), 3, 3), np.nan)
    found = Deformed(rows.configurations, gather_forces(ensemble, rows), stresses)
    sources = {f'cells.{name}': uuid}
    for label, one in find_predictions(ensemble, node.sha256).items():
        sources[f'prediction.{name}.{label}'] = one
    return name, found, sources
