"""Import by the command: real data, and every refusal stores nothing."""

import re

import ase.io
import numpy as np
import pytest
from aiida import orm
from ase.build import bulk, molecule, mx2
from ase.calculators.singlepoint import SinglePointCalculator

from aiida_enne.cli.dataset_options import (
    ENERGY_NAMES,
    FORCE_NAMES,
    LENGTH_NAMES,
    STRESS_NAMES,
)
from aiida_enne.data.dataset import DatasetData
from aiida_enne.science.data.frames import to_extxyz
from aiida_enne.science.fields import ENERGY_UNITS, LENGTH_UNITS
from aiida_enne.science.importing.choices import FORCE_UNITS, STRESS_UNITS
from tests.aims_runs import run_of
from tests.extxyz import from_extxyz
from tests.foreign import write_foreign
from tests.science.importing.damage import check_taken, damage, write_text


def count_nodes():
    return orm.QueryBuilder().append(orm.Node).count()


@pytest.fixture
def frames():
    """Four labelled silicon cells."""
    frames = []
    for seed in range(4):
        atoms = bulk('Si', cubic=True)
        atoms.rattle(0.1, seed=seed)
        forces = np.random.default_rng(seed).normal(scale=0.3, size=(8, 3))
        atoms.calc = SinglePointCalculator(atoms, energy=-40.0 - seed, forces=forces)
        atoms.info['T'] = 300 * (1 + seed // 2)
        frames.append(atoms)
    return frames


def test_the_command_offers_exactly_the_units_there_are():
    assert set(ENERGY_NAMES) == set(ENERGY_UNITS)
    assert set(LENGTH_NAMES.values()) == set(LENGTH_UNITS)
    assert set(FORCE_NAMES.values()) == set(FORCE_UNITS)
    assert set(STRESS_NAMES.values()) == set(STRESS_UNITS)


@pytest.mark.parametrize('published', [False, True])
def test_data_of_others(invoke, request, tmp_path, published):
    path, n, known = tmp_path / 'foreign.extxyz', 21, {'melt 2530': 6, 'strained': 5}
    if published:
        path = request.getfixturevalue('shared_data') / 'Si_zuo2020_pbe.extxyz'
        n, known = 239, {'AIMD-NVT 2530': 20, 'Elastic': 61}
    else:
        write_foreign(path)
    keys = ['--domain-key', 'group', '--domain-key', 'temperature_K', '--info', 'temperature_K']
    words = ['dataset', 'import', path, *keys]
    result = invoke(*words, '--dry-run', '--level-of-theory', 'VASP PBE')
    assert result.exit_code == 0, result.output
    assert f'{n} configurations pass; nothing was stored' in result.output
    assert count_nodes() == 0
    result = invoke(*words, '--level-of-theory', 'VASP PBE', '--label', 'foreign')
    assert result.exit_code == 0, result.output
    node = orm.load_node('foreign')
    assert f'stored {n} configurations: DatasetData<{node.pk}> {node.uuid}' in result.output
    assert (node.n_frames, node.elements, node.level_of_theory) == (n, ['Si'], 'VASP PBE')
    assert known.items() <= node.domains.items()


def test_the_node_says_where_it_came_from_but_not_on_which_machine(invoke, frames, tmp_path):
    for atoms in frames:
        calc = atoms.calc
        atoms.set_cell(atoms.cell * 2, scale_atoms=True)  # the numbers are bohr
        calc.atoms = atoms.copy()
        atoms.calc = calc
    ase.io.write(tmp_path / 'a.traj', frames)
    words = ['--energy-unit', 'Ha', '--length-unit', 'bohr', '--domain', 'solid']
    result = invoke('dataset', 'import', tmp_path / 'a.traj', *words)
    assert result.exit_code == 0, result.output
    node = orm.QueryBuilder().append(DatasetData).one()[0]
    source = node.base.attributes.get('source')
    assert source['choices'] == {'energy_unit': 'Ha', 'length_unit': 'bohr', 'domain': 'solid'}
    (file,) = source['files']
    assert (file['name'], file['n_frames'], file['format']) == ('a.traj', 4, 'traj')
    assert str(tmp_path) not in str(node.base.attributes.all)
    data = node.get_configurations()
    assert data.energies == pytest.approx([(-40 - i) * 27.211386245988 for i in range(4)])
    forces = np.concatenate([atoms.get_forces() for atoms in frames])
    assert data.forces == pytest.approx(forces * 27.211386245988 / 0.529177210903)


def test_labels_are_free_text_and_roles_say_what_they_are(invoke, frames, tmp_path):
    labels = ['vacancy 2³', 'Elastic', 'Elastic', 'melt']
    for atoms, label in zip(frames, labels, strict=True):
        atoms.info['phase'] = label
    ase.io.write(tmp_path / 'a.extxyz', frames)
    words = ['dataset', 'import', tmp_path / 'a.extxyz', '--domain-key', 'phase']
    result = invoke(*words, '--as', 'Elastic=phase:diamond', '--as', 'melt=liquid:2.57')
    assert result.exit_code == 0, result.output
    node = orm.QueryBuilder().append(DatasetData).one()[0]
    roles = {'Elastic': 'phase:diamond', 'melt': 'liquid:2.57', 'vacancy 2³': 'other'}
    assert node.base.attributes.get('roles') == node.get_configurations().roles == roles
    families = {'Elastic': 'phase', 'melt': 'liquid', 'vacancy 2³': 'other'}
    assert {label: kind.family for label, kind in node.kinds.items()} == families
    assert node.kinds == node.get_configurations().kinds


def test_labels_that_are_not_mistaken_leave_the_data_as_they_were(invoke, frames, tmp_path):
    ase.io.write(tmp_path / 'a.traj', frames)
    assert invoke('dataset', 'import', tmp_path / 'a.traj', '--domain', 'solid').exit_code == 0
    node = orm.QueryBuilder().append(DatasetData).one()[0]
    assert 'roles' not in node.base.attributes.all
    assert 'roles' not in node.get_arrays()


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


def test_equal_data_have_an_equal_hash_whatever_the_file_was_called(invoke, frames, tmp_path):
    for name in ('a.traj', 'b.json'):
        ase.io.write(tmp_path / name, frames)
        assert invoke('dataset', 'import', tmp_path / name).exit_code == 0
    nodes = orm.QueryBuilder().append(DatasetData).all(flat=True)
    assert len(nodes) == 2
    assert len({node.base.caching.compute_hash() for node in nodes}) == 1


def test_a_level_of_theory_is_part_of_the_identity(invoke, frames, tmp_path):
    ase.io.write(tmp_path / 'a.traj', frames)
    for level in ('PBE', 'PW91'):
        invoke('dataset', 'import', tmp_path / 'a.traj', '--level-of-theory', level)
    nodes = orm.QueryBuilder().append(DatasetData).all(flat=True)
    assert len({node.base.caching.compute_hash() for node in nodes}) == 2


def spoil(frames, how):
    """Write one fault into the third of four frames."""
    atoms = frames[2]
    results = dict(atoms.calc.results)
    if how == 'nan energy':
        results['energy'] = np.nan
    elif how == 'infinite force':
        results['forces'] = results['forces'].copy()
        results['forces'][3, 1] = np.inf
    elif how == 'no energy':
        del results['energy']
    elif how == 'no forces':
        del results['forces']
    elif how == 'no cell':
        atoms.cell = np.zeros((3, 3))
    elif how == 'molecule':
        atoms = frames[2] = molecule('Si2H6')
        results = {'energy': -41.0, 'forces': np.ones((8, 3))}
    elif how == 'nan position':
        atoms.positions[5, 0] = np.nan
    elif how == 'duplicate':
        frames[2] = frames[0]
        return
    elif how == 'element':
        atoms.symbols[7] = 'C'
    atoms.calc = SinglePointCalculator(atoms, **results)


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


def test_what_is_allowed_is_stored(invoke, frames, tmp_path):
    for how in ('molecule', 'element'):
        spoil(frames, how)
    ase.io.write(tmp_path / 'a.traj', [*frames, frames[0]])
    words = ['--allow-duplicates', '--allow-molecules', '--elements', 'Si,C', '--elements', 'H']
    result = invoke('dataset', 'import', tmp_path / 'a.traj', *words)
    assert result.exit_code == 0, result.output
    node = orm.QueryBuilder().append(DatasetData).one()[0]
    assert (node.n_frames, set(node.elements)) == (5, {'C', 'H', 'Si'})


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


def test_the_table_shows_the_stress_and_how_many_have_one(invoke, frames, tmp_path):
    frames[1].calc.results['stress'] = np.full(6, 0.01)
    ase.io.write(tmp_path / 'a.traj', frames)
    result = invoke('dataset', 'import', tmp_path / 'a.traj', '--dry-run')
    assert 'stress RMS' in result.output
    assert '1.602 GPa (1 frames)' in result.output


def test_the_level_of_theory_says_which_energy(invoke, frames, tmp_path):
    for atoms in frames:
        atoms.calc.results['free_energy'] = atoms.calc.results['energy'] - 0.1
    ase.io.write(tmp_path / 'a.traj', frames)
    result = invoke('dataset', 'import', tmp_path / 'a.traj', '--level-of-theory', 'PBE')
    assert 'energies are free energies' in result.output
    node = orm.QueryBuilder().append(DatasetData).one()[0]
    assert node.level_of_theory == 'PBE, free energies'
    assert node.get_configurations().energies[0] == pytest.approx(-40.1)


def test_a_key_that_only_some_frames_have_is_named(invoke, frames, tmp_path):
    for atoms in frames[:3]:
        atoms.info['domain'] = 'melt'
    ase.io.write(tmp_path / 'a.extxyz', frames)
    result = invoke('dataset', 'import', tmp_path / 'a.extxyz')
    assert result.exit_code == 1
    assert "frame 3: lacks the key 'domain'" in result.output
    words = ('--domain-key', 'domain', '--domain-key', 'T', '--dry-run')
    result = invoke('dataset', 'import', tmp_path / 'a.extxyz', *words)
    assert 'note: ' in result.output
    assert "1 of 4 frames lack the key 'domain'" in result.output


def test_an_output_of_fhi_aims_is_read_by_the_own_reader(invoke, tmp_path):
    (tmp_path / 'run.log').write_text(run_of('h2o_md').text)
    result = invoke('dataset', 'import', tmp_path / 'run.log', '--elements', 'H,O')
    assert result.exit_code == 0, result.output
    node = orm.QueryBuilder().append(DatasetData).one()[0]
    assert node.n_frames == 5
    assert node.base.attributes.get('source')['files'][0]['format'] == 'aims-output'


def test_a_virial_that_is_not_read_is_named(invoke, frames, tmp_path):
    for atoms in frames:
        atoms.info['virial'] = np.eye(3) * 0.2
    ase.io.write(tmp_path / 'a.extxyz', frames)
    result = invoke('dataset', 'import', tmp_path / 'a.extxyz', '--dry-run')
    assert (
        'frames 0 to 3: has a virial and no stress; it is not read (--virial-key)' in result.output
    )
    words = ('--virial-key', 'virial', '--dry-run')
    result = invoke('dataset', 'import', tmp_path / 'a.extxyz', *words)
    assert 'it is not read' not in result.output
    volume = frames[0].get_volume()
    assert f'{0.2 / volume * 160.21766208 / 3**0.5:.3f} GPa' in result.output


def test_a_sheet_needs_no_third_vector(invoke, tmp_path):
    """As training and prediction complete the cell: see `nequip_frames` and NequIP's neighbours."""
    sheet = mx2('MoS2', a=3.18)
    sheet.cell[2] = 0
    sheet.pbc = [True, True, False]
    sheet.rattle(0.02, seed=1)
    forces = np.random.default_rng(1).normal(scale=0.1, size=(3, 3))
    sheet.calc = SinglePointCalculator(sheet, energy=-9.0, forces=forces)
    ase.io.write(tmp_path / 'a.extxyz', sheet)
    result = invoke('dataset', 'import', tmp_path / 'a.extxyz', '--elements', 'Mo,S')
    assert result.exit_code == 0, result.output
    node = orm.QueryBuilder().append(DatasetData).one()[0]
    data = node.get_configurations()
    assert data.pbc.tolist() == [[True, True, False]]
    assert not data.cells[0, 2].any()
    written = from_extxyz(to_extxyz(data))  # as a training job gets it
    assert np.array_equal(written.cells, data.cells)
    assert np.array_equal(written.pbc, data.pbc)
