"""What an ensemble is trained on, and what its audit receives."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from aiida_enne.science.plans.melts import Trajectory

#: Domain whose minimum gives the zero of energy, unless another is chosen.
ZERO = 'diamond'


def complete_audit(
    options: Mapping[str, Any], training_domains: Sequence[str], domains: Iterable[str]
) -> dict[str, Any]:
    """Return the options of an audit, what was trained on and the zero of energy filled in."""
    filled: dict[str, Any] = {'training_domains': list(training_domains)}
    if ZERO in domains:
        filled['alignment'] = {'domain': ZERO, 'by': 'minimum'}
    return filled | dict(options)


def select_molten(
    planned: Mapping[str, Trajectory], molten: Collection[str]
) -> tuple[list[str], list[str]]:
    """Return the domains that are trained on, and the trajectories that cannot be.

    Args:
        planned: Trajectories by label; densities start from crystals.
        molten: Labels of those that are of a liquid.
    """
    densities = {k: one.liquid.label for k, one in planned.items() if one.start is None}
    trained = [domain for k, domain in densities.items() if k in molten]
    return trained, [k for k in densities if k not in molten]
