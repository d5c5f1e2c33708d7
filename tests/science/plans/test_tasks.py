"""Tests for the tasks and their options."""

import pytest

from aiida_enne.science.plans.tasks import read_task

STAGE = {'thermostat': 'langevin', 'temperature': 300, 'steps': 10}


def md(*stages, **options):
    return {'kind': 'md', 'stages': list(stages), **options}


def test_completing_twice_changes_nothing():
    for task in (
        {'kind': 'label'},
        {'kind': 'relax', 'cell': 'shape', 'fixed': []},
        md(STAGE, STAGE | {'thermostat': 'npt'}, {'thermostat': 'nve', 'steps': 1}),
    ):
        assert read_task(read_task(task).complete()) == read_task(task)
        assert read_task(task).given == task


def test_ramps_and_constants():
    stages = read_task(md(STAGE | {'temperature': [0, 5000]}, STAGE)).stages
    assert [stage.temperature for stage in stages] == [(0, 5000), (300, 300)]
    assert read_task(md(STAGE | {'temperature': [0, 5000]})).max_temperature == 50_000


def test_a_thermostat_has_its_own_options():
    stages = read_task(
        md(*(STAGE | {'thermostat': name} for name in ('langevin', 'nose_hoover_chain', 'npt')))
    ).stages
    assert [{'friction', 'damping', 'pressure'} & set(stage.to_dict()) for stage in stages] == [
        {'friction'},
        {'damping'},
        {'friction', 'pressure'},
    ]


@pytest.mark.parametrize(
    ('task', 'message'),
    [
        ({}, 'one of label, md, relax; got None'),
        ({'kind': 'bands'}, "got 'bands'"),
        ({'kind': 'label', 'fmax': 1}, 'task: unknown fmax; expected no options'),
        ({'kind': 'md'}, 'list of one stage or more, got None'),
        (md(), r'got \[\]'),
        (md('hot'), "stage 0 must be a mapping, got 'hot'"),
        (md(STAGE, speed=1), 'task: unknown speed; expected stages, max_temperature, fixed, sigma'),
        (
            md(STAGE, STAGE | {'thermostat': 'ice'}),
            "stage 1: `thermostat` must be one of .* got 'ice'",
        ),
        (
            md(STAGE | {'tempreature': 3}),
            r'stage 0: unknown tempreature \(did you mean `temperature`\?\); expected thermostat, ',
        ),
        (md(STAGE | {'pressure': 1}), 'the thermostat langevin has no `pressure`'),
        (md({'thermostat': 'langevin', 'steps': 3}), 'stage 0: temperature must be given'),
        (md({'thermostat': 'nve', 'steps': 3}), 'stage 0: temperature must be given'),
        (md(STAGE | {'temperature': -1}), 'not be below 0 K, got -1'),
        (md(STAGE | {'temperature': [1, 2, 3]}), r'\[from, to\], got \[1, 2, 3\]'),
        (md(STAGE | {'temperature': 'hot'}), "finite number, got 'hot'"),
        (md(STAGE | {'temperature': float('nan')}), 'finite number, got nan'),
        (md(STAGE | {'steps': 0}), '`steps` must be a whole number of at least 1, got 0'),
        (md(STAGE | {'steps': True}), 'got True'),
        (md(STAGE | {'timestep': 0}), 'above zero, got 0'),
        (md(STAGE | {'record_every': 2.5}), 'got 2.5'),
        (md(STAGE | {'domain': ''}), "must be a text, got ''"),
        (md(STAGE | {'thermostat': 'nve', 'temperature': [1, 2]}), 'no thermostat to ramp'),
        (md(STAGE | {'thermostat': 'nose_hoover_chain', 'temperature': [0, 9]}), 'above 0 K'),
        (md(STAGE | {'thermostat': 'npt'}, fixed=[[0]]), 'do not go with the thermostat npt'),
        (md(STAGE, fixed=3), 'list of atoms for every configuration, got 3'),
        (md(STAGE, fixed=[0]), 'list for every configuration, got 0'),
        (md(STAGE, fixed=[[-1]]), 'whole number of at least 0, got -1'),
        ({'kind': 'relax', 'cell': 'volume'}, "one of fixed, shape, free; got 'volume'"),
        ({'kind': 'relax', 'optimizer': 'SGD'}, "got 'SGD'"),
        ({'kind': 'relax', 'symmetry': 1}, 'true or false, got 1'),
        ({'kind': 'relax', 'fixed': [[0]], 'symmetry': True}, 'neither with `symmetry`'),
    ],
)
def test_anything_else_is_refused_by_name(task, message):
    with pytest.raises(ValueError, match=message):
        read_task(task)


def test_sigma_is_an_option_with_defaults_that_leaves_other_tasks_as_they_were():
    stage = {'thermostat': 'nve', 'temperature': 300, 'steps': 5}
    assert 'sigma' not in read_task(md(stage)).complete()
    found = read_task(md(stage, sigma={'force': 0.5})).complete()['sigma']
    assert found == {'every': 1, 'energy': 0.0, 'force': 0.5, 'then': 'keep'}


@pytest.mark.parametrize(
    ('sigma', 'message'),
    [
        ({'then': 'stop'}, 'a trajectory that stops needs a threshold'),
        ({'force': -1}, '`force` must be at least 0, got -1'),
        ({'every': 0}, 'must be a whole number of at least 1'),
        ({'forces': 1}, 'unknown forces'),
        (3, 'must be a mapping'),
    ],
)
def test_thresholds_of_no_use_are_refused(sigma, message):
    stage = {'thermostat': 'nve', 'temperature': 300, 'steps': 5}
    with pytest.raises(ValueError, match=message):
        read_task(md(stage, sigma=sigma))
