"""Tests for `SplitData`."""

import pytest

from aiida_enne.data.dataset import DatasetData
from aiida_enne.data.split import SplitData
from aiida_enne.science.data.configurations import concatenate
from aiida_enne.science.data.splits import Split


def test_round_trip(dataset):
    node = SplitData.from_split(Split([0, 1], [3, 2], [4]), dataset, method='by hand').store()
    assert node.get_split().validation.tolist() == [2, 3]
    assert node.base.attributes.get('n_train') == 2
    assert node.mismatch(dataset) is None


def test_shared_blocks_are_refused(dataset):
    split = Split([0, 2], [1, 3], [4])
    with pytest.raises(ValueError, match=r'trajectory blocks \[0, 1\]'):
        SplitData.from_split(split, dataset, method='by hand')
    node = SplitData.from_split(split, dataset, method='by hand', shared=True)
    assert node.base.attributes.get('n_shared_blocks') == 2


def test_indices_beyond_the_dataset_are_refused(dataset):
    with pytest.raises(ValueError, match='points to configuration 99, the dataset has 10'):
        SplitData.from_split(Split([0], [2], [99]), dataset, method='by hand')


@pytest.mark.usefixtures('aiida_profile_clean')
def test_copies_in_two_parts_are_refused(configurations):
    twice = concatenate([configurations, configurations])
    dataset = DatasetData.from_configurations(twice)
    with pytest.raises(ValueError, match=r'configuration 10 \(test\) is a copy of 0 \(train\)'):
        SplitData.from_split(Split([0], [2], [10]), dataset, method='by hand')


def test_another_dataset_is_noticed(dataset, configurations):
    node = SplitData.from_split(Split([0], [2], [4]), dataset, method='by hand')
    other = DatasetData.from_configurations(configurations.select(range(5)))
    assert 'belongs to the dataset' in node.mismatch(other)
