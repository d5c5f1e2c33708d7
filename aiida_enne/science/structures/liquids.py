"""Starts of liquids: diamond cells at a given mass density, to be melted by dynamics."""

from ase import Atoms
from ase.data import atomic_masses, atomic_numbers
from ase.units import kg

from aiida_enne.science.structures.checks import at_least, positive
from aiida_enne.science.structures.lattice import DIAMOND_SITES, check_symbol, diamond_supercell

_GRAMS_PER_AMU = 1000 / kg
_CUBIC_ANGSTROMS_PER_CUBIC_CM = 1e24
#: One atomic mass unit per Å³ in g/cm³.
AMU_PER_CUBIC_ANGSTROM = _GRAMS_PER_AMU * _CUBIC_ANGSTROMS_PER_CUBIC_CM


def cubic_cell_length(density: float, n_atoms: int, symbol: str = 'Si') -> float:
    """Return the edge in Å of the cube that holds so many atoms: (n m / density)^(1/3).

    Args:
        density: Mass density, g/cm³.
        n_atoms: Number of atoms in the cube.
        symbol: Chemical symbol, whose standard atomic mass is taken.

    Raises:
        ValueError: If the density or the number is not positive, or the symbol is not an element.
    """
    positive('the density', density, 'g/cm³')
    at_least('the number of atoms', n_atoms, 1)
    mass = atomic_masses[atomic_numbers[check_symbol(symbol)]] * _GRAMS_PER_AMU
    return float((n_atoms * mass / density * _CUBIC_ANGSTROMS_PER_CUBIC_CM) ** (1 / 3))


def liquid_start(
    density: float,
    repeats: int = 2,
    symbol: str = 'Si',
    *,
    rattle: float = 0.0,
    seed: int | None = None,
) -> Atoms:
    """Build repeats³ conventional diamond cells at the density of a liquid.

    Args:
        density: Mass density, g/cm³.
        repeats: Number of 8-atom cells along each edge; 2 gives the paper's 64 atoms.
        symbol: Chemical symbol.
        rattle: Standard deviation of Gaussian displacements of every coordinate, Å.
        seed: Seed of the displacements; needed with a rattle, so that nothing is random unsaid.

    Returns:
        A periodic cube of 8 repeats³ atoms.

    Raises:
        ValueError: If an argument is out of range, or rattle and seed are not given together.
    """
    if rattle < 0:
        raise ValueError(f'rattle must not be negative, got {rattle} Å')
    if (rattle > 0) != (seed is not None):
        raise ValueError(f'rattle and seed go together, got rattle={rattle} Å and seed={seed}')
    n_atoms = len(DIAMOND_SITES) * at_least('repeats', repeats, 1) ** 3
    length = cubic_cell_length(density, n_atoms, symbol)
    atoms = diamond_supercell(length / repeats, repeats, symbol)
    if seed is not None:
        atoms.rattle(rattle, seed=seed)
    return atoms
