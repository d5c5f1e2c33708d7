"""Labels of a bare `TrajectoryData`: the arrays that it documents, and energies and forces."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aiida import orm

from aiida_enne.calculations.gatherers.interface import Nodes, Source
from aiida_enne.calculations.gatherers.nodes import array, from_arrays
from aiida_enne.science.importing.choices import ImportChoices
from aiida_enne.science.importing.reading import OwnFile

#: Names of energies, where no key says which.
ENERGIES = ('energy', 'energies')


class TrajectoryGatherer:
    """Reads a trajectory whose maker is not known: units are those that the user states.

    AiiDA documents symbols, positions (Å), cells (Å), steps, times and velocities of a trajectory,
    but no energies and forces. A stress is read only where a key names it: nobody knows its sign.
    """

    name = 'trajectory'
    converted = False

    def takes(self, node: orm.Node) -> bool:
        """Take any trajectory; one that a known process made is taken as that process."""
        return isinstance(node, orm.TrajectoryData)

    def find(self, node: orm.Node) -> Source:
        """Return the trajectory itself."""
        assert isinstance(node, orm.TrajectoryData)
        if not node.get_arraynames():
            return Source(failed='holds no arrays')
        return Source({'trajectory': node}, {'name': f'TrajectoryData<{node.pk}>'})

    def read(self, nodes: Nodes, facts: Mapping[str, Any], choices: ImportChoices) -> OwnFile:
        """Return the frames, their arrays in the results under the names that choices ask for."""
        trajectory: Any = nodes['trajectory']
        remedy = 'name the array'
        positions = array(nodes, 'trajectory', ['positions'], 'set it with `set_trajectory`')
        energies = [choices.energy_key] if choices.energy_key else ENERGIES
        forces = choices.gradient_key or choices.forces_key or 'forces'
        results = {
            choices.energy_key or 'energy': array(
                nodes, 'trajectory', energies, f'{remedy} (`energy_key`)'
            ),
            forces: array(nodes, 'trajectory', [forces], f'{remedy} (`forces_key`)'),
        }
        for key, name in (
            (choices.stress_key, 'stress_key'),
            (choices.virial_key, 'virial_key'),
            *((key, 'info') for key in choices.info),
        ):
            if key:
                results[key] = array(nodes, 'trajectory', [key], f'{remedy} (`{name}`)')
        cells = trajectory.get_cells()
        pbc = trajectory.base.attributes.get('pbc', True)
        return from_arrays(trajectory.symbols, positions, cells, results, pbc)


GATHERER = TrajectoryGatherer()
