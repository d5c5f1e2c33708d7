"""Relaxations of a study as parts: what each is built from, and what an engine is asked for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np

from aiida_enne.science.checks import count, distinct, positive, text
from aiida_enne.science.data.configurations import Configurations
from aiida_enne.science.fields import Floats
from aiida_enne.science.plans.tasks import Task, read_task
from aiida_enne.science.properties import eos
from aiida_enne.science.structures.domains import Domain
from aiida_enne.science.structures.phases import PHASES, find_phase
from aiida_enne.science.structures.recipes import build
from aiida_enne.science.structures.surfaces import slab_100

Recipe = list[dict[str, Any]]
#: Key of the strains of all phases that have none of their own.
OTHERS = 'others'
#: A lattice constant in Å for structures that are built only to be counted or checked.
ANY_LATTICE_CONSTANT = 5.43


@dataclass(frozen=True, slots=True)
class Part:
    """Structures that are relaxed, or a crystal that is labelled.

    Attributes:
        recipe: See `structures.recipes`; a lattice constant is still to come, but for phases.
        task: What an engine is asked for.
        crystal: Label of the part of the perfect crystal that energies refer to; '' for none.
    """

    recipe: Recipe
    task: Task
    crystal: str = ''

    def draft(self) -> Configurations:
        """Return structures like those of the part, at any lattice constant."""
        recipe = self.recipe
        if any(item['kind'] != 'phase' for item in recipe):
            recipe = at_lattice_constant(recipe, ANY_LATTICE_CONSTANT)
        return build(recipe)


def volume_scans(
    phases: Sequence[str],
    strains: Sequence[float] | Mapping[str, Sequence[float]],
    centres: Mapping[str, float] | None = None,
) -> dict[str, list[float]]:
    """Return the volumes per atom (Å³) at which each phase is relaxed.

    Args:
        phases: Names in `structures.phases.PHASE_TABLE`.
        strains: Volumes relative to the middle of the scan; or these by phase, `others` for the
            phases that are not named.
        centres: Middles by phase in Å³/atom, in place of those of the table.

    Raises:
        ValueError: If a phase is unknown, given twice or without strains, or a number is not
            positive.
    """
    by_phase = dict(strains) if isinstance(strains, Mapping) else {OTHERS: strains}
    middles = dict(centres or {})
    for name in (by_phase.keys() - {OTHERS}) | middles.keys():
        find_phase(name)
    distinct('phases', phases, text)
    scans = {}
    for name in phases:
        wanted = by_phase.get(name, by_phase.get(OTHERS))
        if not wanted:
            raise ValueError(f'a scan needs at least one volume, got no `strains` of {name}')
        middle = positive(f'centres of {name}', middles.get(name, find_phase(name).volume))
        factors = distinct(f'strains of {name}', wanted, positive)
        scans[name] = [round(middle * factor, 4) for factor in factors]
    return scans


def phase_parts(
    volumes: Mapping[str, Sequence[float]],
    options: Mapping[str, Any],
    symbol: str = 'Si',
    *,
    ratios: Sequence[float] = (),
) -> dict[str, Part]:
    """Return one part a phase: all its volumes, each relaxed.

    Args:
        volumes: Å³/atom by phase.
        options: Options of a task `relax`; `kind: label` for structures as they are built.
        symbol: Chemical symbol.
        ratios: Values of c/a, relative to the table's, that every volume is relaxed at: the shape
            for engines that relax none at constant volume, see `end_points`.

    Raises:
        ValueError: If there is no phase, one is unknown, or its volumes or the ratios are not
            distinct positive numbers.
    """
    if ratios:
        distinct('ratios', ratios, positive)
    if not volumes:
        raise ValueError(f'there must be at least one of the phases {", ".join(PHASES)}')
    task = read_task({'kind': 'relax', **options})
    parts: dict[str, Part] = {}
    for name, scan in volumes.items():
        ideal = find_phase(name).parameters.get('c_over_a')
        distinct(f'volumes of {name}', scan, positive)
        item: dict[str, Any] = {'kind': 'phase', 'phase': name, 'volumes': list(scan)}
        item['symbol'] = symbol
        recipe = [item]
        if ideal is not None and ratios:
            recipe = [item | {'c_over_a': ideal * ratio} for ratio in ratios]
        parts[Domain('phase', name).port] = Part(recipe, task)
    return parts


def defect_parts(
    names: Sequence[str],
    repeats: Sequence[int],
    options: Mapping[str, Any],
    symbol: str = 'Si',
    *,
    distortion: Mapping[str, Any] | None = None,
    own: bool = False,
) -> dict[str, Part]:
    """Return a part for each defect in each size of the cell, and one for each perfect crystal.

    Args:
        names: Names in `structures.defects.DEFECTS`.
        repeats: Conventional cells along each edge.
        options: Options of a task `relax` at a fixed cell.
        symbol: Chemical symbol.
        distortion: Of the atoms next to the defect, see `structures.recipes`: without one the
            relaxation keeps the symmetry of the start.
        own: Whether the ensemble relaxes, which the domains then tell.

    Raises:
        ValueError: If nothing is asked for, twice, or something is unknown.
    """
    distinct('repeats', repeats, partial(count, minimum=2))
    distinct('defects', names, text)
    task = read_task({'kind': 'relax', 'cell': 'fixed', **options})
    more = {'distortion': dict(distortion)} if distortion else {}
    parts: dict[str, Part] = {}
    for n in repeats:
        crystal = Domain('bulk', 'bulk', n, own=own)
        parts[crystal.port] = _crystal(crystal, n, symbol)
        for name in names:
            domain = Domain('defect', name, n, own=own)
            item = {'kind': 'defect', 'defect': name, 'repeats': n, 'domain': domain.label, **more}
            parts[domain.port] = Part([item | {'symbol': symbol}], task, crystal.port)
    return parts


def surface_parts(
    layers: Sequence[int],
    slab: Mapping[str, Any],
    options: Mapping[str, Any],
    symbol: str = 'Si',
    *,
    own: bool = False,
) -> dict[str, Part]:
    """Return a part for each thickness of a (100) slab, and one for a conventional bulk cell.

    Args:
        layers: Numbers of atomic layers.
        slab: `surface` (its kind) and further options of `slab_100`.
        options: Options of a task `relax` at a fixed cell; the inner layers are fixed in it.
        symbol: Chemical symbol.
        own: Whether the ensemble relaxes, which the domains then tell.

    Raises:
        ValueError: If nothing is asked for, twice, or an option cannot be used.
    """
    distinct('layers', layers, count)
    crystal = Domain('bulk', 'bulk', own=own)
    parts = {crystal.port: _crystal(crystal, 1, symbol)}
    kind, task = slab.get('surface', 'tilted'), {'kind': 'relax', 'cell': 'fixed', **options}
    free = {key: value for key, value in slab.items() if key != 'surface'}
    for n in layers:
        domain = Domain('surface', kind, layers=n, symbol=symbol, own=own)
        item = {'kind': 'surface', 'layers': n, **slab, 'domain': domain.label, 'symbol': symbol}
        build([item | {'lattice_constant': ANY_LATTICE_CONSTANT}])  # refuses unknown options
        fixed = fixed_atoms(n, kind, free)
        chosen = read_task(task | {'fixed': [fixed]} if fixed else task)
        parts[domain.port] = Part([item], chosen, crystal.port)
    return parts


def _crystal(domain: Domain, repeats: int, symbol: str) -> Part:
    item = {'kind': 'diamond', 'repeats': repeats, 'domain': domain.label, 'symbol': symbol}
    return Part([item], read_task({'kind': 'label'}))


def fixed_atoms(layers: int, kind: str, options: Mapping[str, Any]) -> list[int]:
    """Return the atoms of a slab's inner layers, which the builder fixes at bulk positions."""
    slab = slab_100(layers, ANY_LATTICE_CONSTANT, kind, **options)
    return [int(index) for constraint in slab.constraints for index in constraint.index]


