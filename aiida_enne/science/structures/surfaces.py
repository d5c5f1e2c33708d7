"""Slabs of the (100) surface of diamond-structure crystals: bulk-cut and with 2×1 dimers."""

import numpy as np
from ase import Atoms
from ase.constraints import FixAtoms
from ase.neighborlist import neighbor_list

from aiida_enne.science.fields import Floats, Integers
from aiida_enne.science.structures.checks import at_least, positive
from aiida_enne.science.structures.lattice import check_symbol

SURFACES = ('bulk-cut', 'symmetric', 'tilted')

#: Tilt of the buckled dimers of Si(100) in degrees, after the density-functional calculations of
#: Ramstad, Brocks and Kelly, Phys. Rev. B 51, 14504 (1995); a start, to be relaxed.
DIMER_TILT = 18.0

#: Where the layers of the stack sit in the surface cell, in units of its edge a/√2: the bonds
#: between layers run alternately along the first and along the second in-plane axis.
_STACKING = np.array([[0.0, 0.0], [0.5, 0.0], [0.5, 0.5], [0.0, 0.5]])


def dimer_axes(layers: int) -> tuple[int, int]:
    """Return the in-plane axis along which the dimers of the lower and of the upper face point.

    Dimers stand across the bonds to the layer beneath, which turn by 90° from layer to layer, so
    that the two faces agree only for an even number of layers.

    Raises:
        ValueError: If there are fewer than 2 layers.
    """
    return 1, 1 - at_least('layers', layers, 2) % 2


def slab_100(
    layers: int,
    lattice_constant: float,
    kind: str = 'tilted',
    *,
    vacuum: float = 15.0,
    free_layers: int = 3,
    tilt: float = DIMER_TILT,
    symbol: str = 'Si',
) -> Atoms:
    """Build a (100) slab whose two faces are alike.

    The surface cell is 2×1 for an even number of layers and 2×2 for an odd one, where the dimers
    of the two faces stand at right angles; the bulk-cut slab has the same cell as its
    reconstructions. All bonds of the start, the dimers' too, are as long as in the bulk, but for
    those between the faces of 2 layers, up to a tenth longer.

    Args:
        layers: Number of atomic layers, at least 2; the paper has 10.
        lattice_constant: Edge of the conventional cubic cell, Å.
        kind: One of `SURFACES`: no dimers, level dimers, or tilted (buckled) ones.
        vacuum: Distance between the bulk-cut faces of periodic images, Å.
        free_layers: Outer layers of each face that may move; the others are fixed by `FixAtoms`.
            With layers <= 2 free_layers nothing is left to fix and there is no constraint.
        tilt: Angle of tilted dimers to the surface, degrees.
        symbol: Chemical symbol.

    Returns:
        A slab, periodic in three directions, with the number of the layer (from 0, upwards) as
        tag of every atom.

    Raises:
        ValueError: If an argument is out of range, the kind unknown, or the sunken atoms of the
            two faces meet, as those of tilted dimers do in 3 layers.
    """
    if kind not in SURFACES:
        raise ValueError(f'unknown surface {kind!r}; known are {", ".join(SURFACES)}')
    positive('the lattice constant', lattice_constant, 'Å')
    positive('the vacuum', vacuum, 'Å')
    at_least('free_layers', free_layers, 0)
    axes = dimer_axes(layers)
    edge = lattice_constant / np.sqrt(2)
    repeats = np.array([2 if axis in axes else 1 for axis in range(2)])
    cells = np.array([[i, j] for i in range(repeats[0]) for j in range(repeats[1])])
    tags = np.repeat(np.arange(layers), len(cells))
    plane = edge * (_STACKING[tags % 4] + np.tile(cells, (layers, 1)))
    height = tags * lattice_constant / 4 + vacuum / 2
    atoms = Atoms(
        [check_symbol(symbol)] * len(tags),
        positions=np.column_stack([plane, height]),
        cell=[*(edge * repeats), (layers - 1) * lattice_constant / 4 + vacuum],
        pbc=True,
        tags=tags,
    )
    if kind != 'bulk-cut':
        _add_dimers(atoms, cells, dimer_shifts(lattice_constant, tilt if kind == 'tilted' else 0.0))
        _refuse_close_atoms(atoms, 0.9 * np.sqrt(3) * lattice_constant / 4)
    fixed = np.flatnonzero((tags >= free_layers) & (tags < layers - free_layers))
    if len(fixed):
        atoms.set_constraint(FixAtoms(indices=fixed))
    return atoms


def dimer_shifts(lattice_constant: float, tilt: float) -> Floats:
    """Return how the two atoms of a dimer leave their bulk sites, shape (2, 2), Å.

    Columns are the shift along the dimer and the shift outward; the first atom comes from the
    lower coordinate and ends up higher. Each atom turns by an angle about the line of its two
    neighbours beneath, which keeps those bonds; the sum and the difference of the two angles follow
    from the dimer's length, that of a bulk bond, and its tilt.

    Args:
        lattice_constant: Edge of the conventional cubic cell, Å.
        tilt: Angle of the dimer to the surface, degrees.

    Raises:
        ValueError: If the tilt is negative or so large that an atom would sink beneath its
            neighbours.
    """
    radius = lattice_constant / 4
    dimer = np.sqrt(3) * radius
    approach = lattice_constant / np.sqrt(2) - dimer * np.cos(np.radians(tilt))
    rise = dimer * np.sin(np.radians(tilt))
    sine = np.hypot(approach, rise) / (2 * radius)
    half_sum, half_difference = np.arcsin(min(sine, 1.0)), np.arctan2(rise, approach)
    turned = half_sum + np.array([-half_difference, half_difference])
    if not 0 <= tilt < 90 or sine > 1 or turned[1] >= np.pi / 2:
        raise ValueError(f'a dimer cannot be tilted by {tilt} degrees with its bonds kept')
    along = radius * np.sin(turned) * np.array([1, -1])
    outward = radius * (np.cos(turned) - 1)
    return np.column_stack([along, outward])


def _add_dimers(slab: Atoms, cells: Integers, shifts: Floats) -> None:
    """Move the atoms of both faces together in pairs, so that a symmetry relates the faces.

    The upper pairs span the edge of the cell and are, where four divides the number of layers,
    mirror images of the lower: this is the symmetry, and in thin slabs it keeps the faces apart.
    """
    tags = slab.get_tags()
    layers = int(tags.max()) + 1
    lower_axis, upper_axis = dimer_axes(layers)
    upper_shifts = shifts if layers % 4 else shifts[::-1] * [-1, 1]
    for face, axis, outward, pair, moves in (
        (0, lower_axis, -1, (0, 1), shifts),
        (layers - 1, upper_axis, 1, (1, 0), upper_shifts),
    ):
        for cell, (along, rise) in zip(pair, moves, strict=True):
            chosen = (tags == face) & (np.tile(cells[:, axis], layers) == cell)
            slab.positions[chosen, axis] += along
            slab.positions[chosen, 2] += outward * rise


def _refuse_close_atoms(slab: Atoms, minimum: float) -> None:
    distances = neighbor_list('d', slab, minimum)
    if len(distances):
        raise ValueError(
            f'in {slab.get_tags().max() + 1} layers the dimers of the two faces meet: atoms '
            f'{distances.min():.2f} Å apart; use symmetric dimers, less tilt or more layers'
        )
