"""Tests for elastic constants from stresses."""

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from ase.calculators.emt import EMT

from aiida_enne.science.fields import GPA_PER_EV_PER_CUBIC_ANGSTROM as GPA
from aiida_enne.science.properties.elastic import elastic, stiffness
from aiida_enne.science.structures.deformations import strain_cells


@pytest.fixture(scope='module')
def strained():
    """Return strained cells of EMT copper, and their stresses."""
    frames = strain_cells(bulk('Cu', a=3.59), 0.004)
    for atoms in frames:
        atoms.calc = EMT()
    stresses = np.array([atoms.get_stress(voigt=False) for atoms in frames])
    return np.array([atoms.cell.array for atoms in frames]), stresses


def curvature(i, j, step=1e-3):
    """Return the second derivative of the energy density by a strain, GPa."""
    energies = []
    for sign in (1, 0, -1):
        deformation = np.eye(3)
        deformation[i, j] += sign * step / (1 if i == j else 2)
        deformation[j, i] = deformation[i, j]
        atoms = bulk('Cu', a=3.59)
        volume = atoms.get_volume()
        atoms.set_cell(atoms.cell.array @ deformation, scale_atoms=True)
        atoms.calc = EMT()
        energies.append(atoms.get_potential_energy())
    return (energies[0] - 2 * energies[1] + energies[2]) / step**2 / volume * GPA


def test_they_are_second_derivatives_of_the_energy(strained):
    constants = stiffness(*strained)
    assert constants[0, 0] == pytest.approx(curvature(0, 0), rel=2e-3)
    assert constants[3, 3] == pytest.approx(curvature(1, 2), rel=2e-3)
    np.testing.assert_allclose(constants, constants.T)


def test_a_cubic_crystal_has_three_of_them(strained):
    cells, stresses = strained
    found = elastic('fcc', cells, stresses, np.stack([stresses, stresses]))
    assert found.shown == [(0, 0), (0, 1), (0, 2), (1, 1), (1, 2), (2, 2), (3, 3), (4, 4), (5, 5)]
    for group in ([(0, 0), (1, 1), (2, 2)], [(0, 1), (0, 2), (1, 2)], [(3, 3), (4, 4), (5, 5)]):
        values = [found.reference[pair] for pair in group]
        np.testing.assert_allclose(values, values[0], rtol=1e-6)


def test_any_stiffness_is_found_again_whatever_the_cell(rng):
    """Stresses made of a stiffness without symmetry, in a triclinic cell that has a stress."""
    expected = rng.normal(size=(6, 6))
    expected = expected + expected.T
    atoms = bulk('Cu', a=3.6)
    atoms.set_cell(atoms.cell.array + rng.normal(scale=0.2, size=(3, 3)), scale_atoms=True)
    frames = strain_cells(atoms, 1e-3)
    pairs = ((0, 0), (1, 1), (2, 2), (1, 2), (0, 2), (0, 1))
    stresses = np.empty((len(frames), 3, 3))
    for frame, stress in zip(frames, stresses, strict=True):
        deformation = np.linalg.solve(atoms.cell.array, frame.cell.array)
        strain = [deformation[i, j] - (i == j) + (i != j) * deformation[j, i] for i, j in pairs]
        for (i, j), value in zip(pairs, 0.1 + expected @ strain / GPA, strict=True):
            stress[i, j] = stress[j, i] = value
    cells = np.array([frame.cell.array for frame in frames])
    np.testing.assert_allclose(stiffness(cells, stresses), expected, atol=1e-6)


def test_members_are_fitted_each_alone(strained):
    cells, stresses = strained
    factors = np.array([0.9, 1.0, 1.2])
    found = elastic('fcc', cells, stresses, factors[:, None, None, None] * stresses)
    np.testing.assert_allclose(found.mean, factors.mean() * found.reference, atol=1e-9)
    np.testing.assert_allclose(found.spread, factors.std() * np.abs(found.reference), atol=1e-9)
    np.testing.assert_allclose(found.error, (factors.mean() - 1) * found.reference, atol=1e-9)


def test_too_few_strains_and_missing_stresses_are_refused(strained):
    cells, stresses = strained
    with pytest.raises(ValueError, match='not strained in six independent ways'):
        stiffness(cells[:8], stresses[:8])
    gaps = stresses.copy()
    gaps[3] = np.nan
    with pytest.raises(ValueError, match='have no stress'):
        stiffness(cells, gaps)
    with pytest.raises(ValueError, match='`strain` must be above zero'):
        strain_cells(bulk('Cu'), 0.0)
    with pytest.raises(ValueError, match='a crystal that repeats'):
        strain_cells(Atoms('Cu', cell=[3.0, 3.0, 3.0]))
