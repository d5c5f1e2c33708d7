"""What gatherers share: processes of an engine and how they ended, frames from arrays."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from aiida import orm
from ase import Atoms
from ase.calculators.singlepoint import SinglePointCalculator
from ase.constraints import FixCartesian

from aiida_enne.calculations.gatherers.interface import Nodes, Source
from aiida_enne.science.importing.reading import OwnFile


class EngineGatherer(ABC):
    """What gatherers of an engine have in common: its jobs, and the work chains around them.

    Attributes:
        job: Entry point of its jobs.
        chains: Entry points that are taken, that of its jobs among them.
        words: What a message calls the engine.
    """

    name, converted = '', True
    job, words = '', ''
    chains: tuple[str, ...] = ()

    def takes(self, node: orm.Node) -> bool:
        """Take a job of the engine or a work chain of such jobs."""
        return entry_point(node) in self.chains

    def find(self, node: orm.Node) -> Source:
        """Return the labels of the jobs within a process."""
        assert isinstance(node, orm.ProcessNode)
        if runs := runs_of(node, self.job):
            return self.find_in(node, runs)
        return Source(failed=f'{ending(node)} and ran no {self.words}')

    @abstractmethod
    def find_in(self, node: orm.ProcessNode, runs: list[orm.CalcJobNode]) -> Source:
        """Return the labels of one or more jobs, in their order."""


def entry_point(node: orm.Node) -> str:
    """Return the name of the entry point of a process, such as 'quantumespresso.pw'; or ''."""
    return str(getattr(node, 'process_type', None) or '').rpartition(':')[2]


def ending(node: orm.ProcessNode) -> str:
    """Say how a process ended, in words."""
    if not node.is_finished:
        return f'ended {node.process_state.value}' if node.process_state else 'never began'
    message = f' ({node.exit_message})' if node.exit_message else ''
    return f'ended with exit status {node.exit_status}{message}'


def failure(node: orm.ProcessNode) -> str:
    """Return how a process ended unless it ended well; empty then."""
    return '' if node.is_finished_ok else ending(node)


def runs_of(node: orm.ProcessNode, name: str) -> list[orm.CalcJobNode]:
    """Return the jobs of an entry point within a process, in their order; itself if it is one."""
    if entry_point(node) == name and isinstance(node, orm.CalcJobNode):
        return [node]
    jobs = [one for one in node.called_descendants if isinstance(one, orm.CalcJobNode)]
    return sorted((one for one in jobs if entry_point(one) == name), key=lambda one: one.pk or 0)


def fix(frames: Iterable[Atoms], fixed: Iterable[Iterable[bool]] | None) -> None:
    """Declare the components that a calculation held in place, by atom and direction."""
    held = [FixCartesian([i], mask) for i, mask in enumerate(fixed or ()) if any(mask)]
    for atoms in frames if held else ():
        atoms.set_constraint(held)


def parameters_of(run: orm.CalcJobNode) -> dict[str, Any]:
    """Return the input parameters of a job, none where it has none."""
    return dict(run.inputs.parameters.get_dict()) if 'parameters' in run.inputs else {}


def input_structure(node: orm.ProcessNode) -> orm.StructureData | None:
    """Return the one structure among the inputs of a process, or None."""
    links = node.base.links.get_incoming(node_class=orm.StructureData).all()
    found: dict[str, Any] = {link.node.uuid: link.node for link in links}
    return next(iter(found.values())) if len(found) == 1 else None


def array(nodes: Nodes, label: str, names: Iterable[str], remedy: str) -> Any:
    """Return the first array that a node has of those named.

    Raises:
        ValueError: If it has none of them.
    """
    node: Any = nodes[label]
    for name in (names := tuple(names)):
        if name in node.get_arraynames():
            return np.asarray(node.get_array(name), dtype=np.float64)
    raise ValueError(
        f'its {label} has no array {" or ".join(map(repr, names))}, only '
        f'{sorted(node.get_arraynames())}: {remedy}'
    )


def from_arrays(
    symbols: Any,
    positions: Any,
    cells: Any,
    results: Mapping[str, Any],
    pbc: Any = True,
) -> OwnFile:
    """Return frames from arrays of T frames of N atoms.

    Args:
        symbols: Of the atoms, N.
        positions: In Å, shape (T, N, 3).
        cells: In Å, shape (T, 3, 3), or None.
        results: Arrays by the name of ASE, each of length T; None where there are none.
        pbc: Periodic directions.

    Raises:
        ValueError: If the lengths differ.
    """
    steps, known = len(positions), {k: v for k, v in results.items() if v is not None}
    lengths = {'positions': steps} | {name: len(value) for name, value in known.items()}
    if cells is not None:
        lengths['cells'] = len(cells)
    if len(set(lengths.values())) > 1:
        listed = ', '.join(f'{name} {length}' for name, length in lengths.items())
        raise ValueError(f'its arrays have different numbers of frames: {listed}')
    frames = []
    for step in range(steps):
        cell = None if cells is None else cells[step]
        atoms = Atoms(
            symbols, positions=positions[step], cell=cell, pbc=False if cell is None else pbc
        )
        values = {name: value[step] for name, value in known.items()}
        atoms.calc = SinglePointCalculator(atoms)
        atoms.calc.results.update(values)
        frames.append(atoms)
    return OwnFile(frames)


def structure_atoms(node: Any) -> Atoms:
    """Return a `StructureData` as ASE atoms, by the elements of its kinds.

    Raises:
        ValueError: If a site is an alloy or a vacancy.
    """
    try:
        symbols = [node.get_kind(site.kind_name).symbol for site in node.sites]
    except ValueError as exception:
        raise ValueError(f'a site of its structure holds more than one element: {exception}') from (
            exception
        )
    positions = [site.position for site in node.sites]
    return Atoms(symbols, positions=positions, cell=node.cell, pbc=node.pbc)


def flat(nested: Mapping[str, Any], leave: Iterable[str] = (), path: str = '') -> dict[str, str]:
    """Return nested settings as texts by their path, such as 'SYSTEM.nspin'.

    Args:
        nested: Dictionaries of dictionaries.
        leave: Keys, in capitals, that are left out at any depth.
        path: Where it stands.
    """
    found: dict[str, str] = {}
    left = set(leave)
    for key, value in nested.items():
        if str(key).upper() in left:
            continue
        if isinstance(value, Mapping):
            found |= flat(value, left, f'{path}{key}.')
        else:
            found[f'{path}{key}'] = str(value)
    return found


def kpoints_of(run: orm.CalcJobNode) -> dict[str, str]:
    """Return the mesh of a job, as what may differ between levels of theory."""
    if 'kpoints' not in run.inputs or 'mesh' not in run.inputs.kpoints.base.attributes.all:
        return {}
    return {'k-points': 'k ' + 'x'.join(map(str, run.inputs.kpoints.get_kpoints_mesh()[0]))}
