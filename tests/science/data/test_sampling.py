"""Tests for the frames that a second engine labels."""

import dataclasses

import numpy as np
import pytest
from ase.build import bulk

from aiida_enne.science.data import frames as reading
from aiida_enne.science.data import sampling


@pytest.fixture
def walk():
    """Return two trajectories with a melt of one frame and a production of ten, labelled."""
    atoms = []
    for one in range(2):
        for step in range(11):
            frame = bulk('Si', a=5.0 + 0.1 * step)
            frame.info = {'domain': 'melt' if step == 0 else 'liquid', 'block': one}
            atoms.append(frame)
    bare = reading.from_atoms(atoms)
    n = len(bare)
    return dataclasses.replace(
        bare,
        energies=np.zeros(n),
        forces=np.zeros((2 * n, 3)),
        info={
            'configuration': np.repeat([0.0, 1.0], 11),
            'time': np.tile(np.arange(11.0), 2),
        },
    )


@pytest.mark.parametrize(
    ('n', 'times'),
    [
        (None, list(range(11))),
        (20, list(range(11))),
        (1, [0, 10]),
        (2, [0, 1, 10]),
        (4, [0, 1, 4, 7, 10]),
    ],
)
def test_of_every_stage_of_every_trajectory_some_are_kept_and_the_last(walk, n, times):
    kept = sampling.thin(walk, n)
    assert not kept.is_labelled
    assert kept.info['time'].tolist() == times * 2
    assert kept.blocks.tolist() == [0] * len(times) + [1] * len(times)


def test_labels_are_given_what_their_frames_tell(walk):
    kept = sampling.thin(walk, 4)
    chosen = [8, 0, 3]
    labelled = dataclasses.replace(
        kept.select(chosen),
        energies=np.arange(3.0),
        forces=np.ones((6, 3)),
        info={'configuration': np.array(chosen, dtype=float)},
    )
    found = sampling.restore(kept, labelled)
    assert found.info['time'].tolist() == [7, 0, 7]
    assert found.info['configuration'].tolist() == [1, 0, 0]
    assert found.energies.tolist() == [0, 1, 2]
    stray = dataclasses.replace(labelled, info={'configuration': np.array([0.0, 1.0, 99.0])})
    with pytest.raises(ValueError, match='there are 10 frames, labels belong to'):
        sampling.restore(kept, stray)


def test_another_engine_goes_on_from_every_end(walk):
    ends = sampling.take_ends(walk, 2)
    assert len(ends) == 2
    assert not ends.info
    np.testing.assert_array_equal(ends.positions, walk.select([10, 21]).positions)
    with pytest.raises(ValueError, match=r'the configurations \[2\]'):
        sampling.take_ends(walk, 3)


def test_what_cannot_be_thinned_is_named(walk):
    with pytest.raises(ValueError, match='`frames` must be at least 1, got 0'):
        sampling.thin(walk, 0)
    with pytest.raises(ValueError, match='do not tell their `configuration`'):
        sampling.thin(dataclasses.replace(walk, info={}), 2)
