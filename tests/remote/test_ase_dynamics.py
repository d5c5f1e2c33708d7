"""Tests for the integrators: laws of mechanics and of statistical mechanics."""

import importlib
import json
from importlib.resources import files

import numpy as np
import pytest
from ase import Atoms, units
from ase.build import bulk
from ase.calculators.calculator import Calculator, all_changes
from ase.calculators.emt import EMT
from ase.md.nose_hoover_chain import NoseHooverChainNVT
from ase.md.verlet import VelocityVerlet

STAGE = {
    'timestep': 2.0,
    'friction': 10.0,
    'damping': 100.0,
    'pressure': 0.0,
    'pressure_damping': 500.0,
    'compressibility': 0.01,
}
THERMOSTATS = ('nve', 'langevin', 'nose_hoover_chain', 'npt')


class IdealGas(Calculator):
    """No forces at all: every distribution is known."""

    implemented_properties = ('energy', 'forces', 'stress')

    def calculate(self, atoms=None, properties=(), system_changes=all_changes):
        super().calculate(atoms, properties, system_changes)
        self.results = {'energy': 0.0, 'forces': 0 * atoms.positions, 'stress': np.zeros(6)}


@pytest.fixture
def dynamics(monkeypatch):
    """Return the uploaded module."""
    monkeypatch.syspath_prepend(str(files('aiida_enne.remote.ase')))
    return importlib.import_module('ase_dynamics')


def copper(repeat=2):
    atoms = bulk('Cu', cubic=True) * repeat
    atoms.calc = EMT()
    return atoms


def gas(n=300):
    atoms = Atoms(f'Ar{n}', positions=np.zeros((n, 3)), cell=[50.0] * 3, pbc=True)
    atoms.calc = IdealGas()
    return atoms


def start(dynamics, atoms, temperature, seed=0, fixed=()):
    walker = dynamics.Walker(atoms, [seed, 0], list(fixed))
    walker.heat(temperature)
    walker.evaluate()
    return walker


def advance(dynamics, walker, thermostat, temperature, steps, **stage):
    for _ in range(steps):
        dynamics.STEPS[thermostat](walker, STAGE | stage, temperature)
        yield walker


def energies(dynamics, timestep):
    walker = start(dynamics, copper(), 600)
    steps = advance(dynamics, walker, 'nve', 0, round(200 / timestep), timestep=timestep)
    return [walker.atoms.get_potential_energy() + walker.twice_kinetic / 2 for walker in steps]


def test_nve_conserves_the_energy_to_second_order(dynamics):
    coarse, fine = np.ptp(energies(dynamics, 2.0)), np.ptp(energies(dynamics, 1.0))
    assert coarse < 0.01
    assert coarse / fine == pytest.approx(4, rel=0.2)


def test_nve_is_reversible(dynamics):
    walker = start(dynamics, copper(), 1000)
    first = walker.atoms.positions.copy()
    list(advance(dynamics, walker, 'nve', 0, 50))
    assert np.abs(walker.atoms.positions - first).max() > 0.1
    walker.momenta = -walker.momenta
    list(advance(dynamics, walker, 'nve', 0, 50))
    np.testing.assert_allclose(walker.atoms.positions, first, atol=1e-9)


@pytest.mark.parametrize('thermostat', ['nve', 'nose_hoover_chain'])
def test_trajectories_are_those_of_ase(dynamics, thermostat):
    walker, other = start(dynamics, copper(), 500), copper()
    other.set_momenta(walker.momenta)
    walker.degrees = 3 * len(other)  # ASE's thermostat counts the centre of mass too
    time = 2 * units.fs
    if thermostat == 'nve':
        theirs = VelocityVerlet(other, time)
    else:
        theirs = NoseHooverChainNVT(other, time, temperature_K=800, tdamp=100 * units.fs)
    theirs.run(30)
    list(advance(dynamics, walker, thermostat, 800, 30))
    np.testing.assert_allclose(walker.atoms.positions, other.positions, rtol=0, atol=1e-9)
    np.testing.assert_allclose(walker.momenta, other.get_momenta(), rtol=0, atol=1e-9)


