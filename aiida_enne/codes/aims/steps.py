"""The steps of an output: each a geometry, a self-consistency cycle and its results."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np
from numpy.typing import NDArray

from aiida_enne.codes.aims import sections
from aiida_enne.codes.aims.geometry import Geometry
from aiida_enne.codes.aims.header import Header, Opened, noting
from aiida_enne.codes.aims.results import Energies, Frame, Unfinished
from aiida_enne.codes.aims.step import Numerical, Step
from aiida_enne.codes.aims.values import number, numbers
from aiida_enne.science.fields import Floats

#: Changes in an iteration: where `output_level MD_light` puts them, and how each is called else.
COLUMNS = {'density': 'density', 'eigen': 'eigenvalues', 'Etot': 'energy', 'forces': 'forces'}
ROWS = {
    'Change of charge': 'density',
    'Change of sum of eigenvalues': 'eigenvalues',
    'Change of total energy': 'energy',
    'Change of forces': 'forces',
}
#: Two printed energies of one step are the same within this, in eV.
SAME = 1e-3


class Steps:
    """Sorts lines into steps.

    The geometry of a step is printed before it in a relaxation, after it in molecular dynamics.
    """

    def __init__(self, header: Header) -> None:
        self.header = header
        self.frames: list[Frame] = []
        self.step: Step | None = None
        self.left_out = 0
        self.is_relaxed = False
        self._next: Geometry | None = None
        self._columns: list[str | None] = []
        self.disagreements: list[str] = []
        self._displaced = False
        self._numerical = Numerical()
        self._component: float | None = None

    def handlers(self) -> dict[str, Callable[[str], Opened]]:
        """Return what to do with a line, by the words it begins with."""
        changes = {words: partial(self._read_change, name) for words, name in ROWS.items()}
        return changes | {
            'Begin self-consistency loop': self._begin,
            'Self-consistency cycle not yet converged': self._restart,
            'Self-consistency cycle converged': self._converge,
            'Begin self-consistency iteration': self._begin_iteration,
            'Convergence:': self._read_columns,
            'SCF ': self._read_iteration,
            'Energy and forces in a compact form': self._open_energies,
            'Total atomic forces': self._open_forces,
            'Analytical stress tensor - Symmetrized': self._open_stress,
            'Simulation time': partial(self._read_number, 'time'),
            'Temperature (nuclei)': partial(self._read_number, 'temperature'),
            'Atomic structure': self._open_structure,
            'Final atomic structure': self._open_structure,
            'Updated atomic structure': self._open_next,
            'Present geometry is converged': noting(self, 'is_relaxed'),
            'Components of the stress tensor': noting(self, '_displaced'),
            'Calculation of numerical stress starts': noting(self, '_displaced'),
            'Calculation of numerical stress completed': noting(self, '_displaced', value=False),
            'Numerical stress tensor': self._open_numerical,
            'Calculation of original geometry': self._repeat,
            'Electronic free energy    ': self._read_component,
        }

    def whole(self) -> tuple[Frame, ...]:
        """Return all steps that are whole, the last one included if it is."""
        last = self.step.frame(self.header) if self.step else None
        return (*self.frames, last) if last else tuple(self.frames)

    def unfinished(self) -> Unfinished | None:
        """Return the step in which the output ends, or None if the last one is whole."""
        if self._next is not None:
            return Unfinished(self._next, (), False)
        if self.step is None or self.step.frame(self.header):
            return None
        unknown = self.header.is_socket and not self.step.moved
        geometry = None if unknown else self.step.geometry
        return Unfinished(geometry, self.step.iterations, self.step.converged)

    def _begin(self, line: str) -> None:
        if self._displaced:
            return
        self._component = None
        numerical = self._numerical
        if numerical.again:
            del self.frames[numerical.frames :]
            del self.disagreements[numerical.disagreements :]
            self.left_out, numerical.again = numerical.left_out, False
            self.step, self._next = Step(numerical.geometry, stress=numerical.stress), None
            return
        before, geometry = self.step, self._next
        if before is not None and before.restarted:
            geometry = before.geometry
        elif before is None and 'loop: Initialization' in line:
            geometry = self.header.geometry
        if before is not None and not before.restarted:
            self._close(before)
        self.step, self._next = Step(geometry), None
        if geometry is not None:
            self._numerical = Numerical(
                geometry, len(self.frames), self.left_out, len(self.disagreements)
            )

    def _close(self, step: Step) -> None:
        frame = step.frame(self.header)
        if frame is None:
            self.left_out += 1
        else:
            self.frames.append(frame)

    def _restart(self, line: str) -> None:
        if self.step:
            self.step.restarted = True

    def _converge(self, line: str) -> None:
        if self.step and not self._displaced:
            self.step.converged = True

    def _begin_iteration(self, line: str) -> None:
        if self.step and not self._displaced:
            self.step.scf.append({})

    def _read_change(self, name: str, line: str) -> None:
        row = numbers(line.partition(':')[2].split(), 1)
        if self.step and self.step.scf and row and not self._displaced:
            self.step.scf[-1][name] = row[0]

    def _read_columns(self, line: str) -> None:
        titles = [title.split()[:1] for title in line.partition(':')[2].split('|')]
        self._columns = [COLUMNS.get(title[0]) if title else None for title in titles]

    def _read_iteration(self, line: str) -> None:
        if self.step and not self._displaced:
            cells = [numbers(cell.split(), 1) for cell in line.partition(':')[2].split('|')]
            pairs = zip(self._columns, cells, strict=False)
            self.step.scf.append({name: row[0] for name, row in pairs if name and row})

    def _open_energies(self, line: str) -> Opened:
        if self.step is None and not self._displaced:
            self.left_out += 1  # the line that begins the first step was lost
        return (sections.energies(), self._store_energies) if self._is_open() else None

    def _store_energies(self, energies: Energies) -> None:
        if self.step:
            # a second set within one step means that the line between two steps was lost
            self.step.lost = self.step.energies is not None
            self.step.energies = energies
            if self._component is not None and abs(energies.free - self._component) > SAME:
                self.disagreements.append(
                    f'step {len(self.frames)}: the electronic free energy is {energies.free} eV '
                    f'in the compact form, {self._component} eV among the components'
                )

    def _read_component(self, line: str) -> None:
        match line.partition(':')[2].split():
            case [_, 'Ha', value, 'eV', *_] if not self._displaced:
                self._component = number(value)

    def _open_forces(self, line: str) -> Opened:
        geometry = self.header.geometry
        if geometry is None or not self._is_open():
            return None
        zeroed = geometry.fixed if 'constraints were applied' in line else None
        return sections.forces(len(geometry.symbols)), partial(self._store_forces, zeroed)

    def _store_forces(self, zeroed: NDArray[np.bool_] | None, forces: Floats) -> None:
        if self.step:
            self.step.forces, self.step.fixed = forces, zeroed

    def _open_stress(self, line: str) -> Opened:
        return (sections.stress(), self._store_stress) if self._is_open() else None

    def _store_stress(self, stress: Floats) -> None:
        if self.step:
            self.step.stress = stress

    def _read_number(self, name: str, line: str) -> None:
        row = numbers(line.partition(':')[2].split(), 1)
        if self.step and row:
            setattr(self.step, name, row[0])

    def _open_structure(self, line: str) -> Opened:
        geometry = self.header.geometry
        if geometry is None or 'preceding time step' not in line or not self._is_open():
            return None
        moving = 'velocities' in line
        section = sections.structure(geometry, moving, self.header.element_of)
        return section, self._store_structure

    def _store_structure(self, geometry: Geometry) -> None:
        if self.step:
            self.step.geometry, self.step.moved = geometry, True

    def _open_next(self, line: str) -> Opened:
        geometry = self.header.geometry
        if geometry is None:
            return None
        if self._next is not None:
            geometry = self._next
        elif self.step and self.step.geometry:
            geometry = self.step.geometry
        section = sections.structure(geometry, False, self.header.element_of)
        return section, partial(setattr, self, '_next')

    def _open_numerical(self, line: str) -> Opened:
        return sections.stress(), partial(setattr, self._numerical, 'stress')

    def _repeat(self, line: str) -> None:
        self._numerical.again = self._numerical.geometry is not None

    def _is_open(self) -> bool:
        return self.step is not None and not self._displaced
