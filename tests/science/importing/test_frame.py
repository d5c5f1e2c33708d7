"""What is taken from a frame, in which units, and why a frame is refused."""

import numpy as np
import pytest
from ase import Atoms
from ase.calculators.singlepoint import SinglePointCalculator
from ase.constraints import FixAtoms, FixCartesian

from aiida_enne.science.fields import ENERGY_UNITS, LENGTH_UNITS
from aiida_enne.science.importing.choices import FORCE_UNITS, STRESS_UNITS, ImportChoices
from aiida_enne.science.importing.frame import READERS, BadFrameError, check_frame

STRESS = np.array([1.0, 2.0, 3.0, 0.4, 0.5, 0.6])


@pytest.fixture
def atoms():
    atoms = Atoms('Si2', positions=[[0, 0, 0], [1, 2, 3]], cell=[4, 5, 6], pbc=True)
    forces = np.array([[0.1, 0.2, 0.3], [-0.1, -0.2, -0.3]])
    atoms.calc = SinglePointCalculator(atoms, energy=-3.0, forces=forces, stress=STRESS)
    return atoms


def check(atoms, **choices):
    return check_frame(atoms, ImportChoices(**choices))


def reasons(atoms, **choices):
    with pytest.raises(BadFrameError) as caught:
        check(atoms, **choices)
    return caught.value.reasons


def test_numbers_in_our_units_are_taken_bit_for_bit(atoms):
    frame = check(atoms)
    assert frame.energy == -3.0
    assert np.array_equal(frame.forces, atoms.calc.results['forces'])
    assert np.array_equal(frame.positions, atoms.positions)
    assert np.array_equal(frame.stress, [[1, 0.6, 0.5], [0.6, 2, 0.4], [0.5, 0.4, 3]])


@pytest.mark.parametrize('energy_unit', ENERGY_UNITS)
@pytest.mark.parametrize('length_unit', LENGTH_UNITS)
def test_units_scale_everything_that_has_them(atoms, energy_unit, length_unit):
    energy, length = ENERGY_UNITS[energy_unit], LENGTH_UNITS[length_unit]
    frame = check(atoms, energy_unit=energy_unit, length_unit=length_unit)
    plain = check(atoms)
    assert frame.energy == pytest.approx(plain.energy * energy, rel=1e-14)
    assert np.allclose(frame.positions, plain.positions * length, rtol=1e-14)
    assert np.allclose(frame.cell, plain.cell * length, rtol=1e-14)
    assert np.allclose(frame.forces, plain.forces * energy / length, rtol=1e-14)
    assert np.allclose(frame.stress, plain.stress * energy / length**3, rtol=1e-14)


def test_energy_is_the_work_of_the_forces_in_every_unit(atoms):
    """A displacement times a force is an energy, whatever the units of the file were."""
    for energy_unit in ENERGY_UNITS:
        for length_unit in LENGTH_UNITS:
            frame = check(atoms, energy_unit=energy_unit, length_unit=length_unit)
            work = (frame.positions * frame.forces).sum() / frame.energy
            assert work == pytest.approx(-1.4 / -3.0, rel=1e-13)


def test_stress_has_its_own_unit_where_named(atoms):
    gpa = check(atoms, stress_unit='GPa').stress
    assert gpa[0, 0] == pytest.approx(1 / 160.21766208, rel=1e-12)
    assert np.allclose(check(atoms, stress_unit='kbar').stress, gpa / 10, rtol=1e-14)
    assert np.array_equal(check(atoms, stress_unit='eV/Å³').stress, check(atoms).stress)
    assert np.allclose(check(atoms, stress_unit='bar').stress, gpa / 1e4, rtol=1e-14)
    for unit, factor in STRESS_UNITS.items():
        assert check(atoms, stress_unit=unit).stress[0, 0] == pytest.approx(factor, rel=1e-14)
    atomic = {'energy_unit': 'Ha', 'length_unit': 'bohr'}
    same = check(atoms, **atomic, stress_unit='Ha/bohr³').stress
    assert np.allclose(same, check(atoms, **atomic).stress, rtol=1e-14)


