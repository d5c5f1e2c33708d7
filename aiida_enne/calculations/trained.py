"""What an audit takes from the training of an ensemble, and trained frames among its own."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from aiida_enne.data.dataset import DatasetData
from aiida_enne.data.split import SplitData
from aiida_enne.data.trainings import Overlap, TrainedOn
from aiida_enne.science.fields import Integers
from aiida_enne.science.structures.domains import in_order

#: What becomes of configurations that the ensemble was trained on or validated with.
REFUSE, EXCLUDE, INCLUDE = WAYS = ('refuse', 'exclude', 'include')
#: How many of them a message names.
SHOWN = 5

Asked = Mapping[str, tuple[DatasetData, Integers]]


def complete_splits(
    trained: TrainedOn, datasets: Mapping[str, Any], splits: Mapping[str, SplitData]
) -> dict[str, SplitData]:
    """Return the splits of datasets: those given, else the one that the ensemble was trained with.

    A dataset that members were trained on with several splits, or with one that has no test part,
    has none.
    """
    found = dict(splits)
    for label, dataset in datasets.items():
        known = trained.splits_of(dataset) if isinstance(dataset, DatasetData) else []
        if label not in found and len(known) == 1 and len(known[0].get_split().test):
            found[label] = known[0]
    return found


def trained_domains(trained: TrainedOn, datasets: Iterable[Any]) -> list[str]:
    """Return the domains of datasets that the ensemble was trained on, in alphabetical order.

    A domain of the same name that is something else (another role) is not one of them.
    """
    known = trained.find_domains()
    found = {
        name
        for dataset in datasets
        for name, kind in dataset.kinds.items()
        if known.get(name) == kind
    }
    return sorted(found)


def find_overlaps(trained: TrainedOn, asked: Asked) -> dict[str, Overlap]:
    """Return the trained configurations among those asked about, by label, where there are any."""
    if not trained.sets:
        return {}
    found = {label: trained.find_overlap(*one) for label, one in asked.items()}
    return {label: overlap for label, overlap in found.items() if len(overlap.indices)}


def left(asked: Asked, overlaps: Mapping[str, Overlap]) -> dict[str, Integers]:
    """Return the indices that remain of those asked about, by label."""
    return {
        label: np.setdiff1d(indices, overlaps[label].indices) if label in overlaps else indices
        for label, (_, indices) in asked.items()
    }


def why_refused(asked: Asked, overlaps: Mapping[str, Overlap], way: str) -> str | None:
    """Return why trained configurations keep an audit from being made, or None if they do not."""
    if way == INCLUDE:
        return None
    remains = left(asked, overlaps)
    for label, overlap in overlaps.items():
        text = describe(label, len(asked[label][1]), overlap)
        if way == EXCLUDE and not len(remains[label]):
            return (
                f'{text} Without them nothing is left to audit; `trained_frames: include` audits '
                'them all the same'
            )
        if way == REFUSE:
            return (
                f'{text} Errors there say nothing about new configurations: '
                '`trained_frames: exclude` leaves them out, `trained_frames: include` audits them '
                'all the same'
            )
    return None


def describe(label: str, n_asked: int, overlap: Overlap) -> str:
    """Say how many configurations were trained on, of which dataset, and which are the first."""
    counts = [
        f'{len(index)} {what}'
        for index, what in ((overlap.train, 'trained on'), (overlap.validation, 'validated with'))
        if len(index)
    ]
    more = ', …' if len(overlap.indices) > SHOWN else ''
    first = ', '.join(map(str, overlap.indices[:SHOWN].tolist())) + more
    number = len(overlap.indices)
    frames = 'frame' if number == 1 else 'frames'
    return (
        f'`{label}`: the ensemble knows {number} of the {n_asked} configurations to be audited '
        f'({", ".join(counts)}), copies of those of the dataset '
        f'{", ".join(f"<{uuid}>" for uuid in overlap.sources)}: {frames} {first}.'
    )


def name_differences(
    trained: TrainedOn,
    datasets: Mapping[str, DatasetData],
    splits: Mapping[str, SplitData],
    given: Sequence[str],
) -> list[str]:
    """Return where choices of an audit and the graph differ, and what the graph does not know."""
    notes = []
    if trained.unknown:
        notes.append(
            f'the graph does not know all that {", ".join(trained.unknown)} were trained on (the '
            'training is not in this profile, or began from a finished model): whether '
            'they know configurations of the audit cannot be said; state `training_domains`'
        )
    for label, dataset in datasets.items():
        known, chosen = trained.splits_of(dataset), splits.get(label)
        if len(known) > 1 and chosen is None:
            notes.append(f'`{label}`: members were trained with {len(known)} splits of it')
        if chosen is not None and known and chosen.sha256 not in {one.sha256 for one in known}:
            named = ', '.join(f'<{one.uuid}>' for one in known)
            notes.append(
                f'`{label}`: the split given is <{chosen.uuid}>, the ensemble was trained with '
                f'{named}; the one given is used'
            )
    if trained.sets:
        found = trained_domains(trained, datasets.values())
        if sorted(given) != found:
            notes.append(
                f'`training_domains` given are {sorted(given)}, the ensemble was trained on '
                f'{found} of these datasets; those given are used'
            )
        elif not found:
            notes.append(
                f'no dataset has the domains that the ensemble was trained on '
                f'({in_order(trained.find_domains())}): there is no threshold of σ'
            )
    return notes
