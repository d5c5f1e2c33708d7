"""Point defects in cubes of conventional diamond cells: the vacancy and three interstitials."""

import numpy as np
from ase import Atoms

from aiida_enne.science.structures.checks import at_least
from aiida_enne.science.structures.lattice import diamond_supercell

#: Number of atoms that each defect adds to the perfect crystal: n_d in the formation energy.
EXTRA_ATOMS = {'vacancy': -1, 'hexagonal': 1, 'tetrahedral': 1, 'dumbbell': 1}
DEFECTS = tuple(EXTRA_ATOMS)

#: Empty sites of the conventional cell, in units of its edge. The tetrahedral one has 4 neighbours
#: at √3/4 and 6 at 1/2; the hexagonal one, midway between two tetrahedral ones, 6 at √11/8.
INTERSTITIAL_SITES = {'tetrahedral': (0.5, 0.5, 0.5), 'hexagonal': (0.625, 0.625, 0.625)}

#: The two atoms of the split <110> interstitial about the site that they share, in units of the
#: edge: the one choice for which each of the two has its four bonds equally long, 0.3 √2.
DUMBBELL = np.array([[0.15, 0.15, -0.15], [-0.15, -0.15, -0.15]])


def point_defect(name: str, lattice_constant: float, repeats: int = 3, symbol: str = 'Si') -> Atoms:
    """Put one unrelaxed point defect into repeats³ conventional diamond cells.

    The formation energy is E_f = E_defect − E_bulk − n_d E_bulk/N, with N = 8 repeats³ atoms in
    `diamond_supercell` of the same lattice constant and n_d of `EXTRA_ATOMS`.

    Args:
        name: One of `DEFECTS`; `dumbbell` is the split <110> interstitial.
        lattice_constant: Edge of the conventional cell, Å.
        repeats: Number of cells along each edge, at least 2; the paper's 5 gives 1000 ± 1 atoms.
        symbol: Chemical symbol.

    Returns:
        A periodic cube with the defect in its middle; added atoms come last.

    Raises:
        ValueError: If the name is unknown or another argument out of range.
    """
    if name not in EXTRA_ATOMS:
        raise ValueError(f'unknown defect {name!r}; known are {", ".join(DEFECTS)}')
    at_least('repeats', repeats, 2)
    atoms = diamond_supercell(lattice_constant, repeats, symbol)
    middle = np.full(3, repeats // 2)
    if name in INTERSTITIAL_SITES:
        added = np.array([INTERSTITIAL_SITES[name]])
    else:
        site = np.linalg.norm(atoms.positions - middle * lattice_constant, axis=1).argmin()
        del atoms[int(site)]
        added = DUMBBELL if name == 'dumbbell' else np.empty((0, 3))
    atoms += Atoms([symbol] * len(added), positions=(middle + added) * lattice_constant)
    return atoms
