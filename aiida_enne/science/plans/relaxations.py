"""Relaxations of a study as parts: what each is built from, and what an engine is asked for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from aiida_enne.science.data.configurations import Configurations
from aiida_enne.science.fields import Floats
from aiida_enne.science.properties import eos
from aiida_enne.science.structures import domains
from aiida_enne.science.structures.checks import at_least, positive
from aiida_enne.science.structures.phases import PHASES, find_phase
from aiida_enne.science.structures.recipes import build
from aiida_enne.science.structures.surfaces import slab_100

#: One part: `recipe` without a lattice constant where that is still to come, and `task`.
Part = dict[str, Any]

LABEL = {'kind': 'label'}
#: Key of the strains of all phases that have none of their own.
OTHERS = 'others'
#: A lattice constant in Å for structures that are built only to be counted or checked.
ANY_LATTICE_CONSTANT = 5.43


def port(name: str) -> str:
    """Return a label fit for a port: `beta_tin`."""
    return name.replace('-', '_')


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
    if len(set(phases)) < len(phases):
        raise ValueError(f'`phases` must be distinct, got {list(phases)}')
    scans = {}
    for name in phases:
        wanted = by_phase.get(name, by_phase.get(OTHERS))
        if not wanted:
            raise ValueError(f'a scan needs at least one volume, got no `strains` of {name}')
        middle = positive('the volume', middles.get(name, find_phase(name).volume), 'Å³/atom')
        factors = [positive('a relative volume', factor, 'no unit') for factor in wanted]
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
        options: Options of a task `relax`.
        symbol: Chemical symbol.
        ratios: Values of c/a, relative to the table's, that every volume is relaxed at: the shape
            for engines that relax none at constant volume, see `end_points`.

    Raises:
        ValueError: If there is no phase, one is unknown, or its volumes or the ratios are not
            distinct positive numbers.
    """
    if len(set(ratios)) < len(ratios) or not all(ratio > 0 for ratio in ratios):
        raise ValueError(f'`ratios` must be distinct positive numbers, got {list(ratios)}')
    if not volumes:
        raise ValueError(f'there must be at least one of the phases {", ".join(PHASES)}')
    parts: dict[str, Part] = {}
    for name, scan in volumes.items():
        find_phase(name)
        if not scan or len(set(scan)) < len(scan):
            raise ValueError(f'the volumes of {name} must be distinct numbers, got {list(scan)}')
        item: dict[str, Any] = {'kind': 'phase', 'phase': name, 'volumes': list(scan)}
        item['symbol'] = symbol
        ideal = find_phase(name).parameters.get('c_over_a')
        recipe = [item]
        if ideal is not None and ratios:
            recipe = [item | {'c_over_a': ideal * ratio} for ratio in ratios]
        parts[port(name)] = {'recipe': recipe, 'task': {'kind': 'relax', **options}}
    return parts


def defect_label(name: str, repeats: int) -> str:
    """Return the label of a defect in repeats³ cells: `vacancy_3`."""
    return f'{name}_{repeats}'


def bulk_label(repeats: int | None = None) -> str:
    """Return the label of the perfect crystal: `bulk_3`, or `bulk` of one conventional cell."""
    return 'bulk' if repeats is None else f'bulk_{repeats}'


