"""Species defaults: one element's basis and grids, as FHI-aims ships them to its licensees."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path

from ase.data import atomic_numbers

FILE_NAME = re.compile(r'(\d{2,3})_([A-Z][a-z]?)_default')


@dataclass(frozen=True, slots=True)
class SpeciesDefault:
    """One species default.

    Attributes:
        element: Chemical symbol.
        nuclear_charge: Atomic number.
        text: The whole text, as it goes into control.in.
        level: Folder it lay in, such as `light`; empty if it came from no folder.
        family: Folder above that one, such as `defaults_2020`.
    """

    element: str
    nuclear_charge: int
    text: str
    level: str = ''
    family: str = ''

    @property
    def sha256(self) -> str:
        """Hash of the text, whatever the name of its file."""
        return hashlib.sha256(self.text.encode()).hexdigest()


def read_species(text: str, *, level: str = '', family: str = '') -> SpeciesDefault:
    """Read the text of one species default.

    Raises:
        ValueError: If the text has no or several `species` or `nucleus` lines, if it names no
            element, or if the nuclear charge is not that element's.
    """
    element = _only('species', text)
    if element not in atomic_numbers or element == 'X':
        raise ValueError(f'`species` must name a chemical element, got {element!r}')
    nucleus = _only('nucleus', text)
    try:
        charge = float(nucleus)
    except ValueError as exception:
        raise ValueError(f'`nucleus` of {element} must be a number, got {nucleus!r}') from exception
    number = atomic_numbers[element]
    if charge != number:
        raise ValueError(f'`nucleus` of {element} must be {number}, got {nucleus}')
    return SpeciesDefault(element, number, text, level, family)


def list_species(folder: Path) -> list[SpeciesDefault]:
    """Read every species default below a folder, such as `species_defaults/defaults_2020`.

    Files are known by their name, `14_Si_default`; the level is the name of their folder. Other
    files, and the ghost site `Emptium` of some releases, are not species of an element.

    Raises:
        ValueError: If there are none, if a file leads out of the folder, is not text, or is not
            the species that its name says.
    """
    root = folder.resolve()
    found = []
    for path in sorted(root.rglob('*_default')):
        name = FILE_NAME.fullmatch(path.name)
        if name and path.is_file():
            found.append(_read_file(path, root, int(name[1]), name[2]))
    if not found:
        raise ValueError(f'no species default such as `14_Si_default` lies in {folder}')
    return found


def _read_file(path: Path, root: Path, number: int, element: str) -> SpeciesDefault:
    if not path.resolve().is_relative_to(root):
        raise ValueError(f'{path} leads out of the folder {root}')
    try:
        text = path.read_bytes().decode()
        species = read_species(text, level=path.parent.name, family=path.parent.parent.name)
    except ValueError as exception:
        raise ValueError(f'{path}: {exception}') from exception
    if (species.nuclear_charge, species.element) != (number, element):
        raise ValueError(f'{path} holds the species of {species.element}, not of its name')
    return species


def _only(keyword: str, text: str) -> str:
    lines = [line.split('#')[0].split() for line in text.splitlines()]
    values = [words[1:] for words in lines if words[:1] == [keyword]]
    if len(values) != 1 or len(values[0]) != 1:
        raise ValueError(
            f'a species default must have one line `{keyword}` with one value, got {len(values)}'
        )
    return values[0][0]
