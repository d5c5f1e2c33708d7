import ase.io
import numpy as np
import pytest
from ase.constraints import FixAtoms

from aiida_enne.codes.aims.geometry import read_geometry, render_geometry

FREE = (False, False, False)
BULK = (True, True, True)


def test_job_files(job, file_regression):
    _, _, atoms, rest = job
    text = render_geometry(atoms.cell.array, atoms.pbc, atoms.symbols, atoms.positions, **rest)
    file_regression.check(text, extension='.geometry.in')


def test_job_files_are_those_of_the_jobs(job):
    name, _, atoms, rest = job
    expected = {
        'liquid': (64, 2.57, None),
        'vacancy': (63, 2.243, None),
        'slab': (20, 1.141, 8),
    }[name]
    density = atoms.get_masses().sum() / atoms.get_volume() / 0.602214076
    assert len(atoms) == expected[0]
    assert density == pytest.approx(expected[1], abs=0.001)
    assert expected[2] is None or rest['fixed'].sum() == expected[2]


@pytest.mark.filterwarnings('ignore::FutureWarning')
def test_ase_reads_the_job_files(job, tmp_path):
    _, _, atoms, rest = job
    text = render_geometry(atoms.cell.array, atoms.pbc, atoms.symbols, atoms.positions, **rest)
    (tmp_path / 'geometry.in').write_text(text)
    read = ase.io.read(tmp_path / 'geometry.in', format='aims')
    assert list(read.symbols) == list(atoms.symbols)
    np.testing.assert_array_equal(read.positions, atoms.positions)
    np.testing.assert_array_equal(read.cell.array, atoms.cell.array)
    if 'velocities' in rest:
        speeds = read.get_velocities() / (ase.units.Ang / (1000 * ase.units.fs))
        np.testing.assert_allclose(speeds, rest['velocities'], rtol=1e-12)
    fixed = [c.index.tolist() for c in read.constraints if isinstance(c, FixAtoms)]
    assert fixed == ([np.flatnonzero(rest['fixed']).tolist()] if 'fixed' in rest else [])


def test_round_trip_is_lossless(rng):
    n = 7
    cell = rng.normal(size=(3, 3)) * 10.0 ** rng.integers(-3, 3, (3, 3))
    positions = rng.normal(size=(n, 3)) * 10.0 ** rng.integers(-12, 12, (n, 3))
    velocities, moments = rng.normal(size=(n, 3)), rng.normal(size=n)
    fixed = rng.random((n, 3)) < 0.5
    symbols = ['Si', 'O', 'H', 'Ga', 'As', 'C', 'Si']
    text = render_geometry(cell, BULK, symbols, positions, velocities, fixed, moments)
    read = read_geometry(text)
    assert read.symbols == tuple(symbols)
    for name, expected in {
        'cell': cell,
        'positions': positions,
        'velocities': velocities,
        'fixed': fixed,
        'initial_moments': moments,
    }.items():
        np.testing.assert_array_equal(getattr(read, name), expected, err_msg=name)


def test_what_is_not_there_is_not_written():
    text = render_geometry(None, FREE, ['H'], [[0.1, 0, 0]])
    read = read_geometry(text)
    assert read.cell is read.velocities is read.fixed is read.initial_moments is None
    assert read.positions.tolist() == [[0.1, 0.0, 0.0]]


def test_a_molecule_has_no_cell_and_a_slab_has_all_three_vectors():
    assert read_geometry(render_geometry(np.eye(3), FREE, ['H'], [[0, 0, 0]])).cell is None
    slab = render_geometry(np.eye(3), (True, True, False), ['H'], [[0, 0, 0]])
    np.testing.assert_array_equal(read_geometry(slab).cell, np.eye(3))


def test_fixed_atoms_are_fixed_in_all_directions():
    text = render_geometry(None, FREE, ['H', 'H'], np.zeros((2, 3)), fixed=[True, False])
    assert text.count('constrain_relaxation .true.') == 1
    assert read_geometry(text).fixed.tolist() == [[True] * 3, [False] * 3]


def test_reads_what_others_write():
    text = """
    # a comment
    lattice_vector 2.0 0.0 0.0   # another
    lattice_vector 0.0 4.0d0 0.0
    lattice_vector 0.0 0.0 8.0
    set_vacuum_level 3.0
    atom_frac 0.5 0.5 0.5 Si
      initial_charge 0.1
      constrain_relaxation z
    atom 1.0 1.0 1.0 O
      constrain_relaxation .true.
      velocity 1.0 2.0 3.0
    trust_radius 0.2
    hessian_file
    """
    read = read_geometry(text)
    assert read.symbols == ('Si', 'O')
    assert read.positions.tolist() == [[1.0, 2.0, 4.0], [1.0, 1.0, 1.0]]
    assert read.fixed.tolist() == [[False, False, True], [True, True, True]]
    assert read.velocities.tolist() == [[0.0, 0.0, 0.0], [1.0, 2.0, 3.0]]


@pytest.mark.parametrize(
    ('text', 'message'),
    [
        ('', 'has no atoms'),
        ('atom 0 0 Si', "line 1 of the geometry is not understood: 'atom 0 0 Si'"),
        ('atom 0 0 0 1', 'line 1 of the geometry'),
        ('atom 0 0 nan Si', 'line 1 of the geometry'),
        ('atom 0 0 0 Si\nvelocity 1 2', 'line 2 of the geometry'),
        ('atom 0 0 0 Si\nvelocity 1 2 x', 'line 2 of the geometry'),
        ('atom 0 0 0 Si\nconstrain_relaxation w', 'line 2 of the geometry'),
        ('atom 0 0 0 Si\nsymmetry_n_params 3 3 0', 'line 2 of the geometry'),
        ('velocity 1 2 3\natom 0 0 0 Si', 'line 1 of the geometry'),
        ('lattice_vector 1 0 0\nconstrain_relaxation .true.', 'line 2 of the geometry'),
        ('lattice_vector 1 0 0\natom 0 0 0 Si', '3 lattice vectors or none, got 1'),
        ('atom_frac 0 0 0 Si', '`atom_frac` needs lattice vectors'),
    ],
)
def test_bad_text(text, message):
    with pytest.raises(ValueError, match=message):
        read_geometry(text)


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        ({'symbols': ['Xx', 'H']}, "`symbols` must be chemical elements, got 'Xx'"),
        ({'symbols': ['H']}, r'`positions` must have the shape \(1, 3\), got \(2, 3\)'),
        ({'positions': [[0, 0, np.inf], [0, 0, 0]]}, '`positions` must be finite numbers, got inf'),
        ({'velocities': np.zeros(3)}, r'`velocities` must have the shape \(2, 3\)'),
        ({'initial_moments': [1.0]}, r'`initial_moments` must have the shape \(2,\)'),
        ({'fixed': [True]}, r'`fixed` must be truth values of the shape \(2,\) or \(2, 3\)'),
        ({'fixed': [0, 1]}, '`fixed` must be truth values'),
        ({'cell': np.zeros((3, 3)), 'pbc': BULK}, 'a periodic `cell` must have a volume'),
        ({'cell': None, 'pbc': BULK}, r'`cell` must have the shape \(3, 3\)'),
    ],
)
def test_bad_input(change, message):
    good = {'cell': None, 'pbc': FREE, 'symbols': ['H', 'H'], 'positions': np.zeros((2, 3))}
    with pytest.raises(ValueError, match=message):
        render_geometry(**(good | change))
