"""Import by the command: every refusal names its reason and stores nothing."""

import re

import ase.io
import numpy as np
import pytest
from aiida import orm

from tests.imported import count_nodes, spoil
from tests.science.importing.damage import check_taken, damage, write_text

pytest_plugins = ['tests.imported']


@pytest.mark.parametrize(
    ('word', 'message'),
    [
        ('solid=phase:glass', "'phase:glass' is not a role of a domain; known are phase:NAME"),
        ('solid', 'must be LABEL=ROLE'),
        ('glass=bulk:2', "a role is given for 'glass', but there are only the domains 'solid'"),
    ],
)
def test_a_bad_role_is_refused_before_anything_is_stored(invoke, frames, tmp_path, word, message):
    ase.io.write(tmp_path / 'a.traj', frames)
    result = invoke('dataset', 'import', tmp_path / 'a.traj', '--domain', 'solid', '--as', word)
    assert result.exit_code != 0
    assert message in ' '.join(result.output.split())
    assert count_nodes() == 0


REFUSALS = {
    'nan energy': 'frame 2: the energy is not finite: nan',
    'infinite force': 'frame 2: not finite (NaN or infinite): the forces, row 3',
    'no energy': 'frame 2: has no energy',
    'no forces': 'frame 2: has no forces',
    'no cell': 'frame 2: is periodic but its cell is missing or has no volume',
    'molecule': 'frame 2: has no cell or no periodic direction: a molecule',
    'nan position': 'frame 2: not finite (NaN or infinite): positions, row 5',
    'duplicate': 'frame 2: is a copy of frame 0',
    'element': 'frame 2: more than one element from here on; declare --elements: C,Si',
}


@pytest.mark.parametrize('how', REFUSALS)
@pytest.mark.parametrize('suffix', ['.traj', '.extxyz'])
def test_one_bad_frame_is_named_and_nothing_is_stored(invoke, frames, tmp_path, how, suffix):
    spoil(frames, how)
    path = tmp_path / f'bad{suffix}'
    ase.io.write(path, frames)
    result = invoke('dataset', 'import', path)
    assert result.exit_code == 1
    assert result.output.startswith(f'Error: nothing was stored:\n{path}, {REFUSALS[how]}')
    assert count_nodes() == 0


@pytest.mark.parametrize(
    ('name', 'content', 'message'),
    [
        ('a.xyz', '', 'a.xyz: the file is empty'),
        ('a.xyz', '3\n\nSi 0 0 0\nSi 1 1 1\n', 'a.xyz, frame 0: the file is truncated'),
        ('a.xyz', '1\nenergy=-1\nSi 0 0 x\n', 'a.xyz, frame 0: cannot be read as extxyz'),
        ('a.xyz', '1\n\nSi 0 0\n', 'a.xyz, frame 0: atom 0 has 3 columns'),
        ('a.strange', 'no format', 'a.strange: cannot tell the format'),
        ('a.traj', 'no trajectory', 'a.traj: cannot'),
    ],
)
def test_bad_files_are_named_and_nothing_is_stored(invoke, tmp_path, name, content, message):
    path = tmp_path / name
    path.write_text(content)
    result = invoke('dataset', 'import', path)
    assert result.exit_code == 1
    assert message in result.output
    assert count_nodes() == 0


def test_one_bad_file_spoils_all(invoke, frames, tmp_path):
    ase.io.write(tmp_path / 'good.traj', frames)
    (tmp_path / 'bad.xyz').write_text('')
    result = invoke('dataset', 'import', tmp_path / 'good.traj', tmp_path / 'bad.xyz')
    assert result.exit_code == 1
    assert count_nodes() == 0


@pytest.mark.parametrize(
    ('words', 'code', 'message'),
    [
        (['--format', 'nonsense'], 1, 'unknown format `nonsense`'),
        (['--energy-unit', 'erg'], 2, "'erg' is not one of"),
        (['--elements', 'Si,Xx'], 1, "there are no elements ['Xx']"),
        (['--domain', 'a', '--domain-key', 'b'], 1, 'not both'),
        (['--domain-key', 'group'], 1, 'frames 0 to 3: has none of the keys'),
        (['--block-key', 'run'], 1, 'has no key `run`'),
        (['--energy-key', 'E'], 1, "has no energy under the key `E`; its numbers are ['T', 'ener"),
        (['--info', 'P'], 1, 'no frame has a number under the key `P`'),
        (['--format', 'vasp-xml'], 1, 'the file lacks its regular end'),
    ],
)
def test_wrong_words_are_explained_and_nothing_is_stored(
    invoke, frames, tmp_path, words, code, message
):
    ase.io.write(tmp_path / 'a.traj', frames)
    result = invoke('dataset', 'import', tmp_path / 'a.traj', *words)
    assert result.exit_code == code, result.output
    assert message in result.output
    assert count_nodes() == 0


def test_a_missing_file_is_named(invoke, tmp_path):
    result = invoke('dataset', 'import', tmp_path / 'none.xyz')
    assert result.exit_code == 2
    assert 'none.xyz' in result.output


@pytest.mark.parametrize('seed', range(3))
def test_damaged_files_never_show_a_traceback(invoke, frames, tmp_path, seed):
    ase.io.write(tmp_path / 'a.extxyz', frames)
    content, rng = (tmp_path / 'a.extxyz').read_bytes(), np.random.default_rng(seed)
    for _ in range(10):
        damaged = bytearray(content[: rng.integers(1, len(content))])
        damaged[rng.integers(0, len(damaged))] = rng.integers(0, 256)
        (tmp_path / 'b.extxyz').write_bytes(bytes(damaged))
        result = invoke('dataset', 'import', tmp_path / 'b.extxyz', '--dry-run')
        assert result.exit_code in (0, 1)
        assert 'unexpected' not in result.output
        assert 'Traceback' not in result.output
    assert count_nodes() == 0


@pytest.mark.slow
def test_damaged_files_are_stored_as_they_say_or_not_at_all(invoke, tmp_path):
    """One byte of a file is changed, lost or added: no traceback, and what is stored is right."""
    text, rng, path, stored = write_text(), np.random.default_rng(3), tmp_path / 'a.extxyz', 0
    for _ in range(80):
        damaged = damage(text, rng)
        path.write_text(damaged)
        result = invoke('dataset', 'import', path, '--domain-key', 'group')
        assert 'unexpected' not in result.output
        assert 'Traceback' not in result.output
        if result.exit_code:
            assert result.exit_code == 1
            assert f'nothing was stored:\n{path}' in result.output
        else:
            stored += 1
            node = orm.load_node(int(re.search(r'DatasetData<(\d+)>', result.output)[1]))
            check_taken(node.get_configurations(), damaged)
        assert count_nodes() == stored
    assert 15 < stored < 65


def test_messages_name_the_options(invoke, frames, tmp_path):
    ase.io.write(tmp_path / 'a.traj', [*frames, frames[0]])
    result = invoke('dataset', 'import', tmp_path / 'a.traj')
    assert '(--drop-duplicates keeps the first, --allow-duplicates all)' in result.output
    result = invoke('dataset', 'import', tmp_path / 'a.traj', '--drop-duplicates')
    assert result.exit_code == 0, result.output
    assert 'note: ' in result.output
    assert 'note: left out:' in result.output
    assert 'frame 4: is a copy of frame 0' in result.output
    result = invoke('dataset', 'import', tmp_path / 'a.traj', '--stress-key', 'virial')
    assert result.exit_code == 1
    assert 'use --virial-key, or --allow-implausible' in result.output
