"""Tests for `codes.qe.dynamics`: laws of velocities and temperatures."""

import numpy as np
import pytest
from ase import units

from aiida_enne.codes.qe.dynamics import (
    FORCE,
    TIME,
    VELOCITY,
    check_first_step,
    draw_velocities,
    temperatures,
)


def test_units_are_those_of_the_literature():
    assert pytest.approx(0.048377687, rel=1e-7) == TIME  # half a Hartree atomic unit, 24.188843 as
    assert pytest.approx(25.711034, rel=1e-6) == FORCE
    assert pytest.approx(0.529177 / 0.0483777, rel=1e-5) == VELOCITY


def test_velocities_have_the_temperature_and_no_drift():
    masses = np.full(4000, 28.085)
    velocities = draw_velocities(masses, 2000, [1, 0])
    twice_kinetic = (masses[:, None] * (velocities / units.fs) ** 2).sum()
    assert twice_kinetic / ((3 * 4000 - 3) * units.kB) == pytest.approx(2000, rel=0.03)
    np.testing.assert_allclose((masses[:, None] * velocities).sum(axis=0), 0, atol=1e-9)


def test_each_trajectory_has_its_own_velocities_and_a_seed_repeats_them():
    masses = np.full(8, 28.085)
    drawn = [draw_velocities(masses, 300, seed) for seed in ([1, 0], [1, 1], [1, 0])]
    np.testing.assert_array_equal(drawn[0], drawn[2])
    assert not np.allclose(drawn[0], drawn[1])


def test_fixed_atoms_are_at_rest():
    velocities = draw_velocities(np.full(5, 28.085), 300, [0], fixed=[1, 3])
    np.testing.assert_array_equal(velocities[[1, 3]], 0)
    assert (velocities[[0, 2, 4]] != 0).all()


def test_zero_temperature_still_moves():
    assert np.abs(draw_velocities(np.full(5, 28.085), 0, [0])).max() > 0


@pytest.mark.parametrize('fixed', [[], [0]])
def test_uniform_motion_has_the_temperature_of_its_velocities(rng, fixed):
    masses = rng.uniform(1, 30, size=6)
    velocities = rng.standard_normal((6, 3)) * 0.01
    velocities[fixed] = 0
    walk = np.array([step * 0.5 * velocities for step in range(5)])
    degrees = 15
    twice_kinetic = (masses[:, None] * (velocities / units.fs) ** 2).sum()
    expected = twice_kinetic / (degrees * units.kB)
    found = temperatures(walk, 0.5, masses, fixed)
    np.testing.assert_allclose(found, [expected] * 3)


@pytest.mark.parametrize(('factor', 'right'), [(1, True), (0.5, False), (2, False)])
def test_velocities_in_another_unit_are_noticed(rng, factor, right):
    masses, timestep = np.full(6, 28.085), 1.0
    velocities = draw_velocities(masses, 2000, [0])
    forces = rng.standard_normal((6, 3))
    fall = 0.5 * forces / masses[:, None] * (timestep * units.fs) ** 2
    walk = np.array([np.zeros((6, 3)), factor * velocities * timestep + fall])
    told = check_first_step(walk, velocities, forces, timestep, masses)
    assert (told is None) == right
    if not right:
        assert 'another unit' in told
