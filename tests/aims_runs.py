"""Runs of our own in the format of FHI-aims: what happened in each, and the text that says so.

The physics are those of a Morse potential, so that forces, trajectories and relaxations belong
together; the words are those of `tests.aims_writer`.
"""

from dataclasses import dataclass, replace
from functools import cache

import numpy as np
from ase import Atoms
from ase.build import bulk
from ase.calculators.morse import MorsePotential

from aiida_enne.codes.aims.results import Energies, Frame, ScfIteration
from tests.aims_writer import LEAVE, fortran, write_output

#: eV/Å/u in Å/ps², and u Å²/ps² in K.
ACCELERATION, KELVIN = 9648.53321, 1.2027236
TIME_STEP = 0.001
MD = {
    'ensemble': 'NVT_nose-hoover',
    'time': 0.005,
    'time_step': TIME_STEP,
    'temperature': 300.0,
    'parameter': 900.0,
}
STARS = [
    ['WARNING: a flag was set that needs care.', 'It is not set by default.'],
    ['The moments of geometry.in are ignored.'],
    ['The moments of geometry.in are ignored.'],
]


@dataclass(frozen=True)
class Run:
    """One run: atoms and settings that went in, frames that came out, and its text."""

    atoms: Atoms
    settings: dict
    frames: tuple[Frame, ...]
    text: str


@cache
def run_of(name):
    """Return the run of that name."""
    return RUNS[name]()


def frame_of(atoms, number=0, *, entropy=0.0, forces=True, stress=False, light=False):
    """Return a step of FHI-aims at some atoms, its numbers as they are printed."""
    atoms = atoms.copy()
    atoms.calc = MorsePotential(epsilon=1.5, r0=atoms.info.get('r0', 2.35), rho0=5.0)
    free = printed(atoms.get_potential_energy() - 7900.5 * len(atoms))
    periodic = atoms.pbc.any()
    return Frame(
        symbols=tuple(atoms.symbols),
        positions=atoms.positions,
        cell=atoms.cell.array if periodic else None,
        energies=Energies(printed(free + entropy), printed(free + entropy / 2), free),
        forces=printed(atoms.get_forces()) if forces else None,
        stress=np.round(atoms.get_stress(voigt=False), 8) if stress else None,
        velocities=None,
        time=None,
        temperature=None,
        scf=iterations(9 + number % 4, 2 if light else 4, forces),
    )


def printed(values):
    """Return numbers as `E30.15` leaves them."""
    array = np.vectorize(lambda value: float(fortran(value)))(values)
    return array if np.ndim(values) else float(array)


def iterations(count, digits, forces):
    """Return a cycle whose changes decay; the forces are known in its last iteration."""
    made = []
    for k in range(count):
        row = [float(fortran(factor * 0.29**k, digits)) for factor in (1.3, -160.0, 11.0)]
        last = float(fortran(1.7e-5, digits)) if forces and k == count - 1 else None
        made.append(ScfIteration(*row, last))
    return tuple(made)


def silicon(repeat=1):
    """Return rattled cubic silicon."""
    atoms = bulk('Si', a=5.43, cubic=True).repeat((repeat, 1, 1))
    atoms.rattle(0.05, seed=3)
    return atoms


def single(atoms, settings=None, *, timings=None, stars=(), **more):
    """Return a single point."""
    settings = {'xc': 'pbe'} | (settings or {})
    frames = (frame_of(atoms, 4, **more),)
    text = write_output(atoms, settings, frames, timings=timings, stars=stars)
    return Run(atoms, settings, frames, text)


def stressed():
    """Return a single point with a stress, whose output has warnings and many timings."""
    atoms = bulk('Si', a=5.47)
    atoms.rattle(0.02, seed=1)
    timings = {'Total time': 54.25, 'Preparation time': 0.153, 'Total time for density': 11.5}
    return single(
        atoms, {'compute_analytical_stress': True}, stress=True, timings=timings, stars=STARS
    )


