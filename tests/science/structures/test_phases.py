import numpy as np
import pytest
from ase.neighborlist import neighbor_list

from aiida_enne.science.structures.phases import PHASE_TABLE, PHASES, phase

#: Space group, atoms in the primitive cell, cutoff (in bond lengths) and neighbours within it.
EXPECTED = {
    'diamond': (227, 2, 1.2, 4),
    'hexagonal-diamond': (194, 4, 1.2, 4),
    'beta-tin': (141, 2, 1.15, 6),
    'bc8': (206, 8, 1.2, 4),
    'st12': (96, 12, 1.2, 4),
    'hcp': (194, 2, 1.1, 12),
    'bcc': (229, 1, 1.1, 8),
    'fcc': (225, 1, 1.1, 12),
}


def test_the_table_has_the_eight_phases():
    assert set(PHASES) == set(EXPECTED)


@pytest.mark.parametrize('name', PHASES)
@pytest.mark.parametrize('compression', [0.75, 1.0, 1.3])
def test_phase_is_itself_at_every_volume(name, compression, symmetry, neighbours):
    space_group, n_atoms, cutoff, coordination = EXPECTED[name]
    volume = compression * PHASE_TABLE[name].volume
    atoms = phase(name, volume)
    assert symmetry(atoms).number == space_group == PHASE_TABLE[name].space_group
    assert len(atoms) == len(symmetry(atoms).mapping_to_primitive) == n_atoms
    assert len(set(symmetry(atoms).mapping_to_primitive)) == n_atoms
    assert atoms.get_volume() / n_atoms == pytest.approx(volume, rel=1e-12)
    bond = neighbor_list('d', atoms, 5.0).min()
    assert neighbours(atoms, cutoff * bond) == [coordination] * n_atoms


FREE = [(name, key) for name in PHASES for key in PHASE_TABLE[name].parameters]


@pytest.mark.parametrize(('name', 'key'), FREE)
def test_a_free_parameter_changes_distances_and_keeps_the_symmetry(name, key, symmetry):
    kind = PHASE_TABLE[name]
    moved = phase(name, kind.volume, **{key: 1.01 * kind.parameters[key]})
    plain, other = (
        np.sort(neighbor_list('d', atoms, 4.0))[: 4 * kind.n_atoms]
        for atoms in (phase(name, kind.volume), moved)
    )
    assert symmetry(moved).number == kind.space_group
    assert np.abs(other / plain - 1).max() > 1e-4


def test_tetrahedral_bonds_of_the_defaults_are_alike():
    for name in ('diamond', 'hexagonal-diamond', 'bc8', 'st12'):
        bonds = neighbor_list('d', phase(name, PHASE_TABLE[name].volume), 2.8)
        assert bonds.min() > 2.33
        assert bonds.max() < 2.41


def test_ideal_ratios_give_the_known_shapes():
    ideal = phase('hcp', 14.0, c_over_a=np.sqrt(8 / 3))
    bonds = neighbor_list('d', ideal, 3.0)
    assert np.ptp(bonds) == pytest.approx(0, abs=1e-9)
    assert bonds[0] ** 3 / np.sqrt(2) == pytest.approx(14.0)
    lonsdaleite = phase('hexagonal-diamond', 20.0, c_over_a=np.sqrt(8 / 3), z=1 / 16)
    assert np.ptp(neighbor_list('d', lonsdaleite, 2.6)) == pytest.approx(0, abs=1e-9)
    assert neighbor_list('d', phase('diamond', 5.431**3 / 8), 2.6)[0] == pytest.approx(
        np.sqrt(3) / 4 * 5.431
    )


def test_scan_keeps_the_shape_and_follows_the_volumes():
    volumes = np.linspace(14, 20, 4)
    scan = [phase('beta-tin', volume, 'Ge', c_over_a=0.55) for volume in volumes]
    assert [atoms.get_volume() / len(atoms) for atoms in scan] == pytest.approx(volumes)
    assert all(
        np.allclose(atoms.get_scaled_positions(), scan[0].get_scaled_positions()) for atoms in scan
    )
    assert set(scan[0].symbols) == {'Ge'}


@pytest.mark.parametrize(
    ('arguments', 'parameters', 'message'),
    [
        (('simple-cubic', 15.0), {}, "unknown phase 'simple-cubic'; known are diamond"),
        (('fcc', -1.0), {}, 'volume per atom must be a positive number of Å³, got -1.0'),
        (('fcc', 15.0), {'c_over_a': 1.1}, 'fcc has no free parameter c_over_a; it has: none'),
        (('st12', 18.0), {'y1': 0.1}, 'st12 has no free parameter y1'),
        (('hcp', 14.0), {'c_over_a': -1.6}, 'c_over_a must be a positive'),
        (('bc8', 18.0), {'x': float('inf')}, 'parameter x of bc8 must be finite'),
        (('hexagonal-diamond', 20.0), {'z': 0.25}, 'sites of hexagonal-diamond coincide'),
        (('fcc', 15.0, 'Silicon'), {}, "'Silicon' is not the symbol"),
    ],
)
def test_bad_input_is_refused(arguments, parameters, message):
    with pytest.raises(ValueError, match=message):
        phase(*arguments, **parameters)
