"""Is it a label? What did not converge, and what a constraint set to zero, is not."""

import ase.io
import numpy as np
import pytest
from ase.build import bulk
from ase.calculators.lj import LennardJones
from ase.calculators.singlepoint import SinglePointCalculator
from ase.constraints import FixAtoms

from aiida_enne.science.data.frames import to_extxyz
from aiida_enne.science.importing.checking import FREE_ENERGY
from aiida_enne.science.importing.choices import ImportChoices
from aiida_enne.science.importing.gather import import_files
from aiida_enne.science.importing.problems import ImportRefusedError
from tests.foreign_outputs import outcar, pwscf, vasprun

#: Electronic steps of three ionic steps; the second ends at the limit of 5.
STEPS, LIMIT = (3, 5, 4), 5
FILES = {'vasprun.xml': vasprun, 'OUTCAR': outcar, 'pw.out': pwscf}


def refusal(path, **choices):
    with pytest.raises(ImportRefusedError) as caught:
        import_files([path], ImportChoices(**choices))
    return str(caught.value)


@pytest.fixture(params=FILES)
def output(request, tmp_path):
    """Return a function that writes an output: `path = output(steps, converged)`."""

    def write(steps=STEPS, converged=(True, False, True)):
        path = tmp_path / request.param
        path.write_text(FILES[request.param](steps, converged, LIMIT))
        return path

    return write


def test_a_cycle_that_did_not_converge_is_refused_or_dropped(output):
    path = output()
    text = refusal(path)
    assert ', frame 1: not a label: its electronic cycle' in text
    assert 'frame 0' not in text
    assert 'frame 2' not in text
    imported = import_files([path], ImportChoices(drop_unusable=True))
    assert len(imported.configurations) >= 2
    assert 'frame 1: its electronic cycle' in imported.notes[0]
    whole = import_files([output(converged=(True, True, True))], ImportChoices())
    kept = np.isin(whole.configurations.energies, imported.configurations.energies)
    assert np.flatnonzero(~kept).tolist() == [1]


def test_the_last_cycle_counts_too(output):
    text = refusal(output(steps=(3, 4, 5), converged=(True, True, False)))
    assert ', frame 2: not a label' in text


def test_energies_are_those_that_the_forces_derive_from(tmp_path):
    path = tmp_path / 'vasprun.xml'
    path.write_text(vasprun((3, 3), (True, True), LIMIT))
    free = import_files([path], ImportChoices())
    other = import_files([path], ImportChoices(energy_key='energy'))
    assert free.energy == FREE_ENERGY
    assert other.energy == ''
    difference = other.configurations.energies - free.configurations.energies
    assert difference == pytest.approx([0.12, 0.12])


def test_energies_of_two_kinds_do_not_mix(make_frames, tmp_path):
    frames = make_frames()
    frames[2].calc.results['free_energy'] = frames[2].calc.results['energy'] - 0.1
    ase.io.write(tmp_path / 'a.traj', frames)
    assert 'frame 0: has one energy, where other frames have a free energy' in refusal(
        tmp_path / 'a.traj'
    )
    both = import_files([tmp_path / 'a.traj'], ImportChoices(energy_key='energy'))
    assert len(both.configurations) == 4


def relaxing(fixed, *, declared):
    """Four rattled cells with Lennard-Jones labels, forces on some atoms set to zero."""
    frames = []
    for seed in range(4):
        atoms = bulk('Cu', cubic=True).repeat((2, 1, 1))
        atoms.rattle(0.1, seed=seed)
        atoms.calc = LennardJones(sigma=2.3, epsilon=0.3, rc=6.0)
        forces = atoms.get_forces()
        forces[fixed] = 0
        atoms.calc = SinglePointCalculator(
            atoms, energy=atoms.get_potential_energy(), forces=forces
        )
        if declared:
            atoms.set_constraint(FixAtoms(fixed))
        frames.append(atoms)
    return frames


def test_forces_that_were_set_to_zero_are_no_labels(tmp_path):
    path = tmp_path / 'a.traj'
    ase.io.write(path, relaxing([0, 5], declared=False))
    text = refusal(path)
    assert 'frames 0 to 3: not a label: forces on atoms 0, 5 are exactly zero' in text
    assert 'no frame is left' in refusal(path, drop_unusable=True)
    imported = import_files([path], ImportChoices(allow_implausible=True))
    assert len(imported.configurations) == 4, 'who says that they are right is believed'
    assert imported.configurations.known_forces.all()


