import dataclasses
import warnings

import ase.io
import numpy as np
import pytest

from aiida_enne.codes.aims.output import Verdict, read_output
from tests.aims_outputs import BROKEN, REAL
from tests.aims_runs import ACCELERATION, RUNS, run_of

OURS = {'killed': Verdict.KILLED, 'stub_mpi': Verdict.WRONG_ARCHITECTURE}


def whole(names, broken):
    """Return the names of outputs that ended in order."""
    return [name for name in names if name not in broken]


@pytest.mark.parametrize('name', RUNS)
def test_what_was_written_is_read_to_the_digit(name):
    run = run_of(name)
    output = read_output(run.text)
    assert output.verdict == OURS.get(name, Verdict.FINISHED)
    assert output.unfinished is None
    assert (output.version, output.xc) == ('260101', run.settings['xc'].split()[0])
    assert output.relaxed is (True if 'relax' in name else None)
    assert len(output.frames) == len(run.frames)
    for frame, expected in zip(output.frames, run.frames, strict=True):
        for field in dataclasses.fields(expected):
            found, known = getattr(frame, field.name), getattr(expected, field.name)
            if isinstance(known, np.ndarray):
                np.testing.assert_array_equal(found, known, field.name)
            else:
                assert found == known, field.name


@pytest.mark.parametrize('name', REAL)
def test_every_real_output_shows_its_numbers(name, aims_text):
    version, xc, elements, seconds, steps = REAL[name]
    output = read_output(aims_text(f'real {name}'))
    assert output.verdict == BROKEN.get(name, Verdict.FINISHED)
    assert output.unfinished is None
    assert (output.version, output.xc) == (version, xc)
    assert output.timings.get('Total time') == seconds
    assert output.relaxed is (True if 'relax' in name else None)
    assert [(frame.energies.free, len(frame.scf)) for frame in output.frames] == [
        step[:2] for step in steps
    ]
    for frame, (_, _, force) in zip(output.frames, steps, strict=True):
        assert frame.symbols == tuple(elements.split())
        assert frame.converged
        assert (frame.forces is None) == (force is None)
        if force is not None:
            assert frame.forces[0].tolist() == force


def test_the_three_energies_of_a_real_output_differ_where_electrons_have_entropy(aims_text):
    energies = read_output(aims_text('real o2_relax')).frames[0].energies
    assert energies.uncorrected == -0.409207017064519e04
    assert energies.corrected == -0.409209838012479e04
    assert energies.free == -0.409212658960438e04


def test_stress_of_a_real_output(aims_text):
    (frame,) = read_output(aims_text('real si_forces_stress')).frames
    expected = [[-0.000258, 0, 0], [0, -0.00024997, -0.00000264], [0, -0.00000264, -0.00025519]]
    assert frame.stress.tolist() == expected
    # the pressure that the output prints has the other sign
    assert -np.trace(frame.stress) / 3 == pytest.approx(0.00025439, abs=5e-9)
    pressures = [f.stress[0, 0] for f in read_output(aims_text('real si_relax_cell')).frames]
    assert pressures == [-0.06472442, -0.04036154, -0.0064262, -0.00080786, -0.00001699]


def test_md_frames_of_a_real_output_have_the_positions_of_their_energies(aims_text):
    frames = read_output(aims_text('real h2o_md')).frames
    assert [frame.time for frame in frames] == [0.0, 0.001, 0.002, 0.003, 0.004]
    temperatures = [300.0, 328.872938481944, 374.130708782034, 339.815893902375, 201.054481758081]
    assert [frame.temperature for frame in frames] == temperatures
    assert frames[0].positions.tolist() == [[2.8, 2.6, 2.0], [1.2, 2.6, 2.0], [2.0, 2.0, 2.0]]
    assert frames[1].positions[0].tolist() == [2.77671567, 2.62310490, 1.98631024]
    assert frames[2].positions[2].tolist() == [2.00114652, 1.99493938, 2.00322143]
    assert frames[4].positions[0].tolist() == [2.68018038, 2.66402050, 1.94637928]
    assert frames[4].velocities[2].tolist() == [-0.18777088, -0.82245910, 1.51204451]
    for frame in frames:
        np.testing.assert_array_equal(frame.cell, 4 * np.eye(3))


@pytest.mark.parametrize(
    ('name', 'hydrogen', 'oxygen'), [('h2o_md', 1.008, 15.999), ('real h2o_md', 1.00794, 15.9994)]
)
def test_md_velocities_move_the_atoms(name, hydrogen, oxygen, aims_text):
    first, second = read_output(aims_text(name)).frames[:2]
    masses = np.array([[hydrogen], [hydrogen], [oxygen]])
    acceleration = first.forces / masses * ACCELERATION
    moved = first.positions + 0.001 * first.velocities + 0.5e-6 * acceleration
    np.testing.assert_allclose(moved, second.positions, atol=2e-8)


def test_relaxed_geometries_of_real_outputs_are_those_before_their_cycle(aims_text):
    frames = read_output(aims_text('real si_relax_cell')).frames
    assert frames[0].cell.tolist() == [[0, 2.715, 2.715], [2.715, 0, 2.715], [2.715, 2.715, 0]]
    assert frames[1].cell[0].tolist() == [0.00000002, 2.74664715, 2.74664715]
    assert frames[1].positions[1].tolist() == [1.37332356, 1.37332357, 1.37332357]
    assert frames[4].cell[1].tolist() == [2.81517609, -0.00000004, 2.81517614]
    heights = [f.positions[0, 2] for f in read_output(aims_text('real o2_relax')).frames]
    assert heights[:2] + heights[3:] == [0.622978, 0.61665612, 0.61383570]


