"""Functions between our nodes and those of aiida-quantumespresso."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from aiida import orm
from aiida.engine import calcfunction

from aiida_enne.codes.qe import Path, gather
from aiida_enne.data.configurations import ConfigurationsData
from aiida_enne.data.dataset import DatasetData
from aiida_enne.science.plans.tasks import read_task


@calcfunction
def extract_structures(configurations: ConfigurationsData) -> dict[str, orm.StructureData]:
    """Return every configuration as a structure: `structure_0`, `structure_1`, …."""
    return {
        f'structure_{index}': orm.StructureData(ase=atoms)
        for index, atoms in enumerate(configurations.get_atoms())
    }


@calcfunction
def collect_pw(
    configurations: ConfigurationsData, task: orm.Dict, outcome: orm.Dict, **nodes: Any
) -> dict[str, orm.Data]:
    """Join what runs of pw.x computed in one dataset, and say what became of every configuration.

    Args:
        configurations: What went in.
        task: The complete task.
        outcome: `paths` (label, configuration, stage, converged of every run, in their order),
            `level_of_theory`, and `results`, which are handed out as they are.
        **nodes: `trajectories.<label>`, and `ends.<label>` where a run moved atoms.

    Returns:
        `results`, and `dataset` if there are labels: eV, eV/Å and, from the GPa of the plugin
        (positive under compression), eV/Å³ (positive under tension).
    """
    found = outcome.get_dict()
    trajectories, ends = nodes.get('trajectories', {}), nodes.get('ends', {})
    paths = [read_path(one, trajectories, ends) for one in found['paths']]
    outputs: dict[str, orm.Data] = {'results': orm.Dict(found['results'])}
    frames = gather(paths, configurations.get_configurations(), read_task(task.get_dict()))
    if frames is not None:
        outputs['dataset'] = DatasetData.from_configurations(
            frames, level_of_theory=found['level_of_theory']
        )
    return outputs


def read_path(
    one: Mapping[str, Any],
    trajectories: Mapping[str, orm.TrajectoryData],
    ends: Mapping[str, orm.StructureData],
) -> Path:
    """Return the arrays of one run.

    Raises:
        ValueError: If an array is missing or not of the length of the others.
    """
    label = one['label']
    node = trajectories[label]
    names = set(node.get_arraynames())
    if missing := sorted({'positions', 'cells', 'energy', 'forces'} - names):
        raise ValueError(f'the trajectory {label} <{node.pk}> has no {", ".join(missing)}')
    positions, cells = node.get_array('positions'), node.get_array('cells')
    end = (positions[-1], cells[-1])
    if label in ends:
        structure = ends[label]
        end = (np.array([site.position for site in structure.sites]), np.array(structure.cell))
    return Path(
        configuration=one['configuration'],
        stage=one['stage'],
        positions=positions,
        cells=cells,
        energies=node.get_array('energy'),
        forces=node.get_array('forces'),
        stresses=node.get_array('stress') if 'stress' in names else None,
        end=end,
        converged=one['converged'],
    )


def levels_of_theory(base: Any) -> dict[str, str]:
    """Say what the labels are, by what may differ: 'functional', 'cutoffs', 'k-points', 'smearing'.

    Joined by commas, for example 'QE PW91 (input_dft) Si.pbe-rrkj.UPF, 22/88 Ry, k 2x2x2'.

    Args:
        base: Inputs as `PwBaseWorkChain` takes them.
    """
    system = base['pw']['parameters'].get_dict().get('SYSTEM', {})
    functional = system.get('input_dft')
    files = ' '.join(sorted({pseudo.filename for pseudo in base['pw']['pseudos'].values()}))
    wfc = system.get('ecutwfc', 0)
    levels = {
        'functional': f'QE {functional} (input_dft) {files}' if functional else f'QE {files}',
        'cutoffs': f'{wfc:g}/{system.get("ecutrho", 4 * wfc):g} Ry',
    }
    if 'kpoints' not in base:
        levels['k-points'] = f'k {base["kpoints_distance"].value:g}/Å'
    elif 'mesh' in base['kpoints'].base.attributes.all:
        levels['k-points'] = 'k ' + 'x'.join(map(str, base['kpoints'].get_kpoints_mesh()[0]))
    else:
        levels['k-points'] = f'{len(base["kpoints"].get_kpoints())} k-points'
    if system.get('occupations') == 'smearing':
        width = system.get('degauss', 0)
        levels['smearing'] = f'{system.get("smearing", "gaussian")} {width:g} Ry'
    return levels
