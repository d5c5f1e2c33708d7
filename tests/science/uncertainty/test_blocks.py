"""What counts as independent: made-up trajectories, curves and copies of known memory."""

from dataclasses import replace

import numpy as np
import pytest
from ase.build import bulk

from aiida_enne.science.data.frames import from_atoms
from aiida_enne.science.uncertainty.blocks import find_blocks, statistical_inefficiency


def make(frames, domain, blocks=None):
    n = len(frames)
    return from_atoms(frames, domains=n * [domain], blocks=range(n) if blocks is None else blocks)


def copies(rng, n, stdev, scale=0.0):
    """Return a crystal n times, displaced and strained at random."""
    frames = []
    for _ in range(n):
        atoms = bulk('Si', 'diamond', a=5.43, cubic=True)
        atoms.set_cell(atoms.cell * (1 + scale * rng.uniform(-1, 1)), scale_atoms=True)
        atoms.positions += stdev * rng.normal(size=atoms.positions.shape)
        frames.append(atoms)
    return frames


def remember(rng, n, memory):
    """Return n values of an autoregressive process."""
    values = np.zeros(n)
    for i in range(1, n):
        values[i] = memory * values[i - 1] + rng.normal()
    return values


def count(configurations, errors):
    return len(np.unique(find_blocks(configurations, np.atleast_2d(errors)).number))


def test_the_inefficiency_is_that_of_the_process(rng):
    for memory in (0.0, 0.5, 0.8):
        values = remember(rng, 20_000, memory)
        expected = (1 + memory) / (1 - memory)
        assert statistical_inefficiency(values, np.array([20_000])) == pytest.approx(
            expected, rel=0.15
        )


def test_a_trajectory_is_cut_by_its_memory(rng):
    frames = copies(rng, 400, 1.0)
    trajectory = make(frames, 'glass', np.zeros(400, dtype=int))
    assert count(trajectory, rng.normal(size=400)) > 150
    slow = count(trajectory, remember(rng, 400, 0.9))
    assert 5 < slow < 60
    assert count(trajectory, np.empty((0, 400))) == 400, 'without errors none has a memory'


def test_trajectories_of_different_bias_stay_one_block_each(rng):
    frames = copies(rng, 200, 1.0)
    blocks = np.repeat(np.arange(4), 50)
    errors = np.repeat([0.0, 30.0, -10.0, 55.0], 50) + rng.normal(size=200)
    assert count(make(frames, 'glass', blocks), errors) == 4
    assert count(make(frames, 'glass', blocks), rng.normal(size=200)) > 60


@pytest.mark.parametrize('domain', ['Elastic', 'diamond'])
def test_volumes_of_one_crystal_are_one_block(rng, domain):
    assert count(make(copies(rng, 12, 0.0, 0.1), domain), rng.normal(size=12)) == 1


def test_rattled_copies_are_one_block_and_other_structures_are_not(rng):
    assert count(make(copies(rng, 12, 0.1), 'vacancy'), rng.normal(size=12)) == 1
    assert count(make(copies(rng, 12, 1.5), 'glass'), rng.normal(size=12)) == 12


def test_copies_in_one_stored_block_are_one_and_not_a_trajectory(rng):
    """As a file holds them that says nothing of their blocks."""
    one = np.zeros(40, dtype=int)
    copied = make(copies(rng, 40, 0.1, 0.03), 'copper', one)
    errors, order = rng.normal(size=40), rng.permutation(40)
    assert count(copied, errors) == 1
    assert count(copied.select(order), errors[order]) == 1
    timed = replace(copied, info={'time': np.arange(40.0)})
    assert count(timed, errors) > 20, 'time says that it is a trajectory'
    liquid = make(copies(rng, 40, 1.5), 'copper', one)
    assert count(liquid, errors) > 20


def test_copies_of_several_structures_in_one_stored_block_are_as_many(rng):
    parents = copies(rng, 5, 1.5)
    frames = []
    for i in range(40):
        frames.append(parents[i % 5].copy())
        frames[-1].positions += 0.1 * rng.normal(size=(8, 3))
    mixed, errors = make(frames, 'glass', np.zeros(40, dtype=int)), rng.normal(size=40)
    found = find_blocks(mixed, errors[None]).number
    assert len(np.unique(found)) == 5
    assert all(len(np.unique(found[i::5])) == 1 for i in range(5))
    assert count(mixed.select(np.argsort(np.arange(40) % 5)), errors) <= 5


def test_a_crystal_whose_frames_follow_each_other_is_a_trajectory(rng):
    frames, walk = copies(rng, 60, 0.0), np.zeros((8, 3))
    for atoms in frames:
        walk = 0.9 * walk + 0.04 * rng.normal(size=walk.shape)
        atoms.positions += walk
    trajectory = make(frames, 'crystal', np.zeros(60, dtype=int))
    assert count(trajectory, rng.normal(size=60)) > 20
    assert count(trajectory, remember(rng, 60, 0.9)) < 20


def test_paths_of_defects_are_one_block(rng):
    path = make(copies(rng, 10, 0.3), 'vacancy 2³', np.arange(10))
    assert count(path, rng.normal(size=10)) == 1


def test_blocks_of_two_domains_differ_and_time_orders_frames(rng):
    frames = copies(rng, 60, 1.0)
    errors, order = remember(rng, 60, 0.9), rng.permutation(60)
    plain = make(frames, 'glass', np.zeros(60, dtype=int))
    timed = replace(plain, info={'time': np.arange(60.0)})
    first = find_blocks(timed, errors[None]).number
    moved = find_blocks(timed.select(order), errors[None, order]).number
    np.testing.assert_array_equal(
        np.unique(first[order], return_inverse=True)[1], np.unique(moved, return_inverse=True)[1]
    )
    two = replace(plain, domains=np.repeat(['a', 'b'], 30))
    assert not set(find_blocks(two, errors[None]).number[:30]) & set(
        find_blocks(two, errors[None]).number[30:]
    )
