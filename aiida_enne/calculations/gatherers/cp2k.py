"""Labels of CP2K: `Cp2kCalculation` and `Cp2kBaseWorkChain`, by their documented outputs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from aiida import orm

from aiida_enne.calculations.gatherers.interface import Nodes, Source
from aiida_enne.calculations.gatherers.nodes import (
    EngineGatherer,
    array,
    ending,
    flat,
    from_arrays,
    input_structure,
    parameters_of,
    structure_atoms,
)
from aiida_enne.science.fields import ENERGY_UNITS
from aiida_enne.science.importing.choices import FORCE_UNITS, ImportChoices
from aiida_enne.science.importing.reading import OwnFile

#: Exit statuses of a relaxation that did not reach its goal; its steps are labels.
ON_THE_WAY = (500, 501)
#: Sections that change where atoms go or how a job runs, but no label.
LEFT = ('MOTION', 'GLOBAL', 'CELL', 'COORD', 'TOPOLOGY', 'PRINT', 'RESTART')
FORCES = 'print them with MOTION / PRINT / FORCES, and retrieve the file aiida-frc-1.xyz'


class Cp2kGatherer(EngineGatherer):
    """Reads `output_trajectory`: positions and cells in Å, energies in Ha, forces in Ha/bohr.

    No stress is documented.
    """

    name = job = 'cp2k'
    chains, words = ('cp2k', 'cp2k.base'), 'CP2K'

    def find_in(self, node: orm.ProcessNode, runs: list[orm.CalcJobNode]) -> Source:
        """Return the trajectory of the last job."""
        run = runs[-1]
        if run.exit_status not in (0, *ON_THE_WAY):
            return Source(failed=ending(run))
        if 'output_trajectory' not in run.outputs:
            return Source(failed=f'has no output_trajectory: {FORCES}')
        outputs = (
            run.outputs.output_parameters.get_dict() if ('output_parameters' in run.outputs) else {}
        )
        converged = (outputs.get('motion_step_info') or {}).get('scf_converged') or []
        if not all(converged):
            return Source(failed=f'{converged.count(False)} electronic cycles did not converge')
        settings, printed = (flat(parameters_of(run), left) for left in (LEFT, ()))
        unit = next((v for k, v in printed.items() if k.upper().endswith('FORCES.UNIT')), None)
        if unit is not None:
            return Source(failed=f'its forces were printed in {unit!r}, expected the default unit')
        nodes: dict[str, orm.Data] = {'trajectory': run.outputs.output_trajectory}
        structure = input_structure(run)
        if structure is not None:
            nodes['structure'] = structure
        words = [v for k, v in settings.items() if 'XC_FUNCTIONAL' in k.upper()]
        level = {'engine': 'CP2K', 'functional': ' '.join(words)}
        cutoff = next((v for k, v in settings.items() if k.upper().endswith('MGRID.CUTOFF')), '')
        level['cutoff'] = f'{cutoff} Ry' if cutoff else ''
        levels = {name: text for name, text in level.items() if text}
        partial = ending(run) if run.exit_status else ''
        return Source(nodes, {}, levels, settings, partial=partial)

    def read(self, nodes: Nodes, facts: Mapping[str, Any], choices: ImportChoices) -> OwnFile:
        """Return every step."""
        trajectory: Any = nodes['trajectory']
        forces = array(nodes, 'trajectory', ['forces'], FORCES)
        energies = array(nodes, 'trajectory', ['energies'], 'CP2K writes them in its trajectory')
        positions = array(nodes, 'trajectory', ['positions'], 'CP2K writes them')
        cells, pbc = trajectory.get_cells(), True
        if 'structure' in nodes:
            start = structure_atoms(nodes['structure'])
            pbc = start.pbc
            if cells is None and start.pbc.any():  # the cell did not change, or was not printed
                cells = np.repeat(start.cell.array[None], len(positions), axis=0)
        results = {
            'energy': energies * ENERGY_UNITS['Ha'],
            'forces': forces * FORCE_UNITS['Ha/bohr'],
        }
        return from_arrays(trajectory.symbols, positions, cells, results, pbc)


GATHERER = Cp2kGatherer()
