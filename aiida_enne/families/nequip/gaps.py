"""Labels that some configurations lack: what NequIP's loss and metrics must leave out."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

from aiida_enne.families.nequip.needs import COMPARISONS, compares, mappings

#: Gives frames without a stress one that is NaN, so that they share batches with others.
FILL = {'_target_': 'nequip.data.transforms.AddNaNStressTransform'}


def skip_missing_stress(parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Return parameters whose loss and metrics leave out stresses that are NaN.

    Args:
        parameters: Of a training with a part of its stresses missing; `find_needs` says whether its
            loss and metrics can leave them out.
    """
    changed = copy.deepcopy(dict(parameters))
    for name in COMPARISONS:
        for one in mappings(changed['training_module'].get(name)):
            if not compares(one, 'stress'):
                continue
            if 'field' in one:  # an entry of a `MetricsManager`
                one['ignore_nan'] = True
            else:
                one['ignore_nan'] = (one.get('ignore_nan') or {}) | {'stress': True}
    transforms = list(changed['data'].get('transforms') or [])
    if FILL not in transforms:
        transforms.append(FILL)
    changed['data']['transforms'] = transforms
    return changed