@pytest.mark.parametrize('unit', FORCE_UNITS)
def test_forces_have_their_own_unit_where_named(atoms, unit):
    """Positions in Å and forces in Ha/bohr, as programs of chemistry print them."""
    frame = check(atoms, force_unit=unit, energy_unit='Ha')
    assert np.allclose(frame.forces, atoms.calc.results['forces'] * FORCE_UNITS[unit], rtol=1e-14)
    assert np.array_equal(frame.positions, atoms.positions)
    energy, _, length = unit.rpartition('/')
    assert FORCE_UNITS[unit] == ENERGY_UNITS[energy] / LENGTH_UNITS[length]


def test_a_gradient_is_minus_the_forces(atoms):
    atoms.arrays['gradient'] = -atoms.calc.results['forces']
    assert np.array_equal(check(atoms, gradient_key='gradient').forces, check(atoms).forces)
    with pytest.raises(ValueError, match='use `gradient_key`'):
        ImportChoices(forces_key='gradient')
    assert ImportChoices(forces_key='gradient', allow_implausible=True)


def test_a_virial_is_minus_the_stress_times_the_volume(atoms):
    """Whatever the units: of the virial it is that of the energy."""
    for energy_unit, scale in ENERGY_UNITS.items():
        for length_unit in LENGTH_UNITS:
            units = {'energy_unit': energy_unit, 'length_unit': length_unit}
            volume = abs(np.linalg.det(check(atoms, **units).cell))
            atoms.info['W'] = -STRESS / scale * volume
            stress = check(atoms, virial_key='W', **units).stress
            assert np.allclose(stress, check(atoms).stress, rtol=1e-13)
    with pytest.raises(ValueError, match='use `virial_key`'):
        ImportChoices(stress_key='virials')
    atoms.pbc = False
    assert 'no cell whose volume' in reasons(atoms, virial_key='W', allow_molecules=True)[0]


def test_the_energy_is_the_one_that_the_forces_derive_from(atoms):
    assert check(atoms).energy_of == 'only'
    atoms.calc.results['free_energy'] = -3.0
    assert check(atoms).energy_of == 'both'
    atoms.calc.results['free_energy'] = -3.2
    assert (check(atoms).energy, check(atoms).energy_of) == (-3.2, 'free')
    named = check(atoms, energy_key='energy')
    assert (named.energy, named.energy_of) == (-3.0, 'key')


def test_what_a_constraint_sets_to_zero_is_known(atoms):
    assert check(atoms).zeroed is None
    atoms.set_constraint([FixAtoms([0]), FixCartesian([1], [False, True, False])])
    assert check(atoms).zeroed.tolist() == [[True] * 3, [False, True, False]]


def test_keys_name_info_then_arrays_then_results(atoms):
    atoms.info['E'] = -7.0
    atoms.arrays['F'] = np.full((2, 3), 0.5)
    atoms.info['S'] = np.diag([1.0, 2.0, 3.0]).ravel()
    frame = check(atoms, energy_key='E', forces_key='F', stress_key='S')
    assert frame.energy == -7.0
    assert np.array_equal(frame.forces, atoms.arrays['F'])
    assert np.array_equal(frame.stress, np.diag([1.0, 2.0, 3.0]))
    assert check(atoms, energy_key='energy').energy == -3.0


def test_domain_is_a_label_or_keys_joined(atoms):
    assert check(atoms).domain == 'unlabelled'
    atoms.info |= {'domain': 'own', 'group': 'AIMD-NVT', 'temperature_K': 2530.0}
    assert check(atoms).domain == 'own'
    assert check(atoms, domain='liquid').domain == 'liquid'
    keys = ('group', 'temperature_K')
    assert check(atoms, domain_keys=keys).domain == 'AIMD-NVT 2530'
    del atoms.info['temperature_K']
    assert check(atoms, domain_keys=keys).domain == 'AIMD-NVT'
    del atoms.info['group']
    assert 'none of the keys' in reasons(atoms, domain_keys=keys)[0]
    atoms.info['group'] = np.arange(3)
    assert 'is an array and no label' in reasons(atoms, domain_keys=keys)[0]


