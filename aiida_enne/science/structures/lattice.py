"""The conventional diamond cell and its supercells, from which liquids and defects are made."""

import numpy as np
from ase import Atoms
from ase.data import atomic_numbers

from aiida_enne.science.structures.checks import at_least, positive

_FACES = np.array([[0.0, 0.0, 0.0], [0.0, 0.5, 0.5], [0.5, 0.0, 0.5], [0.5, 0.5, 0.0]])
#: The 8 sites of the conventional cubic cell of diamond, in units of its edge.
DIAMOND_SITES = np.concatenate([_FACES, _FACES + 0.25])


def diamond_supercell(lattice_constant: float, repeats: int = 1, symbol: str = 'Si') -> Atoms:
    """Build repeats³ conventional cubic cells of diamond.

    Args:
        lattice_constant: Edge of the conventional 8-atom cell, Å.
        repeats: Number of cells along each edge.
        symbol: Chemical symbol.

    Returns:
        A periodic cube of 8 repeats³ atoms; cell by cell, z fastest.

    Raises:
        ValueError: If an argument is out of range or the symbol is not an element.
    """
    positive('the lattice constant', lattice_constant, 'Å')
    at_least('repeats', repeats, 1)
    check_symbol(symbol)
    cell = Atoms(
        [symbol] * len(DIAMOND_SITES),
        scaled_positions=DIAMOND_SITES,
        cell=[lattice_constant] * 3,
        pbc=True,
    )
    supercell: Atoms = cell.repeat(repeats)
    return supercell


def check_symbol(symbol: str) -> str:
    """Return the symbol if it names a chemical element.

    Raises:
        ValueError: If it does not.
    """
    if atomic_numbers.get(symbol, 0) < 1:
        raise ValueError(f'{symbol!r} is not the symbol of a chemical element')
    return symbol
