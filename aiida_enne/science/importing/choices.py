"""What an import needs to know: keys, units, labels, and what is allowed."""

import re
from dataclasses import dataclass, field

from ase.data import atomic_numbers
from ase.io.formats import ioformats

from aiida_enne.science.fields import (
    ENERGY_UNITS,
    GPA_PER_EV_PER_CUBIC_ANGSTROM,
    LENGTH_UNITS,
)

#: Force units that an import may name, in eV/Å: every energy unit per every length unit.
FORCE_UNITS = {
    f'{energy}/{length}': ENERGY_UNITS[energy] / LENGTH_UNITS[length]
    for energy in ENERGY_UNITS
    for length in LENGTH_UNITS
}

#: Stress units that an import may name, in eV/Å³.
STRESS_UNITS = {
    'eV/Å³': 1.0,
    'Ha/bohr³': ENERGY_UNITS['Ha'] / LENGTH_UNITS['bohr'] ** 3,
    'Ry/bohr³': ENERGY_UNITS['Ry'] / LENGTH_UNITS['bohr'] ** 3,
    'GPa': 1 / GPA_PER_EV_PER_CUBIC_ANGSTROM,
    'MPa': 1e-3 / GPA_PER_EV_PER_CUBIC_ANGSTROM,
    'kbar': 0.1 / GPA_PER_EV_PER_CUBIC_ANGSTROM,
    'bar': 1e-4 / GPA_PER_EV_PER_CUBIC_ANGSTROM,
}

#: Formats of ASE that are not files.
NOT_FILES = {'bundletrajectory', 'mysql', 'postgresql'}

