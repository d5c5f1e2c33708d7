"""What a gatherer is: the one interface between nodes of another plugin and `dataset gather`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol, runtime_checkable

from aiida import orm

from aiida_enne.science.importing.choices import ImportChoices
from aiida_enne.science.importing.reading import OwnFile

Nodes = Mapping[str, orm.Data]


@dataclass(frozen=True, slots=True)
class Source:
    """The labels of one node, found but not read yet.

    Attributes:
        nodes: Stored data nodes that hold them, by labels that may be link labels of AiiDA. They
            are the inputs of the calculation function that makes the dataset.
        facts: What `read` needs to know besides, fit for JSON.
        level: What the labels are, by the name of what may differ between calculations, such as
            {'cutoffs': '22/88 Ry'}; empty where the node does not say.
        settings: What else must be equal in calculations that are joined, by its name.
        failed: Why there are no labels (an electronic cycle that did not converge, a job that
            failed), in words; empty if there are.
        partial: Why the calculation did not reach its goal although its frames are labels, such as
            a relaxation out of steps; empty if it did.
    """

    nodes: Nodes = field(default_factory=dict)
    facts: Mapping[str, Any] = field(default_factory=dict)
    level: Mapping[str, str] = field(default_factory=dict)
    settings: Mapping[str, str] = field(default_factory=dict)
    failed: str = ''
    partial: str = ''


@runtime_checkable
class Gatherer(Protocol):
    """Knows the outputs of some plugin; registered in `aiida_enne.gatherers` as an instance.

    Attributes:
        name: Of its entry point.
        converted: Whether the frames are in eV, Å, eV/Å and eV/Å³ (tension positive); else they are
            in the units of the node, which the user states.
    """

    name: str
    converted: bool

    def takes(self, node: orm.Node) -> bool:
        """Return whether the node, finished or not, is one that this gatherer knows."""

    def find(self, node: orm.Node) -> Source:
        """Return the labels of a finished node that it takes; a failed one has its reason."""

    def read(self, nodes: Nodes, facts: Mapping[str, Any], choices: ImportChoices) -> OwnFile:
        """Return the frames, with results in a `SinglePointCalculator`, from the nodes alone.

        Components that were fixed are declared by ASE constraints. A `free_energy` is the energy
        that the forces derive from, where there is another `energy`.

        Raises:
            ValueError: If an array is missing or has another shape, with what to do.
        """
