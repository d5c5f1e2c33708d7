"""A common zero of energy: each one's own, taken on one domain; never applied silently."""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from aiida_enne.science.data.configurations import Configurations
from aiida_enne.science.fields import Floats
from aiida_enne.science.structures.domains import in_order

By = Literal['minimum', 'mean']


@dataclass(frozen=True, slots=True)
class Offsets:
    """Own zeros of the reference and of the members.

    Attributes:
        reference: Zero of the reference in eV/atom.
        members: Zeros of the members in eV/atom, shape (M,).
        domain: Domain on which they were taken.
        by: 'minimum': the lowest energy per atom; 'mean': the mean energy per atom.
        snapshots: Zeros of K snapshots of one member in eV/atom, shape (K,); None without any.
    """

    reference: float
    members: Floats
    domain: str
    by: str
    snapshots: Floats | None = None


def reference_offset(
    configurations: Configurations,
    energies: Floats,
    domain: str,
    by: By = 'minimum',
    snapshots: Floats | None = None,
) -> Offsets:
    """Find each one's own zero of energy per atom on one domain.

    Args:
        configurations: Labelled configurations, n of them.
        energies: Total energies of the members in eV, shape (M, n).
        domain: Domain of the configurations to use, e.g. 'diamond'.
        by: 'minimum' takes each one's own lowest configuration, which may differ between members;
            'mean' the average over the domain's configurations.
        snapshots: Total energies of K snapshots of one member in eV, shape (K, n): each has a zero
            of its own as a member has.

    Raises:
        ValueError: If the domain has no configurations, labels are missing, the shapes disagree
            or `by` is unknown.
    """
    if configurations.energies is None:
        raise ValueError('an offset needs labelled configurations')
    rivals = np.empty((0, len(configurations))) if snapshots is None else snapshots
    for name, predicted in (('energies', energies), ('snapshots', rivals)):
        if predicted.ndim != 2 or predicted.shape[1] != len(configurations):
            raise ValueError(
                f'`{name}` must have the shape (M, {len(configurations)}), got {predicted.shape}'
            )
    chosen = configurations.domains == domain
    if not chosen.any():
        known = in_order(configurations.domains.tolist())
        raise ValueError(f'no configurations in the domain {domain!r}; there are {known}')
    if by not in ('minimum', 'mean'):
        raise ValueError(f"`by` must be 'minimum' or 'mean', got {by!r}")
    counts = configurations.n_atoms[chosen]
    everyone = np.vstack([configurations.energies, energies, rivals])[:, chosen] / counts
    zeros = everyone.min(axis=1) if by == 'minimum' else everyone.mean(axis=1)
    own, several = np.split(zeros[1:], [len(energies)])
    return Offsets(float(zeros[0]), own, domain, by, None if snapshots is None else several)
