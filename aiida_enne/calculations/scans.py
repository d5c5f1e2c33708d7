"""Calculation function that summarises a scan in one node."""

from __future__ import annotations

from typing import Any

from aiida import orm
from aiida.engine import calcfunction

from aiida_enne.data.scan import ScanData
from aiida_enne.science.plans.points import Trained


@calcfunction
def summarise_scan(kind: orm.Str, values: orm.Dict, **nodes: Any) -> ScanData:
    """Return the points of a scan with the weights of their members.

    Args:
        kind: What is scanned.
        values: Of the choices, by point.
        **nodes: `models.<point>.<member>`, `splits.<point>`, `datasets.<role>`.
    """
    points = {
        label: Trained(
            values=values[label],
            n_train=nodes['splits'][label].base.attributes.get('n_train'),
            members={name: model.weights_sha256 for name, model in found.items()},
        )
        for label, found in nodes['models'].items()
    }
    roles = {role: node.sha256 for role, node in nodes.get('datasets', {}).items()}
    return ScanData.from_points(kind.value, points, roles)
