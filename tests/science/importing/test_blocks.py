"""Which frames are relatives."""

import ase.io
import numpy as np
import pytest
from ase.build import bulk
from ase.calculators.singlepoint import SinglePointCalculator

from aiida_enne.science.importing.choices import ImportChoices
from aiida_enne.science.importing.gather import import_files


@pytest.fixture
def write(tmp_path):
    """Return a function that writes a file of one frame per info: `path = write(name, infos)`."""
    state = {'n': 0}

    def run(name, infos):
        frames = []
        for info in infos:
            atoms = bulk('Si')
            state['n'] += 1
            moved = 1e-3 * state['n']
            atoms.positions[1, 0] += moved
            # a spring between the two atoms, so that energies are the work of the forces
            forces = np.array([[10 * moved, 0, 0], [-10 * moved, 0, 0]])
            atoms.calc = SinglePointCalculator(atoms, energy=5 * moved**2, forces=forces)
            atoms.info = info
            frames.append(atoms)
        ase.io.write(tmp_path / name, frames, format='extxyz')
        return tmp_path / name

    return run


def test_a_file_and_a_domain_are_one_trajectory(write, read):
    labels = [{'domain': d} for d in ('hot', 'cold', 'hot', 'cold')]
    data = read(write('a.xyz', labels), write('b.xyz', labels))
    assert data.blocks.tolist() == [0, 1, 0, 1, 2, 3, 2, 3]


def test_size_cuts_each_trajectory_into_stretches(write, read):
    labels = [{'domain': d} for d in ('hot', 'cold', 'hot', 'hot', 'cold', 'hot', 'hot')]
    assert read(write('a.xyz', labels), block_size=2).blocks.tolist() == [0, 1, 0, 2, 1, 2, 3]


def test_own_blocks_are_kept_as_they_are(write, read):
    path = write('a.xyz', [{'block': b} for b in (7, 7, 3, 7)])
    assert read(path).blocks.tolist() == [7, 7, 3, 7]
    assert read(path, block_size=3).blocks.tolist() == [0, 0, 0, 1]


def test_own_blocks_of_two_files_are_not_confused(write, read):
    infos = [{'block': b} for b in (0, 1)]
    data = read(write('a.xyz', infos), write('b.xyz', infos))
    assert data.blocks.tolist() == [0, 1, 2, 3]


def test_a_block_that_some_frames_lack_is_not_used(write, read):
    infos = [{'block': 4}, {'block': 5}, {'x': 1}]
    assert read(write('a.xyz', infos)).blocks.tolist() == [0, 0, 0]


def test_a_named_key_holds_across_files(write, read):
    a = write('a.xyz', [{'run': 'x'}, {'run': 'y'}])
    b = write('b.xyz', [{'run': 'y'}, {'run': 'z'}])
    assert read(a, b, block_key='run').blocks.tolist() == [0, 1, 1, 2]


def test_a_named_key_must_be_there(write, read):
    path = write('a.xyz', [{'run': 'x'}, {'ran': 'y'}])
    with pytest.raises(ValueError, match='frame 1: has no key `run` for its block'):
        read(path, block_key='run')


def test_numbers_too_long_for_an_integer_are_names(write, read):
    path = write('a.xyz', [{'run': '9' * 30}, {'run': '8' * 30}, {'run': '9' * 30}])
    assert read(path, block_key='run').blocks.tolist() == [0, 1, 0]


def test_single_frames_that_are_copies_of_one_structure_are_one_block(write, read):
    files = [write(f'{name}.xyz', [{'x': 1}]) for name in 'abc']
    assert read(*files).blocks.tolist() == [0, 0, 0]
    assert read(*files, block_size=1).blocks.tolist() == [0, 1, 2], 'what is said goes first'
    own = [write(f'own_{name}.xyz', [{'block': 5}]) for name in 'ab']
    assert read(*own).blocks.tolist() == [0, 1], 'and so does what the file says'
    long = write('long.xyz', [{'x': 1}] * 2)
    assert read(files[0], long, files[1]).blocks.tolist() == [0, 1, 1, 0], 'trajectories stay'


def test_single_frames_of_other_structures_or_domains_stay_apart(write, read, tmp_path):
    files = [write(f'{name}.xyz', [{'domain': domain}]) for name, domain in ('ax', 'bx', 'cy')]
    other = bulk('Si').repeat((2, 1, 1))
    other.info['domain'] = 'x'
    other.calc = SinglePointCalculator(other, energy=0.0, forces=np.full((4, 3), 1e-3))
    ase.io.write(tmp_path / 'other.xyz', other, format='extxyz')
    assert read(*files, tmp_path / 'other.xyz').blocks.tolist() == [0, 0, 2, 3]


def test_what_was_joined_is_said(write):
    files = [write(f'{name}.xyz', [{'x': 1}]) for name in 'abc']
    said = import_files(files, ImportChoices(domain='silicon')).notes
    assert said == [
        '3 single frames of silicon are copies of one structure but for a strain or small '
        'displacements: copies of one structure are one block (`block_size` of 1 keeps them apart)'
    ]
