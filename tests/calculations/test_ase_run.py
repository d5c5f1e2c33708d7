"""Tests for `AseRunCalculation`: its files and what it refuses."""

import json

import pytest
from aiida import orm

from aiida_enne.codes import ase
from aiida_enne.data.configurations import ConfigurationsData

STAGES = [
    {'thermostat': 'langevin', 'temperature': [0, 5000], 'steps': 5000},
    {
        'thermostat': 'nose_hoover_chain',
        'temperature': 2000,
        'steps': 5000,
        'record_every': 10,
        'domain': '{domain} 2000 K',
    },
]
TASKS = {
    'label': {'kind': 'label'},
    'md': {'kind': 'md', 'stages': STAGES},
    'relax': {'kind': 'relax', 'cell': 'shape', 'symmetry': True},
}


@pytest.fixture
def inputs(dataset, aiida_code_installed):
    return {
        'code': aiida_code_installed(
            default_calc_job_plugin='enne.ase.run', filepath_executable='/bin/true'
        ),
        'configurations': ConfigurationsData.from_configurations(
            dataset.get_configurations().unlabelled()
        ),
        'calculator': {'preset': 'lammps-sw-si'},
        'task': TASKS['md'],
        'seed': 7,
    }


@pytest.mark.parametrize('kind', TASKS)
def test_the_file_of_the_job(prepare, inputs, kind, file_regression):
    job, folder = prepare('enne.ase.run', inputs | {'task': TASKS[kind]})
    assert set(folder.get_content_list()) == {'job.json', 'Si.sw', *ase.SCRIPTS}
    ((uuid, source, target),) = job.local_copy_list
    assert (uuid, source) == (inputs['configurations'].uuid, 'configurations.npz')
    assert target == 'configurations.npz'
    assert job.retrieve_temporary_list == ['units']
    with folder.open('job.json') as handle:
        file_regression.check(handle.read(), extension='.json')


def test_potentials_are_files(prepare, inputs, file_regression):
    _, folder = prepare('enne.ase.run', inputs | {'calculator': {'preset': 'lammps-tersoff-si'}})
    with folder.open('Si.tersoff') as handle:
        file_regression.check(handle.read(), extension='.tersoff')


def test_execution_is_on_the_command_line_only(prepare, inputs):
    plain, folder = prepare('enne.ase.run', inputs)
    with folder.open('job.json') as handle:
        expected = json.load(handle)
    options = {'options': {'max_wallclock_seconds': 600}}
    extra = {'processes': 2, 'checkpoint_seconds': 60, 'metadata': options}
    packed, folder = prepare('enne.ase.run', inputs | extra)
    with folder.open('job.json') as handle:
        assert json.load(handle) == expected
    script = ['ase_run.py', '--processes']
    assert plain.codes_info[0].cmdline_params == [*script, '1', '--checkpoint', '10']
    assert packed.codes_info[0].cmdline_params == [
        *script,
        *('2', '--checkpoint', '60', '--seconds', '600'),
    ]


def test_a_job_goes_on_from_the_units_of_another(prepare, inputs, aiida_localhost):
    parent = orm.RemoteData(computer=aiida_localhost, remote_path='/scratch/job').store()
    job, _ = prepare('enne.ase.run', inputs | {'parent_folder': parent})
    assert job.remote_copy_list == [(aiida_localhost.uuid, '/scratch/job/units', 'units')]


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        ({'calculator': {'preset': 'dft'}}, "got 'dft'"),
        ({'task': {'kind': 'sing'}}, "got 'sing'"),
        ({'seed': None}, 'needs a `seed`'),
        ({'seed': -1}, 'must not be negative, got -1'),
        ({'processes': 0}, 'at least 1, got 0'),
        ({'checkpoint_seconds': -1}, 'at least 0, got -1'),
        ({'task': {'kind': 'relax', 'fixed': [[0]]}}, 'for 10 configurations, got 1'),
        (
            {'task': {'kind': 'relax', 'fixed': [[]] * 9 + [[4]]}},
            'points to atom 4 of configuration 9 with 4',
        ),
    ],
)
def test_inputs_that_cannot_run_are_refused_by_name(prepare, inputs, change, message):
    changed = {key: value for key, value in (inputs | change).items() if value is not None}
    with pytest.raises(ValueError, match=message):
        prepare('enne.ase.run', changed)
