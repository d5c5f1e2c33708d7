"""Calculation functions of relaxations: structures at a lattice constant, end points, fits."""

from __future__ import annotations

import numpy as np
from aiida import orm
from aiida.engine import calcfunction

from aiida_enne.data.configurations import ConfigurationsData
from aiida_enne.data.dataset import DatasetData
from aiida_enne.science.plans import relaxations
from aiida_enne.science.properties import eos
from aiida_enne.science.structures.recipes import build


@calcfunction
def build_at_lattice_constant(recipe: orm.List, lattice_constant: orm.Float) -> ConfigurationsData:
    """Build the configurations that a recipe lists, at a lattice constant in Å."""
    items = relaxations.at_lattice_constant(recipe.get_list(), lattice_constant.value)
    return ConfigurationsData.from_configurations(build(items))


@calcfunction
def take_relaxed(paths: DatasetData) -> DatasetData:
    """Return the converged end points of relaxation paths, each a block of its own."""
    frames = paths.get_configurations()
    ends = relaxations.end_points(frames)
    return DatasetData.from_configurations(ends, level_of_theory=paths.level_of_theory)


@calcfunction
def fit_equilibrium(form: orm.Str, **datasets: DatasetData) -> orm.Dict:
    """Fit an equation of state to each phase, by its label; see `relaxations.equilibrium`."""
    found = {}
    for label, dataset in sorted(datasets.items()):
        frames = dataset.get_configurations()
        per_atom = np.asarray(frames.energies) / frames.n_atoms
        volumes = frames.volumes / frames.n_atoms
        found[label] = relaxations.equilibrium(volumes, per_atom, form.value)
    return orm.Dict(found)


@calcfunction
def take_lattice_constant(equilibrium: orm.Dict, phase: orm.Str) -> orm.Float:
    """Return the edge of the conventional diamond cell in Å from the fit to a phase."""
    return orm.Float(eos.lattice_constant(equilibrium[phase.value]['volume']))


@calcfunction
def list_failures(parts: orm.Dict, **results: orm.Dict) -> orm.Dict:
    """List every configuration of every part that did not end well.

    Args:
        parts: By label, `n` configurations and `message`: how the work chain of the part ended,
            None where it ended well.
        **results: What the engine said of the configurations of a part, where it said anything.
    """
    ends = {label: relaxations.End(**one) for label, one in parts.get_dict().items()}
    named = {label: node.get_dict().get('failures', []) for label, node in results.items()}
    return orm.Dict(relaxations.list_failures(ends, named))
