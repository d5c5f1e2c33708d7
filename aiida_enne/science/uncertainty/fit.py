"""How well members fit what they were trained on: errors there, by domain and density."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np

from aiida_enne.science.data.configurations import Configurations
from aiida_enne.science.fields import Floats, Strings
from aiida_enne.science.uncertainty import ensemble
from aiida_enne.science.uncertainty.features import STEP, ByMember, group_by_density
from aiida_enne.science.uncertainty.scores.accuracy import rms

#: Force components of labels below it in eV/Å are zero by symmetry.
ZERO_FORCE = 1e-6
#: A density with fewer frames is judged with the rest of its domain only.
MIN_FRAMES = 5


@dataclass(frozen=True, slots=True)
class Fit:
    """Errors of M members on frames, of their training say: one quantity.

    Attributes:
        errors: By member, shape (k,) each, of energy per atom in eV/atom or of force components in
            eV/Å; members may have seen different frames.
        groups: By member, the domain and density of each sample, see `group_by_density`.
        shared: Whether all members have the same frames: only then have they a mean.
        quantity: 'energy' or 'force'.
        least: Samples that a density has at least: `MIN_FRAMES` frames.
    """

    errors: ByMember
    groups: Sequence[Strings]
    shared: bool = True
    quantity: str = 'energy'
    least: int = MIN_FRAMES

    @classmethod
    def of(
        cls,
        configurations: Configurations,
        energies: Floats,
        domains: Collection[str] | None = None,
    ) -> Self:
        """Return the errors of members on labelled configurations that all of them predicted.

        Args:
            configurations: n labelled configurations.
            energies: Total energies of the members in eV, shape (M, n).
            domains: Of these only; of all by default.
        """
        if domains is not None:
            chosen = np.flatnonzero(np.isin(configurations.domains, list(domains)))
            configurations, energies = configurations.select(chosen), energies[:, chosen]
        errors = (energies - np.asarray(configurations.energies)) / configurations.n_atoms
        volumes = configurations.volumes / configurations.n_atoms
        groups = group_by_density(configurations.domains, volumes)
        return cls(errors, [groups] * len(errors))

    @classmethod
    def of_forces(
        cls,
        configurations: Configurations,
        forces: Floats,
        domains: Collection[str] | None = None,
    ) -> Self:
        """Return the errors of force components that are labels, but for those that are zero.

        Args:
            configurations: n labelled configurations of N atoms in all.
            forces: Of the members in eV/Å, shape (M, N, 3).
            domains: Of these only; of all by default.
        """
        chosen = np.arange(len(configurations))
        if domains is not None:
            chosen = np.flatnonzero(np.isin(configurations.domains, list(domains)))
        forces = forces[:, configurations.atom_index(chosen)]
        configurations = configurations.select(chosen)
        labels = np.asarray(configurations.forces)
        # a perfect crystal has none: its symmetry, not the members, makes the error small
        used = (configurations.known_forces & (np.abs(labels) >= ZERO_FORCE)).reshape(-1)
        errors = (forces - np.where(configurations.known_forces, labels, 0.0)).reshape(
            len(forces), -1
        )[:, used]
        volumes = configurations.volumes / configurations.n_atoms
        groups = group_by_density(configurations.domains, volumes)
        groups = np.repeat(groups, 3 * configurations.n_atoms)[used]
        atoms = int(configurations.n_atoms.min()) if len(configurations) else 1
        return cls(errors, [groups] * len(errors), True, 'force', 3 * MIN_FRAMES * atoms)

    def __len__(self) -> int:
        return max((len(one) for one in self.errors), default=0)

    def by_group(self, least: int | None = None) -> dict[str, tuple[float, list[float]]]:
        """Return RMSE by domain, and by density where a domain has several.

        Args:
            least: Samples that a density has at least; a member that saw any of it has them. By
                default those of `MIN_FRAMES` frames.

        Returns:
            Of the mean of the members, or of the median member where they saw different frames,
            and of each member that saw any.
        """
        found = {}
        for name, chosen in self._groups(self.least if least is None else least):
            seen = [one[own] for one, own in zip(self.errors, chosen, strict=True) if own.any()]
            members = [rms(one) for one in seen]
            of_mean = rms(ensemble.mean(np.stack(seen))) if self.shared else np.median(members)
            found[name] = float(of_mean), members
        return found

    def _groups(self, least: int) -> Iterator[tuple[str, list[np.ndarray]]]:
        names = sorted({name for one in self.groups for name in one.tolist()})
        densities: dict[str, list[str]] = {}
        for name in names:
            densities.setdefault(_parts(name)[0], []).append(name)
        for domain, several in densities.items():
            yield domain, [np.isin(one, several) for one in self.groups]
            for name in several if len(several) > 1 else ():
                chosen = [one == name for one in self.groups]
                if max(int(own.sum()) for own in chosen) >= least:
                    yield describe(name), chosen


def describe(group: str) -> str:
    """Return a density in words: 'liquid at 19.8 Å³/atom'."""
    domain, step = _parts(group)
    return f'{domain} at {np.exp(STEP * step):.3g} Å³/atom'


def _parts(group: str) -> tuple[str, int]:
    domain, step = group.rsplit(' / ', maxsplit=1)
    return domain, int(step)
