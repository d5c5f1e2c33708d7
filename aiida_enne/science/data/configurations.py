"""Configurations of any size, held as a few flat arrays."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, fields, replace
from typing import Any

import numpy as np
from ase.data import chemical_symbols
from numpy.typing import ArrayLike, NDArray

from aiida_enne.science.fields import Floats, Integers, Strings
from aiida_enne.science.structures.domains import OWN, Domain, kinds_of

INFO = 'info:'
ROLES = 'roles'


@dataclass(frozen=True, slots=True)
class Configurations:
    """n configurations of N atoms in all, atoms of one configuration in a row.

    Attributes:
        n_atoms: Number of atoms of each configuration, shape (n,).
        numbers: Atomic numbers, shape (N,).
        positions: Cartesian positions in Å, shape (N, 3).
        cells: Lattice vectors as rows in Å, shape (n, 3, 3).
        pbc: Periodic directions, shape (n, 3).
        domains: Domain label of each configuration, shape (n,).
        blocks: Trajectory block of each configuration, shape (n,): relatives share one.
        energies: Total energies in eV, shape (n,); None where nothing is labelled.
        forces: Forces in eV/Å, shape (N, 3), NaN where a constraint hides a component; None where
            nothing is labelled.
        stresses: Stress tensors in eV/Å³, shape (n, 3, 3), NaN where unknown; None if all are.
        info: Further numbers by name, each of shape (n,), NaN where unknown.
        roles: Roles of domains by label, see `structures.domains`; those of labels that do not
            occur are dropped. A label without a role is read as one that this package made.

    Raises:
        ValueError: If the shapes disagree, if only one of energies and forces is given, or a role
            does not exist.
    """

    n_atoms: Integers
    numbers: Integers
    positions: Floats
    cells: Floats
    pbc: NDArray[np.bool_]
    domains: Strings
    blocks: Integers
    energies: Floats | None = None
    forces: Floats | None = None
    stresses: Floats | None = None
    info: dict[str, Floats] = field(default_factory=dict)
    roles: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        n, total = len(self.n_atoms), int(self.n_atoms.sum())
        shapes = {
            'numbers': (total,),
            'positions': (total, 3),
            'cells': (n, 3, 3),
            'pbc': (n, 3),
            'domains': (n,),
            'blocks': (n,),
            'energies': (n,),
            'forces': (total, 3),
            'stresses': (n, 3, 3),
        }
        for name, shape in shapes.items():
            value = getattr(self, name)
            if value is not None and value.shape != shape:
                raise ValueError(f'`{name}` must have the shape {shape}, got {value.shape}')
        for name, value in self.info.items():
            if value.shape != (n,):
                raise ValueError(f'info `{name}` must have the shape {(n,)}, got {value.shape}')
        if (self.energies is None) != (self.forces is None):
            raise ValueError('`energies` and `forces` must be given together')
        if self.roles:
            labels = {label.removeprefix(OWN) for label in self.domains.tolist()}
            labels.update(self.domains.tolist())
            roles = {label: role for label, role in self.roles.items() if label in labels}
            object.__setattr__(self, 'roles', roles)
            kinds_of(labels, roles)

    def __len__(self) -> int:
        return len(self.n_atoms)

    @property
    def is_labelled(self) -> bool:
        """Whether energies and forces are known."""
        return self.energies is not None

    @property
    def known_forces(self) -> NDArray[np.bool_]:
        """Which components of forces are labels, shape (N, 3): those that no constraint hides."""
        if self.forces is None:
            return np.zeros((len(self.numbers), 3), dtype=bool)
        return ~np.isnan(self.forces)

    @property
    def offsets(self) -> Integers:
        """Index of the first atom of each configuration and, last, N; shape (n + 1,)."""
        return np.concatenate([[0], np.cumsum(self.n_atoms)]).astype(np.int64)

    @property
    def elements(self) -> list[str]:
        """Chemical symbols that occur, in alphabetical order."""
        return sorted(chemical_symbols[number] for number in np.unique(self.numbers))

    @property
    def kinds(self) -> dict[str, Domain]:
        """What every domain is, by label in natural order."""
        return kinds_of(self.domains.tolist(), self.roles)

    @property
    def volumes(self) -> Floats:
        """Volume of each cell in Å³, shape (n,); 0 where there is no cell."""
        volumes: Floats = np.abs(np.linalg.det(self.cells))
        return volumes

    def atom_index(self, chosen: ArrayLike) -> Integers:
        """Return the atoms of the chosen configurations, in the order of the choice."""
        starts, chosen = self.offsets, np.asarray(chosen, dtype=np.int64)
        counts = self.n_atoms[chosen]
        ends = np.cumsum(counts)
        shift = np.repeat(starts[chosen] - (ends - counts), counts)
        atoms: Integers = np.arange(int(counts.sum()), dtype=np.int64) + shift
        return atoms

    def select(self, chosen: ArrayLike) -> Configurations:
        """Return the chosen configurations, in the order of the choice.

        Raises:
            ValueError: If an index points beyond the last configuration or before the first.
        """
        chosen = np.asarray(chosen, dtype=np.int64)
        if chosen.size and not (chosen.min() >= 0 and chosen.max() < len(self)):
            raise ValueError(
                f'indices must lie between 0 and {len(self) - 1}, '
                f'got {chosen.min()} to {chosen.max()}'
            )
        atoms = self.atom_index(chosen)
        per_atom = {'numbers', 'positions', 'forces'}
        values: dict[str, Any] = {
            'info': {name: value[chosen] for name, value in self.info.items()},
            'roles': self.roles,
        }
        for item in fields(self):
            value = getattr(self, item.name)
            if item.name not in values:
                index = atoms if item.name in per_atom else chosen
                values[item.name] = None if value is None else value[index]
        return Configurations(**values)

    def unlabelled(self) -> Configurations:
        """Return the same configurations without energies, forces and stresses."""
        return replace(self, energies=None, forces=None, stresses=None)

    def as_arrays(self) -> dict[str, NDArray[Any]]:
        """Return everything as named arrays, fit for one `.npz` file."""
        plain = {item.name: getattr(self, item.name) for item in fields(self)}
        info, roles = plain.pop('info'), sorted(plain.pop('roles').items())
        # a selection may keep a wider text type than its labels need: equal data, equal bytes
        plain['domains'] = np.array(self.domains.tolist(), dtype=np.str_)
        arrays = {name: value for name, value in plain.items() if value is not None}
        if roles:  # data without roles keep the bytes that they always had
            arrays[ROLES] = np.array(roles, dtype=np.str_)
        return arrays | {INFO + name: value for name, value in info.items()}

    @classmethod
    def from_arrays(cls, arrays: dict[str, NDArray[Any]]) -> Configurations:
        """Rebuild configurations from what `as_arrays` gave.

        Raises:
            ValueError: If an array is missing, unknown or of the wrong shape.
        """
        info = {k.removeprefix(INFO): v for k, v in arrays.items() if k.startswith(INFO)}
        plain = {name: value for name, value in arrays.items() if not name.startswith(INFO)}
        roles = dict(plain.pop(ROLES, np.empty((0, 2), dtype=np.str_)).tolist())
        try:
            return cls(**plain, info=info, roles=roles)
        except TypeError as exception:
            raise ValueError(f'not a set of configurations: {exception}') from exception


def concatenate(parts: Sequence[Configurations]) -> Configurations:
    """Join sets of configurations; blocks are renumbered so that no two parts share one.

    Raises:
        ValueError: If there is nothing to join, only some of the parts are labelled, or one domain
            has two roles.
    """
    if not parts:
        raise ValueError('there are no configurations to join')
    if len({part.is_labelled for part in parts}) > 1:
        raise ValueError('labelled and unlabelled configurations cannot be joined')
    shifts = np.cumsum([0] + [int(part.blocks.max()) + 1 if len(part) else 0 for part in parts])
    names = sorted({name for part in parts for name in part.info})
    values: dict[str, Any] = {}
    for item in fields(Configurations):
        if item.name == 'blocks':
            pieces = [part.blocks + s for part, s in zip(parts, shifts, strict=False)]
        elif item.name == 'stresses':
            if all(part.stresses is None for part in parts):
                continue
            unknown = [np.full((len(part), 3, 3), np.nan) for part in parts]
            known = [part.stresses for part in parts]
            pieces = [b if a is None else a for a, b in zip(known, unknown, strict=True)]
        elif item.name in ('info', 'roles'):
            continue
        else:
            pieces = [getattr(part, item.name) for part in parts]
        values[item.name] = None if pieces[0] is None else np.concatenate(pieces)
    info = {
        name: np.concatenate([part.info.get(name, np.full(len(part), np.nan)) for part in parts])
        for name in names
    }
    return Configurations(**values, info=info, roles=_common_roles(parts))


def _common_roles(parts: Sequence[Configurations]) -> dict[str, str]:
    """Return the roles of all parts, in each of which a domain must be the same."""
    known: dict[str, Domain] = {}
    for label, kind in (pair for part in parts for pair in part.kinds.items()):
        if known.setdefault(label, kind) != kind:
            raise ValueError(
                f'the domain {label!r} is one of family {known[label].family!r} in one dataset and '
                f'of family {kind.family!r} in another; rename it or give both the same role'
            )
    return {label: role for part in parts for label, role in part.roles.items()}
