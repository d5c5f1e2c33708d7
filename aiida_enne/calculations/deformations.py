"""Calculation function that strains a crystal and displaces its atoms."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any

from aiida import orm
from aiida.engine import calcfunction

from aiida_enne.data.configurations import ConfigurationsData
from aiida_enne.science.checks import count, positive
from aiida_enne.science.data.frames import from_atoms, to_atoms
from aiida_enne.science.options import Options, option
from aiida_enne.science.structures import deformations


@dataclass(frozen=True, slots=True)
class Deforming(Options):
    """How a crystal is deformed.

    Attributes:
        index: Of the crystal among the configurations.
        strain: Of the cells for elastic constants, without unit.
        displacement: Of the atoms for phonons, Å.
        repeats: Cells along each edge of the supercell for phonons.

    Raises:
        ValueError: If an option is out of its range.
    """

    index: int = option(partial(count, minimum=0), 0)
    strain: float = option(positive, deformations.STRAIN)
    displacement: float = option(positive, deformations.DISPLACEMENT)
    repeats: int = option(count, 2)


@calcfunction
def deform_crystal(crystal: ConfigurationsData, parameters: orm.Dict) -> ConfigurationsData:
    """Return strained cells and displaced supercells of a crystal, to be labelled and predicted.

    Their domains are `strained NAME` and `displaced NAME`, where NAME is the domain of the crystal.
    The figures `elastic` and `phonons` read what comes of them.

    Args:
        crystal: Relaxed, its primitive cell best: phonons displace each of its atoms six times.
        parameters: See `Deforming`.

    Raises:
        ValueError: If an option cannot be used, or the crystal does not repeat.
    """
    chosen = Deforming.from_dict(parameters.get_dict(), '`parameters`')
    whole = crystal.get_configurations()
    if chosen.index >= len(whole):
        raise ValueError(f'`index` is {chosen.index}, there are {len(whole)} configurations')
    (atoms,) = to_atoms(whole.select([chosen.index]).unlabelled())
    name: Any = whole.domains[chosen.index]
    strained = deformations.strain_cells(atoms, chosen.strain)
    displaced = deformations.displace_atoms(atoms, chosen.displacement, chosen.repeats)
    domains = [f'{deformations.STRAINED} {name}'] * len(strained)
    domains += [f'{deformations.DISPLACED} {name}'] * len(displaced)
    frames = [*strained, *displaced]
    configurations = from_atoms(frames, domains=domains, blocks=range(len(frames)))
    return ConfigurationsData.from_configurations(configurations)
