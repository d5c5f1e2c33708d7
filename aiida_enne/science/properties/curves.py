"""Energy over volume of the crystal phases: the reference's curve and one of every member."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from aiida_enne.science.data.configurations import Configurations
from aiida_enne.science.fields import Floats
from aiida_enne.science.structures.domains import in_order
from aiida_enne.science.uncertainty import ensemble
from aiida_enne.science.uncertainty.ensemble import PAPER_DDOF

#: Volumes closer than this share of their mean are the same.
SAME_VOLUME = 1e-6
#: Fewer volumes of what is not said to be a phase make no curve.
MIN_VOLUMES = 4


@dataclass(frozen=True, slots=True)
class Curve:
    """E(V) of one phase on the geometries of the reference.

    Attributes:
        name: The phase.
        volumes: Volumes in Å³/atom, rising, shape (n,).
        reference: Energies of the reference in eV/atom, shape (n,).
        members: Energies of the members in eV/atom, shape (M, n).
        label: The domain, where it has another name than the phase.
    """

    name: str
    volumes: Floats
    reference: Floats
    members: Floats
    label: str = ''

    @property
    def domain(self) -> str:
        """The domain of its configurations."""
        return self.label or self.name

    @property
    def errors(self) -> Floats:
        """Errors of the members in eV/atom, shape (M, n)."""
        errors: Floats = self.members - self.reference
        return errors

    def own_zeros(self) -> Curve:
        """Return the curve with each one's own lowest energy at 0."""
        return self.shifted(float(self.reference.min()), self.members.min(axis=1))

    def shifted(self, reference: float, members: Floats | float) -> Curve:
        """Return the curve less a zero of the reference and of the members, eV/atom.

        Args:
            reference: Zero of the reference.
            members: Zeros of the members, shape (M,), or one for all.
        """
        zeros = np.broadcast_to(members, (len(self.members),))[:, None]
        return replace(self, reference=self.reference - reference, members=self.members - zeros)


@dataclass(frozen=True, slots=True)
class Shift:
    """What the members are off where the reference has its lowest energy, the paper's alignment.

    Attributes:
        name: The phase, cubic diamond in the paper.
        volume: Where the reference is lowest, Å³/atom.
        energy: Energy of the reference there, eV/atom.
        errors: Errors of the members there, eV/atom, shape (M,).
        ddof: See `ensemble.spread`.
    """

    name: str
    volume: float
    energy: float
    errors: Floats
    ddof: int

    @property
    def mean(self) -> float:
        """The shift ε of the mean, eV/atom: 0.115 in the paper."""
        return float(self.errors.mean())

    @property
    def spread(self) -> float:
        """σ of the members there, eV/atom."""
        return float(ensemble.spread(self.errors, ddof=self.ddof))


@dataclass(frozen=True, slots=True)
class GroundShift:
    """How far the lowest energies of all phases are apart, each side with its own ground state.

    Attributes:
        of_reference: Phase that the reference has lowest.
        of_mean: Phase that the mean of the members has lowest.
        errors: Lowest energy of each member less that of the reference, eV/atom, shape (M,).
        mean: The same for the mean of the members: 0.115 in the paper.
        ddof: See `ensemble.spread`.
    """

    of_reference: str
    of_mean: str
    errors: Floats
    mean: float
    ddof: int

    @property
    def spread(self) -> float:
        """σ of the members' lowest energies, eV/atom."""
        return float(ensemble.spread(self.errors, ddof=self.ddof))


def ground_shift(curves: Mapping[str, Curve], *, ddof: int = PAPER_DDOF) -> GroundShift:
    """Return the shift between the ground states of the ensemble and of the reference.

    Args:
        curves: E(V) by phase, of the same members.
        ddof: See `ensemble.spread`.
    """
    names = list(curves)
    reference = np.array([curves[name].reference.min() for name in names])
    mean = np.array([ensemble.mean(curves[name].members).min() for name in names])
    members = np.min([curves[name].members.min(axis=1) for name in names], axis=0)
    lowest = float(reference.min())
    return GroundShift(
        names[int(reference.argmin())],
        names[int(mean.argmin())],
        members - lowest,
        float(mean.min()) - lowest,
        ddof,
    )


