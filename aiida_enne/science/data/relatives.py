"""Copies of one structure: frames that differ by a strain and small displacements only."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from ase.data import covalent_radii
from ase.geometry import complete_cell
from numpy.typing import NDArray

from aiida_enne.science.data.configurations import Configurations
from aiida_enne.science.fields import Floats, Integers

#: Distance of two copies (rms over the atoms) as a share of the bond length, at most: √2 × 0.13,
#: both displaced as far as where crystals melt (Lindemann's rule).
DISPLACED = 0.18
#: Distance of one atom as a share of the bond length, at most: beyond, it has left its place.
LEFT = 0.5
#: Logarithm of the stretches that turn one cell into the other at constant volume, at most.
SHEARED = 0.1
#: Atoms by which most structures are told apart, before all of them are compared.
_FEW = (4, 24)
#: Frames in a row are nearer to each other than this share of the distance of any two, squared.
_IN_ORDER = 0.5


def relatives(configurations: Configurations, chosen: Integers) -> Integers:
    """Number groups of frames that are one structure but for a strain and small displacements.

    Two frames are copies if they have the same elements in the same order, cells alike but for
    their volume, and atoms no farther apart than `DISPLACED` and `LEFT` bond lengths, by the
    nearest image and less a common shift. A bond length is twice the mean covalent radius. Copies
    of copies are one group, whatever the order of the frames.

    Args:
        configurations: n configurations.
        chosen: Indices of those to compare, k of them.

    Returns:
        Number of the group of each, from 0, shape (k,).
    """
    group, largest = np.full(len(chosen), -1, dtype=np.int64), 0
    for places in _by_elements(configurations, chosen):
        frames = _Frames.of(configurations, chosen[places])
        left = np.arange(len(places))
        while left.size:
            waiting, left = [int(left[0])], left[1:]
            while waiting:
                one = waiting.pop()
                group[places[one]] = largest
                near = frames.are_copies(one, left)
                waiting += left[near].tolist()
                left = left[~near]
            largest += 1
    return group


def are_in_order(configurations: Configurations, chosen: Integers, group: Integers) -> bool:
    """Return whether copies are nearer to the next frame than to others, as those of a trajectory.

    Copies that were displaced at random are as far from the next one as from any.

    Args:
        configurations: n configurations.
        chosen: Indices of frames in their order, k of them.
        group: Number of the group of copies of each, see `relatives`, shape (k,).
    """
    steps, spreads = [0.0], [0.0]
    for number in np.unique(group):
        own = chosen[group == number]
        if len(own) < 3:
            continue
        moved = _Frames.of(configurations, own).apart(0, np.arange(len(own)), _FEW[-1])
        steps.append(float(np.sum(np.diff(moved, axis=0) ** 2)) / (len(own) - 1))
        spreads.append(2 * float(np.sum(moved.var(axis=0, ddof=1))))
    return sum(steps) < _IN_ORDER * sum(spreads)


@dataclass(frozen=True, slots=True)
class _Frames:
    """k frames of the same N atoms: cells (k, 3, 3), places in these (k, N, 3), where they repeat.

    `bond` is their bond length in Å; 0 where nothing says what is near.
    """

    cells: Floats
    places: Floats
    pbc: NDArray[np.bool_]
    bond: float

    @classmethod
    def of(cls, configurations: Configurations, chosen: Integers) -> _Frames:
        """Take frames of the same elements; what does not repeat is in Å."""
        part = configurations.select(chosen)
        pbc = part.pbc[0] & part.cells.any(axis=2).all(axis=0)
        cells = np.array([complete_cell(one) for one in part.cells * pbc[:, None]])
        positions = part.positions.reshape(len(part), -1, 3)
        # atoms that are all in one place, as where nobody gave any, are no structure
        is_known = bool(pbc.any()) or bool(np.ptp(positions, axis=1).any())
        if not np.linalg.det(cells).all():
            is_known, cells = False, np.broadcast_to(np.eye(3), cells.shape)
        places = positions @ np.linalg.inv(cells)
        radii = covalent_radii[part.numbers[: part.n_atoms[0]]]
        return cls(cells, places, pbc, 2 * float(radii.mean()) * is_known)

    def apart(self, one: int, others: Integers, n: int) -> Floats:
        """Return how far the first n atoms of others are from those of one in Å, shape (k, n, 3).

        By the nearest image, less the mean shift of these atoms, in the cell of the one.
        """
        apart: Floats = self._moved(one, others, n) @ self.cells[one]
        return apart

    def are_copies(self, one: int, others: Integers) -> NDArray[np.bool_]:
        """Return which of the others are copies of one, shape (k,)."""
        found = np.zeros(len(others), dtype=bool)
        if not self.bond:
            return found
        at, n_atoms = np.arange(len(others)), self.places.shape[1]
        for n in (few for few in _FEW if few < n_atoms):
            far = self.apart(one, others[at], n)
            # the mean of some may be as far from that of all as an atom may be
            at = at[(np.linalg.norm(far, axis=2).max(axis=1) <= 2 * LEFT * self.bond)]
        moved = self._moved(one, others[at], n_atoms)
        is_copy = self._are_alike(one, others[at])
        # which of the two is strained is a matter of the order
        for cells in (self.cells[one], self.cells[others[at]]):
            square = np.sum((moved @ cells) ** 2, axis=2)
            is_copy &= np.sqrt(square.mean(axis=1)) <= DISPLACED * self.bond
            is_copy &= np.sqrt(square.max(axis=1)) <= LEFT * self.bond
        found[at] = is_copy
        return found

    def _moved(self, one: int, others: Integers, n: int) -> Floats:
        moved = self.places[others, :n] - self.places[one, :n]
        moved -= moved[:, :1]
        moved -= np.round(moved) * self.pbc
        moved -= moved.mean(axis=1, keepdims=True)
        return moved

    def _are_alike(self, one: int, others: Integers) -> NDArray[np.bool_]:
        """Return whose cells have the shape of that of one, shape (k,)."""
        stretches = np.linalg.svd(np.linalg.solve(self.cells[one], self.cells[others]))[1]
        logarithms = np.log(stretches)
        logarithms -= logarithms.mean(axis=1, keepdims=True)
        alike: NDArray[np.bool_] = np.abs(logarithms).max(axis=1, initial=0.0) <= SHEARED
        return alike


def _by_elements(configurations: Configurations, chosen: Integers) -> list[Integers]:
    """Return the places, among the chosen, of each sequence of elements and way to repeat."""
    offsets, kinds = configurations.offsets, dict[bytes, list[int]]()
    for place, index in enumerate(chosen.tolist()):
        numbers = configurations.numbers[offsets[index] : offsets[index + 1]].astype(np.int64)
        cell = configurations.cells[index].any(axis=1) & configurations.pbc[index]
        kinds.setdefault(cell.tobytes() + numbers.tobytes(), []).append(place)
    return [np.array(places, dtype=np.int64) for places in kinds.values()]