def dynamics():
    """Return five steps of a molecule in a box, by velocity Verlet."""
    positions = [[3.9, 3.2, 3.0], [2.1, 3.2, 3.0], [3.0, 3.0, 3.0]]
    atoms = Atoms('H2O', positions=positions, cell=6 * np.eye(3), pbc=True, info={'r0': 0.95})
    masses = atoms.get_masses()[:, None]
    rng = np.random.default_rng(5)
    velocities = rng.normal(size=(3, 3)) * np.sqrt(300 / KELVIN / masses)
    frames, start = [], atoms.copy()
    for number in range(5):
        frame = frame_of(atoms, number, light=True)
        kinetic = float((masses * velocities**2).sum())
        frames.append(
            replace(
                frame,
                positions=np.round(frame.positions, 8),
                velocities=np.round(velocities, 8),
                time=printed(number * TIME_STEP),
                temperature=printed(kinetic * KELVIN / 9),
            )
        )
        before = frame.forces / masses * ACCELERATION
        step = TIME_STEP * velocities + TIME_STEP**2 / 2 * before
        atoms.positions += step
        after = frame_of(atoms).forces / masses * ACCELERATION
        velocities = velocities + TIME_STEP / 2 * (before + after)
    settings = {'xc': 'pbe', 'md': MD | {'initial_temperature': 300.0}}
    timings = {'Total time': 121.5, 'Preparation time': 0.153}
    text = write_output(start, settings, frames, timings=timings)
    return Run(start, settings, tuple(frames), text)


def relaxation(walltime=None):
    """Return a molecule whose bond relaxes in four steps; its electrons have an entropy."""
    settings = {'xc': 'pbe', 'spin': 'collinear', 'default_initial_moment': 1.0}
    settings |= {'relaxation': {'max_force': 0.001}, 'walltime': walltime}
    images = []
    for half in (0.6229781234, 0.61665612, 0.6103, 0.61001):
        images.append(Atoms('O2', [[0, 0, half], [0, 0, -half]], info={'r0': 1.22}))
    frames = tuple(frame_of(atoms, n, entropy=0.056) for n, atoms in enumerate(images))
    text = write_output(images[0], settings, frames, timings={'Total time': 1.84})
    return Run(images[0], settings, frames, text)


def cell_relaxation():
    """Return a crystal whose cell relaxes in five steps."""
    settings = {'xc': 'pbe', 'compute_analytical_stress': True}
    settings |= {'relaxation': {'max_force': 0.001, 'cell': 'full'}}
    images = []
    for number, a in enumerate((5.43, 5.3, 5.25, 5.22, 5.2168)):
        atoms = bulk('Si', a=a)
        atoms.set_cell(np.round(atoms.cell.array + 1e-8 * number, 8), scale_atoms=True)
        atoms.positions = np.round(atoms.positions, 8)
        images.append(atoms)
    frames = tuple(frame_of(atoms, n, stress=True) for n, atoms in enumerate(images))
    text = write_output(images[0], settings, frames, timings={'Total time': 68.4})
    return Run(images[0], settings, frames, text)


def ended(run, words, line):
    """Return a run whose output ends with a line of others, before some of its words."""
    cut = run.text[: run.text.index(words)]
    return replace(run, text=cut[: cut.rindex('\n') + 1] + line + '\n')


def killed():
    """Return a run that was killed after its first step, before it could take its leave."""
    settings = {'xc': 'hse06 0.11', 'compute_forces': False}
    run = single(bulk('GaAs', 'zincblende', a=5.65), settings, forces=False)
    return ended(run, 'Leaving FHI-aims', '=   KILLED BY SIGNAL: 9 (Killed)')


def without_mpi():
    """Return a run of a program that was built without MPI and notices at its end."""
    run = single(bulk('Si', 'fcc', a=3.9), {'xc': 'pw-lda', 'compute_forces': False}, forces=False)
    return ended(run, LEAVE, ' This is a stub MPI_ALLREDUCE call.')


RUNS = {
    'si8_forces': lambda: single(silicon(), timings={'Total time': 113.27}),
    'c64_forces': lambda: single(bulk('C', a=3.57, cubic=True).repeat(2)),
    'si_static': lambda: single(bulk('Si', a=5.43), {'compute_forces': False}, forces=False),
    'si_forces_stress': stressed,
    'h2o_md': dynamics,
    'o2_relax': relaxation,
    'si_relax_cell': cell_relaxation,
    'killed': killed,
    'stub_mpi': without_mpi,
}
