"""All files pass, or everything wrong is said and none is taken."""

import gzip
import hashlib
import json

import ase.io
import numpy as np
import pytest
from ase.build import bulk, molecule
from ase.calculators.singlepoint import SinglePointCalculator

from aiida_enne.science import npz
from aiida_enne.science.data.configurations import Configurations
from aiida_enne.science.data.frames import from_atoms, to_extxyz
from aiida_enne.science.importing.choices import ImportChoices
from aiida_enne.science.importing.gather import import_files
from aiida_enne.science.importing.problems import ImportRefusedError
from tests.foreign import DOMAINS, write_foreign

GROUPS = ('group', 'temperature_K')
#: Domains of the published set that lies beside the checkout, where it does.
PUBLISHED = {
    **{f'AIMD-NVT {t}': 20 for t in (300, 843, 1518, 2530, 3374)},
    **{'Elastic': 61, 'Surface': 14, 'Vacancy 300': 32, 'Vacancy 3374': 32},
}


def digest(configurations):
    return npz.digest(configurations.as_arrays())


def refusal(read, *paths, **choices):
    with pytest.raises(ImportRefusedError) as caught:
        read(*paths, **choices)
    return str(caught.value)


@pytest.fixture(params=['made here', 'published'])
def foreign(request, tmp_path):
    """A set of labels in words of its own, and how many frames each domain has."""
    if request.param == 'made here':
        return write_foreign(tmp_path / 'foreign.extxyz'), DOMAINS
    return request.getfixturevalue('shared_data') / 'Si_zuo2020_pbe.extxyz', PUBLISHED


def test_data_of_others_are_read_to_the_digit(foreign, read):
    path, domains = foreign
    data = read(path, domain_keys=GROUPS, info=('temperature_K',))
    assert len(data) == sum(domains.values())
    labels, counts = np.unique(data.domains, return_counts=True)
    assert dict(zip(labels.tolist(), counts.tolist(), strict=True)) == domains
    lines = path.read_text().splitlines()
    comments = [line for line in lines if 'energy=' in line]
    written = [float(line.split(' energy=')[1].split()[0]) for line in comments]
    assert data.energies.tolist() == written
    rows = [line.split() for line in lines if line.startswith('Si ')]
    assert np.array_equal(data.positions, np.array([row[1:4] for row in rows], dtype=float))
    assert np.array_equal(data.forces, np.array([row[4:7] for row in rows], dtype=float))
    cells = [line.split('"')[1].split() for line in comments]
    assert np.array_equal(data.cells.reshape(-1, 9), np.array(cells, dtype=float))
    assert len(np.unique(data.blocks)) == len(domains)


@pytest.mark.parametrize('suffix', ['.extxyz', '.npz'])
def test_export_and_import_lose_nothing(foreign, read, tmp_path, suffix):
    path, _ = foreign
    data = read(path, domain_keys=GROUPS, info=('temperature_K',), block_size=7)
    copy = tmp_path / f'copy{suffix}'
    if suffix == '.npz':
        copy.write_bytes(npz.dumps(data.as_arrays()))
    else:
        copy.write_text(to_extxyz(data))
    assert digest(read(copy, info=('temperature_K',))) == digest(data)


@pytest.mark.parametrize(
    'label', ['300 0', 'T', '1e3', 'a "b" c', 'a\\b', 'x=y', '[1]', 'é', '_JSON 3', "it's"]
)
def test_labels_survive_whatever_they_look_like(make_frames, read, tmp_path, label):
    data = from_atoms(make_frames(2), domains=[label, 'other'], blocks=[5, 3])
    path = tmp_path / 'a.extxyz'
    path.write_text(to_extxyz(data))
    assert digest(read(path)) == digest(data)


def test_equal_data_are_equal_whatever_the_file_was(make_frames, read, tmp_path):
    frames = make_frames()
    ase.io.write(tmp_path / 'a.traj', frames)
    ase.io.write(tmp_path / 'b.json', frames)
    with gzip.open(tmp_path / 'c.extxyz.gz', 'wt') as handle:
        handle.write(to_extxyz(from_atoms(frames, blocks=[0] * 4)))
    data = [read(tmp_path / name) for name in ('a.traj', 'b.json', 'c.extxyz.gz')]
    assert len({digest(item) for item in data}) == 1


def test_names_mean_nothing(make_frames, read, tmp_path, monkeypatch):
    """ASE reads `@` as a slice, `-` as standard input and `postgres...` as a database."""
    text = to_extxyz(from_atoms(make_frames()))
    monkeypatch.chdir(tmp_path)
    for name in ('a@1.extxyz', '-', 'postgres.extxyz'):
        path = tmp_path.__class__(name)
        path.write_text(text)
        assert len(read(path, format='extxyz')) == 4


def test_sources_say_where_data_came_from(make_frames, tmp_path):
    path = tmp_path / 'deep' / 'a.extxyz'
    path.parent.mkdir()
    path.write_text(to_extxyz(from_atoms(make_frames())))
    (source,) = import_files([path], ImportChoices())[1]
    assert (source.name, source.n_frames, source.format) == ('a.extxyz', 4, 'extxyz')
    assert source.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()


def test_progress_is_told_the_name_and_the_number(make_frames, tmp_path):
    path, told = tmp_path / 'a.extxyz', []
    path.write_text(to_extxyz(from_atoms(make_frames())))

    def progress(frames, name, total):
        told.append((name, total))
        return frames

    import_files([path], ImportChoices(), progress)
    assert told == [('a.extxyz', 4)]


