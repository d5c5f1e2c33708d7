"""Labels of this package: reference calculations and work chains, and datasets themselves."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aiida import orm

from aiida_enne.calculations.gatherers.interface import Nodes, Source
from aiida_enne.calculations.gatherers.nodes import failure
from aiida_enne.data.dataset import DatasetData
from aiida_enne.science.importing.choices import ImportChoices
from aiida_enne.science.importing.reading import OwnFile

#: Exit status of an engine or a sample of which some configurations failed and others did not.
SOME_FAILED = 410


class OwnGatherer:
    """Reads the output `dataset` of an engine, of its jobs, of `LabelWorkChain` and of samples."""

    name = 'enne'
    converted = True

    def takes(self, node: orm.Node) -> bool:
        """Take a dataset, or a process of which the output `dataset` is one."""
        if isinstance(node, DatasetData):
            return True
        return isinstance(node, orm.ProcessNode) and 'enne' in str(node.process_type or '')

    def find(self, node: orm.Node) -> Source:
        """Return the dataset with its level of theory."""
        if isinstance(node, DatasetData):
            return _source(node)
        assert isinstance(node, orm.ProcessNode)
        found = node.base.links.get_outgoing(link_label_filter='dataset').first()
        if found is None or not isinstance(found.node, DatasetData):
            return Source(failed=failure(node) or 'has no output `dataset`')
        if node.is_finished_ok:
            return _source(found.node)
        if node.exit_status == SOME_FAILED:
            return _source(found.node, partial=failure(node))
        return Source(failed=failure(node))

    def read(self, nodes: Nodes, facts: Mapping[str, Any], choices: ImportChoices) -> OwnFile:
        """Return the frames with their domains and blocks."""
        dataset: Any = nodes['dataset']
        return OwnFile(dataset.get_atoms())


def _source(node: DatasetData, partial: str = '') -> Source:
    return Source({'dataset': node}, level={'level': node.level_of_theory}, partial=partial)


GATHERER = OwnGatherer()
