"""Splits without one density of the training each: what a member has not seen makes a spread."""

from __future__ import annotations

import numpy as np

from aiida_enne.science.data.configurations import Configurations
from aiida_enne.science.data.splits import Split
from aiida_enne.science.fields import Strings
from aiida_enne.science.uncertainty.features import group_by_density


def leave_out_densities(configurations: Configurations, split: Split) -> dict[str, Split]:
    """Return a split without each density of the training, by the domain of what is left out.

    A density is left out of training and validation; the test part is that of all.

    Raises:
        ValueError: If all training frames are of one density, or a part would be left empty.
    """
    volumes = configurations.volumes / configurations.n_atoms
    groups = group_by_density(configurations.domains, volumes)
    names = sorted(set(groups[split.train].tolist()))
    if len(names) < 2:
        raise ValueError(
            'to leave a density out takes training frames of two or more densities or domains, all '
            f'are of {domain_of(names[0])!r} at one'
        )
    return {name: _without(split, groups, name) for name in names}


def domain_of(group: str) -> str:
    """Return the domain of a density."""
    return group.rsplit(' / ', maxsplit=1)[0]


def _without(split: Split, groups: Strings, name: str) -> Split:
    kept = [part[groups[part] != name] for part in (split.train, split.validation)]
    if not all(len(part) for part in kept):
        raise ValueError(
            f'without a density of {domain_of(name)!r} nothing is left to validate with: validate '
            'with frames of more densities'
        )
    train, validation = (np.asarray(part) for part in kept)
    return Split(train, validation, split.test)
