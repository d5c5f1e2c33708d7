"""Node: the audit of one ensemble on one dataset, scalars as attributes."""

from typing import Any, Self

from aiida_enne.data.npz import NpzData
from aiida_enne.science.npz import Arrays
from aiida_enne.science.structures.domains import in_order


class StatisticsData(NpzData):
    """Statistics of one ensemble on one dataset; every figure is one projection of these.

    Attributes: `domains` maps a domain to its scalars by name; `verdicts` and `gates` say where σ
    may be believed; `parameters` states the choices (ddof, alignment); `dataset_sha256`,
    `ensemble_sha256`, `n_members`, `seeds`. The arrays hold what a figure draws: per-configuration
    spreads and errors, histograms, curves.
    """

    FILENAME = 'statistics.npz'

    @classmethod
    def from_statistics(
        cls, domains: dict[str, dict[str, Any]], arrays: Arrays, **attributes: Any
    ) -> Self:
        """Create an unstored node."""
        node = cls()
        node.set_arrays(arrays, {'domains': domains} | attributes)
        return node

    def get_description(self) -> str:
        """Return what a graph shows: how many members, and in how many domains they were judged."""
        members = self.base.attributes.get('n_members', None)
        return f'{members} members in {len(self.domains)} domains'

    @property
    def domains(self) -> dict[str, dict[str, Any]]:
        """Scalars by name, by domain in natural order."""
        stored = self.base.attributes.get('domains')
        return {name: stored[name] for name in in_order(stored)}
