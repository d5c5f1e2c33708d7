"""Independent samples: relatives are one block, a trajectory is cut by its own memory."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from aiida_enne.science.data.configurations import Configurations
from aiida_enne.science.data.relatives import are_in_order, relatives
from aiida_enne.science.fields import Floats, Integers

#: Families of which a domain is one curve or one path of relaxation, hence one block.
ONE_BLOCK = ('phase', 'bulk', 'defect', 'surface')
#: Fewer frames of a trajectory say nothing about its memory: it is one block.
MIN_FRAMES = 4
#: Frames of a stored block, evenly spread, among which copies are looked for first.
_N_ASKED = 500


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
      copies, volumes of one crystal) are one block, see `relatives`.
    - A trajectory, several frames of one stored block, is cut into stretches as long as its
      statistical inefficiency. It is measured about the mean of the whole domain: trajectories
      that differ in their bias thus stay one block each.
    - Frames of one stored block without a `time`, nor an order that their geometry shows, may be
      copies as well: copies of one structure are then one block, where that makes fewer.

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
            copies = _copies(configurations, own[one])
            if copies is not None and copies.max() < pieces.max():
                pieces = copies
        inside[one] = largest + pieces
        largest = int(inside.max()) + 1
    return inside, memory


def _copies(configurations: Configurations, own: Integers) -> Integers | None:
    """Number the copies of each structure in one stored block; None where it is a trajectory."""
    times = configurations.info.get('time')
    if times is not None and np.ptp(times[own]) > 0:
        return None
    few = own[:: -(-len(own) // _N_ASKED)]
    if len(np.unique(relatives(configurations, few))) == len(few):
        return None
    group = relatives(configurations, own)
    return None if are_in_order(configurations, own, group) else group
