"""What labelled a dataset and what moved it; what a reference calculation could not label."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from aiida import orm

from aiida_enne.data.dataset import DatasetData


@dataclass(frozen=True, slots=True)
class Labelling:
    """What one reference calculation was asked for, and what it did not give.

    Attributes:
        uuid: Its source node.
        n_configurations: What was asked for.
        failures: `configuration` and `message` of each that failed; `domain` where it is known.
    """

    uuid: str
    n_configurations: int
    failures: tuple[dict[str, Any], ...]


def find_labellings(dataset: str) -> list[Labelling]:
    """Return the reference calculations behind a dataset, those that succeeded wholly included.

    The creators are followed from dataset to dataset, each up to the first that lists what
    failed: a process that joins the labels of many jobs lists it for all of them. Work chains are
    not asked, so that an archive that lacks them gives the same answer.

    Raises:
        NotExistent: If there is no such node.
    """
    found: dict[str, Labelling] = {}
    waiting, seen = [orm.load_node(dataset)], set[str]()
    while waiting:
        node = waiting.pop()
        if node.uuid in seen or node.creator is None:
            continue
        seen.add(node.uuid)
        listed = _list_failures(node.creator)
        if listed is not None:
            found[listed.uuid] = listed
            continue
        inputs = node.creator.base.links.get_incoming(node_class=DatasetData)
        waiting += inputs.all_nodes()
    return sorted(found.values(), key=lambda labelling: labelling.uuid)


def find_samplers(datasets: Iterable[str]) -> list[tuple[str, str]]:
    """Return who moved the frames of datasets and who labelled them, where these are two.

    Args:
        datasets: UUIDs.

    Returns:
        Levels of theory, (sampled by, labelled by), each pair once.
    """
    query = orm.QueryBuilder()
    query.append(
        orm.CalcFunctionNode, filters={'id': {'in': _makers(datasets) or [-1]}}, tag='join'
    )
    query.append(
        orm.Dict,
        with_incoming='join',
        filters={'attributes': {'has_key': 'sampled_by'}},
        project=['attributes.sampled_by', 'attributes.labelled_by'],
    )
    return sorted({(str(moved), str(labelled)) for moved, labelled in query.iterall() if labelled})


def _makers(datasets: Iterable[str]) -> list[int]:
    """Return the PKs of the functions that made datasets, and those that these were made of.

    Datasets are followed level by level: the paths between all ancestors of a study on real
    labels are so many that to ask for them at once takes minutes.
    """
    found: set[int] = set()
    level: dict[str, list[Any]] = {'uuid': sorted(datasets)}
    while any(level.values()):
        query = orm.QueryBuilder()
        query.append(
            orm.Node, filters={key: {'in': known} for key, known in level.items()}, tag='of'
        )
        query.append(orm.CalcFunctionNode, with_outgoing='of', project='id')
        fresh = set(query.all(flat=True)) - found
        found |= fresh
        query = orm.QueryBuilder()
        query.append(
            orm.CalcFunctionNode, filters={'id': {'in': sorted(fresh) or [-1]}}, tag='join'
        )
        query.append(DatasetData, with_outgoing='join', project='id')
        level = {'id': sorted(set(query.all(flat=True)))}
    return sorted(found)


def _list_failures(creator: orm.CalculationNode) -> Labelling | None:
    """Return what a calculation says of its failures, or None if it says nothing."""
    for name in ('failures', 'results'):
        if name not in creator.outputs:
            continue
        content = creator.outputs[name].get_dict()
        if 'failures' in content and 'n_configurations' in content:
            return Labelling(
                creator.outputs[name].uuid, content['n_configurations'], tuple(content['failures'])
            )
    return None
