import numpy as np
import pytest
from ase.neighborlist import neighbor_list

from aiida_enne.science.structures.surfaces import (
    DIMER_TILT,
    SURFACES,
    dimer_axes,
    slab_100,
)

LATTICE = 5.431
BOND = np.sqrt(3) / 4 * LATTICE
#: Thickness and kind of every slab that can be built; in 3 layers tilted dimers collide.
SLABS = [(n, kind) for n in range(2, 11) for kind in SURFACES if (n, kind) != (3, 'tilted')]


def dimers(slab, layer):
    """Return the bond vectors within a layer, each once, lower atom first."""
    i, j, vectors = neighbor_list('ijD', slab, 1.05 * BOND)
    tags = slab.get_tags()
    return vectors[(tags[i] == layer) & (tags[j] == layer) & (i < j)]


@pytest.mark.parametrize(('layers', 'kind'), SLABS)
def test_size_area_and_vacuum(layers, kind):
    slab = slab_100(layers, LATTICE, kind, vacuum=12.0)
    per_layer = 4 if layers % 2 else 2
    assert len(slab) == layers * per_layer
    assert np.bincount(slab.get_tags()).tolist() == layers * [per_layer]
    area = np.linalg.norm(np.cross(slab.cell[0], slab.cell[1]))
    assert area == pytest.approx(per_layer * LATTICE**2 / 2)
    assert slab.cell.lengths()[2] == pytest.approx((layers - 1) * LATTICE / 4 + 12.0)
    assert all(slab.pbc)


@pytest.mark.parametrize(('layers', 'kind'), SLABS)
def test_dimers_bind_one_dangling_bond_of_each_surface_atom(layers, kind, neighbours):
    slab = slab_100(layers, LATTICE, kind)
    on_surface = np.isin(slab.get_tags(), [0, layers - 1])
    # In 2 layers both ends of the bonds between them have moved, and those bonds are longer.
    bonds = np.array(neighbours(slab, (1.05 if layers > 2 else 1.12) * BOND))
    assert set(bonds[on_surface]) == {2 if kind == 'bulk-cut' else 3}
    assert set(bonds[~on_surface]) <= {4}


@pytest.mark.parametrize('kind', SURFACES)
@pytest.mark.parametrize('layers', range(4, 11))
def test_all_bonds_are_bulk_bonds(layers, kind):
    assert np.allclose(neighbor_list('d', slab_100(layers, LATTICE, kind), 1.05 * BOND), BOND)


@pytest.mark.parametrize('layers', range(2, 11))
def test_dimer_axes_of_the_faces_agree_only_for_even_layers(layers):
    slab = slab_100(layers, LATTICE, 'symmetric')
    lower, upper = (np.abs(dimers(slab, layer)) / BOND for layer in (0, layers - 1))
    assert len(lower) == len(upper) == len(slab) / layers / 2
    axes = dimer_axes(layers)
    for found, axis in zip((lower, upper), axes, strict=True):
        assert found == pytest.approx(np.tile(np.eye(3)[axis], (len(found), 1)), abs=1e-9)
    assert (axes[0] == axes[1]) == (layers % 2 == 0)


@pytest.mark.parametrize('tilt', [0.0, 5.0, DIMER_TILT])
@pytest.mark.parametrize('layers', [6, 7, 8])
def test_tilt_is_what_was_asked(layers, tilt):
    slab = slab_100(layers, LATTICE, tilt=tilt)
    for layer in (0, layers - 1):
        rises = np.abs(dimers(slab, layer)[:, 2]) / BOND
        assert np.degrees(np.arcsin(rises)) == pytest.approx(tilt, abs=1e-6)


@pytest.mark.parametrize(('layers', 'kind'), SLABS)
def test_a_symmetry_relates_the_two_faces(layers, kind, symmetry):
    slab = slab_100(layers, LATTICE, kind)
    classes = symmetry(slab).equivalent_atoms
    tags = slab.get_tags()
    assert set(classes[tags == 0]) == set(classes[tags == layers - 1])


@pytest.mark.parametrize('layers', range(2, 11))
@pytest.mark.parametrize('free_layers', [0, 1, 3])
def test_inner_layers_are_fixed_as_far_as_there_are_any(layers, free_layers):
    slab = slab_100(layers, LATTICE, 'symmetric', free_layers=free_layers)
    fixed = slab.constraints[0].index if slab.constraints else []
    per_layer = len(slab) // layers
    assert len(fixed) == per_layer * max(0, layers - 2 * free_layers)
    assert set(slab.get_tags()[fixed]) == set(range(free_layers, layers - free_layers))
    assert bool(slab.constraints) == (layers > 2 * free_layers)


@pytest.mark.parametrize('layers', [4, 8])
def test_bulk_cut_faces_close_to_the_crystal(layers, symmetry, neighbours):
    slab = slab_100(layers, LATTICE, 'bulk-cut', vacuum=LATTICE / 4)
    assert symmetry(slab).number == 227
    assert set(neighbours(slab, 1.05 * BOND)) == {4}


@pytest.mark.parametrize(
    ('arguments', 'options', 'message'),
    [
        ((1, LATTICE), {}, 'layers must be an integer of at least 2, got 1'),
        ((4, -1.0), {}, 'lattice constant must be a positive number of Å'),
        ((4, LATTICE, 'flat'), {}, "unknown surface 'flat'; known are bulk-cut"),
        ((4, LATTICE), {'vacuum': 0.0}, 'vacuum must be a positive'),
        ((4, LATTICE), {'free_layers': -1}, 'free_layers must be an integer of at least 0'),
        ((6, LATTICE), {'tilt': 60.0}, 'cannot be tilted by 60.0 degrees'),
        ((6, LATTICE), {'tilt': -5.0}, 'cannot be tilted by -5.0 degrees'),
        ((3, LATTICE), {}, 'in 3 layers the dimers of the two faces meet'),
        ((4, LATTICE), {'symbol': 'Zz'}, "'Zz' is not the symbol"),
    ],
)
def test_bad_input_is_refused(arguments, options, message):
    with pytest.raises(ValueError, match=message):
        slab_100(*arguments, **options)
