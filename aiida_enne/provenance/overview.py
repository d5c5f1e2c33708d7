"""All ensembles of a profile, in one query."""

from __future__ import annotations

from dataclasses import dataclass

from aiida import orm

from aiida_enne.data.dataset import DatasetData
from aiida_enne.data.model import ModelData


@dataclass(frozen=True, slots=True)
class Overview:
    """One work chain that handed out models of its own.

    Attributes:
        pk: Of the work chain.
        process: Its class.
        label: What the user called it.
        n_members: Number of models.
        level_of_theory: Of what they were trained on, all of them where there are several.
        created: Date and time, to the minute.
        state: How it ended, or that it runs.
    """

    pk: int
    process: str
    label: str
    n_members: int
    level_of_theory: str
    created: str
    state: str


def list_ensembles() -> list[Overview]:
    """Return every work chain that returned models and was called by no other, oldest first."""
    query = orm.QueryBuilder()
    query.append(orm.WorkChainNode, tag='chain', project='*')
    query.append(
        ModelData,
        with_incoming='chain',
        edge_filters={'type': 'return', 'label': {'like': 'models%'}},
        tag='model',
        project='attributes.weights_sha256',
    )
    chains: dict[int, orm.WorkChainNode] = {}
    weights: dict[int, set[str]] = {}
    for chain, digest in query.iterall():
        if chain.caller is None:
            chains[chain.pk] = chain
            weights.setdefault(chain.pk, set()).add(digest)
    levels = _levels({digest for some in weights.values() for digest in some})
    return [
        Overview(
            pk,
            str(chain.process_label),
            chain.label,
            len(weights[pk]),
            ', '.join(sorted({levels[one] for one in weights[pk] if one in levels})),
            chain.ctime.strftime('%Y-%m-%d %H:%M'),
            _state(chain),
        )
        for pk, chain in sorted(chains.items())
    ]


def _levels(weights: set[str]) -> dict[str, str]:
    """Return the level of theory that each model was trained on, by the digest of its weights."""
    query = orm.QueryBuilder()
    filters = {'attributes.weights_sha256': {'in': sorted(weights) or ['']}}
    query.append(ModelData, filters=filters, tag='model', project='attributes.weights_sha256')
    query.append(orm.CalcJobNode, with_outgoing='model', tag='job')
    query.append(DatasetData, with_outgoing='job', project='attributes.level_of_theory')
    return dict(query.distinct().iterall())


def _state(chain: orm.WorkChainNode) -> str:
    if not chain.is_terminated:
        return 'running'
    return 'finished' if chain.is_finished_ok else f'failed [{chain.exit_status}]'
