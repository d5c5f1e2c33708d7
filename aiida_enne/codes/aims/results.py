"""What an output of FHI-aims says, as plain values; energies in eV, lengths in Å, times in ps."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from aiida_enne.codes.aims.geometry import Geometry
from aiida_enne.science.fields import Floats


class Verdict(StrEnum):
    """How a run ended."""

    FINISHED = 'finished'
    NOT_STARTED = 'not_started'
    SPECIES_MISSING = 'species_missing'
    SCF_NOT_CONVERGED = 'scf_not_converged'
    RELAXATION_NOT_CONVERGED = 'relaxation_not_converged'
    OUT_OF_WALLTIME = 'out_of_walltime'
    OUT_OF_MEMORY = 'out_of_memory'
    KILLED = 'killed'
    TRUNCATED = 'truncated'
    WRONG_ARCHITECTURE = 'wrong_architecture'
    ATOMS_TOO_CLOSE = 'atoms_too_close'


@dataclass(frozen=True, slots=True)
class Energies:
    """The three total energies of one converged cycle, in eV.

    Attributes:
        uncorrected: Total energy, without the electrons' entropy.
        corrected: Extrapolated to zero broadening of the occupations: for metals only.
        free: Electronic free energy: the one whose derivative the forces are.
    """

    uncorrected: float
    corrected: float
    free: float


@dataclass(frozen=True, slots=True)
class ScfIteration:
    """Changes in one iteration of the self-consistency cycle; None where none was printed.

    Attributes:
        density: Of the charge density, in e.
        eigenvalues: Of the sum of eigenvalues, in eV.
        energy: Of the total energy, in eV.
        forces: Of the forces, in eV/Å.
    """

    density: float | None = None
    eigenvalues: float | None = None
    energy: float | None = None
    forces: float | None = None


@dataclass(frozen=True, eq=False, slots=True)
class Frame:
    """One whole step: a geometry, its converged cycle and all that was asked for.

    Attributes:
        symbols: Element of each atom.
        positions: Those whose energy this is, in Å, shape (N, 3).
        cell: Lattice vectors as rows in Å, shape (3, 3); None in free space.
        energies: The three total energies in eV.
        forces: In eV/Å, shape (N, 3), or None if they were not computed.
        stress: In eV/Å³, shape (3, 3), positive under tension, or None.
        velocities: In Å/ps, shape (N, 3), or None.
        time: Simulation time in ps, or None.
        temperature: Of the nuclei in K, or None.
        scf: The iterations of the cycle.
        fixed: Components of the forces that were set to zero, shape (N, 3), or None.
        converged: Whether the cycle converged; always so in a whole step.
    """

    symbols: tuple[str, ...]
    positions: Floats
    cell: Floats | None
    energies: Energies
    forces: Floats | None
    stress: Floats | None
    velocities: Floats | None
    time: float | None
    temperature: float | None
    scf: tuple[ScfIteration, ...]
    fixed: NDArray[np.bool_] | None = None
    converged: bool = True


@dataclass(frozen=True, eq=False, slots=True)
class Unfinished:
    """The last step of a run that ended within it: it can be continued, but it has no labels.

    Attributes:
        geometry: The atoms, or None if the output does not say where they were.
        scf: The iterations so far.
        converged: Whether the cycle had converged.
    """

    geometry: Geometry | None
    scf: tuple[ScfIteration, ...]
    converged: bool


@dataclass(frozen=True, eq=False, slots=True)
class AimsOutput:
    """Everything that was read from one output.

    Attributes:
        verdict: How the run ended.
        reason: The words behind the verdict: a line of the output where one told.
        version: Of the program, as printed.
        xc: Functional, by its keyword in control.in where it is a known one.
        frames: The whole steps, in order.
        unfinished: The step in which the run ended, or None.
        relaxed: Whether the relaxation converged; None if none was asked for.
        timings: Seconds on the wall's clock by name, such as `Total time`.
        warnings: Paragraphs that the program marked with stars, each once, and what disagrees.
        left_out: Number of steps that are not whole, with a whole one after them.
        disagreements: Where two places of the output contradict each other.
    """

    verdict: Verdict
    reason: str
    version: str | None
    xc: str | None
    frames: tuple[Frame, ...]
    unfinished: Unfinished | None
    relaxed: bool | None
    timings: Mapping[str, float]
    warnings: tuple[str, ...]
    left_out: int = 0
    disagreements: tuple[str, ...] = ()
