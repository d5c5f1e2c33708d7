"""Labels of the relax work chains of aiida-common-workflows, by their documented outputs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aiida import orm

from aiida_enne.calculations.gatherers.interface import Nodes, Source
from aiida_enne.calculations.gatherers.nodes import (
    array,
    entry_point,
    failure,
    flat,
    from_arrays,
    input_structure,
    parameters_of,
    structure_atoms,
)
from aiida_enne.science.importing.choices import ImportChoices
from aiida_enne.science.importing.reading import OwnFile

BEGINNING = 'common_workflows.relax.'
#: Implementations whose total energy is extrapolated to no broadening: forces do not derive from
#: it.
EXTRAPOLATED = ('vasp',)


#: Settings of the motion of atoms and of the machine, by which labels may differ.
MOTION = ('CONTROL', 'IONS', 'CELL', 'MOTION', 'GLOBAL', 'NSW', 'IBRION', 'ISIF', 'EDIFFG', 'NBND')


class CommonWorkflowsGatherer:
    """Reads `relaxed_structure` (Å), `forces` (eV/Å) and `total_energy` (eV): one frame.

    `stress` is documented in eV/Å³ without its sign, and implementations hand out what their
    plugin has (Quantum ESPRESSO: GPa, positive under compression): it is left out. The output
    `trajectory` is documented without energies.
    """

    name = 'common_workflows'
    converted = True

    def takes(self, node: orm.Node) -> bool:
        """Take the common relax work chain of any engine."""
        return entry_point(node).startswith(BEGINNING)

    def find(self, node: orm.Node) -> Source:
        """Return the final structure, its forces and its energy."""
        assert isinstance(node, orm.ProcessNode)
        if reason := failure(node):
            return Source(failed=reason)
        relaxed = 'relaxed_structure' in node.outputs  # a single point relaxes nothing
        structure = node.outputs['relaxed_structure'] if relaxed else input_structure(node)
        names = [name for name in ('forces', 'total_energy') if name in node.outputs]
        found = {name: node.outputs[name] for name in names}
        if structure is not None:
            found['structure'] = structure
        lacking = sorted({'structure', 'forces', 'total_energy'} - set(found))
        if lacking:
            return Source(failed=f'has no output {", ".join(lacking)}')
        engine = entry_point(node).removeprefix(BEGINNING)
        jobs = [one for one in node.called_descendants if isinstance(one, orm.CalcJobNode)]
        last = max(jobs, key=lambda one: one.pk or 0, default=None)
        settings = {} if last is None else flat(parameters_of(last), MOTION)
        return Source(
            found, {'engine': engine}, {'engine': f'common workflow of {engine}'}, settings
        )

    def read(self, nodes: Nodes, facts: Mapping[str, Any], choices: ImportChoices) -> OwnFile:
        """Return the one frame."""
        atoms = structure_atoms(nodes['structure'])
        forces = array(nodes, 'forces', ['forces'], 'no other array is documented')
        energy: Any = nodes['total_energy']
        results = {'energy': [float(energy.value)], 'forces': [forces.reshape(-1, 3)]}
        cells = [atoms.cell.array] if atoms.pbc.any() else None
        found = from_arrays(atoms.symbols, [atoms.positions], cells, results, atoms.pbc)
        questions: tuple[str, ...] = ()
        if facts['engine'] in EXTRAPOLATED:
            questions = (
                'its total energy is extrapolated to no broadening, and the forces do not derive '
                'from it: gather the calculation inside instead (`allow_implausible`)',
            )
        return OwnFile(found.frames, questions=questions)


GATHERER = CommonWorkflowsGatherer()
