"""Tests for phonons from forces on displaced atoms."""

from dataclasses import replace

import numpy as np
import pytest
from ase.build import bulk
from ase.calculators.emt import EMT

from aiida_enne.science.properties import bands
from aiida_enne.science.properties.phonons import (
    Displaced,
    force_constants,
    frequencies,
    frequencies_at,
    phonons,
    special_points,
)
from aiida_enne.science.structures.deformations import displace_atoms

CRYSTALS = {
    'Cu': bulk('Cu', a=3.59),
    'CuAu': bulk('CuAu', 'cesiumchloride', a=3.1),
    'hcp': bulk('Cu', 'hcp', a=2.54, c=4.15),
}


def forces_of(frames):
    found = []
    for atoms in frames:
        atoms.calc = EMT()
        found.append(atoms.get_forces())
    return np.array(found)


def made_of(atoms, repeats=2):
    """Return displaced supercells, each atom along all axes, and their forces."""
    frames = displace_atoms(atoms, 0.02, repeats)
    positions = np.array([frame.positions for frame in frames])
    return Displaced(frames[0].cell.array, frames[0].numbers, positions), forces_of(frames)


def reduced_of(atoms, repeats=2, displacement=0.02):
    """Return displaced supercells as symmetry leaves them, and their forces."""
    rest, *frames = bands.displace_by_symmetry(atoms, displacement, repeats)
    positions = np.array([frame.positions for frame in frames])
    displaced = Displaced(rest.cell.array, rest.numbers, positions, rest.positions)
    return displaced, forces_of(frames)


def brute_force(atoms, repeats=2, step=0.02):
    """Return frequencies of a supercell all of whose atoms are displaced."""
    whole = atoms.repeat(repeats)
    constants = np.zeros((len(whole), 3, len(whole), 3))
    for number in range(len(whole)):
        for axis in range(3):
            for sign in (1, -1):
                moved = whole.copy()
                moved.positions[number, axis] += sign * step
                constants[number, axis] -= sign * forces_of([moved])[0] / (2 * step)
    constants = (constants + constants.transpose(2, 3, 0, 1)) / 2
    return frequencies(constants, whole.numbers)


@pytest.mark.parametrize('atoms', CRYSTALS.values(), ids=CRYSTALS)
def test_one_cell_displaced_gives_what_all_atoms_give(atoms):
    displaced, forces = made_of(atoms)
    found = frequencies(force_constants(displaced, forces), displaced.numbers)
    # the sum of forces is made zero in one and not in the other
    np.testing.assert_allclose(found, brute_force(atoms), atol=5e-4)
    assert np.abs(found[np.argsort(np.abs(found))[:3]]).max() < 1e-4  # a shift of all costs nothing


@pytest.mark.parametrize('atoms', CRYSTALS.values(), ids=CRYSTALS)
def test_waves_of_a_supercell_have_all_of_its_frequencies(atoms):
    """The eight wave vectors of a 2 x 2 x 2 supercell have its 3N frequencies among them."""
    displaced, forces = made_of(atoms)
    constants = force_constants(displaced, forces)
    reciprocal = np.linalg.inv(displaced.cell).T
    steps = np.stack(np.meshgrid(*[range(2)] * 3), -1).reshape(-1, 3)
    found = np.concatenate(
        [frequencies_at(constants, displaced, step @ reciprocal) for step in steps]
    )
    np.testing.assert_allclose(np.sort(found), frequencies(constants, displaced.numbers), atol=1e-5)


def test_points_that_fit_into_the_supercell_have_their_names():
    displaced, forces = made_of(CRYSTALS['Cu'])
    assert list(special_points(displaced)) == ['Γ', 'L', 'X']
    found = phonons('fcc', displaced, forces, np.stack([forces, forces]))
    assert np.abs(found.points['Γ'].reference).max() < 1e-4
    low, high, top = found.points['X'].reference  # two transverse modes, and a longitudinal one
    assert low == pytest.approx(high, abs=1e-6)
    assert top > high + 1
    with pytest.raises(ValueError, match='does not fit into the supercell'):
        frequencies_at(force_constants(displaced, forces), displaced, np.array([0.01, 0.0, 0.0]))


