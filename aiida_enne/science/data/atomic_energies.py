"""Energies of the atoms of each element that a model starts from: fitted, measured or given."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from ase.data import atomic_numbers, chemical_symbols

from aiida_enne.science.checks import finite
from aiida_enne.science.data.configurations import Configurations
from aiida_enne.science.data.neighbours import hold_lone_atom
from aiida_enne.science.fields import Integers

#: By least squares over compositions; from configurations of one atom alone.
LEAST_SQUARES, ISOLATED = WAYS = ('least_squares', 'isolated')
#: An atom with a neighbour within this distance is not alone, Å; its own images are neighbours.
ALONE = 5.0


def atomic_energies(
    how: str | Mapping[str, Any], configurations: Configurations, train: Integers
) -> dict[str, float]:
    """Return the energy of each element in eV, in the order of the elements of all configurations.

    A compound needs one for each element: a single mean is off by far more than bonds hold where
    compositions differ.

    Args:
        how: One of `WAYS`, or energies by element.
        configurations: Labelled.
        train: Indices of those that are trained on; nothing else is looked at.

    Raises:
        ValueError: If there is no such way, labels are missing, or an element has no energy.
    """
    check_way(how)
    elements = configurations.elements
    if isinstance(how, Mapping):
        if missing := sorted(set(elements) - set(how)):
            raise ValueError(
                f'`atomic_energies` are of {sorted(how)}; the dataset holds {elements}: give '
                f'{missing}, too'
            )
        return {name: float(how[name]) for name in elements}
    chosen = configurations.select(train)
    if chosen.energies is None:
        raise ValueError('`atomic_energies` need labelled configurations')
    return fit_energies(chosen, elements) if how == LEAST_SQUARES else isolated(chosen, elements)


def check_way(how: Any) -> None:
    """Check a way to energies of elements without data.

    Args:
        how: See `atomic_energies`.

    Raises:
        ValueError: If there is no such way, or an energy or element.
    """
    if isinstance(how, Mapping):
        if unknown := sorted(set(how) - set(atomic_numbers)):
            raise ValueError(f'`atomic_energies` name {unknown}, no chemical elements')
        for name, energy in how.items():
            finite(f'atomic_energies of {name}', energy)
    elif how not in WAYS:
        raise ValueError(
            f'`atomic_energies` must be one of {", ".join(WAYS)} or energies by element, '
            f'got {how!r}'
        )


def fit_energies(configurations: Configurations, elements: list[str]) -> dict[str, float]:
    """Return energies by least squares of the total energies over the compositions, eV.

    Where compositions leave a freedom, as in a compound of one stoichiometry, the energies are the
    smallest ones: only their sum over a formula unit means something.

    Raises:
        ValueError: If an element does not occur.
    """
    counts = _counts(configurations, elements)
    if missing := [name for name, n in zip(elements, counts.sum(axis=0), strict=True) if not n]:
        raise ValueError(f'no training configuration holds {missing}: give their energies')
    found = np.linalg.lstsq(counts, np.asarray(configurations.energies), rcond=None)[0]
    return dict(zip(elements, found.tolist(), strict=True))


def isolated(configurations: Configurations, elements: list[str]) -> dict[str, float]:
    """Return energies of atoms that are alone, the highest of each element, eV.

    Alone is one atom without another, or an image of its own, within `ALONE`.

    Raises:
        ValueError: If an element has no such configuration.
    """
    single = np.flatnonzero(configurations.n_atoms == 1)
    alone = single[hold_lone_atom(configurations.select(single), ALONE)]
    symbols = [chemical_symbols[configurations.numbers[configurations.offsets[i]]] for i in alone]
    energies = np.asarray(configurations.energies)[alone]
    found: dict[str, float] = {}
    # images in a smaller box may still bind: the atom most alone lies highest
    for name, energy in zip(symbols, energies.tolist(), strict=True):
        found[name] = max(energy, found.get(name, energy))
    if missing := [name for name in elements if name not in found]:
        raise ValueError(
            f'no training configuration is a single atom of {missing} without a neighbour or '
            f'image within {ALONE:g} Å: label isolated atoms and train on them, or take '
            f'`{LEAST_SQUARES}`'
        )
    return {name: found[name] for name in elements}


def _counts(configurations: Configurations, elements: list[str]) -> Any:
    """Return the number of atoms of each element, shape (n, e)."""
    frames = np.repeat(np.arange(len(configurations)), configurations.n_atoms)
    counts = np.zeros((len(configurations), len(elements)))
    for column, name in enumerate(elements):
        mine = configurations.numbers == atomic_numbers[name]
        counts[:, column] = np.bincount(frames[mine], minlength=len(configurations))
    return counts
