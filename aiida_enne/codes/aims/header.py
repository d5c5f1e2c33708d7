"""What an output says before its first step: program, functional, atoms and what is asked for."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
from ase.data import atomic_numbers, chemical_symbols
from numpy.typing import NDArray

from aiida_enne.codes.aims import sections
from aiida_enne.codes.aims.geometry import Geometry, read_geometry
from aiida_enne.codes.aims.keywords import functional_of
from aiida_enne.codes.aims.values import number, numbers

#: The table of the input geometry is rounded: within this, in Å, the exact one is the same.
ROUNDED = 1e-5
#: An element at the beginning of a species label, such as `Si_top` or `Si1`.
ELEMENT = re.compile(r'([A-Z][a-z]?)(?![a-z])')
AXES = {'x': 0, 'y': 1, 'z': 2}

#: A section that a line opens, and what is to be done with its value.
Opened = tuple[sections.Section, Callable[[Any], None]] | None


class Header:
    """Facts about the whole run; None or empty where the output does not say."""

    def __init__(self) -> None:
        self.version: str | None = None
        self.xc: str | None = None
        self.n_atoms: int | None = None
        self.geometry: Geometry | None = None
        self.needs_forces = False
        self.needs_stress = False
        self.is_relaxation = False
        self.is_md = False
        self.is_socket = False
        self.md_time: float | None = None
        self.time_step: float | None = None
        self.walltime: float | None = None
        self.species: set[str] = set()
        self.disagreements: list[str] = []
        self._labels: tuple[str, ...] = ()
        self._label: str | None = None
        self._charges: dict[str, float] = {}
        self._fixed: dict[int, set[int]] = {}
        self._exact: Geometry | None = None
        self._options: set[str] = set()

    def handlers(self) -> dict[str, Callable[[str], Opened]]:
        """Return what to do with a line, by the words it begins with."""
        return {
            'FHI-aims version': self._read_version,
            'Version ': self._read_version,
            'Parsing control.in': lambda _: (sections.echo(), self._store_control),
            'Parsing geometry.in': lambda _: (sections.echo(), self._store_exact),
            'Number of atoms  ': self._read_atoms,
            'XC:': self._read_functional,
            'Reading configuration options for species': self._read_option,
            'Found nuclear charge': self._read_charge,
            'Finished reading input file': lambda _: self.species.update(self._options),
            'Using external wrapper': noting(self, 'is_socket'),
            'Found relaxation constraint for atom': self._read_constraint,
            'Forces will be computed': noting(self, 'needs_forces'),
            'Geometry relaxation:': self._expect_relaxation,
            'Geometry optimization: Attempting': self._expect_relaxation,
            'Running Born-Oppenheimer': noting(self, 'is_md', 'needs_forces'),
            'Molecular dynamics: Attempting': noting(self, 'is_md', 'needs_forces'),
            'simulation time =': partial(self._read_number, 'md_time'),
            'Molecular dynamics time step =': partial(self._read_number, 'time_step'),
            'Input geometry:': self._open_geometry,
        }

    @property
    def missing_species(self) -> tuple[str, ...]:
        """Species of the geometry for which control.in has nothing, in alphabetical order."""
        labels = self._labels or (self._exact.symbols if self._exact is not None else ())
        if not labels or not self.species:
            return ()
        return tuple(sorted(set(labels) - self.species))

    def element_of(self, label: str) -> str | None:
        """Return the element of a species: by its nuclear charge, else by its label, or None."""
        charge = self._charges.get(label)
        if charge is not None:
            number = round(charge)
            known = abs(charge - number) < ROUNDED and 0 < number < len(chemical_symbols)
            return chemical_symbols[number] if known else None
        match = ELEMENT.match(label)
        return match[1] if match is not None and match[1] in atomic_numbers else None

    def _read_version(self, line: str) -> None:
        if self.version is None:
            self.version = line.replace(':', ' ').split()[-1]

    def _read_functional(self, line: str) -> None:
        if self.xc is None:
            self.xc = functional_of(line.partition('XC:')[2])

    def _read_atoms(self, line: str) -> None:
        count = line.partition(':')[2].strip()
        # no output has more than a few thousand atoms: a longer number is a broken line
        if self.n_atoms is None and count.isascii() and count.isdigit() and len(count) < 9:
            self.n_atoms = int(count)

    def _store_control(self, text: str) -> None:
        for line in text.split('\n'):
            match line.split('#')[0].split():
                case ['walltime', seconds]:
                    self.walltime = number(seconds)
                case ['species', name]:
                    self.species.add(name)
                    self._label = name
                case ['nucleus' | 'nucleus_charge', charge]:
                    self._store_charge(number(charge))
                case ['compute_analytical_stress' | 'compute_numerical_stress', '.true.']:
                    self.needs_stress = True
                case ['use_pimd_wrapper', *_]:
                    self.is_socket = True

    def _store_exact(self, text: str) -> None:
        try:
            self._exact = read_geometry(text)
        except ValueError:
            self._exact = None  # the table that follows is then all there is

    def _read_option(self, line: str) -> None:
        self._label = line.split('species')[1].strip().removesuffix('.').strip()
        self._options.add(self._label)

    def _read_charge(self, line: str) -> None:
        row = numbers(line.partition(':')[2].split(), 1)
        self._store_charge(None if row is None else row[0])

    def _store_charge(self, charge: float | None) -> None:
        if self._label is not None and charge is not None:
            self._charges.setdefault(self._label, charge)

    def _read_constraint(self, line: str) -> None:
        atom, _, words = line.partition('for atom')[2].partition(':')
        index = atom.strip()
        if not (index.isascii() and index.isdigit() and len(index) < 9):
            return
        axes = {AXES[word] for word in words.split() if word in AXES}
        if 'All' in words:
            axes = {0, 1, 2}
        self._fixed.setdefault(int(index) - 1, set()).update(axes)

    def _expect_relaxation(self, line: str) -> None:
        if 'No relaxation' not in line:
            self.is_relaxation = self.needs_forces = True

    def _read_number(self, name: str, line: str) -> None:
        row = numbers(line.partition('=')[2].split(), 1)
        setattr(self, name, None if row is None else row[0])

    def _open_geometry(self, line: str) -> Opened:
        return sections.input_geometry(self.n_atoms), self._store_geometry

    def _store_geometry(self, table: Geometry) -> None:
        exact = self._exact
        if exact is not None and not self.is_socket and (what := _differ(exact, table)):
            self.disagreements.append(
                f'geometry.in as repeated and the table of the input geometry disagree: {what}'
            )
        same = exact is not None and not _differ(exact, table)
        found = exact if exact is not None and same else table
        self._labels = found.symbols
        elements = tuple(self.element_of(label) for label in found.symbols)
        known = tuple(element for element in elements if element is not None)
        if len(known) < len(elements):
            unknown = sorted({s for s, e in zip(found.symbols, elements, strict=True) if e is None})
            self.disagreements.append(f'of the species {", ".join(unknown)} no element is known')
            return
        self.geometry = replace(found, symbols=known, fixed=self._mask(found))

    def _mask(self, geometry: Geometry) -> NDArray[np.bool_] | None:
        """Return the coordinates that a relaxation keeps, from whichever place says it."""
        if geometry.fixed is not None or not self._fixed:
            return geometry.fixed
        mask = np.zeros((len(geometry.symbols), 3), dtype=bool)
        for atom, axes in self._fixed.items():
            if 0 <= atom < len(mask):
                mask[atom, list(axes)] = True
        return mask


def noting(target: object, *names: str, value: bool = True) -> Callable[[str], None]:
    """Return what notes that facts are so, or not, whatever else a line says."""
    return lambda _: vars(target).update(dict.fromkeys(names, value))


def _differ(exact: Geometry, table: Geometry) -> str | None:
    """Say where two geometries differ by more than rounding, or None."""
    if exact.symbols != table.symbols:
        return f'species {" ".join(exact.symbols[:8])} and {" ".join(table.symbols[:8])}'
    if (exact.cell is None) != (table.cell is None):
        return 'one has a cell, the other has none'
    if exact.cell is not None and table.cell is not None:
        width = float(np.abs(exact.cell - table.cell).max())
        if width >= ROUNDED:
            return f'lattice vectors by up to {width:.4g} Å'
    distances = np.abs(exact.positions - table.positions).max(axis=1)
    atom = int(distances.argmax())
    return f'atom {atom + 1} by {distances[atom]:.4g} Å' if distances[atom] >= ROUNDED else None
