"""Tests for what members were trained on, those included that they began with."""

import numpy as np
import pytest

from aiida_enne.data.dataset import DatasetData
from aiida_enne.data.split import SplitData
from aiida_enne.data.trainings import TrainedOn
from aiida_enne.science.data.splits import Split
from tests import studied
from tests.audited import model


@pytest.fixture
def trained(dataset, split, aiida_localhost):
    """Two members: frames 0 to 5 train, 6 and 7 validate."""
    return studied.train(dataset, split, (1, 2), aiida_localhost)


@pytest.fixture
def mixed(configurations):
    """Two trained frames and one of validation, and two new ones."""
    chosen = configurations.select([1, 6, 4, 8, 9])
    return DatasetData.from_configurations(chosen, level_of_theory='EMT').store()


def test_what_members_began_with_was_trained_on_too(trained, configurations, mixed):
    """New members on two new frames, which began with others: they know the frames of both."""
    new = DatasetData.from_configurations(configurations.select([8, 9]), level_of_theory='EMT')
    part = SplitData.from_split(Split([0], [1], []), new.store(), method='x', shared=True).store()
    computer = trained['seed_1'].creator.computer
    models = studied.train(new, part, (11, 12), computer, initial=trained)
    known = TrainedOn.of(models)
    assert sorted(data.n_frames for data, _ in known.sets) == [2, 10]
    assert not known.unknown
    overlap = known.find_overlap(mixed, np.arange(5))
    assert (overlap.train.tolist(), overlap.validation.tolist()) == ([0, 2, 3], [1, 4])
    again = studied.train(new, part, (21,), computer, initial={'seed_1': models['seed_12']})
    assert len(TrainedOn.of(again).sets) == 2
    strangers = studied.train(new, part, (31,), computer, initial={'seed_1': model(99).store()})
    assert TrainedOn.of(strangers).unknown == ('seed_31',)
