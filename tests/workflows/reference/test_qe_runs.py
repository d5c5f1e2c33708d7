"""Tests for `QeReferenceWorkChain` that run pw.x."""

import os
import subprocess

import ase.io.espresso
import numpy as np
import pytest
from aiida import orm
from aiida.engine import run_get_node
from ase import Atoms, units
from ase.build import bulk
from ase.eos import EquationOfState
from click.testing import CliRunner

from aiida_enne.cli.main import main
from aiida_enne.data.configurations import ConfigurationsData
from aiida_enne.science.structures.phases import PHASE_TABLE, phase
from aiida_enne.workflows.reference.convergence import ConvergenceWorkChain
from aiida_enne.workflows.reference.engine import load_engine
from tests.pseudos import NORM_CONSERVING

pytestmark = [pytest.mark.qe, pytest.mark.slow]
pytest_plugins = ['tests.pseudos']
CONSTANTS = pytest.importorskip('qe_tools').CONSTANTS


@pytest.fixture
def launch(fast_runner, aiida_computer_local, pw_executable, pseudo_folder):
    """Return a function that runs a task: `node = launch(frames, task, **inputs)`."""
    words = ('--label', 'SIQE', '--only', NORM_CONSERVING, '--cutoffs', '22,88')
    made = CliRunner().invoke(main, ['pseudo', 'install', str(pseudo_folder), *words])
    assert made.exit_code == 0, made.output
    computer = aiida_computer_local(label='localhost')
    computer.set_minimum_job_poll_interval(0)
    code = orm.InstalledCode(
        label='pw',
        computer=computer,
        filepath_executable=pw_executable,
        default_calc_job_plugin='quantumespresso.pw',
        prepend_text='export OMP_NUM_THREADS=1',
    ).store()

    def run(frames, task, seed=None, **overrides):
        builder = load_engine('qe').get_builder_from_protocol(
            code,
            ConfigurationsData.from_atoms(frames),
            task,
            seed=seed,
            protocol='test',
            overrides=overrides,
        )
        return run_get_node(builder).node

    return run


def liquid():
    """Return eight atoms of silicon far from their sites, at the density of the liquid."""
    atoms = bulk('Si', cubic=True, a=5.26)
    atoms.rattle(0.15, seed=3)
    atoms.info = {'domain': 'liquid', 'block': 0}
    return atoms


def direct(atoms, pseudo_folder, folder, executable):
    """Return what ASE reads of a run of pw.x that was written by ASE."""
    folder.mkdir()
    data = {
        'control': {'tprnfor': True, 'tstress': True, 'pseudo_dir': str(pseudo_folder)},
        'system': {
            'ecutwfc': 16,
            'ecutrho': 64,
            'occupations': 'smearing',
            'smearing': 'gaussian',
            'degauss': 0.01,
            'input_dft': 'PW91',
        },
        'electrons': {'conv_thr': 1e-12},
    }
    ase.io.write(
        folder / 'pw.in',
        atoms,
        format='espresso-in',
        input_data=data,
        pseudopotentials={'Si': NORM_CONSERVING},
        kpts=(2, 2, 2),
    )
    environment = {**os.environ, 'OMP_NUM_THREADS': '1'}
    with (folder / 'pw.out').open('w') as out:
        subprocess.run(
            [executable, '-in', 'pw.in'], cwd=folder, stdout=out, check=True, env=environment
        )
    return ase.io.read(folder / 'pw.out', format='espresso-out')


def test_labels_are_those_of_pw_itself(launch, pseudo_folder, tmp_path, pw_executable):
    atoms = bulk('Si', cubic=False, a=5.2)
    atoms.rattle(0.1, seed=1)
    atoms.info = {'domain': 'diamond', 'block': 3}
    options = {'conv_thr_per_atom': 5e-13}
    node = launch([atoms], {'kind': 'label'}, kpoints_mesh=[2, 2, 2], options=options)
    assert node.is_finished_ok, node.exit_message
    found = node.outputs.dataset.get_configurations()
    expected = direct(atoms, pseudo_folder, tmp_path / 'direct', pw_executable)
    rydbergs = expected.get_potential_energy() / ase.io.espresso.units['Ry']
    rydberg = CONSTANTS.ry_to_ev  # the plugin's Rydberg and ASE's differ in the eighth digit
    np.testing.assert_allclose(found.energies, rydbergs * rydberg, rtol=0, atol=1e-6)
    np.testing.assert_allclose(found.forces, expected.get_forces(), rtol=0, atol=2e-5)
    stress = expected.get_stress(voigt=False)
    np.testing.assert_allclose(found.stresses[0], stress, rtol=0, atol=2e-6)
    assert np.trace(stress) < -0.03  # compressed: negative, as everywhere in ASE
    assert found.domains.tolist() == ['diamond']
    assert found.blocks.tolist() == [3]
    level = node.outputs.dataset.level_of_theory
    assert level == f'QE PW91 (input_dft) {NORM_CONSERVING}, 16/64 Ry, k 2x2x2, gaussian 0.01 Ry'
    assert node.outputs.results['counts'] == {'finished': 1}


