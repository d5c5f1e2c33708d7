"""Labels of pw.x: `PwCalculation`, `PwBaseWorkChain`, `PwRelaxWorkChain`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from aiida import orm
from ase import Atoms

from aiida_enne.calculations.gatherers.interface import Nodes, Source
from aiida_enne.calculations.gatherers.nodes import (
    EngineGatherer,
    array,
    ending,
    entry_point,
    fix,
    flat,
    from_arrays,
    input_structure,
    parameters_of,
    structure_atoms,
)
from aiida_enne.calculations.quantumespresso import levels_of_theory, read_path
from aiida_enne.science.importing.choices import ImportChoices
from aiida_enne.science.importing.reading import OwnFile

#: Work chains around the job.
CHAINS = ('quantumespresso.pw.base', 'quantumespresso.pw.relax')
#: Exit statuses that leave a path of a relaxation without its goal.
ON_THE_WAY = (500, 502)
#: Exit statuses with good frames: finished, and relaxed but for the check on the final cell.
GOOD = (0, 501)
#: Kinds of calculation that give forces.
KINDS = ('scf', 'relax', 'vc-relax', 'md', 'vc-md')
#: Keywords of SYSTEM that the level of theory names, and those that follow from the cell.
IN_LEVEL = ('input_dft', 'ecutwfc', 'ecutrho', 'occupations', 'smearing', 'degauss')
OF_CELL = ('nbnd', 'ibrav', 'nat', 'ntyp', 'starting_magnetization', 'tot_magnetization')
#: Frames that are nearer, in Å, are one geometry: a restart computes its first one again.
SAME = 1e-6


class QuantumEspressoGatherer(EngineGatherer):
    """Reads `output_trajectory`: eV, Å, eV/Å, stresses in GPa, positive under compression."""

    name, job, words = 'quantumespresso', 'quantumespresso.pw', 'pw.x'
    chains = ('quantumespresso.pw', *CHAINS)

    def find_in(self, node: orm.ProcessNode, runs: list[orm.CalcJobNode]) -> Source:
        """Return the trajectories of all runs with the bands of the last one."""
        last = runs[-1]
        statuses = (*GOOD, *ON_THE_WAY)
        good = [one for one in runs if one.exit_status in statuses and _bands(one) == _bands(last)]
        if last not in good:
            return Source(failed=_why(node, last))
        kind = parameters_of(last).get('CONTROL', {}).get('calculation', 'scf')
        if kind not in KINDS:
            return Source(failed=f'is a pw.x of kind {kind!r}, which gives no forces')
        if not _converged(last):
            return Source(failed='its electronic cycle did not converge')
        if lacking := [one for one in good if 'output_trajectory' not in one.outputs]:
            return Source(failed=f'PwCalculation<{lacking[0].pk}> has no output_trajectory')
        nodes: dict[str, orm.Data] = {}
        for number, run in enumerate(good):
            nodes[f'trajectory_{number:03}'] = run.outputs.output_trajectory
            structure = input_structure(run)
            if structure is not None:
                nodes[f'structure_{number:03}'] = structure
            if 'output_structure' in run.outputs:
                nodes[f'end_{number:03}'] = run.outputs.output_structure
        settings = last.inputs.settings.get_dict() if 'settings' in last.inputs else {}
        fixed = {key.upper(): value for key, value in settings.items()}.get('FIXED_COORDS')
        partial = '' if last.exit_status in GOOD else _why(node, last)
        facts = {'n_runs': len(good), 'fixed': fixed}
        levels = levels_of_theory(_inputs(node, last))
        return Source(nodes, facts, levels, _settings(last), partial=partial)

    def read(self, nodes: Nodes, facts: Mapping[str, Any], choices: ImportChoices) -> OwnFile:
        """Return the frames of all runs; of equal ones in a row the last one."""
        frames: list[Atoms] = []
        for number in range(int(facts['n_runs'])):
            for atoms in _frames(nodes, f'{number:03}'):
                if frames and _same(frames[-1], atoms):
                    frames.pop()
                frames.append(atoms)
        fix(frames, facts.get('fixed'))
        return OwnFile(frames)


def _frames(nodes: Nodes, number: str) -> list[Atoms]:
    label = f'trajectory_{number}'
    trajectory: Any = nodes[label]
    array(nodes, label, ['forces'], 'run pw.x with `tprnfor = .true.` in CONTROL')
    ends: Any = {label: nodes[f'end_{number}']} if f'end_{number}' in nodes else {}
    one = {'label': label, 'configuration': 0, 'stage': 0, 'converged': False}
    path = read_path(one, {label: trajectory}, ends)
    structure = nodes.get(f'structure_{number}')
    # symbols of a trajectory are names of kinds, such as Si1
    symbols = structure_atoms(structure).symbols if structure is not None else trajectory.symbols
    stresses = path.tensors
    results = {
        'energy': path.energies,
        'forces': path.forces,
        'stress': stresses if np.isfinite(stresses).all() else None,
    }
    return from_arrays(symbols, path.positions, path.cells, results).frames


def _same(one: Atoms, two: Atoms) -> bool:
    pairs = ((one.positions, two.positions), (one.cell.array, two.cell.array))
    return all(np.allclose(first, second, rtol=0, atol=SAME) for first, second in pairs)


def _bands(run: orm.CalcJobNode) -> Any:
    return parameters_of(run).get('SYSTEM', {}).get('nbnd')


def _converged(run: orm.CalcJobNode) -> bool:
    """Return what the parser says of the electronic cycle; True where it says nothing."""
    if 'output_parameters' not in run.outputs:
        return True
    info = run.outputs.output_parameters.get_dict().get('convergence_info', {})
    return bool(info.get('scf_conv', {}).get('convergence_achieved', True))


def _settings(run: orm.CalcJobNode) -> dict[str, str]:
    """Return what else the energy depends on: SYSTEM but for the cell, and pseudopotentials."""
    system = parameters_of(run).get('SYSTEM', {})
    kept = {name: value for name, value in system.items() if name not in (*IN_LEVEL, *OF_CELL)}
    pseudos = {f'pseudo {kind}': node.md5 for kind, node in run.inputs.pseudos.items()}
    return flat({'SYSTEM': kept}) | pseudos


def _why(node: orm.ProcessNode, last: orm.CalcJobNode) -> str:
    return ending(node) if node.pk == last.pk else f'{ending(node)}; its last pw.x {ending(last)}'


def _inputs(node: orm.ProcessNode, run: orm.CalcJobNode) -> dict[str, Any]:
    """Return what the level of theory depends on, as `PwBaseWorkChain` takes it."""
    inputs: dict[str, Any] = {'pw': {name: run.inputs[name] for name in ('parameters', 'pseudos')}}
    for outer in (node, run.caller):
        if outer is None or entry_point(outer) not in CHAINS:
            continue
        for link in outer.base.links.get_incoming(node_class=orm.Float).all():
            if link.link_label.rpartition('__')[2] == 'kpoints_distance':
                return inputs | {'kpoints_distance': link.node}
    return inputs | {'kpoints': run.inputs.kpoints}


GATHERER = QuantumEspressoGatherer()
