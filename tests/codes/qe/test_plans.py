"""Tests for `codes.qe.plans`: what pw.x is told for a task."""

import numpy as np
import pytest

from aiida_enne.codes.qe import check_task, complete_options, halve, plan
from aiida_enne.codes.qe.dynamics import FORCE, TIME, VELOCITY
from aiida_enne.science.plans.tasks import read_task

VELOCITIES = np.full((2, 3), 0.01)
MAPPED = complete_options({'thermostats': {'langevin': 'svr', 'nose_hoover_chain': 'svr'}})


def dynamics(*stages, **options):
    """Return a complete task of dynamics."""
    return read_task({'kind': 'md', 'stages': list(stages), **options})


def nve(**options):
    return {'thermostat': 'nve', 'temperature': 300, 'steps': 10} | options


def test_a_label_is_one_scf():
    (job,) = plan(read_task({'kind': 'label'}), MAPPED, None, 2)
    assert job.parameters == {'CONTROL': {'calculation': 'scf'}}
    assert job.settings == {}


@pytest.mark.parametrize(
    ('cell', 'calculation', 'free'),
    [('fixed', 'relax', None), ('shape', 'vc-relax', 'shape'), ('free', 'vc-relax', 'all')],
)
def test_relaxations_of_the_cell(cell, calculation, free):
    task = read_task({'kind': 'relax', 'cell': cell, 'fmax': 0.03, 'max_steps': 7})
    (job,) = plan(task, MAPPED, None, 2)
    control = job.parameters['CONTROL']
    assert (control['calculation'], control['nstep']) == (calculation, 7)
    assert control['forc_conv_thr'] * FORCE * 3**0.5 == pytest.approx(0.03)
    assert job.parameters.get('CELL', {}).get('cell_dofree') == free


def test_fixed_atoms_are_fixed_along_all_axes():
    task = read_task({'kind': 'relax', 'fixed': [[1]]})
    (job,) = plan(task, MAPPED, None, 2, task.fixed[0])
    assert job.settings['FIXED_COORDS'] == [[False] * 3, [True] * 3]


def test_dynamics_starts_from_the_velocities_and_then_continues():
    start, first, second = plan(dynamics(nve(), nve()), MAPPED, VELOCITIES, 2)
    assert (start.stage, start.steps, start.continues) == (-1, 1, False)
    assert start.parameters['IONS']['ion_velocities'] == 'from_input'
    given = np.array(start.settings['ATOMIC_VELOCITIES']) * VELOCITY
    np.testing.assert_allclose(given, VELOCITIES)
    for index, job in enumerate((first, second)):
        assert (job.stage, job.steps, job.continues) == (index, 10, True)
        assert job.parameters['CONTROL']['restart_mode'] == 'restart'
        assert job.parameters['CONTROL']['dt'] * TIME == pytest.approx(1.0)
        assert job.parameters['IONS']['ion_temperature'] == 'not_controlled'
        assert 'ATOMIC_VELOCITIES' not in job.settings


def test_a_ramp_has_pieces_of_rising_temperature():
    stage = {'thermostat': 'langevin', 'temperature': [0, 1000], 'steps': 250}
    _, *jobs = plan(dynamics(stage), MAPPED, VELOCITIES, 2)
    assert [job.steps for job in jobs] == [100, 100, 50]
    heat = [job.parameters['IONS']['tempw'] for job in jobs]
    assert heat == pytest.approx([200, 600, 900])


def test_thermostats_couple_as_strongly_as_asked_for():
    stages = [
        {'thermostat': 'langevin', 'temperature': 300, 'steps': 1, 'friction': 5.0},
        {'thermostat': 'nose_hoover_chain', 'temperature': 300, 'steps': 1, 'damping': 40.0},
    ]
    _, *jobs = plan(dynamics(*stages), MAPPED, VELOCITIES, 2)
    assert [job.parameters['IONS']['nraise'] for job in jobs] == [100, 40]
    assert {job.parameters['IONS']['ion_temperature'] for job in jobs} == {'svr'}


def test_long_stages_are_cut():
    options = MAPPED | {'steps_per_job': 4}
    _, *jobs = plan(dynamics(nve()), options, VELOCITIES, 2)
    assert [job.steps for job in jobs] == [4, 4, 2]


def test_halves_make_the_whole():
    _, job = plan(dynamics(nve(steps=7)), MAPPED, VELOCITIES, 2)
    halves = halve(job)
    assert [half.steps for half in halves] == [3, 4]
    assert [half.parameters['CONTROL']['nstep'] for half in halves] == [3, 4]
    assert job.parameters['CONTROL']['nstep'] == 7
    assert halve(plan(dynamics(nve()), MAPPED, VELOCITIES, 2)[0]) == []


@pytest.mark.parametrize(
    ('task', 'message'),
    [
        (dynamics({'thermostat': 'langevin', 'temperature': 300, 'steps': 1}), 'overdamped'),
        (
            dynamics({'thermostat': 'nose_hoover_chain', 'temperature': 300, 'steps': 1}),
            'svr, andersen',
        ),
        (dynamics({'thermostat': 'npt', 'temperature': 300, 'steps': 1}), 'constant pressure'),
        (dynamics(nve(), nve(timestep=2.0)), 'one timestep'),
        (read_task({'kind': 'relax', 'optimizer': 'FIRE'}), 'FIRE'),
    ],
)
def test_what_pw_cannot_do_is_refused_by_name(task, message):
    with pytest.raises(ValueError, match=message):
        check_task(task, complete_options({}))


def test_a_mapped_thermostat_is_accepted():
    check_task(dynamics({'thermostat': 'langevin', 'temperature': 300, 'steps': 1}), MAPPED)


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        ({'thermostat': {}}, 'thermostat'),
        ({'steps_per_job': 0}, 'steps_per_job'),
        ({'extra_bands': -1}, 'extra_bands'),
        ({'thermostats': {'langevin': 'nose'}}, 'nose'),
        ({'thermostats': {'nve': 'svr'}}, 'nve'),
    ],
)
def test_bad_options_are_named(options, message):
    with pytest.raises(ValueError, match=message):
        complete_options(options)
