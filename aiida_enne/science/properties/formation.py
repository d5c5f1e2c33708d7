"""Formation energies of defects and surface energies: each member with its own energies alone."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from aiida_enne.science.data.configurations import Configurations
from aiida_enne.science.fields import Floats, Integers
from aiida_enne.science.properties.curves import check_energies
from aiida_enne.science.structures.defects import EXTRA_ATOMS
from aiida_enne.science.structures.domains import OWN, Domain, in_order
from aiida_enne.science.uncertainty import ensemble
from aiida_enne.science.uncertainty.ensemble import PAPER_DDOF, OfMembers

#: 1 eV/Å² in J/m² (CODATA 2018, exact).
JOULE_PER_SQUARE_METRE = 16.02176634


@dataclass(frozen=True, slots=True)
class Formation(OfMembers):
    """E_f of a defect, or γ of a surface, along a path of relaxation.

    Attributes:
        domain: Of the path.
        kind: What the domain is.
        symbol: 'E_f' or 'γ'.
        unit: 'eV' per defect, or 'eV per surface atom'.
        steps: Steps of the relaxation, rising, shape (s,).
        reference: Of the reference, NaN where it has no labels, shape (s,).
        members: Of the members, shape (M, s).
        quadrature: What σ would be if the errors of the two energies were independent, for
            comparison: the square root of the sum of their squares, shape (s,).
        n_atoms: Atoms of the defective cell or of the slab.
        joule_per_square_metre: Factor from the unit to J/m²; None for defects.
        ddof: See `ensemble.spread`.
    """

    domain: str
    kind: Domain
    symbol: str
    unit: str
    steps: Integers
    reference: Floats
    members: Floats
    quadrature: Floats
    n_atoms: int
    joule_per_square_metre: float | None
    ddof: int


@dataclass(frozen=True, slots=True)
class SizeSeries(OfMembers):
    """E_f or γ at the end of the path over the size of the cell.

    Attributes:
        name: The defect or surface.
        symbol: 'E_f' or 'γ'.
        unit: 'eV' per defect, or 'eV per surface atom'.
        size_name: 'repeats' of the conventional cell or 'layers'.
        sizes: Shape (k,), rising.
        reference: Of the reference, NaN where it has no labels, shape (k,).
        members: Of the members, shape (M, k).
        ddof: See `ensemble.spread`.
    """

    name: str
    symbol: str
    unit: str
    size_name: str
    sizes: Integers
    reference: Floats
    members: Floats
    ddof: int


def formation(
    configurations: Configurations, energies: Floats, domain: str, *, ddof: int = PAPER_DDOF
) -> Formation:
    """Return E_f or γ along the path of one domain.

    E_f = E_d - E_bulk(N) - n_d μ with μ = E_bulk(N)/N, and γ = (E_slab - n e_bulk)/(2 A) with A
    surface atoms on each face, the atoms of a layer.

    Args:
        configurations: The path, its steps in `info['step']`, and one frame of the perfect crystal
            in the domain that belongs to it; of one element. Without labels the reference is NaN.
        energies: Total energies of the M members in eV, shape (M, n).
        domain: Of a defect or a surface.
        ddof: See `ensemble.spread`.

    Raises:
        ValueError: If the domain is of another kind or has no frames, the perfect crystal is not
            there exactly once, numbers of atoms do not fit, or shapes disagree.
    """
    check_energies(configurations, energies)
    path, steps = _path(configurations, domain)
    kind = configurations.kinds[domain]
    if kind.family not in ('defect', 'surface'):
        raise ValueError(f'{domain!r} is not the domain of a defect or a surface')
    crystal = _crystal(configurations, kind)
    unknown = np.full(len(configurations), np.nan)
    known = unknown if configurations.energies is None else configurations.energies
    totals = np.vstack([known, energies])
    if len(set(configurations.numbers[configurations.atom_index([*path, crystal])])) > 1:
        raise ValueError(f'{domain}: formation energies are those of one element only')
    n_atoms, n_crystal = (int(configurations.n_atoms[index]) for index in (path[0], crystal))
    if (configurations.n_atoms[path] != n_atoms).any():
        raise ValueError(f'{domain}: the frames of a path must have equal numbers of atoms')
    share, factor = n_atoms / n_crystal, None
    if kind.family == 'defect':
        _check_defect(domain, kind, n_atoms, n_crystal)
        symbol, unit, divisor = 'E_f', 'eV', 1.0
    else:
        symbol, unit, divisor = 'γ', 'eV per surface atom', 2.0 * _surface_atoms(kind, n_atoms)
        face = np.cross(*configurations.cells[path[0], :2])
        factor = JOULE_PER_SQUARE_METRE * divisor / (2 * float(np.linalg.norm(face)))
    # one member's own energies throughout: what they have in common cancels before any statistic
    values = (totals[:, path] - share * totals[:, [crystal]]) / divisor
    parts = (
        ensemble.spread(energies[:, path], ddof=ddof),
        share * ensemble.spread(energies[:, crystal], ddof=ddof),
    )
    return Formation(
        domain=domain,
        kind=kind,
        symbol=symbol,
        unit=unit,
        steps=steps,
        reference=values[0],
        members=values[1:],
        quadrature=np.hypot(*parts) / divisor,
        n_atoms=n_atoms,
        joule_per_square_metre=factor,
        ddof=ddof,
    )


def formations(
    configurations: Configurations, energies: Floats, *, ddof: int = PAPER_DDOF
) -> dict[str, Formation]:
    """Return E_f or γ of every domain of a defect or a surface, by domain.

    Raises:
        ValueError: As `formation` does, for any of them.
    """
    return {
        name: formation(configurations, energies, name, ddof=ddof)
        for name, kind in configurations.kinds.items()
        if kind.family in ('defect', 'surface')
    }


def size_series(formations: Iterable[Formation]) -> dict[str, SizeSeries]:
    """Return the last step of every path over the size of its cell, by defect or surface.

    Raises:
        ValueError: If two paths are of the same system, or of different members.
    """
    groups: dict[str, dict[int, Formation]] = {}
    for item in formations:
        kind = item.kind
        name = kind.name if kind.symbol is None else f'{kind.symbol}(100) {kind.name}'
        name = OWN * kind.own + name
        size = kind.repeats or kind.layers or 0
        if size in groups.setdefault(name, {}):
            raise ValueError(f'there are two paths of {item.domain}')
        groups[name][size] = item
    series = {}
    for name, group in groups.items():
        ordered = [group[size] for size in sorted(group)]
        first = ordered[0]
        if len({len(item.members) for item in ordered}) > 1:
            raise ValueError(f'the paths of {name} are those of different numbers of members')
        series[name] = SizeSeries(
            name,
            first.symbol,
            first.unit,
            'repeats' if first.symbol == 'E_f' else 'layers',
            np.array(sorted(group), dtype=np.int64),
            np.array([item.reference[-1] for item in ordered]),
            np.stack([item.members[:, -1] for item in ordered], axis=1),
            first.ddof,
        )
    return series


def _path(configurations: Configurations, domain: str) -> tuple[Integers, Integers]:
    """Return the frames of a path and their steps, in the order of the steps."""
    chosen = np.flatnonzero(configurations.domains == domain)
    if not chosen.size:
        known = in_order(configurations.domains.tolist())
        raise ValueError(f'no configurations in the domain {domain!r}; there are {known}')
    steps = configurations.info.get('step')
    if steps is None or not np.isfinite(steps[chosen]).all():
        if len(chosen) > 1:
            raise ValueError(f'{domain}: frames of a path need their `step`')
        return chosen, np.zeros(1, dtype=np.int64)
    numbers = steps[chosen].astype(np.int64)
    if len(set(numbers.tolist())) < len(numbers):
        raise ValueError(f'{domain}: two frames have the same step, so there is more than one path')
    order = np.argsort(numbers)
    return chosen[order], numbers[order]


def _crystal(configurations: Configurations, kind: Domain) -> int:
    """Return the frame of the perfect crystal: the ensemble's own where the path is, if it exists.

    Raises:
        ValueError: If there is none or more than one.
    """
    for own in [True, False] if kind.own else [False]:
        wanted = Domain('bulk', 'bulk', kind.repeats, own=own)
        labels = [label for label, one in configurations.kinds.items() if one == wanted]
        found = np.flatnonzero(np.isin(configurations.domains, labels))
        if len(found) == 1:
            return int(found[0])
        if len(found) > 1:
            raise ValueError(
                f'one frame of {", ".join(map(repr, labels))} is needed, got {len(found)}'
            )
    raise ValueError(f'there is no frame of the perfect crystal, {wanted.label!r}')


def _check_defect(domain: str, kind: Domain, n_atoms: int, n_crystal: int) -> None:
    if n_atoms - n_crystal != EXTRA_ATOMS[kind.name]:
        raise ValueError(
            f'{domain}: a {kind.name} has {n_crystal + EXTRA_ATOMS[kind.name]} atoms where the '
            f'perfect crystal has {n_crystal}, got {n_atoms}'
        )


def _surface_atoms(kind: Domain, n_atoms: int) -> int:
    layers = kind.layers or 1
    if n_atoms % layers:
        raise ValueError(f'{n_atoms} atoms do not make {layers} equal layers')
    return n_atoms // layers