def test_input_positions_keep_all_their_digits():
    run = run_of('si_forces_stress')
    np.testing.assert_array_equal(read_output(run.text).frames[0].positions, run.atoms.positions)
    assert np.abs(run.atoms.positions - run.atoms.positions.round(8)).max() > 0


def test_input_positions_of_a_real_output_keep_all_their_digits(aims_text):
    (frame,) = read_output(aims_text('real si_forces_stress')).frames
    assert frame.positions[1].tolist() == [
        1.9335450000000003,
        1.1163327262402549,
        0.7893664407849499,
    ]
    assert frame.cell[1].tolist() == [1.9335450000000005, 3.3489981787207648, 0.0]


def test_self_consistency_history_of_real_outputs(aims_text):
    normal = read_output(aims_text('real si_forces_stress')).frames[0].scf[-1]
    assert (normal.density, normal.eigenvalues) == (0.9573e-07, -0.9065e-05)
    assert (normal.energy, normal.forces) == (0.0, 0.4611e-04)
    light = read_output(aims_text('real h2o_md')).frames[0].scf
    assert (light[0].density, light[0].eigenvalues, light[0].energy) == (0.3, 16.0, 1.1)
    assert light[0].forces is None
    assert (light[-1].density, light[-1].forces) == (0.19e-06, 0.17e-04)


def test_timings():
    output = read_output(run_of('si_forces_stress').text)
    expected = {'Total time': 54.25, 'Preparation time': 0.153, 'Total time for density': 11.5}
    assert output.timings == expected


def test_timings_of_a_real_output(aims_text):
    timings = read_output(aims_text('real h2o_md')).timings
    assert len(timings) == 13
    assert timings['Preparation time'] == 0.153
    assert timings['Total time for Hartree multipole sum'] == 47.68


def test_warnings_are_paragraphs_and_each_is_given_once():
    assert read_output(run_of('si_forces_stress').text).warnings == (
        'WARNING: a flag was set that needs care. It is not set by default.',
        'The moments of geometry.in are ignored.',
    )


def test_warnings_of_real_outputs(aims_text):
    assert read_output(aims_text('real si_forces_stress')).warnings == (
        'WARNING: If you use this flag, you should really know what you are doing. '
        'DO NOT keep this flag set by default in all your control.in files.',
        'Initial moment specified in geometry.in, but spin-unpolarized calculation requested. '
        'Ignoring initial moment. Initial moment specified in geometry.in, but spin-unpolarized '
        'calculation requested. Ignoring initial moment.',
    )
    killed = read_output(aims_text('real killed_mpi')).warnings
    assert sum('band gap may exist' in warning for warning in killed) == 1
    assert not any('STARTING SECOND' in warning for warning in killed)


@pytest.mark.parametrize('name', whole(RUNS, OURS) + [f'real {n}' for n in whole(REAL, BROKEN)])
def test_agrees_with_ase(name, aims_text, tmp_path):
    (tmp_path / 'aims.out').write_text(aims_text(name))
    with warnings.catch_warnings():
        warnings.simplefilter('ignore')
        images = ase.io.read(tmp_path / 'aims.out', ':', format='aims-output')
    frames = read_output(aims_text(name)).frames
    assert len(images) == len(frames)
    for index, (image, frame) in enumerate(zip(images, frames, strict=True)):
        assert tuple(image.symbols) == frame.symbols
        results = image.calc.results
        # what ASE calls the energy is the electronic free energy
        assert results['energy'] == results['free_energy'] == frame.energies.free
        for key in ('forces', 'stress'):
            assert (key in results) == (getattr(frame, key) is not None)
        if frame.forces is not None:
            np.testing.assert_array_equal(results['forces'], frame.forces)
        if frame.stress is not None:
            np.testing.assert_array_equal(image.get_stress(voigt=False), frame.stress)
        # ASE gives the last frame of molecular dynamics the first positions, the others no cell
        if 'h2o_md' not in name or index < len(frames) - 1:
            np.testing.assert_allclose(image.positions, frame.positions, rtol=0, atol=1e-8)
        if 'h2o_md' not in name and frame.cell is not None:
            np.testing.assert_allclose(image.cell.array, frame.cell, rtol=0, atol=1e-8)


# pyfhiaims does not read outputs of before 2020
@pytest.mark.parametrize(
    'name', [*RUNS, *(f'real {name}' for name in REAL if REAL[name][0] > '200000')]
)
def test_agrees_with_pyfhiaims(name, aims_text, tmp_path):
    stdout = pytest.importorskip('pyfhiaims.outputs.stdout')
    path = tmp_path / 'aims.out'
    path.write_text(aims_text(name))
    with warnings.catch_warnings():
        warnings.simplefilter('ignore')
        images = list(stdout.AimsStdout(path))
    frames = read_output(aims_text(name)).frames
    assert len(images) == len(frames)
    for image, frame in zip(images, frames, strict=True):
        results = image._results
        assert results['free_energy'] == frame.energies.free
        assert results['total_energy'] == frame.energies.uncorrected
        assert results['corrected_total_energy'] == frame.energies.corrected
        if frame.forces is not None:
            np.testing.assert_array_equal(results['forces'], frame.forces)
        if frame.stress is not None:
            np.testing.assert_array_equal(results['stress'], frame.stress)
