import io
from dataclasses import replace

import ase.io
import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk, molecule
from ase.calculators.lj import LennardJones
from ase.calculators.singlepoint import SinglePointCalculator

from aiida_enne.science.data.frames import from_atoms, result, to_atoms, to_extxyz
from aiida_enne.science.fields import NO_DOMAIN
from tests.extxyz import from_extxyz


@pytest.fixture
def frames(rng):
    """Labelled frames of 1, 8 and 3 atoms, cells skewed, absent and partly periodic."""
    found = []
    sources = [bulk('Cu'), bulk('Si', cubic=True), molecule('H2O')]
    sources[1].pbc = [True, False, True]
    for index, atoms in enumerate(sources):
        atoms.positions += rng.normal(size=atoms.positions.shape) / 3
        results = {'energy': rng.normal() * 1e3, 'forces': rng.normal(size=(len(atoms), 3)) / 3}
        if index < 2:
            stress = rng.normal(size=(3, 3)) / 7
            results['stress'] = stress + stress.T
        atoms.calc = SinglePointCalculator(atoms, **results)
        atoms.info = {'domain': f'phase {index}', 'block': 7 * index, 'temperature': 100.1 / 3}
        found.append(atoms)
    return found


def assert_same(first, second):
    one, two = first.as_arrays(), second.as_arrays()
    assert one.keys() == two.keys()
    for name, array in one.items():
        np.testing.assert_array_equal(array, two[name], err_msg=name)


def test_frames_survive_the_round_trip(frames):
    gathered = from_atoms(frames, info=['temperature'])
    assert_same(from_atoms(to_atoms(gathered), info=['temperature']), gathered)
    for atoms, again in zip(frames, to_atoms(gathered), strict=True):
        assert again == atoms
        for name in ('energy', 'forces', 'stress'):
            np.testing.assert_array_equal(result(again, name), result(atoms, name))


def test_text_keeps_every_digit(frames):
    gathered = from_atoms(frames, info=['temperature'])
    assert_same(from_extxyz(to_extxyz(gathered), info=['temperature']), gathered)
    bare = gathered.unlabelled()
    assert_same(from_extxyz(to_extxyz(bare), info=['temperature']), bare)


@pytest.mark.parametrize('label', ['β-Sn', 'a = b', "fcc's", 'two words', '2000 K, 1 g/cm3', '1e5'])
def test_text_keeps_labels(frames, label):
    gathered = from_atoms(frames, domains=[label] * 3)
    assert from_extxyz(to_extxyz(gathered)).domains.tolist() == [label] * 3


def test_missing_labels_have_defaults():
    gathered = from_atoms([bulk('Cu'), bulk('Cu')])
    assert gathered.domains.tolist() == [NO_DOMAIN] * 2
    assert gathered.blocks.tolist() == [0, 1]
    assert not gathered.is_labelled
    assert gathered.stresses is None


def test_arguments_go_before_info(frames):
    gathered = from_atoms(frames, domains=['x', 'y', 'z'], blocks=[3, 3, 4], info=['temperature'])
    assert gathered.domains.tolist() == ['x', 'y', 'z']
    assert gathered.blocks.tolist() == [3, 3, 4]
    assert gathered.info['temperature'] == pytest.approx(100.1 / 3)


def test_half_labelled_frames_are_refused(frames):
    frames[1].calc = None
    with pytest.raises(ValueError, match='frame 1 carries no energy or no forces'):
        from_atoms(frames)
    with pytest.raises(ValueError, match='no configurations'):
        from_atoms([])


def test_nothing_is_calculated():
    atoms = Atoms('Ar2', positions=[[0, 0, 0], [0, 0, 3.8]])
    atoms.calc = LennardJones()
    assert result(atoms, 'energy') is None
    assert not from_atoms([atoms]).is_labelled
    energy = atoms.get_potential_energy()
    assert result(atoms, 'energy') == energy


def test_stale_results_are_no_labels(frames):
    frames[0].positions += 1
    with pytest.raises(ValueError, match='frame 0 carries no energy'):
        from_atoms(frames)


def test_hidden_forces_survive_a_round_trip_and_are_declared(frames):
    gathered = from_atoms(frames)
    forces = np.array(gathered.forces)
    forces[0], forces[-1, 1] = np.nan, np.nan
    some = replace(gathered, forces=forces)
    text = to_extxyz(some)
    assert_same(from_extxyz(text), some)
    (fixed,) = ase.io.read(io.StringIO(text), format='extxyz', index=0).constraints
    assert fixed.index.tolist() == [0]
    assert fixed.mask.tolist() == [True] * 3
    assert 'move_mask' not in to_extxyz(gathered)
