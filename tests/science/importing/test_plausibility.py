"""Bounds outside which a number is questioned: what is real passes, what is broken does not."""

import ase.io
import numpy as np
import pytest
from ase import Atoms
from ase.build import add_adsorbate, bulk, fcc111, molecule
from ase.calculators.singlepoint import SinglePointCalculator

from aiida_enne.science.importing.choices import ImportChoices
from aiida_enne.science.importing.frame import check_frame
from aiida_enne.science.importing.plausibility import energy_outliers, implausible
from aiida_enne.science.importing.problems import ImportRefusedError

ALLOWED = ImportChoices(allow_molecules=True)


def frame(atoms, energy=-1.0, **results):
    forces = np.random.default_rng(0).normal(size=(len(atoms), 3))
    atoms.calc = SinglePointCalculator(atoms, **{'energy': energy, 'forces': forces} | results)
    return check_frame(atoms, ALLOWED)


def slab():
    atoms = fcc111('Pt', (2, 2, 3), vacuum=8.0)
    add_adsorbate(atoms, 'H', 1.55, 'ontop')
    return atoms


def sheet():
    cell = [[2.13, 1.23, 0], [2.13, -1.23, 0], [0, 0, 0]]
    return Atoms('C2', [[0, 0, 0], [1.42, 0, 0]], cell=cell, pbc=[True, True, False])


REAL = [
    *(bulk(name) for name in ('C', 'Si', 'Al', 'Cu', 'W', 'Na', 'Cs', 'Pb', 'Be')),
    *(molecule(name) for name in ('H2', 'N2', 'F2', 'HCl', 'LiF', 'C6H6', 'Na2')),
    bulk('MgO', 'rocksalt', a=4.21),
    bulk('BN', 'zincblende', a=3.615),
    bulk('CsCl', 'cesiumchloride', a=4.12),
    bulk('Si', a=0.88 * 5.43),
    Atoms('Si', cell=[30] * 3, pbc=True),
    slab(),
    sheet(),
]


@pytest.mark.parametrize('atoms', REAL, ids=str)
def test_what_is_real_passes(atoms):
    assert implausible(frame(atoms.copy())) == []


@pytest.mark.parametrize(
    ('spoil', 'words'),
    [
        (lambda a: a.positions.__setitem__((3, 0), 1e30), 'a coordinate of 1e+30 Å'),
        (lambda a: a.positions.__setitem__(3, a.positions[4]), 'Si 3 and Si 4 are 0 Å apart'),
        (lambda a: a.positions.__setitem__(0, a.cell[0] + [0.5, 0, 0]), None),
        (lambda a: a.set_cell(0.5 * a.cell, scale_atoms=True), 'Å³/atom, not between 3.44'),
        (lambda a: a.set_cell(100 * a.cell, scale_atoms=True), 'is the unit another'),
        (lambda a: a.cell.__setitem__(2, [0, 0, 0.1]), 'a cell that is 0.1 Å high'),
    ],
)
def test_what_is_broken_is_named_with_its_number(spoil, words):
    atoms = bulk('Si', cubic=True)
    spoil(atoms)
    reasons = implausible(frame(atoms))
    assert reasons == [] if words is None else words in reasons[0]
    assert all(reason.startswith('implausible: ') for reason in reasons)


def test_huge_forces_and_stresses_ask_for_their_unit():
    atoms = bulk('Si', cubic=True)
    (reason,) = implausible(frame(atoms, forces=np.full((8, 3), 501.0)))
    assert 'a force of 501 eV/Å' in reason
    assert '`force_unit`' in reason
    stress = np.array([-251.0, -229, 55, 1, 2, 3])
    (reason,) = implausible(frame(atoms, stress=stress))
    assert 'a stress of 251 eV/Å³ (4.021e+04 GPa)' in reason
    assert '`stress_unit`' in reason
    assert '`virial_key`' in reason
    scale = ImportChoices(stress_unit='kbar').stress_scale
    assert implausible(frame(atoms, stress=stress * scale)) == []


def test_an_energy_far_outside_its_composition_is_an_outlier():
    energies = [-40.0, -40.5, -41.0, -39.0, -440.0]
    frames = [frame(bulk('Si', cubic=True), energy) for energy in energies]
    ((index, text),) = energy_outliers(frames).items()
    assert index == 4
    assert '-55 eV/atom, where the median of its composition is -5' in text
    alone = [frame(bulk('Ge', cubic=True), -9e5)]
    assert list(energy_outliers(frames + alone)) == [4], 'another composition has its own energies'
    assert energy_outliers(frames[2:]) == {}, 'three frames have no median to speak of'


def test_it_is_refused_unless_it_is_meant(make_frames, read, tmp_path):
    frames = make_frames()
    frames[1].positions[3] = frames[1].positions[4]
    frames[1].calc.atoms = frames[1].copy()
    ase.io.write(tmp_path / 'a.traj', frames)
    with pytest.raises(ImportRefusedError, match='frame 1: implausible: atoms Si 3 and Si 4'):
        read(tmp_path / 'a.traj')
    assert len(read(tmp_path / 'a.traj', allow_implausible=True)) == 4
