import numpy as np
import pytest
from aiida import orm

from aiida_enne.calculations.aims import AimsCalculation
from aiida_enne.codes.aims.output import Verdict, read_output
from aiida_enne.data.configurations import ConfigurationsData
from aiida_enne.parsers.aims import VERDICTS
from tests.aims_runs import MD, run_of
from tests.replay import (
    OUT_OF_TIME,
    UNCONVERGED,
    atoms_of,
    first_steps,
    recorded,
    species_nodes,
    unconverged,
)

SETTINGS = {'xc': 'pw91_gga'}


@pytest.fixture
def verdict(parse):
    """Return a function that parses an output: `outputs, node = verdict(name, ...)`."""

    def run(name, change=lambda text: text, *, settings=None, errors='', status=None):
        text, atoms = recorded(name) if isinstance(name, str) else name
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
    (expected,) = run_of('si8_forces').frames
    assert found.energies.tolist() == [expected.energies.free]
    np.testing.assert_array_equal(found.forces, expected.forces)
    assert (found.domains.tolist(), found.blocks.tolist()) == (['here'], [7])
    results = outputs['results'].get_dict()
    assert (results['verdict'], results['energy'], results['version']) == (
        *('finished', 'free'),
        '260101',
    )
    assert results['scf_iterations'] == [len(expected.scf)]
    assert len(results['scf_last']) == len(expected.scf)
    assert results['timings']['Total time'] == 113.27
    assert outputs['last_configuration'].n_frames == 1


def test_all_three_energies_are_told_apart(verdict):
    outputs, node = verdict('o2_relax', settings={'relaxation': {'max_force': 0.001}})
    assert node.is_finished_ok, node.exit_message
    found = outputs['dataset'].get_configurations()
    energies = [frame.energies for frame in run_of('o2_relax').frames]
    assert found.energies.tolist() == [one.free for one in energies]
    assert found.info['energy_uncorrected'].tolist() == [one.uncorrected for one in energies]
    assert found.info['energy_corrected'].tolist() == [one.corrected for one in energies]
    assert len({energies[0].free, energies[0].uncorrected, energies[0].corrected}) == 3
    assert found.info['converged'].tolist() == [0, 0, 0, 1]
    assert outputs['results']['relaxed'] is True
    assert not found.pbc.any()


def test_trajectory(verdict):
    outputs, node = verdict('h2o_md', settings={'md': MD, 'relativistic': 'none'})
    assert node.is_finished_ok, node.exit_message
    found = outputs['dataset'].get_configurations()
    assert found.info['step'].tolist() == [0, 1, 2, 3, 4]
    assert found.info['time'].tolist() == [0.0, 0.001, 0.002, 0.003, 0.004]
    frames = run_of('h2o_md').frames
    assert found.info['temperature'].tolist() == [frame.temperature for frame in frames]
    assert outputs['dataset'].level_of_theory == 'FHI-aims PW91 light, non-relativistic'
    velocities = outputs['last_velocities'].get_array('velocities')
    np.testing.assert_array_equal(velocities, frames[-1].velocities)


def test_a_trajectory_that_is_none_is_no_success(verdict):
    outputs, node = verdict('si8_forces', settings={'md': MD})
    assert node.exit_status == status_of('ERROR_TRUNCATED')
    assert 'a trajectory was asked for' in node.exit_message
    assert outputs['results']['verdict'] == 'truncated'
    assert 'last_velocities' not in outputs


def test_stress(verdict):
    outputs, _ = verdict('si_forces_stress')
    found = outputs['dataset'].get_configurations().stresses
    np.testing.assert_array_equal(found[0], run_of('si_forces_stress').frames[0].stress)


def header(text):
    return first_steps(text, 0)


BAD = {
    'not_started': (lambda text: 'slurm said hello\n', ''),
    'truncated': (unconverged, ''),
    'wrong_architecture': (lambda text: '', 'aims.x: Illegal instruction\n'),
    'species_missing': (header, '* Species Si is not defined\n'),
    'atoms_too_close': (header, '* check_for_close_encounters: atoms 1 and 2\n'),
    'out_of_walltime': (unconverged, OUT_OF_TIME),
    'killed': (unconverged, 'srun: error: task 0: Killed by signal 9\n'),
    'out_of_memory': (unconverged, 'slurmstepd: error: Detected 1 oom-kill event(s)\n'),
    'scf_not_converged': (lambda text: unconverged(text) + UNCONVERGED, ''),
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
    outputs, node = verdict('si8_forces', unconverged, errors=errors, status=status)
    assert node.exit_status == status_of(label)
    assert outputs['results']['verdict'] == label.removeprefix('ERROR_').lower()


def test_a_finished_run_is_finished_whatever_the_scheduler_says(verdict):
    assert verdict('si8_forces', status=120)[1].is_finished_ok


@pytest.mark.parametrize(
    ('name', 'label'), [('killed', 'ERROR_KILLED'), ('stub_mpi', 'ERROR_WRONG_ARCHITECTURE')]
)
def test_broken_outputs(verdict, name, label):
    assert verdict(name)[1].exit_status == status_of(label)


@pytest.mark.parametrize(
    ('name', 'status'),
    [('si8_forces', None), ('killed_mpi', 'KILLED'), ('si_fcc_stub', 'WRONG_ARCHITECTURE')],
)
def test_outputs_of_others(verdict, aims_text, name, status):
    text = aims_text(f'real {name}')
    outputs, node = verdict((text, atoms_of(read_output(text).frames[0])))
    assert node.exit_status == (status_of(f'ERROR_{status}') if status else 0)
    assert ('dataset' in outputs) == (status is None)


def test_a_file_that_is_absent_is_no_exception(parse):
    _, atoms = recorded('si8_forces')
    inputs = {
        'configurations': ConfigurationsData.from_atoms([atoms]).store(),
        'index': orm.Int(0).store(),
        'parameters': orm.Dict(SETTINGS).store(),
    }
    _, node = parse('enne.aims', {}, inputs, {'output_filename': 'aims.out'})
    assert node.exit_status == status_of('ERROR_NOT_STARTED')


def test_cut_anywhere_it_keeps_the_whole_steps(verdict):
    text, _ = recorded('h2o_md')
    lines = text.splitlines(keepends=True)
    for n in np.linspace(0, len(lines) - 20, 6).astype(int).tolist():
        prefix = ''.join(lines[:n])
        outputs, node = verdict('h2o_md', lambda _, prefix=prefix: prefix, settings={'md': MD})
        assert node.exit_status > 0
        whole = len(read_output(prefix).frames)
        assert outputs['results']['n_steps'] == whole
        assert (outputs['dataset'].n_frames if 'dataset' in outputs else 0) == whole