def test_duplicates_name_both_places(make_frames, read, tmp_path):
    frames = make_frames()
    ase.io.write(tmp_path / 'a.traj', frames)
    ase.io.write(tmp_path / 'b.traj', [*make_frames(2, seed=9), frames[1]])
    text = refusal(read, tmp_path / 'a.traj', tmp_path / 'b.traj')
    assert f'b.traj, frame 2: is a copy of frame 1 of {tmp_path}/a.traj' in text
    assert len(read(tmp_path / 'a.traj', tmp_path / 'b.traj', allow_duplicates=True)) == 7


def test_the_same_file_twice_is_all_duplicates(make_frames, read, tmp_path):
    ase.io.write(tmp_path / 'a.traj', make_frames())
    assert 'frames 0' not in (text := refusal(read, *[tmp_path / 'a.traj'] * 2))
    assert text.count('is a copy of') == 4


def test_mixed_elements_must_be_declared(make_frames, read, tmp_path):
    frames = make_frames()
    frames[2].symbols[0] = 'Ge'
    frames[2].calc.atoms = frames[2].copy()
    ase.io.write(tmp_path / 'a.traj', frames)
    text = refusal(read, tmp_path / 'a.traj')
    assert 'frame 2: more than one element from here on; declare `elements`: Ge,Si' in text
    assert read(tmp_path / 'a.traj', elements=('Si', 'Ge')).elements == ['Ge', 'Si']
    text = refusal(read, tmp_path / 'a.traj', elements=('Si',))
    assert 'frame 2: holds Ge, which `elements` does not declare' in text


def test_molecules_must_be_allowed(read, tmp_path):
    water = molecule('H2O')
    water.calc = SinglePointCalculator(water, energy=-1.0, forces=np.ones((3, 3)))
    ase.io.write(tmp_path / 'a.traj', [water])
    assert 'a molecule' in refusal(read, tmp_path / 'a.traj', elements=('H', 'O'))
    assert len(read(tmp_path / 'a.traj', elements=('H', 'O'), allow_molecules=True)) == 1


def test_info_that_nobody_has_is_a_typing_error(make_frames, read, tmp_path):
    ase.io.write(tmp_path / 'a.traj', make_frames())
    assert 'no frame has a number under the key `T`' in refusal(
        read, tmp_path / 'a.traj', info=('T',)
    )


def test_all_problems_of_all_files_are_gathered(make_frames, read, tmp_path):
    frames = make_frames()
    frames[1].calc.results['energy'] = np.nan
    frames[3].calc = None
    ase.io.write(tmp_path / 'a.traj', frames)
    (tmp_path / 'b.xyz').write_text('')
    (tmp_path / 'c.xyz').write_text('2\n\nSi 0 0 0\n')
    text = refusal(read, *(tmp_path / name for name in ('a.traj', 'b.xyz', 'c.xyz')))
    lines = [line.removeprefix(f'{tmp_path}/') for line in text.splitlines()]
    assert lines[0] == 'a.traj, frame 1: the energy is not finite: nan'
    assert lines[1].startswith('a.traj, frame 3: has no energy')
    assert lines[2].startswith('a.traj, frame 3: has no forces')
    assert lines[3] == 'b.xyz: the file is empty'
    assert lines[4].startswith('c.xyz, frame 0: the file is truncated')
    assert lines[5:] == ['(frames are counted from 0)']


def test_keys_in_a_foreign_file(read, tmp_path):
    atoms = bulk('Si')
    atoms.info['REF_energy'] = -10.0
    atoms.arrays['REF_forces'] = np.full((2, 3), 0.25)
    ase.io.write(tmp_path / 'a.extxyz', [atoms])
    assert "['REF_energy']" in refusal(read, tmp_path / 'a.extxyz')
    data = read(tmp_path / 'a.extxyz', energy_key='REF_energy', forces_key='REF_forces')
    assert data.energies.tolist() == [-10.0]
    assert (data.forces == 0.25).all()


def test_forces_of_the_wrong_length_are_refused(read, tmp_path):
    atoms = bulk('Si')
    atoms.info |= {'E': -1.0, 'F': '_JSON ' + json.dumps([[0.0, 0.0, 0.0]])}
    ase.io.write(tmp_path / 'a.extxyz', [atoms])
    text = refusal(read, tmp_path / 'a.extxyz', energy_key='E', forces_key='F')
    assert 'frame 0: has forces of the shape (1, 3), expected (2, 3)' in text


def test_no_files_are_no_import():
    with pytest.raises(ValueError, match='no files'):
        import_files([], ImportChoices())


def test_an_npz_of_something_else_is_refused(read, tmp_path):
    path = tmp_path / 'a.npz'
    np.savez(path, x=np.zeros(3))
    assert 'cannot be read as npz: not a set of configurations' in refusal(read, path)
    np.savez(path, x=np.array([{}], dtype=object))
    assert 'cannot be read as npz' in refusal(read, path)


def test_stress_is_kept_where_known(make_frames, read, tmp_path):
    frames = make_frames()
    frames[2].calc.results['stress'] = 0.1 * np.arange(6)
    (tmp_path / 'a.extxyz').write_text(to_extxyz(from_atoms(frames)))
    data = read(tmp_path / 'a.extxyz')
    assert np.isfinite(data.stresses).all(axis=(1, 2)).tolist() == [False, False, True, False]
    assert isinstance(data, Configurations)


def test_equal_data_are_equal_bytes_whatever_the_order_in_memory(make_frames, read, tmp_path):
    """ASE's extended XYZ reader gives arrays in Fortran order, its other readers do not."""
    frames = make_frames()
    (tmp_path / 'a.extxyz').write_text(to_extxyz(from_atoms(frames, blocks=[0] * 4)))
    ase.io.write(tmp_path / 'b.traj', frames)
    first, second = (read(tmp_path / name).as_arrays() for name in ('a.extxyz', 'b.traj'))
    assert npz.dumps(first) == npz.dumps(second)