def test_settings_reach_pw_and_differ_from_the_labels_by_what_is_told(launch):
    atoms = bulk('Si', cubic=False, a=5.43)
    atoms.rattle(0.1, seed=1)
    atoms.info = {'domain': 'diamond', 'block': 0}
    node = launch([atoms], {'kind': 'label'}, kpoints_mesh=[2, 2, 2])
    assert node.is_finished_ok, node.exit_message
    ours = node.outputs.dataset
    settings = {
        'smearing': {'base': {'pw': {'parameters': {'SYSTEM': {'degauss': 0.02}}}}},
        'converged': {'ecutwfc': 24, 'ecutrho': 96, 'kpoints_mesh': [3, 3, 3]},
    }
    builder = ConvergenceWorkChain.get_builder_from_protocol(
        node.inputs.base.pw.code,
        {'diamond': ours},
        'qe',
        protocol='test',
        overrides={'inputs': {'kpoints_mesh': [2, 2, 2]}, 'settings': settings},
    )
    stated = run_get_node(builder).node
    assert stated.is_finished_ok, stated.exit_message
    found = stated.outputs.convergence.get_dict()
    assert {name: level.partition('UPF, ')[2] for name, level in found['levels'].items()} == {
        'as_labelled': '16/64 Ry, k 2x2x2, gaussian 0.01 Ry',
        'smearing': '16/64 Ry, k 2x2x2, gaussian 0.02 Ry',
        'converged': '24/96 Ry, k 3x3x3, gaussian 0.01 Ry',
    }
    best = stated.outputs.datasets['converged'].get_configurations()
    apart = ours.get_configurations().forces - best.forces
    told = found['settings']['as_labelled']['domains']['diamond']
    assert told['force_rms'] == pytest.approx(np.sqrt(np.mean(apart**2)), rel=1e-6)
    assert 0 < told['force_rms'] < told['force_converged']
    assert told['n_stresses'] == 1
    assert told['stress_rms'] > 0


def test_twenty_steps_of_the_liquid(launch):
    stages = [
        {'thermostat': 'nve', 'temperature': 2000, 'steps': 8, 'record_every': 1},
        {'thermostat': 'langevin', 'temperature': 2000, 'steps': 12, 'record_every': 2},
    ]
    stages[1]['domain'] = 'hot {domain}'
    options = {'steps_per_job': 6}
    task = {'kind': 'md', 'stages': stages}
    node = launch([liquid()], task, seed=5, options=options)
    assert node.is_finished_ok, node.exit_message
    found = node.outputs.dataset.get_configurations()
    assert len(found) == 8 + 6
    np.testing.assert_allclose(found.info['time'][:8], np.arange(1, 9) / 1000)
    np.testing.assert_allclose(found.info['time'][8:], np.arange(10, 21, 2) / 1000)
    assert found.domains.tolist() == ['liquid'] * 8 + ['hot liquid'] * 6
    # energy is conserved across the border between two jobs, while the potential energy is not
    kinetic = 1.5 * (8 - 1) * units.kB * found.info['temperature'][:8]
    assert np.ptp(found.energies[:8] + kinetic) < 0.03 * np.ptp(found.energies[:8]) + 0.01
    assert np.ptp(found.energies[:8]) > 0.1
    # forces and positions are of the same frame: work done by the mean force
    path = found.positions.reshape(14, 8, 3)[:8]
    forces = found.forces.reshape(14, 8, 3)[:8]
    work = -((path[1:] - path[:-1]) * (forces[1:] + forces[:-1]) / 2).sum(axis=(1, 2))
    np.testing.assert_allclose(np.diff(found.energies[:8]), work, rtol=0, atol=5e-3)


def test_the_eight_phases(launch):
    frames = []
    for name, kind in PHASE_TABLE.items():
        atoms = phase(name, kind.volume)
        atoms.info = {'domain': name, 'block': len(frames)}
        frames.append(atoms)
    node = launch(frames, {'kind': 'label'}, kpoints_mesh=[2, 2, 2])
    assert node.is_finished_ok, node.exit_message
    found = node.outputs.dataset.get_configurations()
    assert found.domains.tolist() == list(PHASE_TABLE)
    per_atom = dict(zip(PHASE_TABLE, found.energies / found.n_atoms, strict=True))
    assert all(-110 < energy < -104 for energy in per_atom.values())
    np.testing.assert_array_equal(found.info['configuration'], np.arange(8))
    wrong = np.abs(found.forces[found.atom_index([0, 2, 6, 7])])
    assert wrong.max() < 1e-4  # sites without free parameters


