"""Labels of VASP: calculations and work chains of aiida-vasp, by their documented outputs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from aiida import orm
from ase import Atoms
from ase.geometry import find_mic

from aiida_enne.calculations.gatherers.interface import Nodes, Source
from aiida_enne.calculations.gatherers.nodes import (
    EngineGatherer,
    array,
    ending,
    fix,
    flat,
    from_arrays,
    input_structure,
    kpoints_of,
    parameters_of,
    structure_atoms,
)
from aiida_enne.science.fields import Floats
from aiida_enne.science.importing.choices import STRESS_UNITS, ImportChoices
from aiida_enne.science.importing.reading import OwnFile

#: Exit status of a relaxation that did not reach its goal; its steps are labels.
IONIC_NOT_CONVERGED = 702
#: Keywords that change where atoms go or how a job runs, but no label.
LEFT = (
    *('NSW', 'IBRION', 'ISIF', 'EDIFFG', 'POTIM', 'SYSTEM', 'MAGMOM', 'NBANDS', 'LWAVE', 'LCHARG'),
    *('NPAR', 'KPAR', 'NCORE', 'ISTART', 'ICHARG', 'TEBEG', 'TEEND', 'SMASS', 'MDALGO', 'NELM'),
)
#: Two positions of an atom that are nearer, in Å, are one: POSCAR has few digits.
SAME = 1e-3
#: Energies as ASE names them, and as VASP does.
ENERGIES = (('free_energy', 'energy_free'), ('energy', 'energy_extrapolated'))
WHOLE = "parser_settings {'include_node': ['trajectory']} keeps every step"
ENERGY = "parser_settings {'energy_type': ['energy_free', 'energy_extrapolated']} keeps it"


class VaspGatherer(EngineGatherer):
    """Reads `trajectory`, else the last step of `misc` and `structure`: eV, eV/Å, kbar.

    Stresses of VASP are positive under compression. `energy_free` is the energy whose derivative
    the forces are; where only `energy_extrapolated` was kept, that is questioned.
    """

    name, job, words = 'vasp', 'vasp.vasp', 'VASP'
    chains = ('vasp.vasp', 'vasp.relax', 'vasp.v2.vasp', 'vasp.v2.relax')

    def find_in(self, node: orm.ProcessNode, runs: list[orm.CalcJobNode]) -> Source:
        """Return the outputs of the last job."""
        run = runs[-1]
        if run.exit_status not in (0, IONIC_NOT_CONVERGED) or 'misc' not in run.outputs:
            return Source(failed=f'{ending(run)}')
        status = run.outputs.misc.get_dict().get('run_status', {})
        if status.get('electronic_converged') is False or status.get('contains_nelm_breach'):
            return Source(failed='an electronic cycle ended at NELM')
        incar = _incar(run)
        structure = input_structure(run)
        nodes: dict[str, orm.Data] = {}
        if structure is not None:
            nodes['start'] = structure
        if 'trajectory' in run.outputs:
            nodes['trajectory'] = run.outputs.trajectory
        elif run.exit_status or (incar.get('NSW', 0) and incar.get('IBRION') == 0):
            return Source(failed=f'has no output trajectory: {WHOLE}')
        else:
            nodes['misc'] = run.outputs.misc
            if 'structure' in run.outputs:
                nodes['end'] = run.outputs.structure
        level = {'engine': 'VASP', 'functional': _functional(incar), 'potentials': _potentials(run)}
        if 'ENCUT' in incar:
            level['cutoff'] = f'{float(incar["ENCUT"]):g} eV'
        partial = ending(run) if run.exit_status else ''
        levels = {name: text for name, text in level.items() if text} | kpoints_of(run)
        return Source(nodes, {'fixed': _fixed(run)}, levels, flat(incar, LEFT), partial=partial)

    def read(self, nodes: Nodes, facts: Mapping[str, Any], choices: ImportChoices) -> OwnFile:
        """Return every step, or the last one."""
        found, extrapolated = _trajectory(nodes) if 'trajectory' in nodes else _last(nodes)
        fix(found.frames, facts.get('fixed'))
        questions: tuple[str, ...] = ()
        if extrapolated and choices.energy_key is None:
            questions = (
                'its energies are extrapolated to no broadening, and the forces do not derive from '
                f'them: {ENERGY} (`energy_key` energy takes them all the same)',
            )
        return OwnFile(found.frames, questions=questions)


def _trajectory(nodes: Nodes) -> tuple[OwnFile, bool]:
    trajectory: Any = nodes['trajectory']
    names = trajectory.get_arraynames()
    positions, cells, forces = (
        array(nodes, 'trajectory', [name], WHOLE) for name in ('positions', 'cells', 'forces')
    )
    symbols = trajectory.symbols
    if 'start' not in nodes:
        raise ValueError('it has no input structure, which tells what its positions are')
    positions = _cartesian(symbols, positions, cells, structure_atoms(nodes['start']))
    results: dict[str, Any] = {'forces': forces}
    if 'stress' in names:
        results['stress'] = -STRESS_UNITS['kbar'] * array(nodes, 'trajectory', ['stress'], WHOLE)
    kept = [(name, one) for name, one in ENERGIES if one in names] or ENERGIES
    results |= {name: array(nodes, 'trajectory', [one], ENERGY) for name, one in kept}
    return from_arrays(symbols, positions, cells, results), 'free_energy' not in results


def _cartesian(symbols: Any, positions: Floats, cells: Floats, start: Atoms) -> Floats:
    """Return positions in Å: parsers gave fractions of the cell, the input structure decides.

    Raises:
        ValueError: If neither reading gives the structure that went in.
    """
    fractions = np.einsum('tni,tij->tnj', positions, cells)
    for found in (fractions, positions):
        first = Atoms(symbols, positions=found[0], cell=cells[0], pbc=True)
        if len(first) == len(start) and _alike(first, start):
            return found
    raise ValueError('the first step of its trajectory is not its input structure')


def _alike(one: Atoms, two: Atoms) -> bool:
    """Return whether every atom of one lies on one of the other; their order may differ."""
    if not np.allclose(one.cell.array, two.cell.array, rtol=0, atol=SAME):
        return False
    for number in np.unique(one.numbers):
        first, second = (atoms.positions[atoms.numbers == number] for atoms in (one, two))
        apart = first[:, None] - second[None]
        _, lengths = find_mic(apart.reshape(-1, 3), two.cell, pbc=True)
        near = lengths.reshape(len(first), len(second)) < SAME
        if not (near.sum(axis=1) == 1).all() or len(first) != len(second):
            return False
    return True


def _last(nodes: Nodes) -> tuple[OwnFile, bool]:
    node: Any = nodes['misc']
    misc = node.get_dict()
    energies, structure = misc.get('total_energies') or {}, nodes.get('end') or nodes.get('start')
    if structure is None or misc.get('forces') is None or not energies:
        raise ValueError(f'its misc has no forces or total_energies: {WHOLE}')
    results: dict[str, Any] = {'forces': [_final(misc['forces'])]}
    if misc.get('stress') is not None:
        results['stress'] = [-STRESS_UNITS['kbar'] * _final(misc['stress'])]
    results |= {name: [float(energies[one])] for name, one in ENERGIES if one in energies}
    atoms = structure_atoms(structure)
    found = from_arrays(atoms.symbols, [atoms.positions], [atoms.cell.array], results)
    return found, 'free_energy' not in results


def _final(value: Any) -> Floats:
    return np.asarray(value['final'] if isinstance(value, dict) else value, dtype=np.float64)


def _incar(run: orm.CalcJobNode) -> dict[str, Any]:
    given = parameters_of(run)
    return {key.upper(): value for key, value in given.get('incar', given).items()}


def _functional(incar: Mapping[str, Any]) -> str:
    words = [str(incar[name]) for name in ('METAGGA', 'GGA') if name in incar]
    return ' '.join(words) or 'functional of the potentials'


def _potentials(run: orm.CalcJobNode) -> str:
    links = run.base.links.get_incoming().all()
    potentials = [one.node for one in links if one.link_label.startswith('potential')]
    keys = ('full_name', 'title', 'symbol')
    names = [
        next((str(n.base.attributes.get(k)) for k in keys if k in n.base.attributes.all), '')
        for n in potentials
    ]
    return ' '.join(sorted(set(filter(None, names))))


def _fixed(run: orm.CalcJobNode) -> list[list[bool]] | None:
    """Return which components `dynamics` fixes, where the order of atoms is that of the input."""
    if 'dynamics' not in run.inputs:
        return None
    free = run.inputs.dynamics.get_dict().get('positions_dof')
    return None if free is None else [[not one for one in row] for row in free]


GATHERER = VaspGatherer()
