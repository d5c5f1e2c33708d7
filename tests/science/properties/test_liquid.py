"""Tests for the structure and motion of liquids: laws, then crystals, gas and a real melt."""

import importlib
from importlib.resources import files

import numpy as np
import pytest
from ase.build import bulk
from scipy.stats import special_ortho_group

from aiida_enne.codes.ase import PRESETS
from aiida_enne.science.data.frames import from_atoms
from aiida_enne.science.plans import melts
from aiida_enne.science.properties import liquid
from aiida_enne.science.structures.liquids import liquid_start

CRITERIA = liquid.MeltCriteria()
SKEWED = np.array([[9.0, 0, 0], [3.0, 8.0, 0], [-2.0, 1.5, 7.0]])


def walk(rng, n_frames, n_atoms, cell, step):
    """Return positions and cells of independent random walkers; `step` is per coordinate in Å."""
    start = rng.random((1, n_atoms, 3)) @ cell
    steps = rng.normal(scale=step, size=(n_frames - 1, n_atoms, 3))
    path = np.concatenate([start, start + np.cumsum(steps, axis=0)])
    return path, np.repeat(cell[None], n_frames, axis=0)


def wrap(path, cell):
    return np.einsum('fai,ij->faj', (path @ np.linalg.inv(cell)) % 1.0, cell)


def vibrate(atoms, rng, n_frames, spread):
    """Return a trajectory of atoms that swing about their places."""
    frames = []
    for index in range(n_frames):
        frame = atoms.copy()
        frame.positions += rng.normal(scale=spread, size=frame.positions.shape)
        frame.wrap()
        frame.info = {'time': 0.01 * index}
        frames.append(frame)
    return from_atoms(frames, info=['time'])


def test_unwrapping_undoes_wrapping_in_any_cell(rng):
    path, cells = walk(rng, 50, 20, SKEWED, 0.4)
    found = liquid.unwrap(wrap(path, SKEWED), cells)
    np.testing.assert_allclose(found - found[0], path - path[0], atol=1e-10)


def test_displacement_of_a_random_walk_grows_with_the_lag(rng):
    path, cells = walk(rng, 400, 400, SKEWED, 0.1)
    lags = [0, 1, 10, 40]
    found = liquid.mean_square_displacement(wrap(path, SKEWED), cells, lags)
    np.testing.assert_allclose(found, [3 * 0.01 * lag for lag in lags], rtol=0.03, atol=1e-12)


def test_drift_is_no_displacement(rng):
    path, cells = walk(rng, 20, 30, SKEWED, 0.1)
    drift = np.arange(20)[:, None, None] * np.array([0.3, -0.1, 0.2])
    lags = [3, 9]
    expected = liquid.mean_square_displacement(path, cells, lags)
    found = liquid.mean_square_displacement(wrap(path + drift, SKEWED), cells, lags)
    np.testing.assert_allclose(found, expected, atol=1e-10)


def test_a_lag_beyond_the_trajectory_is_refused(rng):
    path, cells = walk(rng, 5, 3, SKEWED, 0.1)
    with pytest.raises(ValueError, match=r'from 0 to 4, got \[5\]'):
        liquid.mean_square_displacement(path, cells, [5])


def test_an_ideal_gas_has_no_structure(rng):
    n = 400
    path, cells = walk(rng, 40, n, 2 * SKEWED, 50.0)
    r, g = liquid.radial_distribution(wrap(path, 2 * SKEWED), cells, 6.0, 0.5)
    np.testing.assert_allclose(g[2:], 1 - 1 / n, atol=0.02)
    density = n / abs(np.linalg.det(2 * SKEWED))
    sphere = 4 / 3 * np.pi * 6.0**3 * density
    assert liquid.coordination_number(r, g, density, 6.0) == pytest.approx(sphere, rel=0.01)


@pytest.mark.parametrize(
    ('structure', 'size', 'shells'),
    [('diamond', 5.43, (4, 16)), ('fcc', 3.6, (12, 18)), ('bcc', 2.87, (8, 14))],
)
def test_shells_of_crystals_in_primitive_cells(structure, size, shells):
    atoms = bulk('Si', structure, a=size)
    r, g = liquid.radial_distribution(atoms.positions[None], atoms.cell.array[None], 6.0, 0.02)
    density = len(atoms) / atoms.get_volume()
    first, second = {
        'diamond': (0.433, 0.7071),
        'fcc': (0.7071, 1.0),
        'bcc': (0.866, 1.0),
    }[structure]
    for distance, expected in zip((first, second), shells, strict=True):
        found = liquid.coordination_number(r, g, density, distance * size + 0.05)
        assert found == pytest.approx(expected, abs=1e-9)


def test_structure_does_not_depend_on_the_frame_or_the_cell(rng):
    atoms = liquid_start(2.57, 1)
    atoms.rattle(0.2, seed=1)
    expected = liquid.radial_distribution(atoms.positions[None], atoms.cell.array[None], 6.0, 0.1)[
        1
    ]
    turn = special_ortho_group.rvs(3, random_state=1)
    large = atoms * (2, 1, 1)
    for positions, cell in (
        (atoms.positions @ turn, atoms.cell.array @ turn),
        (large.positions, large.cell.array),
    ):
        found = liquid.radial_distribution(positions[None], cell[None], 6.0, 0.1)[1]
        np.testing.assert_allclose(found, expected, atol=1e-9)


