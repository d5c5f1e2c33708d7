"""Tests for phonons from forces on displaced atoms."""

import numpy as np
import pytest
from ase.build import bulk
from ase.calculators.emt import EMT

from aiida_enne.science.properties.phonons import force_constants, frequencies, phonons
from aiida_enne.science.structures.deformations import displace_atoms


def forces_of(frames):
    found = []
    for atoms in frames:
        atoms.calc = EMT()
        found.append(atoms.get_forces())
    return np.array(found)


def arrays_of(atoms, repeats=2):
    """Return cell, positions, numbers and forces of displaced supercells."""
    frames = displace_atoms(atoms, 0.02, repeats)
    positions = np.array([frame.positions for frame in frames])
    return frames[0].cell.array, positions, frames[0].numbers, forces_of(frames)


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


@pytest.mark.parametrize(
    'atoms', [bulk('Cu', a=3.59), bulk('CuAu', 'cesiumchloride', a=3.1)], ids=['Cu', 'CuAu']
)
def test_one_cell_displaced_gives_what_all_atoms_give(atoms):
    cell, positions, numbers, forces = arrays_of(atoms)
    found = frequencies(force_constants(cell, positions, numbers, forces), numbers)
    # the sum of forces is made zero in one and not in the other
    np.testing.assert_allclose(found, brute_force(atoms), atol=5e-4)
    assert np.abs(found[np.argsort(np.abs(found))[:3]]).max() < 1e-4  # a shift of all costs nothing


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
    cell, positions, numbers, forces = arrays_of(bulk('Cu', a=3.59))
    factors = np.array([0.81, 1.0, 1.44])
    members = factors[:, None, None, None] * forces
    found = phonons('fcc', cell, positions, numbers, (forces, members))
    moving = np.abs(found.reference) > 0.1
    ratios = found.members[:, moving] / found.reference[moving]
    np.testing.assert_allclose(ratios, np.sqrt(factors)[:, None] * np.ones(moving.sum()), rtol=1e-9)
    assert found.spread[-1] == pytest.approx(np.sqrt(factors).std() * found.reference[-1])


def test_displacements_that_lack_something_are_refused():
    cell, positions, numbers, forces = arrays_of(bulk('CuAu', 'cesiumchloride', a=3.1))
    with pytest.raises(ValueError, match='each displacement its opposite'):
        force_constants(cell, positions[:-1], numbers, forces[:-1])
    with pytest.raises(ValueError, match='must be displaced along three axes'):
        force_constants(cell, positions[:-2], numbers, forces[:-2])
    with pytest.raises(ValueError, match='displace all atoms of one primitive cell'):
        force_constants(cell, positions[:6], numbers, forces[:6])
