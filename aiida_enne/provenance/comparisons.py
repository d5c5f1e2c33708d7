"""Stored audits side by side: which domain of which dataset each of them judged."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from aiida_enne.provenance.statistics import Statistics
from aiida_enne.science.structures.domains import in_order


@dataclass(frozen=True, slots=True)
class Compared:
    """One domain, as each process judged it.

    Attributes:
        domain: The domain.
        datasets: Labels of the datasets that it stands in, of all processes.
        found: The statistics of each process that hold it; None where there are none.
    """

    domain: str
    datasets: tuple[str, ...]
    found: tuple[Statistics | None, ...]


def compare(processes: Sequence[Sequence[Statistics]]) -> list[Compared]:
    """Return one line for every domain and, where a process has it in several datasets, for each.

    Domains of different processes stand in one line where they are of the same name. Where one
    process has a name in several datasets, they stand in one line only if the dataset is the same.
    """
    names = in_order(name for some in processes for one in some for name in one.domains)
    found = []
    for name in names:
        holders = [[one for one in some if name in one.domains] for some in processes]
        for row in _match(holders):
            labels = dict.fromkeys(one.label for one in row if one is not None)
            found.append(Compared(name, tuple(labels), tuple(row)))
    return found


Row = list[Statistics | None]


def _match(holders: Sequence[Sequence[Statistics]]) -> list[Row]:
    """Return rows in which each process stands at most once, and each of its datasets once."""
    if all(len(some) <= 1 for some in holders):
        return [[some[0] if some else None for some in holders]]
    rows: list[Row] = []
    for number, some in enumerate(holders):
        for one in some:
            fitting = [row for row in rows if row[number] is None and _content(one) in _known(row)]
            same = [row for row in fitting if one.label in _labels(row)]
            if not fitting:
                rows.append([None] * len(holders))
            (same or fitting or rows[-1:])[0][number] = one
    return rows


def _content(one: Statistics) -> str:
    return str(one.attributes['dataset_sha256'])


def _known(row: Row) -> set[str]:
    return {_content(one) for one in row if one is not None}


def _labels(row: Row) -> set[str]:
    return {one.label for one in row if one is not None}