@pytest.mark.parametrize('functional', ['PW91', 'PBE'])
def test_diamond_is_as_large_and_as_stiff_as_it_should_be(launch, functional):
    lengths = np.linspace(5.30, 5.64, 6)
    frames = [bulk('Si', a=length) for length in lengths]
    node = launch(
        frames,
        {'kind': 'label'},
        functional=functional,
        kpoints_mesh=[5, 5, 5],
        ecutwfc=20,
        ecutrho=80,
    )
    assert node.is_finished_ok, node.exit_message
    found = node.outputs.dataset.get_configurations()
    volume, _, modulus = EquationOfState(found.volumes, found.energies, 'birchmurnaghan').fit()
    assert (4 * volume) ** (1 / 3) == pytest.approx(5.47, rel=0.01)
    assert modulus / units.GPa == pytest.approx(89, rel=0.1)
    # the stress is the slope of the energy: its sign, its size and its unit
    slopes = np.gradient(found.energies, found.volumes)[1:-1]
    pressures = -np.trace(found.stresses, axis1=1, axis2=2)[1:-1] / 3
    np.testing.assert_allclose(-slopes, pressures, rtol=0, atol=6e-3)
    assert functional in node.outputs.dataset.level_of_theory


def test_a_rattled_cell_relaxes(launch):
    atoms = bulk('Si', a=5.47)
    atoms.positions[1] += [0.12, 0.05, -0.04]
    task = {'kind': 'relax', 'fmax': 0.02, 'fixed': [[0]]}
    node = launch([atoms], task, kpoints_mesh=[2, 2, 2])
    assert node.is_finished_ok, node.exit_message
    found = node.outputs.dataset.get_configurations()
    assert found.info['converged'].tolist() == [0.0] * (len(found) - 1) + [1.0]
    np.testing.assert_array_equal(found.info['step'], np.arange(len(found)))
    assert found.energies[-1] < found.energies[0] - 0.1
    free = found.forces.reshape(-1, 2, 3)[:, 1]
    assert np.linalg.norm(free[0]) > 0.5
    assert np.linalg.norm(free[-1]) < 0.02
    path = found.positions.reshape(-1, 2, 3)
    np.testing.assert_allclose(path[:, 0], 0, atol=1e-6)
    np.testing.assert_allclose(path[0], atoms.positions, atol=1e-6)
    apart = path[-1, 1] - path[-1, 0]
    np.testing.assert_allclose(apart, [1.3675] * 3, atol=0.01)


def test_a_cell_relaxes_at_constant_volume(launch):
    atoms = bulk('Si', cubic=False, a=5.47)
    atoms.set_cell(atoms.cell @ np.diag([1.03, 1.0, 1 / 1.03]), scale_atoms=True)
    task = {'kind': 'relax', 'fmax': 0.05, 'cell': 'shape'}
    node = launch([atoms], task, kpoints_mesh=[2, 2, 2])
    assert node.is_finished_ok, node.exit_message
    found = node.outputs.dataset.get_configurations()
    np.testing.assert_allclose(found.volumes, atoms.get_volume(), rtol=1e-4)
    assert found.energies[-1] < found.energies[0] - 0.005
    lengths = np.linalg.norm(found.cells[-1], axis=1)
    assert np.ptp(lengths) < np.ptp(atoms.cell.lengths()) / 4 + 1e-6


def test_atoms_on_top_of_each_other_are_listed_and_the_others_kept(launch):
    bad = Atoms('Si2', positions=[[0, 0, 0], [0, 0, 0]], cell=[5, 5, 5], pbc=True)
    good = bulk('Si', a=5.43)
    node = launch([good, bad, good], {'kind': 'label'})
    assert node.exit_status == 410
    assert '1 of 3' in node.exit_message
    (failure,) = node.outputs.results['failures']
    assert failure['configuration'] == 1
    assert failure['status'] == 'failed'
    assert failure['message']
    found = node.outputs.dataset.get_configurations()
    assert found.info['configuration'].tolist() == [0, 2]


def test_dynamics_out_of_time_goes_on_in_halves(launch):
    stage = {'thermostat': 'nve', 'temperature': 1500, 'steps': 40, 'record_every': 1}
    task = {'kind': 'md', 'stages': [stage]}
    undisturbed = launch([liquid()], task, seed=1)
    assert undisturbed.is_finished_ok, undisturbed.exit_message
    # machines differ: what is too short for all steps at once is known only from doing them
    jobs = [n for n in undisturbed.called_descendants if 'output_parameters' in n.outputs]
    seconds = max(n.outputs.output_parameters['wall_time_seconds'] for n in jobs)
    options = {'metadata': {'options': {'max_wallclock_seconds': max(2, int(0.7 * seconds))}}}
    node = launch([liquid()], task, seed=1, base={'pw': options})
    assert node.is_finished_ok, node.exit_message
    found = node.outputs.dataset.get_configurations()
    np.testing.assert_allclose(found.info['time'], np.arange(1, 41) / 1000)
    assert node.outputs.results['jobs']['0'] > undisturbed.outputs.results['jobs']['0']
    kinetic = 1.5 * (8 - 1) * units.kB * found.info['temperature']
    assert np.ptp(found.energies + kinetic) < 0.05
