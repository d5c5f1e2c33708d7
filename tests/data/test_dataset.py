"""Tests for `DatasetData` and `ConfigurationsData`."""

import dataclasses

import numpy as np
import pytest

from aiida_enne.data.configurations import ConfigurationsData
from aiida_enne.data.dataset import DatasetData


def test_everything_comes_back(dataset, configurations):
    stored = dataset.get_configurations().as_arrays()
    assert stored.keys() == configurations.as_arrays().keys()
    for name, value in configurations.as_arrays().items():
        np.testing.assert_array_equal(stored[name], value, err_msg=name)
        assert stored[name].dtype == value.dtype


def test_attributes_are_derived(dataset):
    assert dataset.n_frames == 10
    assert dataset.elements == ['Cu']
    assert dataset.domains == {'cold': 8, 'hot': 2}
    assert dataset.base.attributes.get('n_blocks') == 5
    assert dataset.level_of_theory == 'EMT'


def test_equal_content_has_an_equal_hash(dataset, configurations):
    twin = DatasetData.from_configurations(
        configurations, level_of_theory='EMT', source={'files': ['elsewhere.xyz']}
    ).store()
    assert twin.base.caching.get_hash() == dataset.base.caching.get_hash()
    assert twin.base.repository.hash() == dataset.base.repository.hash()


@pytest.mark.parametrize('field', ['energies', 'forces', 'positions', 'blocks'])
def test_any_change_changes_the_hash(dataset, configurations, field):
    changed = getattr(configurations, field).copy()
    changed.flat[0] += 1
    other = DatasetData.from_configurations(
        dataclasses.replace(configurations, **{field: changed}), level_of_theory='EMT'
    ).store()
    assert other.base.caching.get_hash() != dataset.base.caching.get_hash()


def test_level_of_theory_is_identity(dataset, configurations):
    other = DatasetData.from_configurations(configurations, level_of_theory='LDA').store()
    assert other.base.caching.get_hash() != dataset.base.caching.get_hash()


@pytest.mark.usefixtures('aiida_profile_clean')
def test_missing_labels_are_refused(configurations):
    with pytest.raises(ValueError, match='needs energies and forces'):
        DatasetData.from_configurations(configurations.unlabelled())
    node = ConfigurationsData.from_configurations(configurations.unlabelled())
    assert not node.store().get_configurations().is_labelled


@pytest.mark.usefixtures('aiida_profile_clean')
def test_nan_is_refused(configurations):
    forces = configurations.forces.copy()
    forces[3, 1] = np.nan
    with pytest.raises(ValueError, match='`forces` holds values that are not finite'):
        DatasetData.from_configurations(dataclasses.replace(configurations, forces=forces))


@pytest.mark.usefixtures('aiida_profile_clean')
def test_a_selection_hashes_like_fresh_data(configurations, labelled_frames):
    chosen = DatasetData.from_configurations(configurations.select([0, 1, 2]))
    fresh = DatasetData.from_atoms(labelled_frames[:3])
    assert chosen.sha256 == fresh.sha256


def test_forces_that_a_constraint_hides_are_stored_where_it_is_said(
    aiida_profile_clean, configurations
):
    forces = np.array(configurations.forces)
    forces[:2] = np.nan
    some = dataclasses.replace(configurations, forces=forces)
    with pytest.raises(ValueError, match='`forces` holds values that are not finite'):
        DatasetData.from_configurations(some)
    node = DatasetData.from_configurations(some, masked_forces=True).store()
    assert node.base.attributes.get('n_masked_forces') == 6
    rms = np.sqrt(np.mean(configurations.forces[2:] ** 2))
    assert node.base.attributes.get('force_rms') == pytest.approx(rms, rel=1e-12)
    np.testing.assert_array_equal(node.get_configurations().forces, forces)
    forces[3] = np.inf
    with pytest.raises(ValueError, match='not finite'):
        DatasetData.from_configurations(
            dataclasses.replace(some, forces=forces), masked_forces=True
        )
    nothing = dataclasses.replace(some, forces=np.full_like(forces, np.nan))
    with pytest.raises(ValueError, match='not finite'):
        DatasetData.from_configurations(nothing, masked_forces=True)
    plain = DatasetData.from_configurations(configurations, masked_forces=True)
    assert 'n_masked_forces' not in plain.base.attributes
