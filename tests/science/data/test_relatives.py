"""Copies of one structure are found in any order; no other structure is taken for one."""

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk, molecule

from aiida_enne.science.data.frames import from_atoms
from aiida_enne.science.data.relatives import are_in_order, relatives

SILICON = bulk('Si', 'diamond', a=5.43, cubic=True)


def make(frames):
    return from_atoms(frames, domains=len(frames) * ['x'], blocks=range(len(frames)))


def find(frames):
    return relatives(make(frames), np.arange(len(frames)))


def displace(rng, atoms, stdev):
    moved = atoms.copy()
    moved.positions += stdev * rng.normal(size=moved.positions.shape)
    return moved


def strain(atoms, matrix):
    moved = atoms.copy()
    moved.set_cell(atoms.cell @ (np.eye(3) + matrix), scale_atoms=True)
    return moved


def as_sets(group):
    return {frozenset(np.flatnonzero(group == one).tolist()) for one in np.unique(group)}


@pytest.fixture
def parents(rng):
    """Five structures of the same elements, of which only copies are alike."""
    cell = SILICON.cell
    random = [
        Atoms('Si8', scaled_positions=rng.random((8, 3)), cell=cell, pbc=True) for _ in '1234'
    ]
    return [SILICON, *random]


def test_copies_are_grouped_by_their_parent_whatever_their_order(rng, parents):
    frames = [displace(rng, parents[i % 5], 0.1) for i in range(40)]
    group = find(frames)
    assert as_sets(group) == {frozenset(range(i, 40, 5)) for i in range(5)}
    order = rng.permutation(40)
    moved = find([frames[i] for i in order])
    assert as_sets(group[order]) == as_sets(moved)


def test_copies_of_copies_are_one_group_whatever_their_order(rng):
    frames = []
    for step in range(12):
        atoms = SILICON.copy()
        atoms.positions[0, 0] += 0.3 * step
        frames.append(atoms)
    assert len(set(find(frames))) == 1
    assert len(set(find([frames[i] for i in rng.permutation(12)]))) == 1
    assert len(set(find([frames[0], frames[11]]))) == 2


def test_images_a_common_shift_a_rotation_and_a_strain_make_no_other_structure(rng):
    frames = [displace(rng, SILICON, 0.05) for _ in range(6)]
    frames[1].wrap()
    frames[2].positions += rng.normal(size=3) * 10
    frames[3].positions += rng.integers(-2, 3, size=(8, 3)) @ np.asarray(SILICON.cell)
    frames[4].rotate(40, (1, 2, 3), rotate_cell=True)
    frames += [strain(SILICON, size * np.eye(3)) for size in (-0.1, 0.2)]
    frames.append(strain(SILICON, 0.04 * rng.uniform(-1, 1, size=(3, 3))))
    assert set(find(frames)) == {0}


def test_other_structures_are_other_groups(rng):
    left = SILICON.copy()
    left.positions[3] += 1.2
    swapped = Atoms('GeSi7', positions=SILICON.positions, cell=SILICON.cell, pbc=True)
    moved = Atoms('SiGeSi6', positions=SILICON.positions, cell=SILICON.cell, pbc=True)
    crystals = [bulk('Si', name, a=a) for name, a in (('sc', 2.5), ('bcc', 3.1), ('fcc', 3.9))]
    frames = [SILICON, displace(rng, SILICON, 1.0), left, swapped, moved, SILICON * (2, 1, 1)]
    assert len(set(find(frames + crystals))) == 9


def test_frames_of_a_liquid_are_each_their_own():
    rng = np.random.default_rng(1)
    cell = 11.0 * np.eye(3)
    frames = [Atoms('Si64', scaled_positions=rng.random((64, 3)), cell=cell, pbc=True)] * 2
    frames = [displace(rng, atoms, 1.0) for atoms in frames for _ in range(10)]
    assert len(set(find(frames))) == 20


def test_without_a_cell_bonds_say_what_is_near(rng):
    methanol, ether = molecule('CH3CH2OH'), molecule('CH3OCH3')
    frames = [displace(rng, methanol, 0.03) for _ in range(4)]
    frames[2].set_cell(30 * np.eye(3))
    order = np.argsort(ether.numbers, kind='stable')[
        np.argsort(np.argsort(methanol.numbers, kind='stable'))
    ]
    frames.append(ether[order])
    assert find(frames).tolist() == [0, 0, 0, 0, 1]


def test_where_nobody_gave_places_nothing_is_a_copy():
    assert find([Atoms('H2', positions=np.zeros((2, 3)))] * 3).tolist() == [0, 1, 2]
    assert find([Atoms('H')] * 3).tolist() == [0, 1, 2]
    flat = Atoms('Si', cell=[[1, 0, 0], [2, 0, 0], [0, 0, 1]], pbc=True)
    assert find([flat, flat]).tolist() == [0, 1]


def test_only_a_trajectory_is_in_order(rng):
    def ordered(frames):
        configurations, every = make(frames), np.arange(len(frames))
        return are_in_order(configurations, every, relatives(configurations, every))

    copies = [displace(rng, SILICON, 0.1) for _ in range(30)]
    assert not ordered(copies)
    assert not ordered([strain(SILICON, size * np.eye(3)) for size in np.linspace(-0.1, 0.1, 9)])
    walk, frames = np.zeros((8, 3)), []
    for _ in range(30):
        walk = 0.9 * walk + 0.04 * rng.normal(size=walk.shape)
        frames.append(SILICON.copy())
        frames[-1].positions += walk
    assert ordered(frames)
    assert not ordered([frames[i] for i in rng.permutation(30)])