def curve(configurations: Configurations, energies: Floats, domain: str) -> Curve:
    """Return E(V) of one domain.

    Args:
        configurations: Labelled configurations, n of them.
        energies: Total energies of the M members in eV, shape (M, n).
        domain: One with a configuration per volume.

    Raises:
        ValueError: If labels are missing, shapes disagree, there is no such domain, or two of its
            configurations have the same volume per atom.
    """
    check_energies(configurations, energies)
    if configurations.energies is None:
        raise ValueError('E(V) needs labelled configurations')
    chosen = np.flatnonzero(configurations.domains == domain)
    if not chosen.size:
        known = in_order(configurations.domains.tolist())
        raise ValueError(f'no configurations in the domain {domain!r}; there are {known}')
    counts = configurations.n_atoms[chosen]
    volumes = configurations.volumes[chosen] / counts
    order = np.argsort(volumes, kind='stable')
    chosen, counts, volumes = chosen[order], counts[order], volumes[order]
    gaps = np.diff(volumes)
    if (gaps <= SAME_VOLUME * volumes.mean()).any():
        twice = float(volumes[int(np.argmin(gaps))])
        raise ValueError(
            f'E(V) of {domain} needs one configuration per volume, got several at '
            f'{twice:.4f} Å³/atom'
        )
    members = energies[:, chosen].astype(np.float64) / counts
    return Curve(domain, volumes, configurations.energies[chosen] / counts, members)


def curves(configurations: Configurations, energies: Floats) -> dict[str, Curve]:
    """Return E(V) of every crystal phase in the geometries of the reference, by phase.

    Where several domains are of one phase, each stands under its own label. Without any phase it
    is the E(V) of all `volume_scans`.

    Raises:
        ValueError: As `curve` does, for any of the phases.
    """
    kinds = configurations.kinds.items()
    phases = {label: kind.name for label, kind in kinds if kind.family == 'phase' and not kind.own}
    phases = phases or {label: label for label in volume_scans(configurations)}
    number = Counter(phases.values())
    found = {}
    for label, phase in phases.items():
        name = phase if number[phase] == 1 else label
        found[name] = replace(curve(configurations, energies, label), name=name, label=label)
    return found


def volume_scans(configurations: Configurations) -> list[str]:
    """Return the domains in which the reference energy is a function of volume.

    Those are domains of at least four labelled configurations, all of different volume, whose
    energy per atom falls towards one minimum and rises after it, or only falls or rises.
    """
    found = []
    for name, kind in configurations.kinds.items():
        own = np.flatnonzero(configurations.domains == name)
        if configurations.energies is None or kind.own or len(own) < MIN_VOLUMES:
            continue
        volumes = configurations.volumes[own] / configurations.n_atoms[own]
        order = np.argsort(volumes)
        energies = (configurations.energies[own] / configurations.n_atoms[own])[order]
        steps, slopes = np.diff(volumes[order]), np.sign(np.diff(energies))
        if (steps > SAME_VOLUME * volumes.max()).all() and (np.diff(slopes) >= 0).all():
            found.append(name)
    return found


def shift_at_minimum(curve: Curve, *, ddof: int = PAPER_DDOF) -> Shift:
    """Return the members' errors where the reference has its lowest energy."""
    lowest = int(curve.reference.argmin())
    return Shift(
        curve.name,
        float(curve.volumes[lowest]),
        float(curve.reference[lowest]),
        curve.errors[:, lowest],
        ddof,
    )


def check_energies(configurations: Configurations, energies: Floats) -> None:
    """Refuse energies that are not those of an ensemble on these configurations.

    Raises:
        ValueError: If the shape is not (M, n), M is less than 2, or a value is not finite.
    """
    if energies.ndim != 2 or energies.shape[1] != len(configurations):
        raise ValueError(
            f'`energies` must have the shape (M, {len(configurations)}), got {energies.shape}'
        )
    ensemble.check_members(energies, 'energies')
