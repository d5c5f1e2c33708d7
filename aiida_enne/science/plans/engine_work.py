"""What the engines of a study are asked for: structures, steps and labels of every part."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ase import Atoms
from ase.build import bulk

from aiida_enne.science.data.frames import to_atoms
from aiida_enne.science.plans.costs import (
    Assumptions,
    Frames,
    Part,
    Price,
    Work,
    engine_part,
    total,
)
from aiida_enne.science.plans.melts import Series
from aiida_enne.science.plans.relaxations import ANY_LATTICE_CONSTANT
from aiida_enne.science.structures.defects import EXTRA_ATOMS
from aiida_enne.science.structures.domains import Domain
from aiida_enne.science.structures.phases import find_phase, phase
from aiida_enne.science.structures.recipes import build
from aiida_enne.science.structures.surfaces import slab_100

Inputs = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Prices:
    """What the engines of a study take.

    Attributes:
        labels: Of the engine.
        sampler: Of what moves in its place; None where it does so itself.
        of: What a label costs by its structure, of each part that has an engine with such a price.
        moved: The same of a step of dynamics, of whatever moves the part: engine or sampler.
    """

    labels: Assumptions
    sampler: Assumptions | None = None
    of: Mapping[str, Price] = field(default_factory=dict)
    moved: Mapping[str, Price] = field(default_factory=dict)


def liquids_part(liquid: Inputs, prices: Prices) -> Part:
    """Return the cost of liquids: moved by the engine, or moved by a sampler and labelled by it."""
    n_atoms = 8 * liquid['repeats'] ** 3
    planned = Series.of(liquid).trajectories().values()
    melts = [melt_like(liquid, one.density) for one in planned]
    moved = [
        Work(n_atoms, one.task.steps, one.task.recorded, melt)
        for one, melt in zip(planned, melts, strict=True)
    ]
    step = prices.moved.get('liquid')
    if 'sampler' not in liquid:
        return engine_part('liquids', moved, prices.labels, md=True, price=step)
    labels = []
    for one, melt in zip(planned, melts, strict=True):
        n = sum(labelled(stage.recorded, liquid['sampler']) for stage in one.task.stages)
        labels.append(Work(n_atoms, n, n, melt, n))
    price = prices.of.get('liquid')
    return total(
        [
            engine_part('', moved, prices.sampler or prices.labels, md=True, price=step),
            engine_part('', labels, prices.labels, price=price),
        ],
        'liquids',
    )


def labelled(recorded: int, sampler: Inputs) -> int:
    """Return how many of the frames of a stage are labelled."""
    return min(recorded, int(sampler.get('frames', recorded)))


def melt_like(liquid: Inputs, density: float) -> Atoms:
    """Return a structure without symmetry, as a liquid has none, of a density in g/cm³."""
    size = {'symbol': liquid.get('symbol', 'Si'), 'repeats': liquid['repeats']}
    atoms = to_atoms(build([{'kind': 'liquid', 'density': density, **size}]))[0]
    atoms.rattle(0.1, seed=1)
    return atoms


def phases(study: Inputs, assumptions: Assumptions) -> dict[Domain, list[Work]]:
    """Return the work on every phase, a run for each volume."""
    chosen = study.get('eos', {'volumes': {}})
    built = chosen.get('relax', {}).get('kind') == 'label'
    steps = 1 if built else assumptions.cell_steps
    works = {}
    for name, volumes in chosen['volumes'].items():
        n, runs = find_phase(name).n_atoms, len(volumes)
        example = phase(name, sorted(volumes)[runs // 2], chosen.get('symbol', 'Si'))
        works[Domain('phase', name)] = [Work(n, runs * steps, runs, example, runs)]
    return works


def defects(study: Inputs, assumptions: Assumptions) -> dict[Domain, list[Work]]:
    """Return the work on every defect, and on the perfect crystal with the first of a size."""
    chosen = study.get('defect', {'repeats': [], 'defects': []})
    works: dict[Domain, list[Work]] = {}
    for repeats in chosen['repeats']:
        n = 8 * repeats**3
        crystal = bulk(chosen.get('symbol', 'Si'), 'diamond', ANY_LATTICE_CONSTANT, cubic=True)
        crystal *= repeats
        for index, name in enumerate(chosen['defects']):
            steps = _steps(chosen, assumptions)
            # of nearly as many atoms in the same cell, with less symmetry
            distorted = crystal.copy()
            distorted.rattle(0.01, seed=1)
            example = distorted[: n + EXTRA_ATOMS[name]]
            work = works[Domain('defect', name, repeats)] = [
                Work(n + EXTRA_ATOMS[name], steps, steps, example)
            ]
            if not index:  # the perfect crystal is labelled once for each size
                work.append(Work(n, 1, 1, crystal))
    return works


def surfaces(study: Inputs, assumptions: Assumptions) -> dict[Domain, list[Work]]:
    """Return the work on every slab."""
    chosen = study.get('surface', {'layers': [], 'slab': {}})
    slab = dict(chosen['slab'])
    kind, steps = slab.pop('surface', 'tilted'), _steps(chosen, assumptions)
    works = {}
    for n in chosen['layers']:
        example = slab_100(n, ANY_LATTICE_CONSTANT, kind, **slab)
        domain = Domain('surface', kind, layers=n, symbol=chosen.get('symbol', 'Si'))
        works[domain] = [Work(len(example), steps, steps, example)]
    return works


def _steps(chosen: Inputs, assumptions: Assumptions) -> int:
    """Return the steps of a relaxation: as assumed, but no more than are allowed."""
    return int(min(assumptions.relax_steps, chosen.get('relax', {}).get('max_steps', 10**9)))


def kept(works: list[Work]) -> Frames:
    """Return the frames that are kept of some work."""
    return Frames(sum(one.kept for one in works), sum(one.n_atoms * one.kept for one in works))
