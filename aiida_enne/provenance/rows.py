"""Configurations of any datasets side by side, each with all its energies and where it is from."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from aiida import orm
from aiida.common.exceptions import NotExistent
from numpy.typing import ArrayLike, NDArray

from aiida_enne.data.dataset import DatasetData
from aiida_enne.data.prediction import PredictionData, stack_predictions
from aiida_enne.data.split import SplitData
from aiida_enne.provenance.ensembles import Ensemble
from aiida_enne.provenance.predictions import find_predictions
from aiida_enne.science.data.configurations import Configurations, concatenate
from aiida_enne.science.data.splits import spread_evenly
from aiida_enne.science.fields import Floats, Integers, Strings
from aiida_enne.science.structures.domains import Domain

#: Frames of each domain whose forces are read, unless another number is chosen.
N_FRAMES = 1000


@dataclass(frozen=True, slots=True)
class Rows:
    """n labelled configurations with the energies of M members.

    Attributes:
        configurations: The n configurations.
        energies: Total energies of the members in eV, shape (M, n), in the order of `members`.
        members: Labels of the members, in alphabetical order.
        datasets: UUID of the dataset node that each configuration is from, shape (n,).
        indices: Its index in that dataset, shape (n,).
    """

    configurations: Configurations
    energies: Floats
    members: tuple[str, ...]
    datasets: Strings
    indices: Integers

    def __len__(self) -> int:
        return len(self.indices)

    def select(self, chosen: ArrayLike) -> Rows:
        """Return the chosen rows, in the order of the choice."""
        chosen = np.asarray(chosen, dtype=np.int64)
        return Rows(
            self.configurations.select(chosen),
            self.energies[:, chosen],
            self.members,
            self.datasets[chosen],
            self.indices[chosen],
        )


def gather_rows(ensemble: Ensemble, dataset: DatasetData) -> Rows:
    """Return the configurations of a dataset that all members predicted, with their energies.

    Raises:
        NotExistent: If a member never predicted the dataset.
        ValueError: If the members predicted different configurations.
    """
    found = _predictions(ensemble, dataset)
    indices, arrays = stack_predictions(found, dataset, ['energies'])
    return Rows(
        dataset.get_configurations().select(indices),
        arrays['energies'],
        tuple(found),
        np.full(len(indices), dataset.uuid),
        indices,
    )


def join_rows(parts: Sequence[Rows]) -> Rows:
    """Put the rows of several datasets one after another.

    Raises:
        ValueError: If there are none, or their members differ.
    """
    if len({part.members for part in parts}) != 1:
        raise ValueError(f'expected rows of the same members, got {[p.members for p in parts]}')
    return Rows(
        concatenate([part.configurations for part in parts]),
        np.concatenate([part.energies for part in parts], axis=1),
        parts[0].members,
        np.concatenate([part.datasets for part in parts]),
        np.concatenate([part.indices for part in parts]),
    )


def gather_forces(ensemble: Ensemble, rows: Rows) -> Floats:
    """Return every member's forces on the rows in eV/Å, shape (M, N, 3), in their order.

    Forces are read of one member and one dataset at a time, so that no more than what is asked
    for is held at once.
    """
    offsets = rows.configurations.offsets
    forces = np.empty((len(rows.members), int(offsets[-1]), 3))
    for uuid in np.unique(rows.datasets).tolist():
        mine = np.flatnonzero(rows.datasets == uuid)
        dataset: Any = orm.load_node(uuid)
        found = _predictions(ensemble, dataset)
        target = rows.configurations.atom_index(mine)
        source = None
        for number, label in enumerate(rows.members):
            indices, arrays = stack_predictions({label: found[label]}, dataset, ['forces'])
            if source is None:
                # `indices` may be in any order: look up where each row's frame stands
                predicted = dataset.get_configurations().select(indices)
                order = np.argsort(indices)
                at = np.searchsorted(indices, rows.indices[mine], sorter=order)
                source = predicted.atom_index(order[at])
            forces[number, target] = arrays['forces'][0, source]
    return forces


def gather_stresses(ensemble: Ensemble, rows: Rows) -> Floats:
    """Return every member's stresses on the rows in eV/Å³, shape (M, n, 3, 3), in their order.

    Raises:
        ValueError: If a prediction has none, as where a configuration does not repeat.
    """
    stresses = np.empty((len(rows.members), len(rows), 3, 3))
    for uuid in np.unique(rows.datasets).tolist():
        mine = np.flatnonzero(rows.datasets == uuid)
        dataset: Any = orm.load_node(uuid)
        found = _predictions(ensemble, dataset)
        indices, arrays = stack_predictions(found, dataset, ['stresses'])
        order = np.argsort(indices)
        at = order[np.searchsorted(indices, rows.indices[mine], sorter=order)]
        stresses[:, mine] = arrays['stresses'][:, at]
    return stresses


def find_stresses(ensemble: Ensemble, rows: Rows) -> Floats | None:
    """Return every member's stresses as `gather_stresses`; None where one, or no label, has any."""
    if rows.configurations.stresses is None:
        return None
    try:
        return gather_stresses(ensemble, rows)
    except ValueError:
        return None


