"""Calculation functions that cut configurations for many jobs, and join the labels again."""

from __future__ import annotations

from typing import Any

from aiida import orm
from aiida.engine import calcfunction

from aiida_enne.data.configurations import ConfigurationsData
from aiida_enne.data.dataset import DatasetData
from aiida_enne.science.data import labelling

#: Beginning of the label of a piece; its number follows.
PIECE = 'piece_'


@calcfunction
def cut_configurations(
    configurations: ConfigurationsData, size: orm.Int
) -> dict[str, ConfigurationsData]:
    """Cut configurations into pieces of at most `size`; labels are `piece_000000` and so on."""
    pieces = labelling.cut(configurations.get_configurations(), size.value)
    return {
        f'{PIECE}{number:06}': ConfigurationsData.from_configurations(piece, masked_forces=True)
        for number, piece in enumerate(pieces)
    }


@calcfunction
def join_labels(
    configurations: ConfigurationsData, size: orm.Int, messages: orm.Dict, **nodes: Any
) -> dict[str, Any]:
    """Join the labels of all pieces in the order of the configurations.

    Args:
        configurations: What was cut.
        size: Configurations in a piece.
        messages: How the work chain of a piece ended, by its label, where it did not end well.
        **nodes: `datasets.<piece>` and `results.<piece>` of an engine, where there are any.

    Returns:
        `failures` and, if anything is labelled, `dataset`.
    """
    whole = configurations.get_configurations()
    datasets = {_number(label): node for label, node in nodes.get('datasets', {}).items()}
    levels = sorted({node.level_of_theory for node in datasets.values()})
    if len(levels) > 1:
        raise ValueError(f'only labels of one level of theory can be joined, got {levels}')
    parts = {number: node.get_configurations() for number, node in datasets.items()}
    joined = labelling.join(whole, parts, size.value)
    reasons: dict[int, str] = {}
    for label, message in messages.get_dict().items():
        first = _number(label) * size.value
        reasons |= dict.fromkeys(range(first, first + size.value), message)
    for label, results in nodes.get('results', {}).items():
        first = _number(label) * size.value
        reasons |= {first + item['configuration']: item['message'] for item in results['failures']}
    failures = labelling.list_failures(whole, joined, reasons)
    outputs: dict[str, Any] = {
        'failures': orm.Dict(
            {
                'n_configurations': len(whole),
                'n_labelled': len(whole) - len(failures),
                'failures': failures,
            }
        )
    }
    if joined is not None:
        outputs['dataset'] = DatasetData.from_configurations(joined, level_of_theory=levels[0])
    return outputs


def _number(label: str) -> int:
    return int(label.removeprefix(PIECE))
