import numpy as np
import pytest
from aiida import orm

from aiida_enne.calculations.aims import AimsCalculation
from aiida_enne.codes.aims.output import Verdict, read_output
from aiida_enne.data.configurations import ConfigurationsData
from aiida_enne.parsers.aims import VERDICTS
from tests.replay import BEGIN, OUT_OF_TIME, UNCONVERGED, first_steps, species_nodes

SETTINGS = {'xc': 'pw91_gga'}
MD = {
    'ensemble': 'NVT_nose-hoover',
    'time': 0.005,
    'time_step': 0.001,
    'temperature': 300.0,
    'parameter': 900.0,
}


@pytest.fixture
def verdict(parse, real_aims):
    """Return a function that parses a real output: `outputs, node = verdict(name, ...)`."""

    def run(name, change=lambda text: text, *, settings=None, errors='', status=None):
        text, atoms = real_aims(name)
        atoms.info = {'domain': 'here', 'block': 7}
        inputs = {
            'configurations': ConfigurationsData.from_atoms([atoms]),
            'index': orm.Int(0),
            'parameters': orm.Dict(SETTINGS | (settings or {})),
            **{f'species__{element}': node for element, node in species_nodes(atoms).items()},
        }
        for node in inputs.values():
            node.store()
        files = {'aims.out': change(text), 'aims.err': errors}
        attributes = {'output_filename': 'aims.out'}
        if status is not None:
            attributes['exit_status'] = status
        return parse('enne.aims', files, inputs, attributes)

    return run


def status_of(label):
    return AimsCalculation.exit_codes[label].status


def test_single_point(verdict):
    outputs, node = verdict('si8_forces')
    assert node.is_finished_ok, node.exit_message
    dataset = outputs['dataset']
    assert dataset.level_of_theory == 'FHI-aims PW91 light, scalar ZORA'
    found = dataset.get_configurations()
    assert found.energies.tolist() == [-0.632095651717658e05]
    assert found.forces[0].tolist() == [
        -0.110236857200184,
        0.296663988181081e-07,
        0.456803094348583e-06,
    ]
    assert (found.domains.tolist(), found.blocks.tolist()) == (['here'], [7])
    results = outputs['results'].get_dict()
    assert (results['verdict'], results['energy'], results['version']) == (
        *('finished', 'free'),
        '220309',
    )
    assert results['scf_iterations'] == [13]
    assert len(results['scf_last']) == 13
    assert results['timings']['Total time'] == 113.271
    assert outputs['last_configuration'].n_frames == 1


def test_all_three_energies_are_told_apart(verdict):
    outputs, node = verdict('o2_relax', settings={'relaxation': {'max_force': 0.001}})
    assert node.is_finished_ok, node.exit_message
    found = outputs['dataset'].get_configurations()
    assert found.energies[0] == -0.409212658960438e04
    assert found.info['energy_uncorrected'][0] == -0.409207017064519e04
    assert found.info['energy_corrected'][0] == -0.409209838012479e04
    assert found.info['converged'].tolist() == [0, 0, 0, 1]
    assert outputs['results']['relaxed'] is True
    assert not found.pbc.any()


def test_trajectory(verdict):
    outputs, node = verdict('h2o_md', settings={'md': MD, 'relativistic': 'none'})
    assert node.is_finished_ok, node.exit_message
    found = outputs['dataset'].get_configurations()
    assert found.info['step'].tolist() == [0, 1, 2, 3, 4]
    assert found.info['time'].tolist() == [0.0, 0.001, 0.002, 0.003, 0.004]
    assert found.info['temperature'][1] == 328.872938481944
    assert outputs['dataset'].level_of_theory == 'FHI-aims PW91 light, non-relativistic'
    velocities = outputs['last_velocities'].get_array('velocities')
    assert velocities[2].tolist() == [-0.18777088, -0.82245910, 1.51204451]


def test_a_trajectory_that_is_none_is_no_success(verdict):
    outputs, node = verdict('si8_forces', settings={'md': MD})
    assert node.exit_status == status_of('ERROR_TRUNCATED')
    assert 'a trajectory was asked for' in node.exit_message
    assert outputs['results']['verdict'] == 'truncated'
    assert 'last_velocities' not in outputs


def test_stress(verdict):
    outputs, _ = verdict('si_forces_stress')
    assert outputs['dataset'].get_configurations().stresses[0, 0, 0] == -0.000258