def test_velocities_are_maxwell_boltzmann(dynamics):
    walker = start(dynamics, gas(3000), 700)
    assert walker.temperature == pytest.approx(700, rel=0.05)
    np.testing.assert_allclose(walker.momenta.sum(axis=0), 0, atol=1e-9)
    reduced = walker.momenta / np.sqrt(walker.masses * units.kB * 700)
    assert np.mean(reduced**4) == pytest.approx(3, rel=0.1)
    assert walker.degrees == 3 * 3000 - 3


def test_friction_forgets_velocities_at_its_rate(dynamics):
    walker = start(dynamics, gas(3000), 700)
    first = walker.momenta.copy()
    list(advance(dynamics, walker, 'langevin', 700, 25))
    kept = (walker.momenta * first).sum() / (first**2).sum()
    assert kept == pytest.approx(np.exp(-10.0 * 0.050), abs=0.03)
    assert walker.temperature == pytest.approx(700, rel=0.05)


@pytest.mark.parametrize('thermostat', ['langevin', 'nose_hoover_chain', 'npt'])
def test_thermostats_reach_their_temperature(dynamics, thermostat):
    walker, quick = start(dynamics, copper(), 800), {'friction': 50.0, 'damping': 50.0}
    list(advance(dynamics, walker, 'langevin', 400, 150, **quick))
    found = [w.temperature for w in advance(dynamics, walker, thermostat, 400, 500, **quick)]
    assert np.mean(found) == pytest.approx(400, rel=0.1)
    canonical = 400 * np.sqrt(2 / walker.degrees)
    assert np.std(found) == pytest.approx(canonical, rel=0.35)


def test_npt_samples_the_volumes_of_an_ideal_gas(dynamics):
    n, temperature, pressure = 50, 1000, 0.1
    atoms = gas(n)
    expected = n * units.kB * temperature / (pressure * units.GPa)
    atoms.set_cell([expected ** (1 / 3) * 1.1] * 3)
    walker = start(dynamics, atoms, temperature)
    stage = {
        'timestep': 5.0,
        'friction': 50.0,
        'pressure': pressure,
        'pressure_damping': 100.0,
        'compressibility': 1 / pressure,
    }
    list(advance(dynamics, walker, 'npt', temperature, 300, **stage))
    steps = advance(dynamics, walker, 'npt', temperature, 6000, **stage)
    volumes = np.array([walker.atoms.get_volume() for walker in steps])
    assert volumes.mean() == pytest.approx(expected, rel=0.05)
    assert volumes.std() / volumes.mean() == pytest.approx(n**-0.5, rel=0.2)


@pytest.mark.parametrize('thermostat', THERMOSTATS)
def test_a_state_written_and_read_changes_nothing(dynamics, thermostat):
    whole = start(dynamics, copper(1), 500, seed=5)
    list(advance(dynamics, whole, thermostat, 600, 10))
    state = json.loads(json.dumps(whole.dump()))
    other = dynamics.Walker(copper(1), [99, 99], [])
    other.load(state)
    for walker in (whole, other):
        walker.atoms.calc = EMT()
        list(advance(dynamics, walker, thermostat, 600, 10))
    np.testing.assert_array_equal(other.atoms.positions, whole.atoms.positions)
    np.testing.assert_array_equal(other.momenta, whole.momenta)
    np.testing.assert_array_equal(other.atoms.cell, whole.atoms.cell)


def test_fixed_atoms_stay_and_the_others_have_the_temperature(dynamics):
    atoms = copper()
    first = atoms.positions.copy()
    walker = start(dynamics, atoms, 500, fixed=[0, 1, 2])
    assert walker.degrees == 3 * (32 - 3)
    list(advance(dynamics, walker, 'langevin', 500, 20))
    np.testing.assert_array_equal(atoms.positions[:3], first[:3])
    assert (np.abs(atoms.positions[3:] - first[3:]).max(axis=1) > 0).all()


def test_what_leaves_physics_is_noticed(dynamics):
    walker = start(dynamics, copper(1), 300)
    walker.check(limit=3000)
    with pytest.raises(dynamics.ExplodedError, match=r'above 10 K'):
        walker.check(limit=10)
    walker.forces[0, 0] = np.nan
    with pytest.raises(dynamics.ExplodedError, match='not finite'):
        walker.check(limit=3000)
