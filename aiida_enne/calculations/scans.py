"""Calculation function that says in one node what a scan consists of."""

from __future__ import annotations

from typing import Any

from aiida import orm
from aiida.engine import calcfunction


@calcfunction
def summarise_scan(kind: orm.Str, values: orm.Dict, **nodes: Any) -> orm.Dict:
    """Return the points of a scan with the weights of their members.

    Args:
        kind: What is scanned.
        values: Of the choices, by point.
        **nodes: `models.<point>.<member>`, `splits.<point>`, `datasets.<role>`.

    Returns:
        `kind`; `points`, each with `values`, `n_train` and the `members`' weights by label, those
        that have none left out; `roles`, the digests of what the members predicted.
    """
    by_label, models, splits = values.get_dict(), nodes['models'], nodes['splits']
    return orm.Dict(
        {
            'kind': kind.value,
            'points': {
                label: {
                    'values': by_label[label],
                    'n_train': splits[label].base.attributes.get('n_train'),
                    'members': {name: model.weights_sha256 for name, model in found.items()},
                }
                for label, found in models.items()
            },
            'roles': {role: node.sha256 for role, node in nodes.get('datasets', {}).items()},
        }
    )
