"""Forms of the equation of state: energy and pressure over volume.

V in Å³/atom, V0 too, E0 in eV/atom, B0 in eV/Å³; B' has no unit.
"""

from collections.abc import Callable

import numpy as np

from aiida_enne.science.fields import Floats


def _birch_murnaghan(v: Floats, v0: float, e0: float, b0: float, b1: float) -> Floats:
    x = (v0 / v) ** (2 / 3) - 1
    energies: Floats = e0 + 9 / 16 * v0 * b0 * (b1 * x**3 + x**2 * (2 - 4 * x))
    return energies


def _birch_murnaghan_pressure(v: Floats, v0: float, e0: float, b0: float, b1: float) -> Floats:
    x = (v0 / v) ** (1 / 3)
    pressures: Floats = 1.5 * b0 * (x**7 - x**5) * (1 + 0.75 * (b1 - 4) * (x**2 - 1))
    return pressures


def _murnaghan(v: Floats, v0: float, e0: float, b0: float, b1: float) -> Floats:
    power = (v0 / v) ** b1 / (b1 - 1)
    energies: Floats = e0 + b0 * v / b1 * (power + 1) - b0 * v0 / (b1 - 1)
    return energies


def _murnaghan_pressure(v: Floats, v0: float, e0: float, b0: float, b1: float) -> Floats:
    pressures: Floats = b0 / b1 * ((v0 / v) ** b1 - 1)
    return pressures


def _vinet(v: Floats, v0: float, e0: float, b0: float, b1: float) -> Floats:
    x, c = (v / v0) ** (1 / 3), b1 - 1
    bracket = 2 - (5 + 3 * b1 * (x - 1) - 3 * x) * np.exp(-1.5 * c * (x - 1))
    energies: Floats = e0 + 2 * b0 * v0 / c**2 * bracket
    return energies


def _vinet_pressure(v: Floats, v0: float, e0: float, b0: float, b1: float) -> Floats:
    x = (v / v0) ** (1 / 3)
    pressures: Floats = 3 * b0 * (1 - x) / x**2 * np.exp(1.5 * (b1 - 1) * (1 - x))
    return pressures


_Function = Callable[[Floats, float, float, float, float], Floats]

#: Energy and pressure of each form over V; V0, E0, B0, B'. Birch, Phys. Rev. 71, 809 (1947);
#: Murnaghan, PNAS 30, 244 (1944); Vinet et al., J. Phys. C 19, L467 (1986).
EQUATIONS: dict[str, tuple[_Function, _Function]] = {
    'birch-murnaghan': (_birch_murnaghan, _birch_murnaghan_pressure),
    'murnaghan': (_murnaghan, _murnaghan_pressure),
    'vinet': (_vinet, _vinet_pressure),
}
