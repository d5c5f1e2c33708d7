"""Labels of finished calculations as one dataset, linked to the nodes that they came from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from aiida import orm
from aiida.engine import calcfunction

from aiida_enne.calculations.gatherers import Source, gatherer_of, load_gatherer
from aiida_enne.data.dataset import UNKNOWN_LEVEL, DatasetData
from aiida_enne.science.importing.checking import Imported
from aiida_enne.science.importing.choices import ImportChoices
from aiida_enne.science.importing.reading import OwnFile
from aiida_enne.science.importing.runs import Run, common_level, import_runs
from aiida_enne.science.plugins import registered

#: Choices with these values are not stored: they say nothing.
_EMPTY: tuple[Any, ...] = (None, (), {}, False)


@dataclass(frozen=True, slots=True)
class Chosen:
    """A node of which the labels are gathered.

    Attributes:
        name: What messages call it: 'PwCalculation<12>'.
        uuid: Of the node.
        gatherer: Name of what reads it, empty if nothing does.
        source: What was found.
        info: Words that a domain may be named after: `label`, `process`, `pk`, `group`.
    """

    name: str
    uuid: str
    gatherer: str = ''
    source: Source = field(default_factory=Source)
    info: Mapping[str, Any] = field(default_factory=dict)

    def facts(self) -> dict[str, Any]:
        """Return everything but the nodes, fit for JSON."""
        facts = {name: getattr(self, name) for name in ('name', 'uuid', 'gatherer')}
        source = {
            name: getattr(self.source, name)
            for name in ('facts', 'level', 'settings', 'failed', 'partial')
        }
        return facts | {'info': dict(self.info), 'source': source}


def name_of(node: orm.Node) -> str:
    """Return what messages call a node."""
    return f'{getattr(node, "process_label", None) or type(node).__name__}<{node.pk}>'


def choose(node: orm.Node, group: str | None = None) -> Chosen:
    """Find the labels of a node; what stands in the way is said by its source.

    Args:
        node: A process, or data that hold labels.
        group: Label of the group that it was found in.
    """
    maker = node.creator if isinstance(node, orm.Data) else None
    if isinstance(node, orm.TrajectoryData) and maker is not None and gatherer_of(maker):
        return choose(maker, group)  # which knows its units and whether it converged
    info = {'label': node.label, 'pk': node.pk, 'group': group}
    info['process'] = getattr(node, 'process_label', None)
    info = {key: value for key, value in info.items() if value not in (None, '')}
    name, gatherer = name_of(node), gatherer_of(node)
    if gatherer is None:
        text = (
            'is not known to any gatherer (registered: '
            f'{", ".join(registered("aiida_enne.gatherers"))}); name a finished calculation, its '
            'work chain, or a TrajectoryData'
        )
        return Chosen(name, node.uuid, source=Source(failed=text), info=info)
    if isinstance(node, orm.ProcessNode) and not node.is_terminated:
        state = node.process_state.value if node.process_state else 'not begun'
        source = Source(failed=f'is {state}, not finished: wait for its end')
    else:
        source = gatherer.find(node)
    return Chosen(name, node.uuid, gatherer.name, source, info)


def read_runs(
    sources: Sequence[Mapping[str, Any]],
    nodes: Sequence[Mapping[str, orm.Data]],
    choices: ImportChoices,
) -> list[Run]:
    """Read the frames of sources, given as `Chosen.facts` and their nodes in the same order."""
    runs = []
    for one, mine in zip(sources, nodes, strict=True):
        source, failed, file, converted = one['source'], one['source']['failed'], OwnFile([]), True
        if not failed:
            gatherer = load_gatherer(one['gatherer'])
            converted = gatherer.converted
            try:
                file = gatherer.read(mine, source['facts'], choices)
            except ValueError as exception:
                failed = str(exception)
        for atoms in file.frames:
            atoms.info = {**one['info'], **atoms.info}
        level, settings = source['level'], source['settings']
        runs.append(Run(one['name'], file, level, settings, converted, failed, source['partial']))
    return runs


def gather(runs: Sequence[Run], choices: ImportChoices, stated: str | None) -> tuple[Imported, str]:
    """Ask what `dataset import` asks, and find the common level of theory.

    Returns:
        The configurations with notes, and the level of theory.

    Raises:
        ImportRefusedError: If anything is wrong anywhere, or the levels of theory differ.
    """
    found = import_runs(runs, choices)
    used = [run for run in runs if run.name in found.sources]
    level, notes = common_level(used, stated)
    found.notes.extend(notes)
    return found, ', '.join(filter(None, [level or UNKNOWN_LEVEL, found.energy]))


@calcfunction
def gather_labels(parameters: orm.Dict, **nodes: Any) -> DatasetData:
    """Join labels of finished calculations in one dataset.

    Args:
        parameters: `sources` by label as `Chosen.facts` gives them, `choices` of
            `ImportChoices` that are not the default, and `level_of_theory` if one is stated.
        **nodes: `sources.<label>.<name>`, the nodes that a gatherer reads.
    """
    found = parameters.get_dict()
    choices = read_choices(found['choices'])
    labels = sorted(found['sources'])
    mine = [nodes['sources'][label] for label in labels]
    runs = read_runs([found['sources'][label] for label in labels], mine, choices)
    imported, level = gather(runs, choices, found.get('level_of_theory'))
    source = {'processes': [found['sources'][label]['uuid'] for label in labels]}
    return DatasetData.from_configurations(
        imported.configurations, level_of_theory=level, source=source, masked_forces=True
    )


def read_choices(plain: Mapping[str, Any]) -> ImportChoices:
    """Return choices from their JSON form."""
    lists: dict[str, Any] = {
        key: tuple(value) if isinstance(value, list) else value for key, value in plain.items()
    }
    return ImportChoices(**lists)


def plain_choices(choices: ImportChoices) -> dict[str, Any]:
    """Return the choices that are not empty, fit for JSON."""
    return {
        key: list(value) if isinstance(value, tuple) else value
        for key, value in asdict(choices).items()
        if value not in _EMPTY
    }
