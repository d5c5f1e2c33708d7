"""Recipes: lists of plain values that say which structures to build, fit for a database."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from ase import Atoms
from numpy.typing import NDArray

from aiida_enne.science.data.configurations import Configurations
from aiida_enne.science.data.frames import from_atoms
from aiida_enne.science.structures.checks import at_least
from aiida_enne.science.structures.defects import point_defect
from aiida_enne.science.structures.lattice import diamond_supercell
from aiida_enne.science.structures.liquids import liquid_start
from aiida_enne.science.structures.phases import phase as build_phase
from aiida_enne.science.structures.surfaces import slab_100


def build(recipe: Sequence[Mapping[str, Any]]) -> Configurations:
    """Build every structure of a recipe, without labels, a block each.

    Args:
        recipe: One mapping per kind of structure. `kind` is 'liquid' (`density` in g/cm³,
            `repeats`), 'phase' (`phase`, `volumes` in Å³/atom, `repeats` of the primitive cell and
            free parameters), 'diamond' or 'defect' (`defect`; both `lattice_constant` in Å,
            `repeats`), 'surface' (`surface`, `layers`, `lattice_constant`, further options of
            `slab_100`). Each may have a `domain` (by default the phase, defect or kind), a
            `symbol`, and `rattle`: `count` copies displaced by Gaussians of `stdev` in Å, drawn
            from `seed`. The `distortion` of a defect displaces the `nearest` atoms only (4 by
            default), by `stdev` drawn from `seed`.

    Raises:
        ValueError: If a kind or option is unknown, or a value out of range.
    """
    frames: list[Atoms] = []
    domains: list[str] = []
    if not recipe:
        raise ValueError('the recipe is empty')
    for number, item in enumerate(recipe):
        options = dict(item)
        kind = options.pop('kind', None)
        if kind not in BUILDERS:
            raise ValueError(
                f'item {number} of the recipe: `kind` must be one of {sorted(BUILDERS)}, '
                f'got {kind!r}'
            )
        domain = options.pop('domain', None)
        rattle = options.pop('rattle', None)
        try:
            built = BUILDERS[kind](**options)
        except TypeError as exception:
            raise ValueError(f'item {number} of the recipe ({kind}): {exception}') from None
        built = built if rattle is None else _rattle(built, **rattle)
        frames += built
        default = options.get('phase') or options.get('defect') or kind
        domains += [str(domain or default)] * len(built)
    return from_atoms(frames, domains=domains, blocks=range(len(frames)))


def _liquid(density: float, repeats: int = 2, symbol: str = 'Si') -> list[Atoms]:
    return [liquid_start(density, repeats, symbol)]


def _phases(
    phase: str, volumes: Sequence[float], repeats: int = 1, symbol: str = 'Si', **free: float
) -> list[Atoms]:
    at_least('repeats', repeats, 1)
    return [build_phase(phase, volume, symbol, **free).repeat(repeats) for volume in volumes]


def _diamond(lattice_constant: float, repeats: int = 2, symbol: str = 'Si') -> list[Atoms]:
    return [diamond_supercell(lattice_constant, repeats, symbol)]


def _defect(
    defect: str,
    lattice_constant: float,
    repeats: int = 3,
    symbol: str = 'Si',
    distortion: Mapping[str, Any] | None = None,
) -> list[Atoms]:
    atoms = point_defect(defect, lattice_constant, repeats, symbol)
    if distortion is not None:
        _distort(atoms, np.full(3, lattice_constant * (repeats // 2)), **distortion)
    return [atoms]


def _distort(
    atoms: Atoms, site: NDArray[np.float64], stdev: float, seed: int, nearest: int = 4
) -> None:
    """Displace the atoms nearest to a site by Gaussians, which breaks the symmetry about it."""
    if stdev <= 0 or not 1 <= nearest <= len(atoms):
        raise ValueError(
            f'a distortion needs stdev > 0 and nearest from 1 to {len(atoms)}, '
            f'got {stdev} and {nearest}'
        )
    chosen = np.linalg.norm(atoms.positions - site, axis=1).argsort(kind='stable')[:nearest]
    atoms.positions[chosen] += np.random.default_rng(seed).normal(scale=stdev, size=(nearest, 3))


def _surface(
    layers: int, lattice_constant: float, surface: str = 'tilted', **options: Any
) -> list[Atoms]:
    return [slab_100(layers, lattice_constant, surface, **options)]


def _rattle(frames: list[Atoms], stdev: float, seed: int, count: int = 1) -> list[Atoms]:
    """Return copies with every coordinate displaced by a Gaussian."""
    if stdev <= 0 or count < 1:
        raise ValueError(f'a rattle needs stdev > 0 and count ≥ 1, got {stdev} and {count}')
    rng = np.random.default_rng(seed)
    copies = []
    for atoms in frames:
        for _ in range(count):
            copy = atoms.copy()
            copy.positions += rng.normal(scale=stdev, size=copy.positions.shape)
            copies.append(copy)
    return copies


#: Builder of each kind of item.
BUILDERS: dict[str, Callable[..., list[Atoms]]] = {
    'defect': _defect,
    'diamond': _diamond,
    'liquid': _liquid,
    'phase': _phases,
    'surface': _surface,
}
