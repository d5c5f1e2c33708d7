"""Energies against the work of the forces: right labels pass, whatever is wrong with others."""

import ase.io
import numpy as np
import pytest
from ase import units
from ase.build import bulk
from ase.calculators.lj import LennardJones
from ase.calculators.singlepoint import SinglePointCalculator
from ase.md.velocitydistribution import MaxwellBoltzmannDistribution
from ase.md.verlet import VelocityVerlet

from aiida_enne.science.importing.problems import ImportRefusedError
from aiida_enne.science.importing.work import judge


def labelled(atoms, **more):
    results = {
        'energy': atoms.get_potential_energy(),
        'forces': atoms.get_forces(),
        'stress': atoms.get_stress(),
    }
    copy = atoms.copy()
    copy.calc = SinglePointCalculator(copy, **results | more)
    return copy


@pytest.fixture(scope='module')
def trajectory():
    """Twelve frames of molecular dynamics, 4 fs apart."""
    atoms = bulk('Cu', cubic=True).repeat((2, 2, 1))
    atoms.calc = LennardJones(sigma=2.3, epsilon=0.4, rc=5.5, smooth=True)
    MaxwellBoltzmannDistribution(atoms, temperature_K=900, rng=np.random.default_rng(1))
    dynamics, frames = VelocityVerlet(atoms, 2 * units.fs), []
    for _ in range(12):
        dynamics.run(2)
        frames.append(labelled(atoms))
    return frames


@pytest.fixture(scope='module')
def straining():
    """Eight frames of a cell that is stretched and sheared step by step."""
    frames = []
    for number in range(8):
        atoms = bulk('Cu', cubic=True)
        atoms.rattle(0.02, seed=3)
        strain = 0.01 * number * np.array([[1, 0.4, 0], [0.4, -0.3, 0.2], [0, 0.2, 0.5]])
        atoms.set_cell(atoms.cell @ (np.eye(3) + strain), scale_atoms=True)
        atoms.calc = LennardJones(sigma=2.3, epsilon=0.4, rc=5.5, smooth=True)
        frames.append(labelled(atoms))
    return frames


def changed(frames, change):
    """Return the frames with their results changed: `change(index, results)`."""
    copies = []
    for index, atoms in enumerate(frames):
        copy = atoms.copy()
        results = dict(atoms.calc.results)
        copy.calc = SinglePointCalculator(copy, **results | change(index, results))
        copies.append(copy)
    return copies


def outcome(read, tmp_path, frames, **choices):
    ase.io.write(tmp_path / 'a.traj', frames)
    try:
        return len(read(tmp_path / 'a.traj', **choices))
    except ImportRefusedError as refusal:
        return str(refusal)


def test_right_labels_pass(trajectory, straining, read, tmp_path):
    assert outcome(read, tmp_path, trajectory) == 12
    assert outcome(read, tmp_path, straining) == 8


WRONG = {
    'sign': (lambda i, r: {'forces': -r['forces']}, ('changes by -', '`gradient_key`')),
    'eV/bohr': (lambda i, r: {'forces': r['forces'] * 0.529177}, ('changes by 1.8', '_unit`')),
    'Ha and eV/Å': (lambda i, r: {'energy': r['energy'] / 27.2}, ('0.03', '`energy_unit`')),
    'a total energy that is conserved': (
        lambda i, r: {'energy': -90.0 + 1e-3 * (i % 2)},
        ('explains', 'not the potential energy'),
    ),
}


@pytest.mark.parametrize('how', WRONG)
def test_wrong_labels_are_named_with_the_number(trajectory, read, tmp_path, how):
    change, words = WRONG[how]
    text = outcome(read, tmp_path, changed(trajectory, change))
    assert 'implausible: along the trajectory from here, 11 steps' in text
    assert all(word in text for word in words), text
    assert outcome(read, tmp_path, changed(trajectory, change), allow_implausible=True) == 12


def test_labels_of_other_frames_are_noticed(trajectory, read, tmp_path):
    order = np.random.default_rng(0).permutation(12)
    energies = [trajectory[i].calc.results['energy'] for i in order]
    shuffled = changed(trajectory, lambda i, r: {'energy': energies[i]})
    assert 'the labels may be those of other frames' in outcome(read, tmp_path, shuffled)


def test_the_stress_works_too(straining, read, tmp_path):
    for factor in (-1, 1 / 160.2):
        wrong = changed(straining, lambda i, r, f=factor: {'stress': f * r['stress']})
        assert 'along the trajectory' in outcome(read, tmp_path, wrong)


def test_frames_that_are_far_apart_say_nothing(make_frames, read, tmp_path):
    """Labels at random, but no step along which the force is known."""
    assert outcome(read, tmp_path, make_frames(12)) == 12


def test_steps_cross_the_faces_of_the_cell(trajectory, read, tmp_path):
    wrapped = []
    for atoms in trajectory:
        copy = atoms.copy()
        copy.wrap()
        copy.calc = SinglePointCalculator(copy, **atoms.calc.results)
        wrapped.append(copy)
    assert outcome(read, tmp_path, wrapped) == 12
    assert 'changes by -' in outcome(read, tmp_path, changed(wrapped, WRONG['sign'][0]))


def test_the_verdict_is_that_of_the_regression():
    rng = np.random.default_rng(3)
    work = rng.normal(size=20)
    assert judge(work, work) is None
    assert judge(1.3 * work, work) is None
    assert 'by 1.5 times' in judge(1.5 * work, work)
    assert 'by -1 times' in judge(-work, work)
    assert judge(work[:2], -work[:2]) is None, 'two steps are no statement'
    assert judge(1e-6 * work, -1e-6 * work) is None, 'nothing has changed'
    assert 'explains' in judge(rng.permutation(work), work)
