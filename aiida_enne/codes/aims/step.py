"""One step of an output while it is being read, and what a numerical stress leaves for it."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from aiida_enne.codes.aims.geometry import Geometry
from aiida_enne.codes.aims.header import Header
from aiida_enne.codes.aims.results import Energies, Frame, ScfIteration
from aiida_enne.science.fields import Floats


@dataclass
class Step:
    """A step while it is being read; `lost` if its end was not noticed."""

    geometry: Geometry | None
    scf: list[dict[str, float]] = field(default_factory=list)
    converged: bool = False
    restarted: bool = False
    lost: bool = False
    moved: bool = False
    energies: Energies | None = None
    forces: Floats | None = None
    stress: Floats | None = None
    time: float | None = None
    temperature: float | None = None
    fixed: NDArray[np.bool_] | None = None

    @property
    def iterations(self) -> tuple[ScfIteration, ...]:
        """The iterations of the cycle so far."""
        return tuple(ScfIteration(**changes) for changes in self.scf)

    def frame(self, header: Header) -> Frame | None:
        """Return the step if it is whole: converged, with everything that was asked for."""
        if self.lost or not self.converged or self.geometry is None or self.energies is None:
            return None
        if header.needs_forces and self.forces is None:
            return None
        if (header.is_md or header.is_socket) and not self.moved:
            return None
        return Frame(
            symbols=self.geometry.symbols,
            positions=self.geometry.positions,
            cell=self.geometry.cell,
            energies=self.energies,
            forces=self.forces,
            stress=self.stress,
            velocities=self.geometry.velocities if self.moved else None,
            time=self.time,
            temperature=self.temperature,
            scf=self.iterations,
            fixed=self.fixed,
        )


@dataclass
class Numerical:
    """What a numerical stress leaves for the cycle after it, of the geometry before it.

    The stress is printed first, then the program computes that geometry once more. `geometry` is
    that of the last step that had one, with the counts when it began.
    """

    geometry: Geometry | None = None
    frames: int = 0
    left_out: int = 0
    disagreements: int = 0
    stress: Floats | None = None
    again: bool = False
