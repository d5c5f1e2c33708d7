"""Node: which configurations of a dataset train, validate and test."""

from typing import Self

import numpy as np

from aiida_enne.data.configurations import ConfigurationsData
from aiida_enne.data.dataset import DatasetData
from aiida_enne.data.npz import NpzData
from aiida_enne.science.data.configurations import Configurations
from aiida_enne.science.data.splits import PARTS, Split, shared_blocks


class SplitData(NpzData):
    """Indices into one dataset; labels are never copied."""

    FILENAME = 'split.npz'

    @classmethod
    def from_split(
        cls, split: Split, dataset: DatasetData, *, method: str, shared: bool = False
    ) -> Self:
        """Create an unstored node.

        Args:
            split: Disjoint indices.
            dataset: What they point into.
            method: How they were drawn, to query by.
            shared: Whether relatives, i.e. frames of one trajectory block, may stand in two parts.

        Raises:
            ValueError: If an index points beyond the dataset, a configuration of one part occurs
                again in another, or a trajectory block does although `shared` is false.
        """
        configurations = dataset.get_configurations()
        check_leakage(split, configurations, shared=shared)
        common = shared_blocks(split, configurations.blocks)
        node = cls()
        sizes = {f'n_{part}': len(getattr(split, part)) for part in PARTS}
        node.set_arrays(
            split.as_arrays(),
            sizes
            | {
                'method': method,
                'dataset_sha256': dataset.sha256,
                'n_shared_blocks': len(common),
            },
        )
        return node

    def get_split(self) -> Split:
        """Return the indices."""
        return Split(**self.get_arrays())

    def get_description(self) -> str:
        """Return what a graph shows: the sizes of the parts, and how they were drawn."""
        attributes = self.base.attributes.all
        sizes = ', '.join(f'{attributes[f"n_{part}"]} {part}' for part in PARTS)
        return f'{sizes} ({attributes["method"]})'

    def mismatch(self, dataset: ConfigurationsData) -> str | None:
        """Return why this split is not one of the dataset, or None if it is."""
        expected = self.base.attributes.get('dataset_sha256')
        if dataset.sha256 != expected:
            return (
                f'the split belongs to the dataset {expected[:12]}, '
                f'got the dataset {dataset.sha256[:12]}'
            )
        return None


def check_leakage(split: Split, configurations: Configurations, *, shared: bool) -> None:
    """Refuse a split whose parts know of each other.

    Raises:
        ValueError: If an index points beyond the configurations, equal configurations stand in
            two parts, or one trajectory block does although `shared` is false.
    """
    arrays, n = split.as_arrays(), len(configurations)
    highest = max(int(index.max()) for index in arrays.values() if len(index))
    if highest >= n:
        raise ValueError(f'the split points to configuration {highest}, the dataset has {n}')
    seen: dict[bytes, tuple[str, int]] = {}
    offsets, positions = configurations.offsets, configurations.positions
    for part, indices in arrays.items():
        for i in indices.tolist():
            key = np.ascontiguousarray(positions[offsets[i] : offsets[i + 1]]).tobytes()
            key += configurations.cells[i].tobytes()
            other = seen.setdefault(key, (part, i))
            if other[0] != part:
                raise ValueError(
                    f'configuration {i} ({part}) is a copy of {other[1]} ({other[0]}): '
                    'the parts must be disjoint'
                )
    common = shared_blocks(split, configurations.blocks)
    if common and not shared:
        raise ValueError(
            f'the trajectory blocks {common[:5]} have configurations in more than one part; '
            'deal out whole trajectories (`method` blocks), or allow it (`shared_blocks`)'
        )
