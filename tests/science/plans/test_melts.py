"""Tests for the paper's series of liquids."""

import pytest

from aiida_enne.science.plans import melts

COMMON = {'thermostat': 'langevin', 'steps': 5000}
STAGES = {
    'melt': COMMON | {'temperature': [0, 5000]},
    'production': COMMON | {'temperature': 2000, 'record_every': 1},
}


def series(**changes):
    return melts.Series.of({'stages': STAGES, 'densities': [2.57], 'seed': 1} | changes)


def test_the_paper():
    planned = series(densities=[1.89, 2.57], temperatures=[1600.0], temperature_density=2.57)
    planned = planned.trajectories()
    assert list(planned) == ['density_1p89', 'density_2p57', 'density_2p57_1600K']
    melt, production = planned['density_2p57'].task.stages
    assert (melt.temperature, melt.record_every) == ((0, 5000), 5000)
    assert melt.domain == planned['density_2p57'].melt == 'melt 2.57 g/cm³'
    label = planned['density_2p57'].liquid.label
    assert production.domain == label == 'liquid 2.57 g/cm³, 2000 K'
    other = planned['density_2p57_1600K']
    assert other.start == 'density_2p57'
    (stage,) = other.task.stages
    assert (stage.temperature, stage.steps, stage.record_every) == ((1600, 1600), 5000, 1)
    assert stage.domain == other.liquid.label == 'liquid 2.57 g/cm³, 1600 K'


def test_the_task_of_a_trajectory_is_stored_as_it_was_given():
    """The inputs of jobs depend on it: what has a default is not written into them."""
    planned = series(temperatures=[1600.0]).trajectories()
    assert planned['density_2p57'].task.given == {
        'kind': 'md',
        'stages': [
            STAGES['melt'] | {'record_every': 5000, 'domain': 'melt 2.57 g/cm³'},
            STAGES['production'] | {'domain': 'liquid 2.57 g/cm³, 2000 K'},
        ],
    }
    assert planned['density_2p57_1600K'].task.given['stages'] == [
        STAGES['production'] | {'domain': 'liquid 2.57 g/cm³, 1600 K', 'temperature': 1600.0}
    ]


@pytest.mark.parametrize(
    ('stages', 'message'),
    [
        ({'melt': STAGES['melt']}, 'must hold melt, production'),
        (STAGES | {'cool': {}}, 'must hold melt, production'),
        (STAGES | {'production': COMMON}, 'stage production: temperature must be given'),
        (STAGES | {'melt': STAGES['melt'] | {'domain': 'x'}}, 'melt must not name its `domain`'),
        (STAGES | {'melt': STAGES['melt'] | {'record_every': 3}}, '3 does not divide 5000'),
        (STAGES | {'production': STAGES['production'] | {'record_every': 600}}, '10 frames'),
        (
            STAGES | {'melt': STAGES['melt'] | {'thermostat': 'langevine'}},
            "stage melt: `thermostat` must be one of .* got 'langevine'",
        ),
        (
            STAGES | {'melt': STAGES['melt'] | {'tempreature': 3}},
            r'stage melt: unknown tempreature \(did you mean `temperature`\?\)',
        ),
    ],
)
def test_stages_of_no_use_are_refused(stages, message):
    with pytest.raises(ValueError, match=message):
        series(stages=stages)


@pytest.mark.parametrize('values', [[], [0], ['2'], [True], [2.5, 2.5], [float('inf')]])
def test_numbers_must_be_positive_and_distinct(values):
    with pytest.raises(ValueError, match='`densities` must'):
        series(densities=values)
