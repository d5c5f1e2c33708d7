"""What snapshots of one training predicted, in the order of rows."""

from __future__ import annotations

from typing import Any

import numpy as np
from aiida import orm
from aiida.common.exceptions import NotExistent

from aiida_enne.data.model import ModelData
from aiida_enne.provenance.ensembles import Ensemble, Member, find_ensemble, snapshots_of
from aiida_enne.provenance.material import Material
from aiida_enne.provenance.rows import Rows, gather_forces, gather_rows
from aiida_enne.science.fields import Floats


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


def stored_snapshots(material: Material, rows: Rows) -> tuple[Floats, Floats] | None:
    """Return energies (K, n) in eV and forces (K, N, 3) in eV/Å that snapshots predicted of rows.

    Those of the first member whose snapshots all predicted all of these; None where there is none.

    Args:
        material: Of a study.
        rows: Some of its rows.
    """
    for member in material.record.ensemble.members:
        if (own := _read(member, rows)) is not None:
            return own
    return None


def _read(member: Member, rows: Rows) -> tuple[Floats, Floats] | None:
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
    parts = rows.configurations, energies, labels, rows.datasets, rows.indices
    return energies, gather_forces(rival, Rows(*parts))