def header(text):
    return first_steps(text, 0)


def cut(text):
    return text[: text.index(BEGIN) + 2000]


BAD = {
    'not_started': (lambda text: 'slurm said hello\n', ''),
    'truncated': (cut, ''),
    'wrong_architecture': (lambda text: '', 'aims.x: Illegal instruction\n'),
    'species_missing': (header, '* Species Si is not defined\n'),
    'atoms_too_close': (header, '* check_for_close_encounters: atoms 1 and 2\n'),
    'out_of_walltime': (cut, OUT_OF_TIME),
    'killed': (cut, 'srun: error: task 0: Killed by signal 9\n'),
    'out_of_memory': (cut, 'slurmstepd: error: Detected 1 oom-kill event(s)\n'),
    'scf_not_converged': (lambda text: cut(text) + '\n' + UNCONVERGED, ''),
}


@pytest.mark.parametrize('name', BAD)
def test_every_verdict_has_its_exit_code(verdict, name):
    change, errors = BAD[name]
    outputs, node = verdict('si8_forces', change, errors=errors)
    assert node.exit_status == status_of(VERDICTS[Verdict(name)]), node.exit_message
    assert outputs['results']['verdict'] == name
    assert 'dataset' not in outputs


def test_a_relaxation_that_did_not_converge(verdict):
    def unrelaxed(text):
        return text.replace('Present geometry is converged', 'Present geometry is not')

    settings = {'relaxation': {'max_force': 0.001}}
    outputs, node = verdict('o2_relax', unrelaxed, settings=settings)
    assert node.exit_status == status_of('ERROR_RELAXATION_NOT_CONVERGED')
    assert outputs['dataset'].n_frames == 4
    assert outputs['dataset'].get_configurations().info['converged'].tolist() == [0, 0, 0, 0]


def test_all_verdicts_are_covered():
    assert {*BAD, 'relaxation_not_converged', 'finished'} == {str(one) for one in Verdict}
    assert {*VERDICTS, Verdict.FINISHED} == set(Verdict)
    statuses = {status_of(label) for label in VERDICTS.values()}
    assert len(statuses) == len(VERDICTS)


@pytest.mark.parametrize(
    ('status', 'label'), [(110, 'ERROR_OUT_OF_MEMORY'), (120, 'ERROR_OUT_OF_WALLTIME')]
)
def test_what_the_scheduler_says_counts_first(verdict, status, label):
    errors = 'srun: error: task 0: Killed by signal 9\n'
    outputs, node = verdict('si8_forces', cut, errors=errors, status=status)
    assert node.exit_status == status_of(label)
    assert outputs['results']['verdict'] == label.removeprefix('ERROR_').lower()


def test_a_finished_run_is_finished_whatever_the_scheduler_says(verdict):
    assert verdict('si8_forces', status=120)[1].is_finished_ok


def test_real_broken_outputs(verdict):
    _, node = verdict('killed_mpi')
    assert node.exit_status == status_of('ERROR_KILLED')
    _, node = verdict('si_fcc_stubmpi')
    assert node.exit_status == status_of('ERROR_WRONG_ARCHITECTURE')


def test_a_file_that_is_absent_is_no_exception(parse, real_aims):
    _, atoms = real_aims('si8_forces')
    inputs = {
        'configurations': ConfigurationsData.from_atoms([atoms]).store(),
        'index': orm.Int(0).store(),
        'parameters': orm.Dict(SETTINGS).store(),
    }
    _, node = parse('enne.aims', {}, inputs, {'output_filename': 'aims.out'})
    assert node.exit_status == status_of('ERROR_NOT_STARTED')


def test_cut_anywhere_it_keeps_the_whole_steps(verdict, real_aims):
    text, _ = real_aims('h2o_md')
    lines = text.splitlines(keepends=True)
    for n in np.linspace(0, len(lines) - 20, 6).astype(int).tolist():
        prefix = ''.join(lines[:n])
        outputs, node = verdict('h2o_md', lambda _, prefix=prefix: prefix, settings={'md': MD})
        assert node.exit_status > 0
        whole = len(read_output(prefix).frames)
        assert outputs['results']['n_steps'] == whole
        assert (outputs['dataset'].n_frames if 'dataset' in outputs else 0) == whole