#: Names that extended XYZ or this package gives another meaning.
RESERVED = {'block', 'domain', 'energy', 'forces', 'lattice', 'pbc', 'properties', 'stress'}


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportChoices:
    """Everything that a file does not say of itself.

    A key names an entry of `atoms.info`, of `atoms.arrays`, or a result of the calculator that
    ASE attached to the frame, in this order; without a key the calculator's result is meant.

    Attributes:
        format: Name of an ASE format; found by the content, else guessed by ASE, where None.
        energy_key: Total energy, in `energy_unit`; where None the calculator's free energy, the
            one whose derivative the forces are, or its energy if it gives no other.
        forces_key: Forces, in `force_unit`.
        gradient_key: Derivative of the energy by the positions instead: minus the forces.
        stress_key: Stress, as 6 (Voigt) or 3 × 3 numbers; positive when the cell is stretched.
        virial_key: Virial instead, in `energy_unit`: minus the stress times the volume.
        energy_unit: A name in `fields.ENERGY_UNITS`.
        length_unit: A name in `fields.LENGTH_UNITS`: of positions and cells.
        force_unit: A name in `FORCE_UNITS`; `energy_unit` per `length_unit` where None.
        stress_unit: A name in `STRESS_UNITS`; energy unit per cubed length unit where None.
        domain: One domain label for every frame.
        roles: Roles of domains by label, see `structures.domains`; other labels are free text.
        domain_keys: Keys of `atoms.info` whose values, joined by a blank, are the label.
        block_key: Key of `atoms.info` that tells trajectory blocks apart, across files too.
        block_size: Longest block, in frames, where no key tells them apart.
        info: Further keys whose numbers are kept.
        elements: Symbols that may occur; without them a second element is refused.
        allow_duplicates: Keep configurations that occur more than once.
        drop_duplicates: Keep the first of configurations that are equal, labels included.
        drop_unusable: Leave out frames whose numbers are not labels: a cycle that did not
            converge, forces that a constraint set to zero.
        allow_implausible: Take numbers outside the bounds of `plausibility`.
        allow_molecules: Keep configurations without periodic directions.
        allow_incomplete: Take the complete frames of an output that lacks its regular end.

    Raises:
        ValueError: If a choice is unknown or contradicts another.
    """

    format: str | None = None
    energy_key: str | None = None
    forces_key: str | None = None
    gradient_key: str | None = None
    stress_key: str | None = None
    virial_key: str | None = None
    energy_unit: str = 'eV'
    length_unit: str = 'Å'
    force_unit: str | None = None
    stress_unit: str | None = None
    domain: str | None = None
    roles: dict[str, str] = field(default_factory=dict)
    domain_keys: tuple[str, ...] = ()
    block_key: str | None = None
    block_size: int | None = None
    info: tuple[str, ...] = ()
    elements: tuple[str, ...] = ()
    allow_duplicates: bool = False
    drop_duplicates: bool = False
    drop_unusable: bool = False
    allow_implausible: bool = False
    allow_molecules: bool = False
    allow_incomplete: bool = False

    def __post_init__(self) -> None:
        for what, value, known in (
            ('energy unit', self.energy_unit, ENERGY_UNITS),
            ('length unit', self.length_unit, LENGTH_UNITS),
            ('force unit', self.force_unit, FORCE_UNITS),
            ('stress unit', self.stress_unit, STRESS_UNITS),
            ('format', self.format, readable_formats()),
        ):
            if value is not None and value not in known:
                raise ValueError(f'unknown {what} `{value}`; there are: {", ".join(known)}')
        if unknown := [name for name in self.elements if atomic_numbers.get(name, 0) == 0]:
            raise ValueError(f'there are no elements {unknown}')
        if self.domain is not None and not (self.domain.strip() and self.domain.isprintable()):
            raise ValueError(f'the domain label must be printable text, got {self.domain!r}')
        if self.domain is not None and self.domain_keys:
            raise ValueError('give one domain label or the keys that hold it, not both')
        if self.block_key is not None and self.block_size is not None:
            raise ValueError('give the key of the blocks or their size, not both')
        if self.block_size is not None and self.block_size < 1:
            raise ValueError(f'`block_size` must be at least 1, got {self.block_size}')
        self._check_pairs()
        for name in self.info:
            if name.lower() in RESERVED or not re.fullmatch(r'[\w.+-]+', name):
                raise ValueError(f'`{name}` cannot be kept as info: reserved or not one word')

    def _check_pairs(self) -> None:
        """Refuse two choices that exclude each other, and names that contradict the choice."""
        for first, second in (
            ('forces_key', 'gradient_key'),
            ('stress_key', 'virial_key'),
            ('allow_duplicates', 'drop_duplicates'),
        ):
            if getattr(self, first) and getattr(self, second):
                raise ValueError(f'give `{first}` or `{second}`, not both')
        if self.allow_implausible:
            return
        for name, part, instead in (
            ('stress_key', 'virial', 'virial_key'),
            ('forces_key', 'grad', 'gradient_key'),
        ):
            value = getattr(self, name)
            if value is not None and part in value.lower():
                raise ValueError(
                    f'`{value}` is given as `{name}`, but its name says otherwise: use '
                    f'`{instead}`, or `allow_implausible` if it is what you say'
                )

    @property
    def number_keys(self) -> tuple[str, ...]:
        """Keys whose values are numbers."""
        keys = (self.energy_key, self.stress_key, self.virial_key)
        return tuple(filter(None, keys)) + self.info

    @property
    def energy_scale(self) -> float:
        """Factor to eV."""
        return ENERGY_UNITS[self.energy_unit]

    @property
    def length_scale(self) -> float:
        """Factor to Å."""
        return LENGTH_UNITS[self.length_unit]

    @property
    def force_scale(self) -> float:
        """Factor to eV/Å."""
        if self.force_unit is None:
            return float(self.energy_scale / self.length_scale)
        return float(FORCE_UNITS[self.force_unit])

    @property
    def stress_scale(self) -> float:
        """Factor to eV/Å³."""
        if self.stress_unit is None:
            return float(self.energy_scale / self.length_scale**3)
        return STRESS_UNITS[self.stress_unit]


def readable_formats() -> list[str]:
    """Return the names of the file formats that ASE reads."""
    return sorted(name for name, f in ioformats.items() if f.can_read and name not in NOT_FILES)
