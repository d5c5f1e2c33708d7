"""Elastic constants and phonons of deformed cells, found by their domains."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from aiida_enne.science.data.configurations import Configurations
from aiida_enne.science.fields import Floats
from aiida_enne.science.properties.elastic import Elastic, elastic
from aiida_enne.science.properties.phonons import Displaced, Phonons, phonons
from aiida_enne.science.structures.deformations import AT_REST, DISPLACED, STRAINED
from aiida_enne.science.uncertainty.ensemble import PAPER_DDOF


@dataclass(frozen=True, slots=True)
class Deformed:
    """Deformed cells, labelled or not, with what M members predict of them.

    Attributes:
        configurations: The n cells, N atoms in all.
        forces: Of the members in eV/Å, shape (M, N, 3).
        stresses: Of the members in eV/Å³, shape (M, n, 3, 3), NaN where there are none.
    """

    configurations: Configurations
    forces: Floats
    stresses: Floats

    @property
    def strained(self) -> list[str]:
        """Crystals that were strained, by name."""
        return names_of(self.configurations, STRAINED)

    @property
    def displaced(self) -> list[str]:
        """Crystals whose atoms were displaced, by name."""
        return names_of(self.configurations, DISPLACED)

    def elastic(self, name: str, *, ddof: int = PAPER_DDOF) -> Elastic:
        """Return the elastic constants of a crystal.

        Raises:
            ValueError: If labels or predictions lack stresses, or strains are too few.
        """
        mine = np.flatnonzero(self.configurations.domains == f'{STRAINED} {name}')
        own = self.configurations.select(mine)
        if own.is_labelled and own.stresses is None:
            raise ValueError(f'the labels of the strained cells of {name} have no stress')
        return elastic(name, own.cells, own.stresses, self.stresses[:, mine], ddof=ddof)

    def phonons(self, name: str, *, ddof: int = PAPER_DDOF) -> Phonons:
        """Return the phonons of a crystal.

        Raises:
            ValueError: If displacements are too few, or reduced and phonopy is not installed.
        """
        frames, displaced = self.configurations, self.supercell(name)
        mine = np.flatnonzero(frames.domains == f'{DISPLACED} {name}')
        own = frames.select(mine)
        members = self.forces[:, frames.atom_index(mine)]
        reference = None if own.forces is None else own.forces.reshape(displaced.positions.shape)
        members = members.reshape(len(members), *displaced.positions.shape)
        return phonons(name, displaced, reference, members, ddof=ddof)

    def supercell(self, name: str) -> Displaced:
        """Return the supercell of a crystal and its copies with displaced atoms."""
        frames = self.configurations
        own = frames.select(np.flatnonzero(frames.domains == f'{DISPLACED} {name}'))
        resting = frames.select(np.flatnonzero(frames.domains == f'{AT_REST} {name}')[:1])
        return Displaced(
            own.cells[0],
            own.numbers.reshape(len(own), -1)[0],
            own.positions.reshape(len(own), -1, 3),
            resting.positions if len(resting) else None,
        )


def names_of(configurations: Configurations, what: str) -> list[str]:
    """Return the crystals that have cells of a kind: `strained` or `displaced`."""
    names = dict.fromkeys(configurations.domains.tolist())
    return [name.removeprefix(f'{what} ') for name in names if name.startswith(f'{what} ')]