def test_info_keeps_numbers_and_knows_what_is_unknown(atoms):
    atoms.info |= {'T': 300, 'name': 'x', 'flag': True, 'hot': np.inf}
    info = check(atoms, info=('T', 'P')).info
    assert info['T'] == 300.0
    assert np.isnan(info['P'])
    for key in ('name', 'flag'):
        assert f'`{key}` must be one number' in reasons(atoms, info=(key,))[0]
    assert '`hot` is not finite' in reasons(atoms, info=('hot',))[0]


@pytest.mark.parametrize('value', [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize('place', ['energy', 'forces', 'stress', 'positions', 'cell'])
def test_numbers_that_are_not_finite_are_refused(atoms, place, value):
    if place == 'energy':
        atoms.calc.results['energy'] = value
    elif place == 'cell':
        atoms.cell[1, 1] = value
    elif place == 'positions':
        atoms.positions[1, 2] = value
        atoms.calc.atoms = atoms.copy()
    else:
        atoms.calc.results[place].flat[4] = value
    assert any('finite' in reason for reason in reasons(atoms))


@pytest.mark.parametrize('value', [True, 'low', [1.0, 2.0], 1j])
def test_an_energy_is_one_number(atoms, value):
    atoms.info['E'] = value
    assert 'the energy must be one number' in reasons(atoms, energy_key='E')[0]


def test_missing_labels_name_what_there_is(atoms):
    atoms.calc = None
    atoms.info['REF_energy'] = -1.0
    atoms.arrays['REF_forces'] = np.zeros((2, 3))
    energy, forces = reasons(atoms)
    assert energy == "has no energy; its numbers are ['REF_energy']"
    assert forces == "has no forces; its arrays of this shape are ['REF_forces']"
    assert 'under the key `x`' in reasons(atoms, energy_key='x')[0]
    keys = {'energy_key': 'REF_energy', 'forces_key': 'REF_forces'}
    assert 'no stress under the key `s`' in reasons(atoms, stress_key='s', **keys)[0]


@pytest.mark.parametrize('shape', [(1, 3), (3, 3), (2, 2), (6,), ()])
def test_forces_of_the_wrong_shape_are_refused(atoms, shape):
    atoms.info['F'] = np.zeros(shape)
    (reason,) = reasons(atoms, forces_key='F')
    assert reason == f'has forces of the shape {shape}, expected (2, 3)'


def test_stress_must_be_symmetric_and_complete(atoms):
    atoms.info['S'] = np.arange(9.0)
    assert 'not symmetric' in reasons(atoms, stress_key='S')[0]
    atoms.info['S'] = np.arange(4.0)
    assert 'a stress of 4 numbers' in reasons(atoms, stress_key='S')[0]


def test_cells(atoms):
    atoms.pbc = False
    assert 'molecule' in reasons(atoms)[0]
    assert not check(atoms, allow_molecules=True).pbc.any()
    atoms.pbc = [True, True, False]
    assert check(atoms).pbc.tolist() == [True, True, False]
    atoms.cell = np.zeros((3, 3))
    for allowed in (False, True):
        assert 'cell is missing' in reasons(atoms, allow_molecules=allowed)[0]
    atoms.cell = [[1, 0, 0], [2, 0, 0], [0, 0, 1]]
    assert 'no volume' in reasons(atoms)[0]
    atoms.cell = [[3, 0, 0], [0, 3, 0], [0, 0, 0]]
    assert not check(atoms).cell[2].any(), 'a direction without periods needs no vector'
    atoms.pbc = [True, False, True]
    assert 'cell is missing' in reasons(atoms)[0]


def test_elements(atoms):
    assert check(atoms, elements=('Si', 'O')).numbers.tolist() == [14, 14]
    assert reasons(atoms, elements=('Ge',)) == ['holds Si, which `elements` does not declare']
    atoms.numbers[0] = 0
    assert 'no element (X)' in reasons(atoms)[0]
    assert reasons(Atoms(cell=[1, 1, 1], pbc=True))[0] == 'holds no atoms'


def test_all_that_is_wrong_is_said_at_once(atoms):
    atoms.calc.results |= {'energy': np.nan, 'forces': np.zeros((1, 3))}
    atoms.pbc = False
    assert len(reasons(atoms, domain_keys=('g',), elements=('C',))) == 5


def test_every_field_of_a_frame_has_a_reader(atoms):
    frame = check(atoms)
    assert set(READERS) == set(frame.__slots__)
