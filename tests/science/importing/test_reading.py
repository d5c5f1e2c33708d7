"""Damaged files: a message, never an exception of a reader."""

import gzip

import ase.db
import ase.io
import numpy as np
import pytest

from aiida_enne.science import npz
from aiida_enne.science.data.frames import from_atoms, to_extxyz
from aiida_enne.science.importing.problems import ImportRefusedError


def outcome(read, path, **choices):
    """Return the number of configurations, or the refusal; anything else raises."""
    try:
        return len(read(path, **choices))
    except ImportRefusedError as refusal:
        return str(refusal)


@pytest.mark.parametrize(
    ('name', 'content', 'message'),
    [
        ('a.xyz', b'', 'the file is empty'),
        ('a.xyz', b'\n \n', 'the file holds no frames'),
        ('a.strange', b'hello world', 'cannot tell the format'),
        ('a.xyz', b'\xff\xfe\x00\x81', 'cannot read the file'),
        ('a.xyz.gz', b'\x1f\x8b\x08\x00garbage', 'cannot'),
        ('a.npz', b'PK nothing', 'not a complete .npz file'),
        ('a.traj', b'- of Ulm nothing', 'cannot'),
        ('a.json', b'{"1": {"numbers"', 'cannot be read as json'),
    ],
)
def test_files_that_are_none(read, tmp_path, name, content, message):
    path = tmp_path / name
    path.write_bytes(content)
    assert message in outcome(read, path)


def test_a_number_that_is_none_is_found_with_its_frame(make_frames, read, tmp_path):
    text = to_extxyz(from_atoms(make_frames()))
    frames = text.split('8\nLattice')
    frames[3] = frames[3].replace('Si 0', 'Si ****', 1).replace('Si -0', 'Si ****', 1)
    path = tmp_path / 'a.extxyz'
    path.write_text('8\nLattice'.join(frames))
    assert 'frame 2: cannot be read as extxyz: ' in outcome(read, path)


@pytest.mark.parametrize('seed', range(5))
def test_text_cut_anywhere_is_whole_frames_or_refused(make_frames, read, tmp_path, seed):
    frames = [to_extxyz(from_atoms([atoms])) for atoms in make_frames(3)]
    text = ''.join(frames)
    whole = {len(frames[0]): 1, len(frames[0]) + len(frames[1]): 2}
    path = tmp_path / 'a.extxyz'
    for end in [*whole, *np.random.default_rng(seed).integers(1, len(text), size=30).tolist()]:
        path.write_text(text[:end])
        result = outcome(read, path)
        assert result == whole[end] if end in whole else isinstance(result, str)


@pytest.mark.parametrize('suffix', ['.traj', '.json', '.npz', '.extxyz.gz', '.extxyz'])
@pytest.mark.parametrize('seed', range(3))
def test_damage_anywhere_never_raises_anything_else(make_frames, read, tmp_path, suffix, seed):
    whole = tmp_path / f'whole{suffix}'
    data = from_atoms(make_frames(3))
    if suffix == '.npz':
        whole.write_bytes(npz.dumps(data.as_arrays()))
    elif suffix.startswith('.extxyz'):
        text = to_extxyz(data).encode()
        whole.write_bytes(gzip.compress(text) if suffix.endswith('gz') else text)
    else:
        ase.io.write(whole, make_frames(3))
    content, rng = whole.read_bytes(), np.random.default_rng(seed)
    path = tmp_path / f'damaged{suffix}'
    for _ in range(25):
        end = int(rng.integers(1, len(content)))
        path.write_bytes(content[:end])
        assert outcome(read, path) in (1, 2) or isinstance(outcome(read, path), str)
        flipped = bytearray(content)
        for place in rng.integers(0, len(content), size=4):
            flipped[place] = int(rng.integers(0, 256))
        path.write_bytes(bytes(flipped))
        outcome(read, path)


@pytest.fixture(params=['', 'real '], ids=['made here', 'published'])
def aims_file(request, aims_text, tmp_path):
    """Return a function that writes an output of FHI-aims: `path = aims_file(name)`."""

    def write(name):
        path = tmp_path / f'{name}.out'
        path.write_text(aims_text(request.param + name))
        return path

    return write


def test_outputs_of_fhi_aims(aims_file, read):
    """Read by the package's own reader: molecular dynamics too, whose last frame ASE loses."""
    killed = aims_file('killed')
    assert "lacks its regular end ('Have a nice day.'): killed" in outcome(read, killed)
    md = read(aims_file('h2o_md'), elements=('H', 'O'))
    assert len(md) == 5
    assert len(np.unique(md.positions.reshape(5, -1), axis=0)) == 5
    assert outcome(read, aims_file('si8_forces')) == 1
    assert 'has no forces' in outcome(read, aims_file('si_static'))
    assert outcome(read, aims_file('o2_relax'), allow_molecules=True) == 4


def test_output_without_its_end_can_be_allowed(aims_file, read, tmp_path):
    text = aims_file('si_relax_cell').read_text()
    path = tmp_path / 'aims.out'
    path.write_text(text)
    assert outcome(read, path) == 5
    path.write_text(text[: text.index('Have a nice day')])
    assert 'lacks its regular end' in outcome(read, path)
    assert outcome(read, path, allow_incomplete=True) == 5


def test_a_format_is_told_by_the_content_whatever_the_name(make_frames, read, tmp_path):
    text = to_extxyz(from_atoms(make_frames()))
    for name in ('training.dat', 'OUTCAR_set.xyz', 'POSCAR', 'frames', 'run.out', 'vasprun.xml'):
        (tmp_path / name).write_text(text)
        assert outcome(read, tmp_path / name) == 4, name
    plain = '2\nof no use\nSi 0 0 0\nSi 1.3 1.3 1.3\n'
    (tmp_path / 'b.dat').write_text(plain)
    assert 'has no energy' in outcome(read, tmp_path / 'b.dat')


@pytest.mark.parametrize('name', ['OUTCAR_x', 'a.punch', 'a.log', 'a.nonsense'])
def test_a_wrong_guess_says_how_to_name_the_format(read, tmp_path, name):
    (tmp_path / name).write_text('some words\nthat are nothing\n')
    assert 'name the format, for example `format` extxyz' in outcome(read, tmp_path / name)


def test_key_value_pairs_of_a_database_are_keys(make_frames, read, tmp_path):
    with ase.db.connect(tmp_path / 'a.db') as database:
        for number, atoms in enumerate(make_frames()):
            database.write(atoms, phase='melt' if number < 3 else 'solid', T=300.0 * number)
    data = read(tmp_path / 'a.db', domain_keys=('phase',), info=('T',))
    assert data.domains.tolist() == ['melt'] * 3 + ['solid']
    assert data.info['T'].tolist() == [0, 300, 600, 900]
    (tmp_path / 'a.db').rename(tmp_path / 'b.sqlite')
    assert outcome(read, tmp_path / 'b.sqlite') == 4
