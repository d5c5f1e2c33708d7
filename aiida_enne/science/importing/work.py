"""Do energies and forces belong together? The energy against the work along a trajectory."""

import itertools
from collections.abc import Iterator, Sequence

import numpy as np
from ase.geometry import find_mic

from aiida_enne.science.fields import Floats, Integers
from aiida_enne.science.importing.blocks import Located
from aiida_enne.science.importing.frame import Frame
from aiida_enne.science.importing.problems import Problem

#: Longest step, as root mean square over the atoms in Å, along which the mean of two forces is
#: the force: beyond it, the work is not known.
LONGEST = 0.12
#: Fewest steps that make a statement.
FEWEST = 3
#: Steps over which energy and work change by less, in eV (rms), say nothing: so large are the
#: errors of forces at the end of a relaxation with a coarse grid or few plane waves.
SMALLEST = 2e-3
#: Along a component whose force a constraint hides, an atom moves less, in Å, or the work is not
#: known.
HELD = 1e-3
#: Slopes of the change of energy over minus the work that are right, and the least share of the
#: change that the work explains. The nearest mistake of units, eV/bohr for eV/Å, is 1.89.
SLOPES, EXPLAINED = (0.7, 1.4), 0.5


def check_work(taken: Sequence[Located], blocks: Integers) -> list[Problem]:
    """Name the trajectories whose energies do not follow from their forces.

    Along a short step dE = -F·dr + V σ:ε, by the trapezoidal rule. The regression through the
    origin of the change of energy on that work has the slope 1; -1 shows forces of the wrong
    sign, 0.037 forces in Ha/Å, no correlation labels of other frames.

    Args:
        taken: Frames in the order of files and frames.
        blocks: Trajectory block of each, shape (n,).
    """
    problems = []
    for block in np.unique(blocks):
        members = [taken[i] for i in np.flatnonzero(blocks == block).tolist()]
        steps = np.array(list(_steps(members))).reshape(-1, 2)
        text = judge(steps[:, 0], steps[:, 1])
        if text is not None:
            first = members[0]
            problems.append(Problem(str(first.path), first.index, f'implausible: {text}'))
    return problems


def judge(changes: Floats, works: Floats) -> str | None:
    """Say what is wrong between changes of energy and minus the work, in eV, or None."""
    if len(changes) < FEWEST:
        return None
    square, total = float(np.mean(works**2)), float(np.mean(changes**2))
    if max(square, total) < SMALLEST**2:
        return None
    slope = float(np.mean(works * changes)) / square if square > 0 else 0.0
    missed = float(np.mean((changes - slope * works) ** 2)) / total if total > 0 else 1.0
    if SLOPES[0] <= slope <= SLOPES[1] and missed <= 1 - EXPLAINED:
        return None
    if missed > 1 - EXPLAINED:
        why = 'the labels may be those of other frames, or the energy not the potential energy'
    elif slope < 0:
        why = 'the sign of the forces is wrong, or they are gradients (`gradient_key`)'
    else:
        why = 'a unit is wrong (`energy_unit`, `force_unit`, `length_unit`)'
    return (
        f'along the trajectory from here, {len(changes)} steps, the energy changes by {slope:.3g} '
        f'times the work of forces and stress, which explains {1 - missed:.0%} of it; expected 1 '
        f'and 100%: {why} (`allow_implausible`)'
    )


def _steps(members: Sequence[Located]) -> Iterator[tuple[float, float]]:
    """Yield the change of energy and minus the work of every step that is short enough."""
    for first, second in itertools.pairwise(members):
        one, two = first.frame, second.frame
        if not np.array_equal(one.numbers, two.numbers) or not np.array_equal(one.pbc, two.pbc):
            continue
        work = _work(one, two)
        if work is not None:
            yield two.energy - one.energy, work


def _work(one: Frame, two: Frame) -> float | None:
    """Return minus the work of the forces between two frames in eV, or None if it is unknown."""
    same = np.allclose(one.cell, two.cell, rtol=0, atol=1e-8)
    if not same and not (np.isfinite(one.stress + two.stress).all() and one.pbc.all()):
        return None
    if same:
        vectors, _ = find_mic(two.positions - one.positions, one.cell, one.pbc)
        strain = np.zeros((3, 3))
    else:
        inner = [np.linalg.solve(f.cell.T, f.positions.T).T for f in (one, two)]
        moved = inner[1] - inner[0]
        vectors = (moved - np.rint(moved)) @ (0.5 * (one.cell + two.cell))
        strain = np.linalg.solve(one.cell, two.cell) - np.eye(3)
    if np.sqrt(np.mean(np.sum(vectors**2, axis=1))) > LONGEST or np.abs(strain).max() > LONGEST:
        return None
    forces = 0.5 * (one.forces + two.forces)
    hidden = np.isnan(forces)
    if np.abs(vectors[hidden]).max(initial=0.0) > HELD:
        return None
    work = -float(np.sum(np.where(hidden, 0.0, forces) * vectors))
    if not same:
        volume = 0.5 * sum(abs(float(np.linalg.det(f.cell))) for f in (one, two))
        work += volume * float(np.sum(0.5 * (one.stress + two.stress) * strain))
    return work
