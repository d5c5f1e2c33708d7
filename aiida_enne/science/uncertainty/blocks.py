"""Independent samples: relatives are one block, a trajectory is cut by its own memory."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from aiida_enne.science.data.configurations import Configurations
from aiida_enne.science.fields import Floats, Integers

#: Families of which a domain is one curve or one path of relaxation, hence one block.
ONE_BLOCK = ('phase', 'bulk', 'defect', 'surface')
#: Share of (volume per atom)^(1/3) by which copies of one structure may be displaced (rms): about
#: a seventh of a bond length, where crystals melt (Lindemann's rule).
DISPLACED = 0.15
#: Atoms by which two structures are compared, at most.
_N_ATOMS = 24
#: Fewer frames of a trajectory say nothing about its memory: it is one block.
MIN_FRAMES = 4


@dataclass(frozen=True, slots=True)
class Blocks:
    """Which samples are relatives.

    Attributes:
        number: Number of the independent block of each configuration, shape (n,).
        inefficiency: Statistical inefficiency in frames by domain, of those with trajectories.
    """

    number: Integers
    inefficiency: dict[str, float]


def find_blocks(configurations: Configurations, errors: Floats) -> Blocks:
    """Return the independent blocks of the configurations.

    - A domain that is one curve E(V), or the relaxation of a defect or a surface, is one block.
    - Single frames that are one structure but for a strain and small displacements (rattled
      copies, volumes of one crystal) are one block.
    - A trajectory, several frames of one stored block, is cut into stretches as long as its
      statistical inefficiency. It is measured about the mean of the whole domain: trajectories
      that differ in their bias thus stay one block each.

    Args:
        configurations: n configurations, the frames of a trajectory in their order or with a
            `time` in their info.
        errors: Errors of the ensemble's mean by configuration, one row a quantity, shape (q, n).
            Without a row no trajectory has a memory: no errors make more blocks.
    """
    number = np.full(len(configurations), -1, dtype=np.int64)
    kinds, memory, largest = configurations.kinds, dict[str, float](), 0
    times = configurations.info.get('time', np.zeros(len(configurations)))
    for name in sorted(kinds):
        own = np.flatnonzero(configurations.domains == name)
        own = own[np.argsort(np.nan_to_num(times[own]), kind='stable')]
        if kinds[name].family in ONE_BLOCK:
            inside = np.zeros(len(own), dtype=np.int64)
        else:
            stored = np.unique(configurations.blocks[own], return_inverse=True)[1].reshape(-1)
            inside, length = _inside(configurations, own, stored, errors[:, own])
            if length is not None:
                memory[name] = length
        number[own] = largest + inside
        largest = int(number.max()) + 1
    return Blocks(number, memory)


def statistical_inefficiency(values: Floats, lengths: Integers) -> float:
    """Return g = 1 + 2 Σ (1 - t/n) C(t) of trajectories one after another, 1 or larger.

    The sum ends where the autocorrelation C first is not positive (Chodera et al., J. Chem. Theory
    Comput. 3, 26, 2007). Deviations are from the mean of all trajectories together.

    Args:
        values: One value per frame, shape (n,).
        lengths: Number of frames of each trajectory, in their order.
    """
    deviations = np.split(values - values.mean(), np.cumsum(lengths)[:-1])
    variance = float(np.mean(np.concatenate(deviations) ** 2))
    longest = int(lengths.max())
    if variance <= 0:
        return float(longest)
    total = 1.0
    for lag in range(1, longest):
        products = [one[:-lag] * one[lag:] for one in deviations if len(one) > lag]
        correlation = float(np.concatenate(products).mean()) / variance
        if correlation <= 0:
            break
        total += 2 * (1 - lag / longest) * correlation
    return min(max(total, 1.0), float(longest))


def _inside(
    configurations: Configurations, own: Integers, stored: NDArray[np.int64], errors: Floats
) -> tuple[Integers, float | None]:
    """Number the blocks of one domain from 0, and return its inefficiency, if it has one."""
    inside = np.full(len(own), -1, dtype=np.int64)
    counts = np.bincount(stored)
    single = np.flatnonzero(counts[stored] == 1)
    if single.size:
        inside[single] = relatives(configurations, own[single])
    largest = int(inside.max()) + 1
    long = np.flatnonzero(counts > 1)
    if not long.size:
        return inside, None
    frames = [np.flatnonzero(stored == block) for block in long.tolist()]
    lengths = np.array([len(one) for one in frames], dtype=np.int64)
    order = np.concatenate(frames)
    found = [statistical_inefficiency(row[order], lengths) for row in errors]
    memory = max(found, default=1.0)
    step = int(np.ceil(memory - 1e-9))
    for one in frames:
        pieces = np.zeros(len(one), dtype=np.int64)
        if len(one) >= MIN_FRAMES:
            # what is left over at the end joins the last whole stretch
            pieces = np.minimum(np.arange(len(one)) // step, max(len(one) // step - 1, 0))
        inside[one] = largest + pieces
        largest = int(inside.max()) + 1
    return inside, memory


def relatives(configurations: Configurations, chosen: Integers) -> Integers:
    """Number groups of frames that are one structure but for a strain and small displacements.

    Args:
        configurations: n configurations.
        chosen: Indices of those to compare, k of them.

    Returns:
        Number of the group of each, from 0, shape (k,).
    """
    offsets, group = configurations.offsets, np.full(len(chosen), -1, dtype=np.int64)
    kinds: dict[bytes, list[int]] = {}
    for place, index in enumerate(chosen.tolist()):
        numbers = configurations.numbers[offsets[index] : offsets[index + 1]]
        kinds.setdefault(numbers.tobytes(), []).append(place)
    largest = 0
    for places in kinds.values():
        fractions = np.array([_fractions(configurations, int(chosen[p])) for p in places])
        left = np.arange(len(places))
        while left.size:
            first = int(left[0])
            cell, count = (
                configurations.cells[chosen[places[first]]],
                configurations.n_atoms[chosen[places[first]]],
            )
            apart = fractions[left] - fractions[first]
            apart -= np.round(apart)
            apart = (apart - apart.mean(axis=1, keepdims=True)) @ cell
            volume = abs(float(np.linalg.det(cell)))
            # without a cell nothing says what is near
            limit = DISPLACED * np.cbrt(volume / count) if volume > 0 else -1.0
            near = np.sqrt(np.mean(np.sum(apart**2, axis=2), axis=1)) <= limit
            near[0] = True
            group[[places[i] for i in left[near]]] = largest
            largest, left = largest + 1, left[~near]
    return group


def _fractions(configurations: Configurations, index: int) -> Floats:
    start = int(configurations.offsets[index])
    stop = min(start + int(configurations.n_atoms[index]), start + _N_ATOMS)
    cell = configurations.cells[index]
    positions = configurations.positions[start:stop]
    if not abs(float(np.linalg.det(cell))) > 0:
        return positions
    fractions: Floats = np.linalg.solve(cell.T, positions.T).T
    return fractions