def slab_label(layers: int | str) -> str:
    """Return the label of a slab: `layers_10`."""
    return f'layers_{layers}'


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
    _distinct('defects', names)
    _distinct('repeats', repeats)
    parts: dict[str, Part] = {}
    for n in repeats:
        at_least('repeats', n, 2)
        crystal = {'kind': 'diamond', 'repeats': n, 'domain': _named(domains.bulk_domain(n), own)}
        parts[bulk_label(n)] = {'recipe': [crystal | {'symbol': symbol}], 'task': dict(LABEL)}
        for name in names:
            domain = _named(domains.defect_domain(name, n), own)
            item = {'kind': 'defect', 'defect': name, 'repeats': n, 'domain': domain}
            item |= {'distortion': dict(distortion)} if distortion else {}
            task = {'kind': 'relax', 'cell': 'fixed', **options}
            parts[defect_label(name, n)] = {'recipe': [item | {'symbol': symbol}], 'task': task}
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
    _distinct('layers', layers)
    crystal = {'kind': 'diamond', 'repeats': 1, 'domain': _named(domains.bulk_domain(), own)}
    parts = {bulk_label(): {'recipe': [crystal | {'symbol': symbol}], 'task': dict(LABEL)}}
    kind = slab.get('surface', 'tilted')
    for n in layers:
        domain = _named(domains.surface_domain(kind, n, symbol), own)
        item = {'kind': 'surface', 'layers': n, **slab, 'domain': domain, 'symbol': symbol}
        build([item | {'lattice_constant': ANY_LATTICE_CONSTANT}])  # refuses unknown options
        free = {key: value for key, value in slab.items() if key != 'surface'}
        task: dict[str, Any] = {'kind': 'relax', 'cell': 'fixed', **options}
        if fixed := fixed_atoms(n, kind, free):
            task['fixed'] = [fixed]
        parts[slab_label(n)] = {'recipe': [item], 'task': task}
    return parts


def fixed_atoms(layers: int, kind: str, options: Mapping[str, Any]) -> list[int]:
    """Return the atoms of a slab's inner layers, which the builder fixes at bulk positions."""
    slab = slab_100(layers, ANY_LATTICE_CONSTANT, kind, **options)
    return [int(index) for constraint in slab.constraints for index in constraint.index]


def at_lattice_constant(
    recipe: Sequence[Mapping[str, Any]], lattice_constant: float
) -> list[dict[str, Any]]:
    """Return a recipe with the lattice constant (Å) put into every structure."""
    return [{**item, 'lattice_constant': lattice_constant} for item in recipe]


def end_points(frames: Configurations) -> Configurations:
    """Return the converged end points of relaxation paths, each a block of its own.

    Of several at one volume of one domain the lowest is taken: a phase that was relaxed at many
    ratios c/a. The others are frames of the paths.

    Raises:
        ValueError: If the frames do not tell whether they converged, or none did.
    """
    if 'converged' not in frames.info:
        raise ValueError('the frames do not tell whether they `converged`')
    chosen = np.flatnonzero(frames.info['converged'] == 1)
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
    told: dict[str, Any] = {'form': form, 'n_points': len(volumes)}
    order = np.argsort(volumes)
    try:
        fit = eos.fit(volumes[order], energies[order], form)
    except eos.FitRefused as refusal:
        return told | {'refused': str(refusal)}
    return told | {
        'volume': fit.volume,
        'energy': fit.energy,
        'bulk_modulus': fit.bulk_modulus_gpa,
        'derivative': fit.derivative,
        'rms': fit.rms,
    }


def list_failures(
    parts: Mapping[str, Mapping[str, Any]], results: Mapping[str, Mapping[str, Any]]
) -> dict[str, Any]:
    """List every configuration of every part that has no good end.

    Args:
        parts: By label, `n` configurations and `message`: how the work on the part ended, None
            where it ended well.
        results: What an engine said of the configurations of a part: its `failures`.

    Returns:
        `n_configurations`, `n_failed` and `failures`, each with `part`, `configuration`, `status`
        and `message`.
    """
    failures: list[dict[str, Any]] = []
    for label, part in parts.items():
        named = list(results.get(label, {}).get('failures', []))
        if part['message'] is not None and not named:
            named = [
                {'configuration': index, 'status': 'failed', 'message': part['message']}
                for index in range(part['n'])
            ]
        failures += [{'part': label, **item} for item in named]
    return {
        'n_configurations': sum(part['n'] for part in parts.values()),
        'n_failed': len(failures),
        'failures': failures,
    }


def _named(domain: str, own: bool) -> str:
    return domains.own_domain(domain) if own else domain


def _distinct(name: str, values: Sequence[Any]) -> None:
    if not values or len(set(values)) < len(values):
        raise ValueError(f'`{name}` must hold distinct values, at least one; got {list(values)}')
