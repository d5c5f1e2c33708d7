"""What a study calls its parts, and what its audit is told of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from aiida_enne.science.plans.relaxations import slab_label

#: Domain whose minimum gives the zero of energy, unless another is chosen.
ZERO = 'diamond'


def role(kind: str, label: str, *, own: bool = False) -> str:
    """Return the role of a dataset: `eos_beta_tin`, `defect_vacancy_3`, `surface_10`, `own_…`."""
    short = label.removeprefix(slab_label('')) if kind == 'surface' else label
    return f'{"own_" if own else ""}{kind}_{short}'


def complete_audit(
    options: Mapping[str, Any], training_domains: Sequence[str], domains: Iterable[str]
) -> dict[str, Any]:
    """Return the options of an audit, what was trained on and the zero of energy filled in.

    Args:
        options: What was chosen.
        training_domains: Domains that the ensemble was trained on.
        domains: All domains of the datasets that are audited.
    """
    filled: dict[str, Any] = {'training_domains': list(training_domains)}
    if ZERO in domains:
        filled['alignment'] = {'domain': ZERO, 'by': 'minimum'}
    return filled | dict(options)


def select_molten(
    planned: Mapping[str, Mapping[str, Any]], analyses: Mapping[str, Mapping[str, Any]]
) -> tuple[list[str], list[str]]:
    """Return the domains that are trained on, and the trajectories that cannot be.

    Args:
        planned: Trajectories by label, as `melts.plan` gives them; densities start from crystals.
        analyses: What was found of those that ran, with `melt`: `molten`.
    """
    densities = {k: one['domain'] for k, one in planned.items() if one['start'] == 'crystal'}
    good = [k for k in densities if k in analyses and analyses[k]['melt']['molten']]
    return [densities[k] for k in good], [k for k in densities if k not in good]
