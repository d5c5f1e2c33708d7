"""Datasets by the command: list, show, export and back."""

import numpy as np
import pytest
from aiida import orm

from aiida_enne.data.dataset import DatasetData
from aiida_enne.science import npz
from aiida_enne.science.data.configurations import Configurations
from tests.extxyz import from_extxyz


def test_list_reads_attributes_only(invoke, dataset, monkeypatch):
    dataset.label = 'copper'

    def never(*args):
        raise AssertionError('a list must not open files')

    monkeypatch.setattr(DatasetData, 'get_arrays', never)
    lines = invoke('dataset', 'list').output.splitlines()
    assert lines[0].split()[:4] == ['PK', 'Label', 'Created', 'Frames']
    row = lines[2].split()
    assert row[:2] == [str(dataset.pk), 'copper']
    assert row[4:] == ['10', '4', 'Cu', '2', 'EMT']


def test_list_is_limited_to_the_newest(invoke, dataset, configurations):
    newest = DatasetData.from_configurations(configurations.select([0, 1])).store()
    lines = invoke('dataset', 'list', '-n', 1).output.splitlines()
    assert len(lines) == 3
    assert lines[2].split()[0] == str(newest.pk)


def test_an_empty_profile_lists_nothing(invoke):
    result = invoke('dataset', 'list')
    assert (result.exit_code, result.output) == (0, 'no datasets in this profile\n')


def test_show_names_content_and_domains(invoke, dataset):
    output = invoke('dataset', 'show', dataset.pk).output
    assert dataset.uuid in output
    assert dataset.sha256 in output
    rows = [line.split() for line in output.splitlines()[-2:]]
    assert [row[:5] for row in rows] == [
        ['cold', '8', '4', '4', 'Cu'],
        ['hot', '2', '1', '4', 'Cu'],
    ]


@pytest.mark.parametrize('name', ['a.extxyz', 'a.xyz', 'a.npz'])
def test_export_is_lossless(invoke, dataset, tmp_path, name):
    path = tmp_path / name
    result = invoke('dataset', 'export', dataset.pk, path)
    assert result.exit_code == 0, result.output
    if path.suffix == '.npz':
        arrays = npz.loads(path.read_bytes())
    else:
        arrays = from_extxyz(path.read_text()).as_arrays()
    assert npz.digest(arrays) == dataset.sha256
    assert [item.name for item in tmp_path.iterdir()] == [name]


@pytest.mark.parametrize('name', ['a.extxyz', 'a.npz'])
def test_what_is_exported_is_imported_as_an_equal_node(invoke, dataset, tmp_path, name):
    invoke('dataset', 'export', dataset.pk, tmp_path / name)
    result = invoke('dataset', 'import', tmp_path / name, '--level-of-theory', 'EMT')
    assert f'were stored before: {dataset.pk}' in result.output
    copy = orm.QueryBuilder().append(DatasetData, filters={'id': {'>': dataset.pk}}).one()[0]
    assert copy.base.caching.compute_hash() == dataset.base.caching.compute_hash()


def test_large_exports_are_written_in_pieces(invoke, dataset, tmp_path, monkeypatch):
    monkeypatch.setattr('aiida_enne.cli.dataset.CHUNK', 3)
    invoke('dataset', 'export', dataset.pk, tmp_path / 'a.extxyz')
    read = from_extxyz((tmp_path / 'a.extxyz').read_text())
    assert npz.digest(read.as_arrays()) == dataset.sha256


def test_export_of_domains(invoke, dataset, tmp_path):
    path = tmp_path / 'a.npz'
    assert invoke('dataset', 'export', dataset.pk, path, '--domain', 'hot').exit_code == 0
    part = Configurations.from_arrays(npz.loads(path.read_bytes()))
    whole = dataset.get_configurations()
    assert np.array_equal(part.energies, whole.energies[whole.domains == 'hot'])
    result = invoke('dataset', 'export', dataset.pk, tmp_path / 'b.npz', '--domain', 'cool')
    assert result.exit_code == 2
    assert "no domains ['cool']; there are ['cold', 'hot']" in result.output


def test_export_overwrites_only_by_force(invoke, dataset, tmp_path):
    path = tmp_path / 'a.xyz'
    path.write_text('precious')
    result = invoke('dataset', 'export', dataset.pk, path)
    assert result.exit_code == 1
    assert '--force' in result.output
    assert path.read_text() == 'precious'
    assert invoke('dataset', 'export', dataset.pk, path, '--force').exit_code == 0
    assert path.read_text().startswith('4\n')


@pytest.mark.parametrize(
    ('name', 'message'), [('a.csv', 'must end in .extxyz'), ('no/a.xyz', 'there is no folder')]
)
def test_export_to_nowhere_is_refused(invoke, dataset, tmp_path, name, message):
    result = invoke('dataset', 'export', dataset.pk, tmp_path / name)
    assert result.exit_code == 2
    assert message in result.output
