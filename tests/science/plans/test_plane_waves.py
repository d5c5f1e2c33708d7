"""Laws of what plane waves cost; that the numbers fit what was measured is tested here, too."""

import dataclasses

import pytest
from ase.build import bulk

from aiida_enne.science.plans.plane_waves import PlaneWaves, count_kpoints
from aiida_enne.science.structures.phases import phase

SILICON = PlaneWaves(16.0, 64.0, {'Si': 4.0}, (2, 2, 2), extra_bands=0.25)


@pytest.fixture
def cell():
    """Return eight atoms without symmetry."""
    atoms = bulk('Si', cubic=True)
    atoms.rattle(0.1, seed=1)
    return atoms


def time(atoms, moved=False, **changes):
    return dataclasses.replace(SILICON, **changes).seconds(atoms, moved=moved)


def test_each_of_the_things_that_are_counted_costs(cell):
    base = time(cell)
    assert time(cell, cutoff=20.0, density_cutoff=80.0) > 1.2 * base
    assert time(cell, valence={'Si': 14.0}) > 2 * base
    assert time(cell, mesh=(4, 4, 4)) > 3 * base
    assert time(cell * (2, 1, 1)) > 2 * base
    assert time(cell, moved=True) < base
    # real wave functions: less than an eighth of eight complex points
    assert time(cell, mesh=(1, 1, 1)) < base / 8 + 2


def test_symmetry_leaves_the_k_points_that_differ(cell):
    assert count_kpoints(cell, (2, 2, 2)) == 8
    assert count_kpoints(cell, (4, 4, 4)) == 36  # k and -k are one
    assert count_kpoints(phase('diamond', 20.0), (4, 4, 4)) == 8
    assert count_kpoints(phase('fcc', 14.6), (12, 12, 12)) == 72


def test_a_distance_makes_the_mesh_of_every_cell():
    dense = dataclasses.replace(SILICON, mesh=None, distance=0.25)
    assert dense.mesh_of(phase('diamond', 20.5)) == (8, 8, 8)
    assert dense.mesh_of(bulk('Si', a=5.43, cubic=True)) == (5, 5, 5)
    assert dense.mesh_of(bulk('Si', a=5.43, cubic=True) * 20) == (1, 1, 1)