@pytest.mark.parametrize('atoms', CRYSTALS.values(), ids=CRYSTALS)
def test_phonopy_agrees_to_rounding_on_the_same_forces(atoms):
    """The same supercells, constants and waves: NumPy here beside phonopy's dynamical matrix."""
    pytest.importorskip('phonopy')
    displaced, forces = made_of(atoms)
    constants = force_constants(displaced, forces)
    whole = displaced.cell, displaced.sites, displaced.numbers
    dispersion = bands.dispersion('one', whole, constants, np.stack([constants, constants]))
    compared = 0
    for wave, theirs in zip(dispersion.waves, dispersion.reference, strict=True):
        inside = displaced.cell @ wave
        if np.abs(inside - np.round(inside)).max() < 1e-9:
            here = frequencies_at(constants, displaced, wave)
            np.testing.assert_allclose(theirs[3:], here[3:], rtol=1e-6)
            # roots of what is zero but for rounding
            np.testing.assert_allclose(theirs[:3], here[:3], rtol=1e-6, atol=1e-4)
            compared += 1
    assert compared >= 3
    assert {name for name, _ in dispersion.ticks} >= {'Γ'}


@pytest.mark.parametrize('atoms', CRYSTALS.values(), ids=CRYSTALS)
def test_displacements_that_symmetry_leaves_give_the_same(atoms):
    pytest.importorskip('phonopy')
    displaced, forces = made_of(atoms)
    reduced, fewer = reduced_of(atoms)
    assert len(fewer) < len(forces) / 2
    expected = frequencies(force_constants(displaced, forces), displaced.numbers)
    found = frequencies(force_constants(reduced, fewer), reduced.numbers)
    # one-sided where symmetry has the opposite: errors of third order differ
    np.testing.assert_allclose(found, expected, atol=0.02)


def test_a_density_of_states_counts_all_modes():
    pytest.importorskip('phonopy')
    displaced, forces = made_of(CRYSTALS['CuAu'])
    constants = force_constants(displaced, forces)
    whole = displaced.cell, displaced.sites, displaced.numbers
    found = bands.density('CuAu', whole, constants, np.stack([constants, 1.21 * constants]))
    step = found.at[1] - found.at[0]
    assert found.reference.sum() * step == pytest.approx(6, rel=0.01)
    np.testing.assert_allclose(found.members[0], found.reference)


def test_without_phonopy_the_extra_is_named(monkeypatch):
    monkeypatch.setattr(bands, 'find_spec', lambda name: None)
    message = r"reduced displacements need phonopy: pip install 'aiida-enne\[phonons\]'"
    with pytest.raises(ValueError, match=message):
        bands.displace_by_symmetry(CRYSTALS['Cu'], 0.02, 2)


def test_a_spring_has_the_frequency_of_its_masses():
    """Two atoms of 63.546 u on a spring of k eV/Å²: √(2k/m)/2π."""
    k = 3.0
    constants = np.zeros((2, 3, 2, 3))
    constants[0, 0, 0, 0] = constants[1, 0, 1, 0] = k
    constants[0, 0, 1, 0] = constants[1, 0, 0, 0] = -k
    found = frequencies(constants, np.array([29, 29]))
    si = np.sqrt(2 * k * 1.602176634e-19 / 1e-20 / (63.546 * 1.66053906660e-27)) / (2 * np.pi)
    assert found[-1] == pytest.approx(si / 1e12, rel=1e-6)
    assert frequencies(-constants, np.array([29, 29]))[0] == pytest.approx(-si / 1e12, rel=1e-6)


def test_members_go_with_the_root_of_their_forces():
    displaced, forces = made_of(CRYSTALS['Cu'])
    factors = np.array([0.81, 1.0, 1.44])
    members = factors[:, None, None, None] * forces
    found = phonons('fcc', displaced, forces, members)
    moving = np.abs(found.reference) > 0.1
    ratios = found.members[:, moving] / found.reference[moving]
    np.testing.assert_allclose(ratios, np.sqrt(factors)[:, None] * np.ones(moving.sum()), rtol=1e-9)
    assert found.spread[-1] == pytest.approx(np.sqrt(factors).std() * found.reference[-1])
    alone = phonons('fcc', displaced, None, members)
    assert alone.reference is None
    np.testing.assert_array_equal(alone.members, found.members)
    with pytest.raises(ValueError, match='there is no reference'):
        _ = alone.error


def test_displacements_that_lack_something_are_refused():
    displaced, forces = made_of(CRYSTALS['CuAu'])

    def first(n):
        return replace(displaced, positions=displaced.positions[:n]), forces[:n]

    with pytest.raises(ValueError, match='each displacement its opposite'):
        force_constants(*first(11))
    with pytest.raises(ValueError, match='must be displaced along three axes'):
        force_constants(*first(10))
    with pytest.raises(ValueError, match='displace all atoms of one primitive cell'):
        force_constants(*first(6))
