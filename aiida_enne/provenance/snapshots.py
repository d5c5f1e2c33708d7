"""What snapshots of one training predicted, in the order of rows."""

from __future__ import annotations

from typing import Any

import numpy as np
from aiida import orm
from aiida.common.exceptions import NotExistent

from aiida_enne.data.model import ModelData
from aiida_enne.provenance.ensembles import Ensemble, Member, find_ensemble, snapshots_of
from aiida_enne.provenance.rows import Rows, find_stresses, gather_forces, gather_rows
from aiida_enne.science.uncertainty.beside import Snapshots


def find_snapshots(identifier: str | int, member: str) -> dict[str, ModelData]:
    """Return the models of a member's last epochs, by `epoch_35`: an ensemble of one training.

    Args:
        identifier: What `find_ensemble` takes.
        member: Label of the member.

    Raises:
        NotExistent: If there is no such member, or its training kept none.
    """
    members = {one.label: one for one in find_ensemble(identifier).members}
    if member not in members:
        raise NotExistent(f'<{identifier}> has no member {member}; there are {", ".join(members)}')
    if found := snapshots_of(members[member]):
        return found
    raise NotExistent(f'the training of {member} kept no snapshots: train with `snapshots: 5`, say')


def stored_snapshots(ensemble: Ensemble, *parts: Rows) -> list[Snapshots] | None:
    """Return what the snapshots of one member predicted of each of several sets of rows.

    Those of the first member whose snapshots all predicted all of these; None where there is none.

    Args:
        ensemble: The members.
        *parts: Rows, of each of which it is asked.
    """
    for member in ensemble.members:
        found = [own for rows in parts if (own := _read(member, rows)) is not None]
        if len(found) == len(parts):
            return found
    return None


def _read(member: Member, rows: Rows) -> Snapshots | None:
    nodes = snapshots_of(member)
    rival = Ensemble(
        member.uuid,
        tuple(
            Member(label, one.uuid, one.seed, one.weights_sha256, one.base.attributes.all)
            for label, one in sorted(nodes.items())
        ),
    )
    if len(rival.members) < 2:
        return None
    energies = np.empty((len(nodes), len(rows)))
    for uuid in np.unique(rows.datasets).tolist():
        dataset: Any = orm.load_node(uuid)
        try:
            found = gather_rows(rival, dataset)
        except (NotExistent, ValueError):  # not predicted, or not all the same configurations
            return None
        mine = np.flatnonzero(rows.datasets == uuid)
        if not np.isin(rows.indices[mine], found.indices).all():
            return None
        order = np.argsort(found.indices)
        at = order[np.searchsorted(found.indices, rows.indices[mine], sorter=order)]
        energies[:, mine] = found.energies[:, at]
    labels = tuple(one.label for one in rival.members)
    own = Rows(rows.configurations, energies, labels, rows.datasets, rows.indices)
    return Snapshots(energies, gather_forces(rival, own), find_stresses(rival, own))
