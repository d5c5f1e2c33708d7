from pathlib import Path

import numpy as np
import pytest
from aiida import orm
from aiida.common import exceptions
from ase.build import bulk

from aiida_enne.codes.aims.geometry import read_geometry
from aiida_enne.data.configurations import ConfigurationsData
from tests.aims_writer import species_node, species_text
from tests.replay import as_array, options, species_nodes

SETTINGS = {'xc': 'pw91_gga', 'k_grid': [2, 2, 2], 'sc_accuracy_rho': 1e-5}
MD = {'ensemble': 'NVT_parrinello', 'time': 1.0, 'time_step': 0.001, 'temperature': 300.0}
MD |= {'parameter': 0.05, 'seed': 3}


@pytest.fixture
def inputs(aiida_profile_clean, aiida_code_installed):
    code = aiida_code_installed(
        label='aims', default_calc_job_plugin='enne.aims', filepath_executable='/bin/true'
    )
    frames = [bulk('Si', cubic=True), bulk('GaAs', 'zincblende', 5.65)]
    frames[0].positions[1] += 1 / 3
    return {
        'code': code,
        'configurations': ConfigurationsData.from_atoms(frames),
        'parameters': orm.Dict(SETTINGS),
        'species': {**species_nodes(frames[0]), **species_nodes(frames[1])},
        'metadata': options(max_wallclock_seconds=1000),
    }


def content(folder, name):
    return Path(folder.get_abs_path(name)).read_text()


def test_files_of_a_trajectory(prepare, inputs, file_regression):
    inputs |= {
        'parameters': orm.Dict(SETTINGS | {'md': MD}),
        'velocities': as_array(np.arange(24.0).reshape(8, 3)),
        'fixed': orm.List([0, 3]),
    }
    job, folder = prepare('enne.aims', inputs)
    text = '\n'.join(content(folder, name) for name in ('control.in', 'geometry.in'))
    file_regression.check(text, extension='.in')
    assert job.retrieve_list == ['aims.out', 'aims.err', 'aims_MD_restart.dat']
    assert job.codes_info[0].stdout_name == 'aims.out'


def test_one_configuration_is_chosen_with_its_own_species_only(prepare, inputs):
    _, folder = prepare('enne.aims', inputs | {'index': orm.Int(1)})
    geometry = read_geometry(content(folder, 'geometry.in'))
    assert geometry.symbols == ('Ga', 'As')
    control = content(folder, 'control.in')
    assert [line.split()[1] for line in control.splitlines() if 'species  ' in line] == ['As', 'Ga']


def test_the_program_is_told_to_stop_before_the_job_is(prepare, inputs):
    _, folder = prepare('enne.aims', inputs)
    assert 'walltime                    950' in content(folder, 'control.in')


def test_a_walltime_that_was_given_is_kept(prepare, inputs):
    _, folder = prepare('enne.aims', inputs | {'parameters': orm.Dict(SETTINGS | {'walltime': 7})})
    assert 'walltime                    7\n' in content(folder, 'control.in')


def test_a_restart_file_is_copied_from_the_parent(prepare, inputs, aiida_localhost):
    parent = orm.RemoteData(computer=aiida_localhost, remote_path='/somewhere').store()
    md = orm.Dict(SETTINGS | {'md': MD | {'restart': True}})
    job, folder = prepare('enne.aims', inputs | {'parent_folder': parent, 'parameters': md})
    path = '/somewhere/aims_MD_restart.dat'
    assert job.remote_copy_list == [(aiida_localhost.uuid, path, 'aims_MD_restart.dat')]
    assert '.true.' in content(folder, 'control.in').split('MD_restart')[1].splitlines()[0]


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        ({'index': 2}, 'one of 2 configurations, got 2'),
        ({'parameters': {'xc': 'pw91-gga'}}, '`xc` must be one of'),
        ({'parameters': SETTINGS | {'unknown': 1}}, 'settings of control.in: unknown unknown'),
        ({'index': 1, 'species': {}}, 'it lacks As, Ga'),
        ({'fixed': [8]}, 'indices of 8 atoms, got 8'),
        ({'velocities': as_array, 'index': 1}, r'must have the shape \(2, 3\)'),
        ({'parameters': SETTINGS | {'md': MD | {'restart': True}}}, 'given together'),
    ],
)
def test_bad_inputs_are_refused(prepare, inputs, change, message):
    if 'velocities' in change:
        change = change | {'velocities': as_array(np.zeros((8, 3)))}
    with pytest.raises((exceptions.InputValidationError, ValueError), match=message):
        prepare('enne.aims', inputs | change)


def test_the_species_of_another_element_is_refused(prepare, inputs):
    wrong = {'Si': species_node(species_text('O', 8))}
    with pytest.raises(ValueError, match='given for Si is that of O'):
        prepare('enne.aims', inputs | {'species': wrong})
