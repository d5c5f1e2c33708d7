"""The only vocabulary: names of the arrays, their shapes and their units."""

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
Strings = NDArray[np.str_]

#: Unit of every array that carries one, from the parser onward.
UNITS = {
    'positions': 'Å',
    'cells': 'Å',
    'energies': 'eV',
    'forces': 'eV/Å',
    'stresses': 'eV/Å³',
    'temperature': 'K',
    'time': 'ps',
}

#: 1 eV/Å³ in GPa (CODATA 2018).
GPA_PER_EV_PER_CUBIC_ANGSTROM = 160.21766208

#: Energy and length units that an import may name, in eV and Å.
ENERGY_UNITS = {
    'eV': 1.0,
    'meV': 1e-3,
    'Ry': 13.605693122994,
    'Ha': 27.211386245988,
    'kcal/mol': 0.043364104241800934,
    'kJ/mol': 0.010364269656262175,
}
LENGTH_UNITS = {'Å': 1.0, 'bohr': 0.529177210903, 'nm': 10.0}

#: Label of configurations to which nobody gave a domain.
NO_DOMAIN = 'unlabelled'