def frame_keys(configurations: Configurations) -> list[bytes]:
    """Return what makes each frame itself: cell, elements and positions, to the last bit."""
    offsets = configurations.offsets
    keys = []
    for i in range(len(configurations)):
        atoms = slice(offsets[i], offsets[i + 1])
        parts = (
            configurations.cells[i],
            configurations.numbers[atoms],
            configurations.positions[atoms],
        )
        keys.append(b'|'.join(np.ascontiguousarray(part).tobytes() for part in parts))
    return keys


def mask(configurations: Configurations, is_wanted: Callable[[Domain], bool]) -> NDArray[np.bool_]:
    """Return which configurations are of the wanted domains, shape (n,)."""
    wanted = [name for name, kind in configurations.kinds.items() if is_wanted(kind)]
    chosen: NDArray[np.bool_] = np.isin(configurations.domains, wanted)
    return chosen


def fresh(configurations: Configurations, seen: set[bytes]) -> Integers:
    """Return the frames that are neither seen before nor twice among these; they are seen now."""
    chosen = []
    for index, key in enumerate(frame_keys(configurations)):
        if key not in seen:
            seen.add(key)
            chosen.append(index)
    return np.array(chosen, dtype=np.int64)


def thin(rows: Rows, n_frames: int = N_FRAMES) -> Rows:
    """Return at most so many frames of each domain, evenly spread over those that there are.

    Raises:
        ValueError: If the number is less than 1.
    """
    if n_frames < 1:
        raise ValueError(f'`n_frames` must be at least 1, got {n_frames}')
    return rows.select(spread_evenly(rows.configurations.domains, n_frames))


def trained_keys(trainings: Iterable[tuple[str, str]]) -> set[bytes]:
    """Return the keys of all frames that no test may use.

    Those are the training and validation parts and, where the split names a test part, whatever
    else of its dataset was left out of it: neighbours of what was trained on.

    Args:
        trainings: UUIDs of dataset and split.
    """
    refused: set[bytes] = set()
    for dataset_uuid, split_uuid in sorted(set(trainings)):
        dataset, node = orm.load_node(dataset_uuid), orm.load_node(split_uuid)
        if not isinstance(dataset, DatasetData) or not isinstance(node, SplitData):
            raise ValueError(f'expected a dataset and a split, got {dataset} and {node}')
        split, configurations = node.get_split(), dataset.get_configurations()
        seen = np.concatenate([split.train, split.validation])
        if len(split.test):
            seen = np.setdiff1d(np.arange(len(configurations)), split.test)
        refused.update(frame_keys(configurations.select(seen)))
    return refused


def _predictions(ensemble: Ensemble, dataset: DatasetData) -> dict[str, PredictionData]:
    found = find_predictions(ensemble, dataset.sha256)
    missing = [member.label for member in ensemble.members if member.label not in found]
    if missing:
        raise NotExistent(f'the members {missing} have no prediction on dataset <{dataset.uuid}>')
    nodes: dict[str, Any] = {label: orm.load_node(found[label]) for label in sorted(found)}
    return nodes
