"""Velocities, temperatures and units of molecular dynamics with pw.x."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from ase import units

from aiida_enne.science.fields import Floats

#: Rydberg atomic unit of time in fs: that of `dt`, and with the bohr that of velocities in input.
TIME = units._hbar / (units.Rydberg * units._e) * 1e15
#: One bohr per Rydberg time in Å per fs.
VELOCITY = units.Bohr / TIME
#: One Ry/bohr in eV/Å.
FORCE = units.Rydberg / units.Bohr
#: Velocities that are all zero cannot be scaled by a thermostat.
LOWEST_TEMPERATURE = 1.0


def draw_velocities(
    masses: Floats, temperature: float, seed: Sequence[int], fixed: Sequence[int] = ()
) -> Floats:
    """Draw velocities from the Maxwell-Boltzmann distribution.

    Args:
        masses: Masses in u, shape (N,).
        temperature: K, at least `LOWEST_TEMPERATURE` is taken.
        seed: Seed of the random numbers.
        fixed: Atoms that do not move; the centre of mass is at rest only if there are none.

    Returns:
        Velocities in Å/fs, shape (N, 3).
    """
    spread = np.sqrt(units.kB * max(temperature, LOWEST_TEMPERATURE) / masses[:, None]) * units.fs
    velocities: Floats = np.random.default_rng(list(seed)).standard_normal((len(masses), 3))
    velocities = velocities * spread
    if len(fixed):
        velocities[list(fixed)] = 0.0
        return velocities
    drift = (masses[:, None] * velocities).sum(axis=0) / masses.sum()
    velocities -= drift
    return velocities


def temperatures(
    positions: Floats, timestep: float, masses: Floats, fixed: Sequence[int] = ()
) -> Floats:
    """Return the temperature of every frame but the first and the last.

    Velocities are central differences of positions, those of the Verlet algorithm of pw.x; degrees
    of freedom are 3N - 3, or 3 for every atom that moves where some are fixed.

    Args:
        positions: Unwrapped positions in Å, shape (T, N, 3).
        timestep: fs.
        masses: u, shape (N,).
        fixed: Atoms that do not move.

    Returns:
        Temperatures in K, shape (T - 2,).
    """
    velocities = (positions[2:] - positions[:-2]) / (2 * timestep * units.fs)
    twice_kinetic = (masses[None, :, None] * velocities**2).sum(axis=(1, 2))
    degrees = 3 * (len(masses) - len(fixed)) if len(fixed) else 3 * len(masses) - 3
    found: Floats = twice_kinetic / (max(degrees, 1) * units.kB)
    return found


def check_first_step(
    positions: Floats, velocities: Floats, forces: Floats, timestep: float, masses: Floats
) -> str | None:
    """Check that pw.x used the velocities as given.

    Args:
        positions: Å, before and after the first step, shape (2, N, 3).
        velocities: Å/fs, those that were given, shape (N, 3).
        forces: eV/Å at the first geometry, shape (N, 3).
        timestep: fs.
        masses: u, shape (N,).

    Returns:
        None, or what is wrong.
    """
    moving = (velocities != 0).any(axis=1)
    half = 0.5 * forces / masses[:, None] * (timestep * units.fs) ** 2
    expected = (velocities * timestep + half)[moving]
    found = (positions[1] - positions[0])[moving]
    away = float(np.sqrt(np.mean((found - expected) ** 2)))
    size = float(np.sqrt(np.mean(expected**2)))
    if away <= 0.1 * size:
        return None
    return (
        f'the first step is {away:.2e} Å away from the velocities that were drawn, which move '
        f'{size:.2e} Å: this version of pw.x takes ATOMIC_VELOCITIES in another unit'
    )
