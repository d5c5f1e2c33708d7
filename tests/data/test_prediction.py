"""What members predicted is stacked only if it is of the same configurations."""

import numpy as np
import pytest

from aiida_enne.data.dataset import DatasetData
from aiida_enne.data.prediction import PredictionData, stack_predictions


@pytest.fixture
def predict(dataset):
    """Return a function: what a member predicts of some configurations."""

    def make(indices, number, digest=dataset.sha256):
        frames = dataset.get_configurations().select(indices)
        arrays = {
            'indices': np.array(indices),
            'energies': frames.energies + number,
            'forces': frames.forces * number,
        }
        return PredictionData.from_arrays(arrays, dataset_sha256=digest)

    return make


def test_members_are_stacked_in_the_order_of_their_labels(predict, dataset):
    indices, arrays = stack_predictions({'b': predict([3, 1], 2), 'a': predict([3, 1], 1)}, dataset)
    frames = dataset.get_configurations().select([3, 1])
    assert indices.tolist() == [3, 1]
    np.testing.assert_array_equal(arrays['energies'], frames.energies + np.array([[1], [2]]))
    np.testing.assert_array_equal(arrays['forces'], [frames.forces, 2 * frames.forces])
    assert set(stack_predictions({'a': predict([0], 1)}, dataset, ['energies'])[1]) == {'energies'}


def test_other_configurations_and_other_datasets_are_refused(predict, dataset):
    for other in ([3], [1, 3]):
        with pytest.raises(ValueError, match='b predicted other configurations of'):
            stack_predictions({'a': predict([3, 1], 1), 'b': predict(other, 2)}, dataset)
    frames = dataset.get_configurations().select([0, 1])
    another = DatasetData.from_configurations(frames, level_of_theory='EMT')
    with pytest.raises(ValueError, match='the prediction of a belongs to the dataset'):
        stack_predictions({'a': predict([0], 1)}, another)
