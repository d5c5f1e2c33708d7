"""What an output says before its first step: program, functional, atoms and what is asked for."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from aiida_enne.codes.aims import sections
from aiida_enne.codes.aims.geometry import Geometry, read_geometry
from aiida_enne.codes.aims.keywords import functional_of
from aiida_enne.codes.aims.values import number, numbers

#: The table of the input geometry is rounded: within this, in Å, the exact one is the same.
ROUNDED = 1e-5

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
        self.is_relaxation = False
        self.is_md = False
        self.md_time: float | None = None
        self.time_step: float | None = None
        self.walltime: float | None = None
        self.species: set[str] = set()
        self._exact: Geometry | None = None
        self._options: set[str] = set()

    def handlers(self) -> dict[str, Callable[[str], Opened]]:
        """Return what to do with a line, by the words it begins with."""
        return {
            'FHI-aims version': self._read_version,
            'Version ': self._read_version,
            'Parsing control.in': self._open_control,
            'Parsing geometry.in': self._open_exact,
            'Number of atoms  ': self._read_atoms,
            'XC:': self._read_functional,
            'Reading configuration options for species': self._read_option,
            'Finished reading input file': self._finish_options,
            'Forces will be computed': self._expect_forces,
            'Geometry relaxation:': self._expect_relaxation,
            'Geometry optimization: Attempting': self._expect_relaxation,
            'Running Born-Oppenheimer': self._expect_md,
            'Molecular dynamics: Attempting': self._expect_md,
            'simulation time =': self._read_md_time,
            'Molecular dynamics time step =': self._read_time_step,
            'Input geometry:': self._open_geometry,
        }

    @property
    def missing_species(self) -> tuple[str, ...]:
        """Elements of the geometry for which control.in has nothing, in alphabetical order."""
        geometry = self.geometry or self._exact
        if geometry is None or not self.species:
            return ()
        return tuple(sorted(set(geometry.symbols) - self.species))

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

    def _open_control(self, line: str) -> Opened:
        return sections.echo(), self._store_control

    def _store_control(self, text: str) -> None:
        for line in text.split('\n'):
            match line.split('#')[0].split():
                case ['walltime', seconds]:
                    self.walltime = number(seconds)
                case ['species', name]:
                    self.species.add(name)

    def _open_exact(self, line: str) -> Opened:
        return sections.echo(), self._store_exact

    def _store_exact(self, text: str) -> None:
        try:
            self._exact = read_geometry(text)
        except ValueError:
            self._exact = None  # the table that follows is then all there is

    def _read_option(self, line: str) -> None:
        self._options.add(line.split('species')[1].replace('.', ' ').strip())

    def _finish_options(self, line: str) -> None:
        self.species |= self._options

    def _expect_forces(self, line: str) -> None:
        self.needs_forces = True

    def _expect_relaxation(self, line: str) -> None:
        if 'No relaxation' not in line:
            self.is_relaxation = self.needs_forces = True

    def _expect_md(self, line: str) -> None:
        self.is_md = self.needs_forces = True

    def _read_md_time(self, line: str) -> None:
        self.md_time = _after_equals(line)

    def _read_time_step(self, line: str) -> None:
        self.time_step = _after_equals(line)

    def _open_geometry(self, line: str) -> Opened:
        return sections.input_geometry(self.n_atoms), self._store_geometry

    def _store_geometry(self, table: Geometry) -> None:
        exact = self._exact
        self.geometry = exact if exact is not None and _agree(exact, table) else table


def _after_equals(line: str) -> float | None:
    row = numbers(line.partition('=')[2].split(), 1)
    return None if row is None else row[0]


def _agree(exact: Geometry, table: Geometry) -> bool:
    if exact.symbols != table.symbols or (exact.cell is None) != (table.cell is None):
        return False
    close = np.abs(exact.positions - table.positions).max() < ROUNDED
    if exact.cell is not None and table.cell is not None:
        close = close and np.abs(exact.cell - table.cell).max() < ROUNDED
    return bool(close)