@pytest.mark.parametrize('structure', ['diamond', 'fcc', 'bcc'])
def test_hot_crystals_are_not_molten(rng, structure):
    size = {'diamond': 5.43, 'fcc': 3.9, 'bcc': 3.1}[structure]
    crystal = bulk('Si', structure, a=size, cubic=True) * (3, 3, 3)
    told = liquid.analyse(vibrate(crystal, rng, 20, 0.15), CRITERIA)
    assert not told['melt']['molten']
    assert told['melt']['displacement'] == pytest.approx(6 * 0.15**2, rel=0.05)
    assert any('mean square displacement' in reason for reason in told['melt']['reasons'])


def test_a_cold_crystal_is_refused_for_both_reasons(rng):
    told = liquid.analyse(vibrate(liquid_start(2.33, 2), rng, 20, 0.06), CRITERIA)
    assert len(told['melt']['reasons']) == 2
    assert told['melt']['coordination'] == pytest.approx(4, abs=0.01)
    assert told['melt']['neighbor_distance'] == pytest.approx(2.35, abs=0.06)


def test_a_glass_is_refused_although_it_has_no_gap(rng):
    path, _ = walk(rng, 1, 300, 2 * SKEWED, 1.0)
    frozen = bulk('Si', cubic=True).repeat(1)[[0] * 300]
    frozen.set_cell(2 * SKEWED)
    frozen.positions = path[0]
    melt = liquid.analyse(vibrate(frozen, rng, 20, 0.02), CRITERIA)['melt']
    (reason,) = melt['reasons']
    assert 'mean square displacement' in reason


def test_a_gas_is_no_crystal(rng):
    path, cells = walk(rng, 40, 300, 2 * SKEWED, 0.5)
    atoms = bulk('Si', cubic=True).repeat(1)[[0] * 300]
    frames = []
    for positions, cell in zip(path, cells, strict=True):
        frame = atoms.copy()
        frame.set_cell(cell)
        frame.positions = positions
        frame.info = {'time': 0.01 * len(frames), 'temperature': 1000.0}
        frames.append(frame)
    told = liquid.analyse(from_atoms(frames, info=['time', 'temperature']), CRITERIA)
    assert told['melt']['molten']
    assert told['temperature'] == 1000.0
    np.testing.assert_allclose(told['lag'], 0.01 * np.arange(21), atol=1e-12)


@pytest.mark.lammps
def test_silicon_that_was_melted_is_molten(monkeypatch, tmp_path):
    monkeypatch.syspath_prepend(str(files('aiida_enne.remote.ase')))
    monkeypatch.chdir(tmp_path)
    dynamics, calculators = map(importlib.import_module, ('ase_dynamics', 'ase_calculators'))
    preset = PRESETS['lammps-sw-si']
    for name, text in preset.files.items():
        (tmp_path / name).write_text(text)
    atoms = liquid_start(2.57, 2)
    atoms.calc = calculators.lammps(**preset.keywords)
    walker, frames = dynamics.Walker(atoms, [1], []), []
    walker.heat(5000)
    walker.evaluate()
    for step in range(1200):
        temperature = 5000 if step < 700 else 2500
        dynamics.langevin(walker, {'timestep': 1.0, 'friction': 10.0}, temperature)
        if step >= 800 and step % 10 == 0:
            frame = atoms.copy()
            frame.info = {'time': step / 1000}
            frames.append(frame)
    melt = liquid.analyse(from_atoms(frames, info=['time']), CRITERIA)['melt']
    assert melt['molten'], melt['reasons']
    assert melt['gap'] > 0.5
    assert 2.3 < melt['neighbor_distance'] < 2.7


@pytest.mark.parametrize(
    'bad', [{'min_gap': -1}, {'r_max': 'far'}, {'bin_width': 0}, {'r_max': 0.9}]
)
def test_criteria_that_make_no_sense_are_refused(bad):
    with pytest.raises(ValueError, match=f'`{next(iter(bad))}`|10 times'):
        liquid.MeltCriteria(**bad)


def test_every_trajectory_has_a_seed_of_its_own_whatever_the_others():
    densities = (1.89, 2.21, 2.57, 2.94, 3.36)
    seeds = [liquid.trajectory_seed(seed, density) for seed in (1, 2) for density in densities]
    seeds += [liquid.trajectory_seed(1, 2.57, t) for t in (1600, 1800, 2000, 2200)]
    assert len(set(seeds)) == len(seeds)
    assert all(0 <= seed < 2**31 for seed in seeds)
    stage = {'thermostat': 'langevin', 'temperature': 2000, 'steps': 40}
    stages = {'melt': stage, 'production': stage | {'record_every': 4}}
    given = {'stages': stages, 'temperatures': [1600], 'temperature_density': 2.57, 'seed': 1}
    few, many = (
        melts.Series.of(given | {'densities': own}).trajectories() for own in ([2.57], [1.89, 2.57])
    )
    assert few == {label: many[label] for label in few}
