"""Import by the command: what is stored, and what is said of it."""

import ase.io
import numpy as np
import pytest
from aiida import orm
from ase.build import mx2
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
from tests.imported import count_nodes, spoil

pytest_plugins = ['tests.imported']


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


def test_what_is_allowed_is_stored(invoke, frames, tmp_path):
    for how in ('molecule', 'element'):
        spoil(frames, how)
    ase.io.write(tmp_path / 'a.traj', [*frames, frames[0]])
    words = ['--allow-duplicates', '--allow-molecules', '--elements', 'Si,C', '--elements', 'H']
    result = invoke('dataset', 'import', tmp_path / 'a.traj', *words)
    assert result.exit_code == 0, result.output
    node = orm.QueryBuilder().append(DatasetData).one()[0]
    assert (node.n_frames, set(node.elements)) == (5, {'C', 'H', 'Si'})


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
