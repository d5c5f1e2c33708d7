"""Calculation functions that deform crystals, and state what members say of their stiffness."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from aiida import orm
from aiida.engine import calcfunction
from ase import Atoms

from aiida_enne.data.configurations import ConfigurationsData
from aiida_enne.data.prediction import PredictionData, stack_predictions
from aiida_enne.science.checks import count, one_of, positive, text
from aiida_enne.science.data.configurations import Configurations
from aiida_enne.science.data.frames import from_atoms, to_atoms
from aiida_enne.science.options import Options, nearest, option
from aiida_enne.science.properties import bands, deformed, stated
from aiida_enne.science.structures import deformations

#: Which displacements there are.
ALL, BY_SYMMETRY = 'all', 'symmetry'


def _domains(name: str, value: Any) -> tuple[str, ...]:
    if not isinstance(value, list | tuple):
        raise ValueError(f'`{name}` must be a list of domains, got {value!r}')
    return tuple(text(name, one) for one in value)


@dataclass(frozen=True, slots=True)
class Deforming(Options):
    """How crystals are deformed.

    Attributes:
        domains: Of the crystals; all where there are none.
        strain: Of the cells for elastic constants, without unit.
        displacement: Of the atoms for phonons, Å.
        repeats: Cells along each edge of the supercell for phonons.
        displacements: `all` (six an atom of the cell) or `symmetry` (those that symmetry leaves,
            by phonopy).

    Raises:
        ValueError: If an option is out of its range.
    """

    domains: tuple[str, ...] = option(_domains, ())
    strain: float = option(positive, deformations.STRAIN)
    displacement: float = option(positive, deformations.DISPLACEMENT)
    repeats: int = option(partial(count, minimum=1), 2)
    displacements: str = option(partial(one_of, choices=(ALL, BY_SYMMETRY)), ALL)


def find_crystals(configurations: Configurations, domains: tuple[str, ...]) -> dict[str, Atoms]:
    """Return one crystal a domain: of several labelled ones that of the lowest energy per atom.

    Args:
        configurations: Crystals, or the energies of crystals over their volume.
        domains: Those to take; all where there are none.

    Raises:
        ValueError: If there is no such domain, one has several configurations without energies, or
            a crystal does not repeat.
    """
    known = list(configurations.kinds)
    found = {}
    for name in domains or known:
        own = np.flatnonzero(configurations.domains == name)
        if not len(own):
            raise ValueError(f'no crystal in the domain {name!r}{nearest(name, known)}; {known}')
        if len(own) > 1 and configurations.energies is None:
            raise ValueError(
                f'{name!r} has {len(own)} configurations without energies: give one crystal a '
                'domain'
            )
        if configurations.energies is not None:
            own = own[np.argsort(configurations.energies[own] / configurations.n_atoms[own])]
        (atoms,) = to_atoms(configurations.select(own[:1]).unlabelled())
        if not atoms.pbc.all():
            raise ValueError(f'{name!r} does not repeat in all directions: pbc {atoms.pbc}')
        found[name] = atoms
    return found


def deform(crystals: Configurations, chosen: Deforming) -> Configurations:
    """Return strained cells and displaced supercells of crystals.

    Raises:
        ValueError: As `find_crystals` does, or if reduced displacements are asked for without
            phonopy.
    """
    frames, domains = [], []
    for name, atoms in find_crystals(crystals, chosen.domains).items():
        made = {deformations.STRAINED: deformations.strain_cells(atoms, chosen.strain)}
        size = chosen.displacement, chosen.repeats
        if chosen.displacements == BY_SYMMETRY:
            rest, *displaced = bands.displace_by_symmetry(atoms, *size)
            made |= {deformations.AT_REST: [rest], deformations.DISPLACED: displaced}
        else:
            made[deformations.DISPLACED] = deformations.displace_atoms(atoms, *size)
        for what, several in made.items():
            frames += several
            domains += [f'{what} {name}'] * len(several)
    return from_atoms(frames, domains=domains, blocks=range(len(frames)))


@calcfunction
def deform_crystal(crystal: ConfigurationsData, parameters: orm.Dict) -> ConfigurationsData:
    """Return strained cells and displaced supercells of crystals, to be labelled and predicted.

    Their domains are `strained NAME`, `displaced NAME` and, where displacements are reduced by
    symmetry, `at rest NAME`; NAME is the domain of the crystal.

    Args:
        crystal: Relaxed, its primitive cell best: phonons displace each of its atoms six times.
        parameters: See `Deforming`.

    Raises:
        ValueError: If an option cannot be used, or the crystal does not repeat.
    """
    chosen = Deforming.from_dict(parameters.get_dict(), '`parameters`')
    configurations = deform(crystal.get_configurations(), chosen)
    return ConfigurationsData.from_configurations(configurations)


@calcfunction
def state_stiffness(cells: ConfigurationsData, **predictions: PredictionData) -> orm.Dict:
    """Return elastic constants in GPa and frequencies in THz of every crystal, member by member.

    Args:
        cells: Deformed cells, labelled or not.
        **predictions: Of all of them, by member.

    Returns:
        By crystal, `elastic` and `phonons`: `unit`, `names`, `members` (a list by member), `mean`,
        `spread` with its `ddof` and `reference` (None without labels); or `missing`, the reason.
    """
    configurations = cells.get_configurations()
    labels = sorted(predictions)
    nodes = {label: predictions[label] for label in labels}
    indices, arrays = stack_predictions(nodes, cells, ['forces', 'stresses'])
    known = deformed.Deformed(configurations.select(indices), arrays['forces'], arrays['stresses'])
    found: dict[str, dict[str, Any]] = {}
    for name in known.strained:
        make = partial(_elastic, known, name)
        found.setdefault(name, {})['elastic'] = _told(make, labels)
    for name in known.displaced:
        make = partial(_phonons, known, name)
        found.setdefault(name, {})['phonons'] = _told(make, labels)
    return orm.Dict(found)


def _elastic(known: deformed.Deformed, name: str) -> stated.Stated:
    return stated.of_elastic(known.elastic(name))


def _phonons(known: deformed.Deformed, name: str) -> stated.Stated:
    return stated.of_phonons(known.phonons(name))


def _told(make: Callable[[], stated.Stated], labels: list[str]) -> dict[str, Any]:
    """Return numbers as plain values, or why there are none."""
    try:
        numbers = make()
    except ValueError as exception:
        return {'missing': str(exception)}
    reference = None if numbers.reference is None else numbers.reference.tolist()
    return {
        'unit': numbers.unit,
        'names': list(numbers.names),
        'members': dict(zip(labels, numbers.members.tolist(), strict=True)),
        'mean': numbers.mean.tolist(),
        'spread': numbers.spread.tolist(),
        'ddof': numbers.ddof,
        'reference': reference,
    }
