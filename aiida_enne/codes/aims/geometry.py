"""Writes and reads geometry.in, every number with all its digits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from ase.data import atomic_numbers
from numpy.typing import ArrayLike, NDArray

from aiida_enne.codes.aims.values import numbers
from aiida_enne.science.fields import Floats

AXES = ('x', 'y', 'z')
#: Lines of geometry.in.next_step and of user's files that say nothing about where atoms are.
OTHER_KEYWORDS = (
    'trust_radius',
    'hessian_file',
    'hessian_block',
    'hessian_block_lv',
    'hessian_block_lv_atom',
    'set_vacuum_level',
    'initial_charge',
)


@dataclass(frozen=True, eq=False, slots=True)
class Geometry:
    """Atoms in a periodic cell or in free space.

    Attributes:
        symbols: Element of each atom.
        positions: Cartesian positions in Å, shape (N, 3).
        cell: Lattice vectors as rows in Å, shape (3, 3); None in free space.
        velocities: In Å/ps, shape (N, 3), or None.
        fixed: Which coordinates a relaxation keeps, shape (N, 3), or None.
        initial_moments: Spin of each atom at the start, shape (N,), or None.
    """

    symbols: tuple[str, ...]
    positions: Floats
    cell: Floats | None = None
    velocities: Floats | None = None
    fixed: NDArray[np.bool_] | None = None
    initial_moments: Floats | None = None


def render_geometry(
    cell: ArrayLike | None,
    pbc: Sequence[bool],
    symbols: Sequence[str],
    positions: ArrayLike,
    velocities: ArrayLike | None = None,
    fixed: ArrayLike | None = None,
    initial_moments: ArrayLike | None = None,
) -> str:
    """Write geometry.in.

    FHI-aims knows three lattice vectors or none, so the cell is written if any direction is
    periodic.

    Args:
        cell: Lattice vectors as rows in Å, shape (3, 3).
        pbc: Periodic directions, shape (3,).
        symbols: Element of each atom, N of them.
        positions: Cartesian positions in Å, shape (N, 3).
        velocities: In Å/ps, shape (N, 3).
        fixed: Atoms, shape (N,), or coordinates, shape (N, 3), that a relaxation keeps.
        initial_moments: Spin of each atom at the start, shape (N,).

    Raises:
        ValueError: If a shape is wrong, a number is not finite, a symbol is not an element, or a
            periodic cell has no volume.
    """
    n = len(symbols)
    for symbol in symbols:
        if symbol not in atomic_numbers or symbol == 'X':
            raise ValueError(f'`symbols` must be chemical elements, got {symbol!r}')
    lines = ['# FHI-aims geometry, written by aiida-enne']
    if any(pbc):
        vectors = _array('cell', cell, (3, 3))
        if not abs(np.linalg.det(vectors)) > 0:
            raise ValueError(f'a periodic `cell` must have a volume, got {vectors.tolist()}')
        lines += [f'lattice_vector {_row(vector)}' for vector in vectors]
    rows = _array('positions', positions, (n, 3))
    speeds = None if velocities is None else _array('velocities', velocities, (n, 3))
    moments = None if initial_moments is None else _array('initial_moments', initial_moments, (n,))
    mask = _mask(fixed, n)
    for index, symbol in enumerate(symbols):
        lines.append(f'atom {_row(rows[index])} {symbol}')
        axes = [axis for axis, kept in zip(AXES, mask[index], strict=True) if kept]
        if len(axes) == len(AXES):
            axes = ['.true.']
        lines += [f'    constrain_relaxation {axis}' for axis in axes]
        if moments is not None:
            lines.append(f'    initial_moment {float(moments[index])!r}')
        if speeds is not None:
            lines.append(f'    velocity {_row(speeds[index])}')
    return '\n'.join(lines) + '\n'


def read_geometry(text: str) -> Geometry:
    """Read geometry.in or geometry.in.next_step.

    Raises:
        ValueError: If a line is not understood, if there are no atoms, one or two lattice
            vectors, or fractional positions without a cell; the message gives the line's number.
    """
    return _Reader(text).geometry()


class _Reader:
    """Fills lists line by line; what belongs to an atom follows the atom's own line."""

    def __init__(self, text: str) -> None:
        self.symbols: list[str] = []
        self.positions: list[tuple[float, ...]] = []
        self.fractional: list[bool] = []
        self.vectors: list[tuple[float, ...]] = []
        self.velocities: dict[int, tuple[float, ...]] = {}
        self.moments: dict[int, float] = {}
        self.fixed: dict[int, set[str]] = {}
        self.owner = ''
        for index, line in enumerate(text.split('\n'), start=1):
            words = line.split('#')[0].split()
            if words and not self.take(words[0], words[1:]):
                raise ValueError(
                    f'line {index} of the geometry is not understood: {line.strip()!r}'
                )

    def take(self, keyword: str, words: list[str]) -> bool:
        """Take one line; return whether it was understood."""
        if keyword in ('atom', 'atom_frac', 'lattice_vector'):
            self.owner = keyword
            return self.take_vector(keyword, words)
        if keyword in OTHER_KEYWORDS:
            return True
        if not self.owner.startswith('atom'):
            return False
        atom, values = len(self.symbols) - 1, numbers(words, len(words))
        match keyword, words:
            case 'velocity', [_, _, _] if values is not None:
                self.velocities[atom] = values
            case 'initial_moment', [_] if values is not None:
                self.moments[atom] = values[0]
            case 'constrain_relaxation', ['.true.']:
                self.fixed[atom] = set(AXES)
            case 'constrain_relaxation', [axis] if axis in AXES:
                self.fixed.setdefault(atom, set()).add(axis)
            case 'constrain_relaxation', ['.false.']:
                self.fixed.pop(atom, None)
            case _:
                return False
        return True

    def take_vector(self, keyword: str, words: list[str]) -> bool:
        """Take a lattice vector or an atom; return whether the line was understood."""
        values = numbers(words, 3)
        if values is None or len(words) != (3 if keyword == 'lattice_vector' else 4):
            return False
        if keyword == 'lattice_vector':
            self.vectors.append(values)
            return True
        self.positions.append(values)
        self.symbols.append(words[3])
        self.fractional.append(keyword == 'atom_frac')
        return words[3][0].isalpha()

    def geometry(self) -> Geometry:
        """Return all that was read as arrays."""
        n = len(self.symbols)
        if n == 0:
            raise ValueError('the geometry has no atoms')
        if len(self.vectors) not in (0, 3):
            raise ValueError(f'a geometry has 3 lattice vectors or none, got {len(self.vectors)}')
        cell = np.array(self.vectors) if self.vectors else None
        positions = np.array(self.positions)
        if any(self.fractional):
            if cell is None:
                raise ValueError('`atom_frac` needs lattice vectors, got none')
            chosen = np.array(self.fractional)
            positions[chosen] = positions[chosen] @ cell
        rest = (0.0, 0.0, 0.0)
        velocities = [self.velocities.get(atom, rest) for atom in range(n)]
        fixed = [[axis in self.fixed.get(atom, ()) for axis in AXES] for atom in range(n)]
        moments = [self.moments.get(atom, 0.0) for atom in range(n)]
        return Geometry(
            symbols=tuple(self.symbols),
            positions=positions,
            cell=cell,
            velocities=np.array(velocities) if self.velocities else None,
            fixed=np.array(fixed) if self.fixed else None,
            initial_moments=np.array(moments) if self.moments else None,
        )


def _array(name: str, values: ArrayLike | None, shape: tuple[int, ...]) -> Floats:
    array = np.asarray(values, dtype=np.float64)
    if array.shape != shape:
        raise ValueError(f'`{name}` must have the shape {shape}, got {array.shape}')
    if not np.isfinite(array).all():
        raise ValueError(f'`{name}` must be finite numbers, got {array[~np.isfinite(array)][0]}')
    return array


def _mask(fixed: ArrayLike | None, n: int) -> NDArray[np.bool_]:
    mask = np.zeros((n, 3), dtype=bool) if fixed is None else np.asarray(fixed)
    if mask.dtype != bool or mask.shape not in ((n,), (n, 3)):
        raise ValueError(
            f'`fixed` must be truth values of the shape {(n,)} or {(n, 3)}, '
            f'got {mask.dtype} of {mask.shape}'
        )
    return mask if mask.ndim == 2 else np.repeat(mask[:, None], 3, axis=1)


def _row(values: Floats) -> str:
    return ' '.join(f'{value!r:>24}' for value in values.tolist())
