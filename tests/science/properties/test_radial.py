import numpy as np
import pytest
from ase import Atoms

from aiida_enne.science.data.configurations import concatenate
from aiida_enne.science.data.frames import from_atoms
from aiida_enne.science.properties.liquid import radial_distribution
from aiida_enne.science.properties.radial import radial_curves
from tests.science.paper import crystal


def gas(rng, n_frames, domain, n_atoms=40, edge=9.0):
    frames = [
        Atoms(
            ['Si'] * n_atoms, positions=edge * rng.random((n_atoms, 3)), cell=3 * [edge], pbc=True
        )
        for _ in range(n_frames)
    ]
    return from_atoms(frames, domains=[domain] * n_frames, blocks=range(n_frames))


def test_every_liquid_has_its_curve_in_order(rng):
    names = ['liquid 2.57 g/cm³, 2000 K', 'liquid 1.89 g/cm³, 2000 K', 'liquid 2.57 g/cm³, 1600 K']
    others = ['own liquid 2.57 g/cm³', 'melt 2.57 g/cm³', 'glass']
    made = concatenate([gas(rng, 4, name) for name in names + others])
    found = radial_curves(made, r_max=6.0, bin_width=0.5)
    assert [(c.density, c.temperature) for c in found] == [(1.89, 2000), (2.57, 1600), (2.57, 2000)]
    assert [c.domain for c in found] == [names[1], names[2], names[0]]
    frames = made.select(np.flatnonzero(made.domains == names[0]))
    r, g = radial_distribution(frames.positions.reshape(4, -1, 3), frames.cells, 6.0, 0.5)
    assert found[2].r == pytest.approx(r)
    assert found[2].g == pytest.approx(g)


def test_frames_are_spread_over_the_trajectory_and_an_ideal_gas_is_flat(rng):
    made = gas(rng, 60, 'liquid 2 g/cm³')
    few = radial_curves(made, n_frames=3)[0]
    assert few.n_frames == 3
    chosen = made.select([0, 29, 59])
    again = radial_distribution(chosen.positions.reshape(3, -1, 3), chosen.cells, 8.0, 0.1)
    assert few.g == pytest.approx(again[1])
    flat = radial_curves(made, bin_width=1.0)[0]
    assert flat.n_frames == 60
    assert flat.temperature is None
    assert flat.g[1:] == pytest.approx(np.full(7, 1 - 1 / 40), abs=0.06)


def test_no_liquid_has_no_curve(rng):
    assert radial_curves(gas(rng, 2, 'diamond')) == []


def test_frames_of_one_liquid_are_alike():
    frames = [crystal(8), crystal(9)]
    made = from_atoms(frames, domains=['liquid 2 g/cm³'] * 2, blocks=[0, 1])
    with pytest.raises(ValueError, match='equal numbers of atoms'):
        radial_curves(made)
