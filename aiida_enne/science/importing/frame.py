"""One frame: its numbers in our units, or everything that is wrong with it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from ase import Atoms
from ase.data import chemical_symbols
from ase.geometry import complete_cell
from numpy.typing import NDArray

from aiida_enne.science.fields import NO_DOMAIN, Floats, Integers
from aiida_enne.science.importing.choices import ImportChoices
from aiida_enne.science.importing.values import finite, label, scalar

#: Smallest volume in Å³ that counts as a cell.
_NO_VOLUME = 1e-6
#: Two energies of one frame that are nearer, in the file's unit, are one.
_SAME_ENERGY = 1e-9
#: What a constraint leaves of a force that it sets to zero.
_NO_FORCE = 1e-12


@dataclass(frozen=True, slots=True)
class Frame:
    """One configuration that passed: eV, Å, eV/Å, eV/Å³; stress NaN where there is none.

    Forces are NaN where a constraint hides them; `zeroed` are components that a declared one sets
    to zero, shape (N, 3), or None. `domain_of` are the keys that the label was made of. `energy_of`
    says which energy was taken: 'free' where the file has another beside it, 'only' where it has
    one, 'both' where the two are equal, 'key' where a key named it.
    """

    numbers: Integers
    positions: Floats
    cell: Floats
    pbc: NDArray[np.bool_]
    energy: float
    forces: Floats
    stress: Floats
    domain: str
    domain_of: tuple[str, ...]
    block: str | None
    info: dict[str, float]
    energy_of: str
    zeroed: NDArray[np.bool_] | None


class BadFrameError(ValueError):
    """A frame that was refused; `reasons` holds one sentence for each."""

    def __init__(self, reasons: list[str]) -> None:
        super().__init__('; '.join(reasons))
        self.reasons = reasons


def check_frame(atoms: Atoms, choices: ImportChoices) -> Frame:
    """Take what the choices name out of one ASE frame, converted to our units.

    Raises:
        BadFrameError: With everything that is missing, misshapen, not finite or not allowed.
    """
    values: dict[str, Any] = {}
    reasons: list[str] = []
    for name, read in READERS.items():
        try:
            values[name] = read(atoms, choices)
        except ValueError as exception:
            reasons.append(str(exception))
    if reasons:
        raise BadFrameError(reasons)
    return Frame(**values)


def _numbers(atoms: Atoms, choices: ImportChoices) -> Integers:
    if not len(atoms):
        raise ValueError('holds no atoms')
    if atoms.numbers.min() < 1 or atoms.numbers.max() >= len(chemical_symbols):
        raise ValueError('holds atoms of no element (X)')
    if choices.elements:
        occurring = {chemical_symbols[number] for number in np.unique(atoms.numbers)}
        if undeclared := sorted(occurring - set(choices.elements)):
            raise ValueError(f'holds {", ".join(undeclared)}, which `elements` does not declare')
    return np.asarray(atoms.numbers, dtype=np.int64)


def _cell(atoms: Atoms, choices: ImportChoices) -> Floats:
    cell = finite('the cell', atoms.cell.array) * choices.length_scale
    if not atoms.pbc.any() and not choices.allow_molecules:
        raise ValueError('has no cell or no periodic direction: a molecule (`allow_molecules`)')
    if atoms.pbc.any():
        zero = [axis for axis in range(3) if atoms.pbc[axis] and not cell[axis].any()]
        # a direction without periods needs no vector: training and prediction complete the cell
        if zero or abs(np.linalg.det(complete_cell(cell))) < _NO_VOLUME:
            raise ValueError('is periodic but its cell is missing or has no volume')
    return cell


def _energy(atoms: Atoms, choices: ImportChoices) -> float:
    key = choices.energy_key
    value = _find(atoms, key, 'free_energy')
    if value is None:
        value = _find(atoms, key, 'energy')
    if value is None:
        raise ValueError(f'has no energy{_named(key)}; its numbers are {_candidates(atoms, ())}')
    return scalar('the energy', value) * choices.energy_scale


def _energy_of(atoms: Atoms, choices: ImportChoices) -> str:
    """Say which energy `_energy` takes; never raises."""
    if choices.energy_key is not None:
        return 'key'
    free, energy = (_results(atoms).get(name) for name in ('free_energy', 'energy'))
    if free is None or energy is None:
        return 'only'
    return 'both' if np.allclose(free, energy, rtol=0, atol=_SAME_ENERGY) else 'free'


def _zeroed(atoms: Atoms, choices: ImportChoices) -> NDArray[np.bool_] | None:
    """Return which components of the forces the constraints of a frame set to zero."""
    if not atoms.constraints:
        return None
    kept = np.zeros((len(atoms), 3), dtype=bool)
    for seed in range(2):
        probe = np.random.default_rng(seed).uniform(1, 2, size=(len(atoms), 3))
        for constraint in atoms.constraints:
            if hasattr(constraint, 'adjust_forces'):
                constraint.adjust_forces(atoms, probe)
        kept |= np.abs(probe) > _NO_FORCE
    return ~kept if not kept.all() else None


def _forces(atoms: Atoms, choices: ImportChoices) -> Floats:
    key, shape = choices.gradient_key or choices.forces_key, (len(atoms), 3)
    value = _find(atoms, key, 'forces')
    if value is None:
        raise ValueError(
            f'has no forces{_named(key)}; its arrays of this shape are {_candidates(atoms, shape)}'
        )
    hidden = _zeroed(atoms, choices) if np.shape(value) == shape else None
    array = finite('the forces', value, hidden)
    if array.shape != shape:
        raise ValueError(f'has forces of the shape {array.shape}, expected {shape}')
    sign = 1 if choices.gradient_key is None else -1
    return array * (sign * choices.force_scale)


def _stress(atoms: Atoms, choices: ImportChoices) -> Floats:
    key = choices.virial_key or choices.stress_key
    value = _find(atoms, key, 'stress')
    if value is None:
        if key is not None:
            raise ValueError(f'has no stress{_named(key)}')
        return np.full((3, 3), np.nan)
    array = finite('the stress', value)
    if array.size == 6:
        xx, yy, zz, yz, xz, xy = array.ravel()
        array = np.array([[xx, xy, xz], [xy, yy, yz], [xz, yz, zz]])
    elif array.size == 9:
        array = array.reshape(3, 3)
    else:
        raise ValueError(f'has a stress of {array.size} numbers, expected 6 or 3 × 3')
    if not np.allclose(array, array.T, rtol=1e-3, atol=1e-3 * np.abs(array).max()):
        raise ValueError('has a stress that is not symmetric')
    scale = choices.stress_scale
    if choices.virial_key is not None:
        scale = _virial_scale(atoms, choices)
    return 0.5 * (array + array.T) * scale


def _virial_scale(atoms: Atoms, choices: ImportChoices) -> float:
    """Return the factor from a virial to a stress in eV/Å³: minus one over the volume."""
    volume = abs(np.linalg.det(atoms.cell.array)) * choices.length_scale**3
    if not atoms.pbc.all() or not volume > _NO_VOLUME:
        raise ValueError('has a virial, but no cell whose volume makes a stress of it')
    return float(-choices.energy_scale / volume)


def _domain(atoms: Atoms, choices: ImportChoices) -> str:
    if choices.domain is not None:
        return choices.domain
    found = [label(key, atoms.info[key]) for key in _domain_of(atoms, choices)]
    if not found and choices.domain_keys:
        raise ValueError(
            f'has none of the keys {list(choices.domain_keys)} of its domain; '
            f'its keys are {sorted(map(str, atoms.info))}'
        )
    return ' '.join(found) or NO_DOMAIN


def _domain_of(atoms: Atoms, choices: ImportChoices) -> tuple[str, ...]:
    """Return the keys of the domain that a frame has."""
    if choices.domain is not None:
        return ()
    keys = choices.domain_keys or ('domain',)
    return tuple(key for key in keys if atoms.info.get(key) is not None)


def _block(atoms: Atoms, choices: ImportChoices) -> str | None:
    if choices.block_key is None:
        value = atoms.info.get('block')
        return value if value is None else label('block', value)
    if choices.block_key not in atoms.info:
        raise ValueError(f'has no key `{choices.block_key}` for its block')
    return label(choices.block_key, atoms.info[choices.block_key])


def _info(atoms: Atoms, choices: ImportChoices) -> dict[str, float]:
    found = {}
    for key in choices.info:
        value = _find(atoms, key, key)
        number = np.nan if value is None else scalar(f'`{key}`', value, unknown=True)
        found[key] = number
    return found


READERS: Mapping[str, Callable[[Atoms, ImportChoices], Any]] = {
    'numbers': _numbers,
    'positions': lambda atoms, choices: finite('positions', atoms.positions) * choices.length_scale,
    'cell': _cell,
    'pbc': lambda atoms, _: np.asarray(atoms.pbc, dtype=np.bool_),
    'energy': _energy,
    'forces': _forces,
    'stress': _stress,
    'domain': _domain,
    'domain_of': _domain_of,
    'block': _block,
    'info': _info,
    'energy_of': _energy_of,
    'zeroed': _zeroed,
}


def _results(atoms: Atoms) -> Mapping[str, Any]:
    return {} if atoms.calc is None else dict(getattr(atoms.calc, 'results', {}))


def _find(atoms: Atoms, key: str | None, default: str) -> Any:
    """Return what the key names, or the calculator's result where there is no key."""
    if key is None:
        return _results(atoms).get(default)
    for place in (atoms.info, atoms.arrays, _results(atoms)):
        if place.get(key) is not None:
            return place[key]
    return None


def _named(key: str | None) -> str:
    return '' if key is None else f' under the key `{key}`'


def _candidates(atoms: Atoms, shape: tuple[int, ...]) -> list[str]:
    """Name what the file offers: numbers of the right shape, positions excepted."""
    places: dict[Any, Any] = {**atoms.arrays, **atoms.info, **_results(atoms)}
    return sorted(
        str(key)
        for key, value in places.items()
        if key != 'positions'
        and isinstance(value, int | float | np.number | np.ndarray)
        and not isinstance(value, bool)
        and np.shape(value) == shape
    )
