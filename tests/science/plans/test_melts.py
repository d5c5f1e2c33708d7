"""Tests for the paper's series of liquids."""

import pytest

from aiida_enne.codes.ase import complete_task
from aiida_enne.science.plans import melts

COMMON = {'thermostat': 'langevin', 'steps': 5000}
STAGES = {
    'melt': COMMON | {'temperature': [0, 5000]},
    'production': COMMON | {'temperature': 2000, 'record_every': 1},
}


def test_the_paper():
    planned = melts.plan(STAGES, [1.89, 2.57], [1600.0], 2.57, 1)
    assert list(planned) == ['density_1p89', 'density_2p57', 'density_2p57_1600K']
    melt, production = complete_task(planned['density_2p57']['task'])['stages']
    assert (melt['temperature'], melt['record_every']) == ([0, 5000], 5000)
    assert melt['domain'] == 'melt 2.57 g/cm³'
    assert production['domain'] == planned['density_2p57']['domain'] == 'liquid 2.57 g/cm³, 2000 K'
    other = planned['density_2p57_1600K']
    assert other['start'] == 'density_2p57'
    (stage,) = complete_task(other['task'])['stages']
    assert (stage['temperature'], stage['steps'], stage['record_every']) == ([1600, 1600], 5000, 1)
    assert stage['domain'] == other['domain'] == 'liquid 2.57 g/cm³, 1600 K'


@pytest.mark.parametrize(
    ('stages', 'message'),
    [
        ({'melt': STAGES['melt']}, 'must hold melt, production'),
        (STAGES | {'cool': {}}, 'must hold melt, production'),
        (STAGES | {'production': COMMON}, 'production needs `temperature` and `steps`'),
        (STAGES | {'melt': STAGES['melt'] | {'domain': 'x'}}, 'melt must not name its `domain`'),
        (STAGES | {'melt': STAGES['melt'] | {'record_every': 3}}, '3 does not divide 5000'),
        (STAGES | {'production': STAGES['production'] | {'record_every': 600}}, '10 frames'),
    ],
)
def test_stages_of_no_use_are_refused(stages, message):
    with pytest.raises(ValueError, match=message):
        melts.check_stages(stages)


@pytest.mark.parametrize('values', [[], [0], ['2'], [True], [2.5, 2.5], [float('inf')]])
def test_numbers_must_be_positive_and_distinct(values):
    with pytest.raises(ValueError, match='`densities` must be distinct positive numbers'):
        melts.check_numbers('densities', values, minimum=1)