def at_lattice_constant(recipe: Recipe, lattice_constant: float) -> Recipe:
    """Return a recipe with the lattice constant (Å) put into every structure."""
    return [{**item, 'lattice_constant': lattice_constant} for item in recipe]


def end_points(frames: Configurations) -> Configurations:
    """Return the converged end points of relaxation paths, each a block of its own.

    Of several at one volume of one domain the lowest is taken: a phase that was relaxed at many
    ratios c/a. The others are frames of the paths. Labels of structures as they were built are
    steps of nothing: each is an end.

    Raises:
        ValueError: If there are no labels, the frames of paths do not tell whether they converged,
            or none did.
    """
    if 'converged' not in frames.info and ('step' in frames.info or not frames.is_labelled):
        raise ValueError('the frames do not tell whether they `converged`')
    chosen = np.flatnonzero(frames.info.get('converged', np.ones(len(frames))) == 1)
    if not len(chosen):
        raise ValueError('no relaxation converged')
    energies = np.asarray(frames.energies) / frames.n_atoms
    volumes = np.round(frames.volumes / frames.n_atoms, 3)
    lowest: dict[tuple[str, float], int] = {}
    for index in chosen.tolist():
        key = (str(frames.domains[index]), float(volumes[index]))
        best = lowest.setdefault(key, index)
        if energies[index] < energies[best]:
            lowest[key] = index
    kept = sorted(lowest.values())
    return replace(frames.select(kept), blocks=np.arange(len(kept), dtype=np.int64))