@pytest.mark.parametrize('suffix', ['.traj', '.extxyz'])
@pytest.mark.parametrize('allow_implausible', [False, True])
def test_forces_that_a_declared_constraint_hides_are_masked(tmp_path, suffix, allow_implausible):
    path, frames, columns = tmp_path / f'a{suffix}', relaxing([0, 5], declared=True), {}
    if suffix == '.extxyz':
        columns = {'columns': ['symbols', 'positions', 'forces', 'move_mask']}
        for atoms in frames:
            atoms.new_array('forces', atoms.calc.results['forces'])
            atoms.info['energy'] = atoms.calc.results['energy']
            atoms.calc = None
    ase.io.write(path, frames, **columns)
    imported = import_files([path], ImportChoices(allow_implausible=allow_implausible))
    known = imported.configurations.known_forces.reshape(4, 8, 3)
    assert not known[:, [0, 5]].any()
    assert np.delete(known, [0, 5], axis=1).all()
    (note,) = imported.notes
    assert '6 of 24 components of forces are zero by a constraint' in note
    (tmp_path / 'again.extxyz').write_text(to_extxyz(imported.configurations))
    again = import_files([tmp_path / 'again.extxyz'], ImportChoices()).configurations
    np.testing.assert_array_equal(again.forces, imported.configurations.forces)


def test_a_frame_of_which_a_constraint_hides_all_forces_is_no_label(tmp_path):
    frames = relaxing(list(range(8)), declared=True)
    ase.io.write(tmp_path / 'a.traj', frames)
    assert 'a constraint hides all its forces' in refusal(tmp_path / 'a.traj')


def test_forces_that_nobody_computed_are_no_labels(tmp_path):
    ase.io.write(tmp_path / 'a.traj', relaxing(list(range(8)), declared=False))
    assert 'forces on atoms 0, 1, 2, 3, 4 and 3 more are exactly zero' in refusal(
        tmp_path / 'a.traj'
    )


def test_forces_that_are_zero_by_symmetry_are_labels(read, tmp_path):
    """A perfect crystal, and the fixed atom in the middle of a symmetric breathing mode."""
    crystal = bulk('Cu', cubic=True)
    crystal.calc = SinglePointCalculator(crystal, energy=-14.0, forces=np.zeros((4, 3)))
    breathing = bulk('Cu', cubic=True).repeat(3)
    middle = 52
    vectors = breathing.get_distances(middle, range(len(breathing)), mic=True, vector=True)
    near = np.linalg.norm(vectors, axis=1) < 3
    breathing.positions[near] += 0.05 * vectors[near]
    breathing.calc = LennardJones(sigma=2.3, epsilon=0.3, rc=4.0)
    forces = breathing.get_forces()
    assert np.abs(forces[middle]).max() < 1e-10
    forces[middle] = 0
    assert np.abs(forces).max() > 0.05
    breathing.calc = SinglePointCalculator(breathing, energy=-300.0, forces=forces)
    breathing.set_constraint(FixAtoms([middle]))
    ase.io.write(tmp_path / 'a.traj', [crystal, breathing])
    assert len(read(tmp_path / 'a.traj')) == 2


def test_an_own_output_says_which_forces_a_constraint_set_to_zero(aims_text, read, tmp_path):
    text = aims_text('si8_forces')
    title = 'Total atomic forces (unitary forces cleaned) [eV/Ang]:'
    assert title in text
    lines = text.split('\n')
    row = next(i for i, line in enumerate(lines) if title in line) + 3
    lines[row] = '  |    3          0.000000000000000E+00' + 2 * '          0.000000000000000E+00'
    constrained = '\n'.join(lines).replace(
        title,
        'Total atomic forces (unitary forces were cleaned, then relaxation constraints were '
        'applied) [eV/Ang]:',
    )
    said = '  Found relaxation constraint for atom      3: All coordinates fixed.\n'
    begin = constrained.index('  Input geometry:')
    path = tmp_path / 'aims.out'
    path.write_text(constrained[:begin] + said + constrained[begin:])
    hidden = np.isnan(read(path).forces)
    assert np.flatnonzero(hidden.any(axis=1)).tolist() == [2]
    assert hidden[2].all()
