import numpy as np
import pytest

from aiida_enne.science.structures.defects import DEFECTS, EXTRA_ATOMS, point_defect
from aiida_enne.science.structures.lattice import diamond_supercell

LATTICE = 5.431
BOND = np.sqrt(3) / 4 * LATTICE


@pytest.mark.parametrize('repeats', [2, 3, 4, 5])
@pytest.mark.parametrize('name', DEFECTS)
def test_number_of_atoms(name, repeats):
    atoms = point_defect(name, LATTICE, repeats)
    assert len(atoms) == 8 * repeats**3 + EXTRA_ATOMS[name]
    assert atoms.cell.lengths() == pytest.approx([repeats * LATTICE] * 3)


@pytest.mark.parametrize('repeats', [2, 3])
@pytest.mark.parametrize(
    ('name', 'point_group'),
    [('vacancy', '-43m'), ('tetrahedral', '-43m'), ('hexagonal', '-3m'), ('dumbbell', 'mm2')],
)
def test_point_group_of_the_defect(name, point_group, repeats, symmetry):
    assert symmetry(point_defect(name, LATTICE, repeats)).pointgroup == point_group


@pytest.mark.parametrize(
    ('name', 'shells'),
    [
        ('tetrahedral', {np.sqrt(3) / 4: 4, 0.5: 6}),
        ('hexagonal', {np.sqrt(11) / 8: 6, np.sqrt(27) / 8: 8}),
        ('dumbbell', {0.3 * np.sqrt(2): 4}),
    ],
)
def test_neighbours_of_the_added_atom(name, shells):
    atoms = point_defect(name, LATTICE, 3)
    distances = np.sort(atoms.get_distances(-1, range(len(atoms) - 1), mic=True)) / LATTICE
    expected = [radius for radius, count in shells.items() for _ in range(count)]
    assert distances[: len(expected)] == pytest.approx(expected)
    assert distances[len(expected)] > 1.05 * expected[-1]


def test_vacancy_leaves_four_atoms_with_three_bonds(neighbours):
    bonds = neighbours(point_defect('vacancy', LATTICE, 2), 1.1 * BOND)
    assert sorted(bonds) == [3] * 4 + [4] * 59


def test_dumbbell_shares_one_site_along_110():
    atoms = point_defect('dumbbell', LATTICE, 3)
    axis = atoms.positions[-2] - atoms.positions[-1]
    assert axis / np.linalg.norm(axis) == pytest.approx(np.array([1, 1, 0]) / np.sqrt(2))
    bulk = diamond_supercell(LATTICE, 3)
    kept = {tuple(row) for row in atoms.positions[:-2].round(6).tolist()}
    missing = [row for row in bulk.positions.round(6).tolist() if tuple(row) not in kept]
    assert len(missing) == 1
    assert atoms.positions[-2:].mean(axis=0)[:2] == pytest.approx(missing[0][:2], abs=1e-5)


@pytest.mark.parametrize('name', DEFECTS)
def test_the_rest_is_the_perfect_crystal(name):
    atoms, bulk = point_defect(name, LATTICE, 3), diamond_supercell(LATTICE, 3)
    left = len(atoms) - {'dumbbell': 2, 'vacancy': 0}.get(name, 1)
    sites = {tuple(row) for row in bulk.positions.round(6).tolist()}
    assert {tuple(row) for row in atoms.positions[:left].round(6).tolist()} <= sites


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        (('antisite', LATTICE), "unknown defect 'antisite'; known are vacancy"),
        (('vacancy', 0.0), 'lattice constant must be a positive number of Å, got 0.0'),
        (('vacancy', LATTICE, 1), 'repeats must be an integer of at least 2, got 1'),
        (('vacancy', LATTICE, 2, 'Sj'), "'Sj' is not the symbol"),
    ],
)
def test_bad_input_is_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        point_defect(*arguments)