def equilibrium(volumes: Floats, energies: Floats, form: str) -> dict[str, Any]:
    """Return what an equation of state says of the reference's own energies.

    Args:
        volumes: Å³/atom, shape (n,).
        energies: eV/atom, shape (n,).
        form: One of `eos.FORMS`.

    Returns:
        `form`, `n_points`, and either `volume` (Å³/atom), `energy` (eV/atom), `bulk_modulus`
        (GPa), `derivative` and `rms` (eV/atom), or `refused`: why there is no minimum to tell of.
    """
    record: dict[str, Any] = {'form': form, 'n_points': len(volumes)}
    order = np.argsort(volumes)
    try:
        fit = eos.fit(volumes[order], energies[order], form)
    except eos.FitRefused as refusal:
        return record | {'refused': str(refusal)}
    return record | {
        'volume': fit.volume,
        'energy': fit.energy,
        'bulk_modulus': fit.bulk_modulus_gpa,
        'derivative': fit.derivative,
        'rms': fit.rms,
    }


@dataclass(frozen=True, slots=True)
class End:
    """How the work on a part ended.

    Attributes:
        n: Configurations of the part.
        message: What went wrong; None where it ended well.
    """

    n: int
    message: str | None


def list_failures(
    ends: Mapping[str, End], named: Mapping[str, Sequence[dict[str, Any]]]
) -> dict[str, Any]:
    """List every configuration of every part that did not end well.

    Args:
        ends: Of the parts, by label.
        named: What the engine said of the configurations of a part that failed, by label.

    Returns:
        `n_configurations`, `n_failed` and `failures`, each with `part`, `configuration`, `status`
        and `message`.
    """
    failures: list[dict[str, Any]] = []
    for label, end in ends.items():
        found = named.get(label, ())
        if end.message is not None and not found:
            said = {'status': 'failed', 'message': end.message}
            found = [{'configuration': index} | said for index in range(end.n)]
        failures += [{'part': label, **item} for item in found]
    n = sum(end.n for end in ends.values())
    return {'n_configurations': n, 'n_failed': len(failures), 'failures': failures}
