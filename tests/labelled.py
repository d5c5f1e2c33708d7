"""A stored labelling in which some failed: the graph as `LabelWorkChain` leaves it."""

from aiida import orm

from aiida_enne.calculations.labelling import cut_configurations, join_labels
from aiida_enne.calculations.references import collect_reference
from aiida_enne.data.configurations import ConfigurationsData
from aiida_enne.data.dataset import DatasetData


def store_labels(dataset, n, missing, size=2):
    """Label the first n configurations in pieces; return the dataset and what tells failures.

    Of a piece in which all are missing there is nothing, as of a job that never worked.
    """
    whole = dataset.get_configurations().select(range(n))
    configurations = ConfigurationsData.from_configurations(whole).store()
    cut_configurations(configurations, orm.Int(size))
    datasets, results = {}, {}
    for first in range(0, n, size):
        index = range(first, min(first + size, n))
        if missing.issuperset(index):
            continue
        outcome = label_piece(whole.select(index), [i - first for i in index if i in missing])
        label = f'piece_{first // size:06}'
        datasets[label], results[label] = outcome['dataset'], outcome['results']
    joined = join_labels(
        configurations, orm.Int(size), orm.Dict({}), datasets=datasets, results=results
    )
    return joined['dataset'], joined['failures']


def label_piece(piece, missing):
    """Join labels one by one, as an engine does that has one job for each."""
    done = [index for index in range(len(piece)) if index not in missing]
    statuses = [
        {'status': 'finished' if index in done else 'failed', 'message': f'no {index}'}
        for index in range(len(piece))
    ]
    labels = {
        f'part_{index}': DatasetData.from_configurations(
            piece.select([index]), level_of_theory='EMT'
        ).store()
        for index in done
    }
    parts = {f'part_{index}': {'configuration': index} for index in done}
    return collect_reference(
        ConfigurationsData.from_configurations(piece).store(),
        orm.Dict({'kind': 'label', 'statuses': statuses, 'parts': parts}),
        **labels,
    )
