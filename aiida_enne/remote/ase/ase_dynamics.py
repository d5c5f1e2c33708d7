"""Integrators of molecular dynamics whose whole state can be written down and read again."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from ase import Atoms, units

#: Weights of the fourth-order Suzuki-Yoshida factorisation, Phys. Lett. A 150, 262 (1990).
YOSHIDA = (1 / (2 - 2 ** (1 / 3)), 1 - 2 / (2 - 2 ** (1 / 3)), 1 / (2 - 2 ** (1 / 3)))
CHAIN_LENGTH = 3


class ExplodedError(Exception):
    """The trajectory has become unphysical."""


class Walker:
    """Positions and momenta of one trajectory, and the random numbers that drive it.

    The total momentum is zero and stays so, unless atoms are fixed: 3N - 3 or 3 N_free degrees
    of freedom, which is what every thermostat here and `temperature` count.
    """

    def __init__(self, atoms: Atoms, seed: list[int], fixed: list[int]) -> None:
        """Start at rest; forces are computed by `evaluate`."""
        self.atoms, self.rng = atoms, np.random.default_rng(seed)
        self.masses = atoms.get_masses()[:, None]
        self.free = np.ones((len(atoms), 1))
        self.free[fixed] = 0.0
        self.conserves_momentum = not fixed
        self.degrees = 3 * int(self.free.sum()) - 3 * self.conserves_momentum
        self.momenta = np.zeros((len(atoms), 3))
        self.forces = np.zeros((len(atoms), 3))
        self.virial_pressure = math.nan
        self.chain = np.zeros(CHAIN_LENGTH)

    def heat(self, temperature: float) -> None:
        """Draw momenta from the Maxwell-Boltzmann distribution at a temperature in K."""
        self.momenta = self.noise(units.kB * temperature)

    def noise(self, energy: float) -> np.ndarray:
        """Draw momenta of mean kinetic energy `energy` / 2 per degree of freedom."""
        drawn = self.rng.standard_normal((len(self.atoms), 3)) * np.sqrt(self.masses * energy)
        return self.without_drift(drawn * self.free)

    def without_drift(self, momenta: np.ndarray) -> np.ndarray:
        """Project out the motion of the centre of mass, where it is conserved."""
        if not self.conserves_momentum:
            return momenta
        rest: np.ndarray = momenta - self.masses * momenta.sum(axis=0) / self.masses.sum()
        return rest

    @property
    def twice_kinetic(self) -> float:
        """Twice the kinetic energy in eV."""
        return float((self.momenta**2 / self.masses).sum())

    @property
    def temperature(self) -> float:
        """Instantaneous temperature in K."""
        return self.twice_kinetic / (max(self.degrees, 1) * units.kB)

    def evaluate(self, pressure: bool = False) -> None:
        """Compute the forces, and the pressure of the virial where a barostat needs it."""
        self.forces = self.atoms.get_forces() * self.free
        if pressure:
            self.virial_pressure = -np.trace(self.atoms.get_stress(voigt=False)) / 3

    def kick(self, time: float) -> None:
        """Let the forces act for a time."""
        self.momenta = self.momenta + time * self.forces

    def drift(self, time: float) -> None:
        """Move the atoms for a time."""
        self.atoms.positions += time * self.momenta / self.masses

    def check(self, limit: float) -> None:
        """Raise `ExplodedError` if a force is not finite or the temperature (K) too high."""
        if not np.isfinite(self.forces).all():
            raise ExplodedError('the forces are not finite')
        if not self.temperature <= limit:
            raise ExplodedError(f'the temperature is {self.temperature:.0f} K, above {limit:.0f} K')

    def dump(self) -> dict[str, Any]:
        """Return the whole state as plain values."""
        return {
            'positions': self.atoms.positions.tolist(),
            'cell': self.atoms.cell.tolist(),
            'momenta': self.momenta.tolist(),
            'forces': self.forces.tolist(),
            'virial_pressure': self.virial_pressure,
            'chain': self.chain.tolist(),
            'rng': self.rng.bit_generator.state,
        }

    def load(self, state: dict[str, Any]) -> None:
        """Take up a state that `dump` gave."""
        self.atoms.positions = np.array(state['positions'])
        self.atoms.cell = np.array(state['cell'])
        for name in ('momenta', 'forces', 'chain'):
            setattr(self, name, np.array(state[name]))
        self.virial_pressure = state['virial_pressure']
        self.rng.bit_generator.state = state['rng']


def verlet(walker: Walker, stage: dict[str, Any], temperature: float) -> None:
    """Advance by one step of velocity Verlet: constant energy."""
    time = stage['timestep'] * units.fs
    walker.kick(time / 2)
    walker.drift(time)
    walker.evaluate()
    walker.kick(time / 2)


def langevin(walker: Walker, stage: dict[str, Any], temperature: float) -> None:
    """Advance by one BAOAB step, Leimkuhler and Matthews, Appl. Math. Res. Express 2013, 34."""
    time = stage['timestep'] * units.fs
    walker.kick(time / 2)
    walker.drift(time / 2)
    _thermalise(walker, stage, temperature)
    walker.drift(time / 2)
    walker.evaluate()
    walker.kick(time / 2)


def npt(walker: Walker, stage: dict[str, Any], temperature: float) -> None:
    """Advance by one BAOAB step with stochastic cell rescaling, isotropic.

    Bernetti and Bussi, J. Chem. Phys. 153, 114107 (2020): with ε = ln V,
    dε = β/τ (P_int - P) dt + (2 kT β / (V τ))^½ dW; positions and momenta are rescaled.
    """
    time = stage['timestep'] * units.fs
    if math.isnan(walker.virial_pressure):
        walker.evaluate(pressure=True)
    walker.kick(time / 2)
    walker.drift(time / 2)
    _thermalise(walker, stage, temperature)
    volume, energy = walker.atoms.get_volume(), units.kB * temperature
    rate = stage['compressibility'] / units.GPa * time / (stage['pressure_damping'] * units.fs)
    pressure = walker.virial_pressure + walker.twice_kinetic / (3 * volume)
    strain = rate * (pressure - stage['pressure'] * units.GPa)
    strain += math.sqrt(2 * energy * rate / volume) * walker.rng.standard_normal()
    scale = math.exp(strain / 3)
    walker.atoms.set_cell(walker.atoms.cell * scale)
    walker.atoms.positions *= scale
    walker.momenta = walker.momenta / scale
    walker.drift(time / 2)
    walker.evaluate(pressure=True)
    walker.kick(time / 2)


def nose_hoover_chain(walker: Walker, stage: dict[str, Any], temperature: float) -> None:
    """Advance by one step with a Nosé-Hoover chain.

    Martyna, Tuckerman, Tobias and Klein, Mol. Phys. 87, 1117 (1996).
    """
    time = stage['timestep'] * units.fs
    _turn_chain(walker, stage, temperature, time / 2)
    verlet(walker, stage, temperature)
    _turn_chain(walker, stage, temperature, time / 2)


STEPS = {
    'nve': verlet,
    'langevin': langevin,
    'nose_hoover_chain': nose_hoover_chain,
    'npt': npt,
}


def _thermalise(walker: Walker, stage: dict[str, Any], temperature: float) -> None:
    kept = math.exp(-stage['friction'] * stage['timestep'] / 1000)  # friction in 1/ps
    noise = walker.noise((1 - kept**2) * units.kB * temperature)
    walker.momenta = kept * walker.momenta + noise


def _turn_chain(walker: Walker, stage: dict[str, Any], temperature: float, time: float) -> None:
    """Act with the chain for a time; `chain` holds the velocities of its links."""
    energy, speeds = units.kB * temperature, walker.chain
    masses = np.full(CHAIN_LENGTH, energy * (stage['damping'] * units.fs) ** 2)
    masses[0] *= walker.degrees
    kinetic, scale = walker.twice_kinetic, 1.0

    def accelerate(link: int, span: float) -> None:
        brake = math.exp(-span / 4 * speeds[link + 1]) if link + 1 < CHAIN_LENGTH else 1.0
        if link == 0:
            excess = kinetic * scale**2 - walker.degrees * energy
        else:
            excess = masses[link - 1] * speeds[link - 1] ** 2 - energy
        speeds[link] = (speeds[link] * brake + span / 2 * excess / masses[link]) * brake

    for weight in YOSHIDA:
        for link in reversed(range(CHAIN_LENGTH)):
            accelerate(link, weight * time)
        scale *= math.exp(-weight * time * speeds[0])
        for link in range(CHAIN_LENGTH):
            accelerate(link, weight * time)
    walker.momenta = walker.momenta * scale
