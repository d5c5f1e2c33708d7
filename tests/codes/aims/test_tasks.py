import pytest

from aiida_enne.codes.aims.tasks import plan, seed_of
from aiida_enne.science.plans.tasks import read_task

SETTINGS = {'xc': 'pw91_gga'}


def md(*stages):
    common = {'temperature': 300, 'steps': 10, 'record_every': 2}
    return read_task({'kind': 'md', 'stages': [common | stage for stage in stages]})


def test_a_label_is_one_run():
    (run,) = plan(read_task({'kind': 'label'}), SETTINGS)
    assert run.settings == SETTINGS
    assert run.steps is None


@pytest.mark.parametrize(
    ('stage', 'thermostats', 'expected'),
    [
        ({'thermostat': 'nve'}, {}, {'ensemble': 'NVE'}),
        (
            {'thermostat': 'langevin', 'friction': 20},
            {'langevin': 'NVT_parrinello'},
            {'ensemble': 'NVT_parrinello', 'temperature': 300.0, 'parameter': 0.05},
        ),
        (
            {'thermostat': 'langevin', 'friction': 20},
            {'langevin': 'NVT_andersen'},
            {'ensemble': 'NVT_andersen', 'temperature': 300.0, 'parameter': 20.0},
        ),
        (
            {'thermostat': 'nose_hoover_chain', 'damping': 50},
            {'nose_hoover_chain': 'NVT_parrinello'},
            {'ensemble': 'NVT_parrinello', 'temperature': 300.0, 'parameter': 0.05},
        ),
    ],
)
def test_thermostats(stage, thermostats, expected):
    (run,) = plan(md(stage), SETTINGS, thermostats)
    found = run.settings['md']
    assert found == expected | {'time': 0.011, 'time_step': 0.001, 'initial_temperature': 300.0}


def test_the_nose_hoover_mass_is_the_wavenumber_of_the_damping():
    (run,) = plan(md({'thermostat': 'nose_hoover_chain', 'damping': 100}), SETTINGS)
    assert run.settings['md']['thermostat_units'] == 'cm^-1'
    assert run.settings['md']['parameter'] == pytest.approx(333.564095)


@pytest.mark.parametrize(
    ('thermostat', 'message'),
    [
        ('langevin', 'NVT_parrinello.*`thermostats` may say'),
        ('npt', 'no thermostat npt.*constant pressure'),
    ],
)
def test_what_fhi_aims_does_not_have_is_refused(thermostat, message):
    with pytest.raises(ValueError, match=message):
        plan(md({'thermostat': thermostat}), SETTINGS)


def test_unknown_choices_are_refused():
    with pytest.raises(ValueError, match='`thermostats` must be one of langevin'):
        plan(md({'thermostat': 'nve'}), SETTINGS, {'npt': 'NVT_parrinello'})
    with pytest.raises(ValueError, match='`thermostats: langevin` must be one of NVT'):
        plan(md({'thermostat': 'nve'}), SETTINGS, {'langevin': 'NPT'})


def test_a_ramp_is_several_runs_and_stages_follow_each_other():
    ramp = {'thermostat': 'nose_hoover_chain', 'temperature': [1, 101], 'steps': 10}
    stages = md(ramp, {'thermostat': 'nve', 'timestep': 2.0})
    runs = plan(stages, SETTINGS, ramp_segments=4)
    temperatures = [run.settings['md'].get('temperature') for run in runs]
    assert temperatures == [13.5, 38.5, 63.5, 88.5, None]
    assert [run.steps for run in runs] == [2, 3, 2, 3, 10]
    assert [run.first_step for run in runs] == [0, 2, 5, 7, 10]
    assert [run.stage_first_step for run in runs] == [0, 0, 0, 0, 10]
    assert [run.stage for run in runs] == [0, 0, 0, 0, 1]
    assert [run.first_time for run in runs] == [0, 0.002, 0.005, 0.007, 0.010]
    begun = [run.settings['md'].get('initial_temperature') for run in runs]
    assert begun == [13.5, None, None, None, None]
    assert runs[-1].settings['md']['time'] == 0.022


def test_a_ramp_from_zero_begins_above_it():
    ramp = {'thermostat': 'langevin', 'temperature': [0, 5000], 'steps': 5000}
    first = plan(md(ramp), SETTINGS, {'langevin': 'NVT_parrinello'})[0]
    assert first.settings['md']['initial_temperature'] == 250.0


def relax(**more):
    return read_task({'kind': 'relax', **more})


def test_relaxation():
    (run,) = plan(relax(fmax=0.02, max_steps=7, cell='free'), SETTINGS)
    expected = {'method': 'trm', 'max_force': 0.02, 'cell': 'full', 'max_steps': 7}
    assert run.settings['relaxation'] == expected


@pytest.mark.parametrize(
    ('option', 'message'),
    [
        ({'cell': 'shape'}, 'constant volume'),
        ({'symmetry': True}, '`symmetry` must be false'),
        ({'optimizer': 'FIRE'}, 'no FIRE'),
    ],
)
def test_relaxations_that_fhi_aims_does_not_have(option, message):
    with pytest.raises(ValueError, match=message):
        plan(relax(**option), SETTINGS)


def test_settings_are_checked():
    with pytest.raises(ValueError, match='`xc` must be one of'):
        plan(read_task({'kind': 'label'}), {'xc': 'pw91-gga'})
    with pytest.raises(ValueError, match='the task says it'):
        plan(read_task({'kind': 'label'}), SETTINGS | {'md': None})


def test_seeds_differ_by_stream_and_are_those_that_fhi_aims_takes():
    seeds = {seed_of(seed, i, run) for seed in range(3) for i in range(20) for run in range(5)}
    assert len(seeds) == 300
    assert all(0 < seed < 2**31 for seed in seeds)
    assert seed_of(1, 2, 3) == seed_of(1, 2, 3)
    with pytest.raises(ValueError, match='`seed`'):
        seed_of(-1)
