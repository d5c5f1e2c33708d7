"""Tests for energies of elements: what a model of a compound starts from."""

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from ase.calculators.singlepoint import SinglePointCalculator

from aiida_enne.science.data.atomic_energies import atomic_energies
from aiida_enne.science.data.frames import from_atoms
from tests.members import alloys

#: Energies of atoms as an all-electron code has them, eV.
ATOMS = {'Al': -6600.0, 'Cu': -45100.0}


def labelled(frames):
    """Return frames with the energies of their atoms added."""
    for atoms in frames:
        atoms.calc.results['energy'] += sum(ATOMS[s] for s in atoms.get_chemical_symbols())
    return from_atoms(frames)


@pytest.fixture
def compounds():
    return labelled(alloys(8))


def test_least_squares_take_the_atoms_out_of_two_elements(compounds):
    """What is left is the binding; one mean for all leaves thousands of eV."""
    found = atomic_energies('least_squares', compounds, np.arange(8))
    assert list(found) == ['Al', 'Cu']
    assert found == pytest.approx(ATOMS, abs=2.0)
    counts = np.array(
        [[(compounds.numbers.reshape(8, 4)[i] == z).sum() for z in (13, 29)] for i in range(8)]
    )
    left = (compounds.energies - counts @ list(found.values())) / 4
    mean = (compounds.energies / 4).mean()
    assert np.abs(left).max() < 0.5
    assert np.abs(compounds.energies / 4 - mean).max() > 5000


def test_only_what_is_trained_on_is_looked_at(compounds):
    other = labelled(alloys(8))
    other.energies[6:] += 1000.0
    train = np.arange(6)
    assert atomic_energies('least_squares', other, train) == atomic_energies(
        'least_squares', compounds, train
    )


def test_energies_of_one_stoichiometry_are_right_in_sum():
    frames = [atoms for atoms in alloys(8) if atoms.get_chemical_symbols().count('Al') == 2]
    found = atomic_energies('least_squares', from_atoms(frames), np.arange(len(frames)))
    energies = [atoms.get_potential_energy() for atoms in frames]
    assert 2 * sum(found.values()) == pytest.approx(np.mean(energies))


def test_isolated_atoms_are_those_above_bound_ones(compounds):
    single = []
    for symbol, energy in (('Al', 0.3), ('Cu', 0.1), ('Cu', -3.5)):
        atoms = Atoms(symbol, cell=[9.0] * 3, pbc=True)
        atoms.calc = SinglePointCalculator(atoms, energy=energy, forces=np.zeros((1, 3)))
        single.append(atoms)
    fcc = bulk('Al')  # bound, and above the isolated atom all the same
    fcc.calc = SinglePointCalculator(fcc, energy=7.0, forces=np.zeros((1, 3)))
    frames = from_atoms([*alloys(2), *single, fcc])
    assert atomic_energies('isolated', frames, np.arange(6)) == {'Al': 0.3, 'Cu': 0.1}
    with pytest.raises(ValueError, match=r"single atom of \['Al'\] .*: label isolated atoms"):
        atomic_energies('isolated', frames, np.array([0, 1, 3]))
    with pytest.raises(ValueError, match=r"\['Al'\] without a neighbour or image within 5 Å"):
        atomic_energies('isolated', frames, np.array([0, 1, 3, 5]))


@pytest.mark.parametrize(
    ('how', 'message'),
    [
        ('mean', '`atomic_energies` must be one of least_squares, isolated'),
        ({'Al': -3.0}, r"of \['Al'\]; the dataset holds .* give \['Cu'\], too"),
        ({'Xx': -3.0}, r"name \['Xx'\], no chemical elements"),
        ({'Al': -3.0, 'Cu': float('nan')}, 'atomic_energies of Cu'),
        ({'Al': -3.0, 'Cu': -3.0, 'Xx': 0.0}, r"\['Xx'\], no chemical elements"),
    ],
)
def test_what_cannot_be_used_is_refused(compounds, how, message):
    with pytest.raises(ValueError, match=message):
        atomic_energies(how, compounds, np.arange(8))


def test_numbers_are_taken_as_they_are(compounds):
    assert atomic_energies(ATOMS | {'Si': -7.0}, compounds, np.arange(8)) == ATOMS
    copper = np.arange(0, 8, 4)  # every fourth holds no aluminium
    with pytest.raises(ValueError, match=r"no training configuration holds \['Al'\]"):
        atomic_energies('least_squares', compounds, copper)
