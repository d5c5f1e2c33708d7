"""Tests for what is told of failed labels, on graphs as the reference calculations leave them."""

import pytest
from aiida.common.exceptions import NotExistent

from aiida_enne.calculations.functions import merge_datasets
from aiida_enne.data.dataset import DatasetData
from aiida_enne.provenance.labels import find_labellings
from tests.labelled import store_labels


def test_what_joins_the_labels_of_many_jobs_tells_of_all(dataset):
    node, failures = store_labels(dataset, 6, {1, 4, 5})
    (told,) = find_labellings(node.uuid)
    assert (told.uuid, told.n_configurations) == (failures.uuid, 6)
    assert [item['configuration'] for item in told.failures] == [1, 4, 5]
    assert told.failures[0]['message'] == 'no 1'
    assert 'domain' in told.failures[0]


def test_every_origin_of_a_merged_dataset_is_asked(dataset):
    nodes = {'a': store_labels(dataset, 4, {1})[0], 'b': store_labels(dataset, 6, set())[0]}
    imported = DatasetData.from_configurations(dataset.get_configurations(), level_of_theory='EMT')
    merged = merge_datasets(**nodes, c=imported.store())
    told = find_labellings(merged.uuid)
    assert sorted((one.n_configurations, len(one.failures)) for one in told) == [(4, 1), (6, 0)]


def test_an_imported_dataset_has_no_origin(dataset):
    assert find_labellings(dataset.uuid) == []
    with pytest.raises(NotExistent):
        find_labellings('00000000-0000-0000-0000-000000000000')
