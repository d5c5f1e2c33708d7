"""What an import must be told: keys, units, labels, and what is allowed."""

import re
from dataclasses import dataclass, field
from typing import Any

from ase.data import atomic_numbers
from ase.io.formats import ioformats

from aiida_enne.science.fields import (
    ENERGY_UNITS,
    GPA_PER_EV_PER_CUBIC_ANGSTROM,
    LENGTH_UNITS,
)

#: Stress units that an import may name, in eV/Å³.
STRESS_UNITS = {
    'eV/Å³': 1.0,
    'GPa': 1 / GPA_PER_EV_PER_CUBIC_ANGSTROM,
    'kbar': 0.1 / GPA_PER_EV_PER_CUBIC_ANGSTROM,
}

#: Formats of ASE that are no files.
NOT_FILES = {'bundletrajectory', 'mysql', 'postgresql'}

#: Names that extended XYZ or this package gives another meaning.
RESERVED = {'block', 'domain', 'energy', 'forces', 'lattice', 'pbc', 'properties', 'stress'}


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportChoices:
    """Everything that a file does not say of itself.

    A key names an entry of `atoms.info`, of `atoms.arrays`, or a result of the calculator that
    ASE attached to the frame, in this order; without a key the calculator's result is meant.

    Attributes:
        format: Name of an ASE format; guessed by ASE where None.
        energy_key: Total energy, in `energy_unit`; 'energy' of the calculator where None.
        forces_key: Forces, in `energy_unit` per `length_unit`.
        stress_key: Stress, as 6 (Voigt) or 3 × 3 numbers; positive when the cell is stretched.
        energy_unit: A name in `fields.ENERGY_UNITS`.
        length_unit: A name in `fields.LENGTH_UNITS`; holds for positions and cells too.
        stress_unit: A name in `STRESS_UNITS`; energy unit per cubed length unit where None.
        domain: One domain label for every frame.
        roles: Roles of domains by label, see `structures.domains`; other labels are free text.
        domain_keys: Keys of `atoms.info` whose values, joined by a blank, are the label.
        block_key: Key of `atoms.info` that tells trajectory blocks apart, across files too.
        block_size: Longest block, in frames, where no key tells them apart.
        info: Further keys whose numbers are kept.
        elements: Symbols that may occur; without them a second element is refused.
        allow_duplicates: Keep configurations that occur more than once.
        allow_molecules: Keep configurations without periodic directions.
        allow_incomplete: Take the complete frames of an output that lacks its regular end.

    Raises:
        ValueError: If a choice is unknown or contradicts another.
    """

    format: str | None = None
    energy_key: str | None = None
    forces_key: str | None = None
    stress_key: str | None = None
    energy_unit: str = 'eV'
    length_unit: str = 'Å'
    stress_unit: str | None = None
    domain: str | None = None
    roles: dict[str, str] = field(default_factory=dict)
    domain_keys: tuple[str, ...] = ()
    block_key: str | None = None
    block_size: int | None = None
    info: tuple[str, ...] = ()
    elements: tuple[str, ...] = ()
    allow_duplicates: bool = False
    allow_molecules: bool = False
    allow_incomplete: bool = False

    def __post_init__(self) -> None:
        _check_name('energy unit', self.energy_unit, ENERGY_UNITS)
        _check_name('length unit', self.length_unit, LENGTH_UNITS)
        if self.stress_unit is not None:
            _check_name('stress unit', self.stress_unit, STRESS_UNITS)
        if self.format is not None:
            _check_name('format', self.format, readable_formats())
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
        for name in self.info:
            if name.lower() in RESERVED or not re.fullmatch(r'[\w.+-]+', name):
                raise ValueError(f'`{name}` cannot be kept as info: reserved or not one word')

    @property
    def energy_scale(self) -> float:
        """Factor to eV."""
        return ENERGY_UNITS[self.energy_unit]

    @property
    def length_scale(self) -> float:
        """Factor to Å."""
        return LENGTH_UNITS[self.length_unit]

    @property
    def stress_scale(self) -> float:
        """Factor to eV/Å³."""
        if self.stress_unit is None:
            return float(self.energy_scale / self.length_scale**3)
        return STRESS_UNITS[self.stress_unit]


def readable_formats() -> list[str]:
    """Return the names of the file formats that ASE reads."""
    return sorted(name for name, f in ioformats.items() if f.can_read and name not in NOT_FILES)


def _check_name(what: str, value: str, known: Any) -> None:
    if value not in known:
        raise ValueError(f'unknown {what} `{value}`; there are: {", ".join(known)}')
