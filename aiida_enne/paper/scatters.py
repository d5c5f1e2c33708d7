"""Figures of error over spread (F7), the threshold rule (Disc), and spread over members (S3)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from aiida_enne.paper.crystals import COMMON_ZERO, OWN_ZERO, ZERO, check_zero
from aiida_enne.paper.figure import DDOF, Figure, Result
from aiida_enne.paper.formations import study_formations
from aiida_enne.paper.material import Material, missing
from aiida_enne.science import figures
from aiida_enne.science.properties.scatter import Scatter, flags, join, of_energies, of_formations
from aiida_enne.science.structures.domains import parse
from aiida_enne.science.uncertainty.alignment import Offsets, reference_offset
from aiida_enne.science.uncertainty.growth import Growth, grow

MEV = 1000.0
MAKERS = 'enne.audit, enne.study'
#: Zeros of energy that a report shows of every cone with crystals.
BOTH: tuple[dict[str, Any], ...] = ({}, {'zero': OWN_ZERO})


def find_offsets(material: Material, zero: str) -> Offsets | None:
    """Return each one's own zero on cubic diamond if that is the choice.

    Raises:
        Missing: If it is and there is no cubic diamond.
    """
    check_zero(zero)
    if zero == COMMON_ZERO:
        return None
    rows = material.rows
    if ZERO not in rows.configurations.domains:
        raise missing(f'E(V) of {ZERO}, to take own zeros from', 'enne.eos')
    return reference_offset(rows.configurations, rows.energies, ZERO)


def study_scatter(material: Material, ddof: int, zero: str = COMMON_ZERO) -> Scatter:
    """Return σ and ε of the energy per atom of every row, in their order."""

    def make() -> Scatter:
        rows, offsets = material.rows, find_offsets(material, zero)
        return of_energies(rows.configurations, rows.energies, ddof=ddof, offsets=offsets)

    return material.once(('scatter', ddof, zero), make)


def build_cone(
    material: Material, *, ddof: int, zero: str, families: Sequence[str], formations: bool
) -> Result:
    """Return σ and ε of liquids and of other families, perhaps with formation energies."""
    rows, trained = material.rows, material.training_domains
    kinds = {name: parse(name) for name in np.unique(rows.configurations.domains).tolist()}
    # what was trained on is the liquid of this study, whatever it is called
    liquids = [n for n, kind in kinds.items() if kind.family == 'liquid' or n in trained]
    names = liquids + [n for n, kind in kinds.items() if kind.family in families]
    if not names:
        raise missing('held-out liquids', MAKERS)
    chosen = np.isin(rows.configurations.domains, names)
    sources = material.sources(rows.select(np.flatnonzero(chosen)))
    scatter = study_scatter(material, ddof, zero).select(chosen)
    measured = _measured(scatter, liquids)
    if formations:
        found = {
            domain: (role, one)
            for domain, (role, one) in study_formations(material, ddof).items()
            if not parse(domain).own
        }
        if not found:
            raise missing('relaxation paths of defects or surfaces', 'enne.defect or enne.surface')
        for role, _ in found.values():
            sources |= material.sources(material.dataset_rows(role))
        paths = of_formations([one for _, one in found.values()])
        measured += f'; of defects and surfaces |ε| up to {np.abs(paths.error).max():.2f} eV'
        scatter = join([scatter, paths])
    title = 'raw' if zero == COMMON_ZERO else f'own zeros in {ZERO}'
    return Result(scatter, measured, sources, title)


def build_liquids(material: Material, **options: Any) -> Result:
    """Return F7a: held-out liquids, trained on or not."""
    return build_cone(material, families=(), formations=False, **options)


def build_crystals(material: Material, **options: Any) -> Result:
    """Return F7b: liquids and all points of the equations of state."""
    material.pick(lambda one: one.family == 'phase', 'crystal phases', 'enne.eos')
    return build_cone(material, families=('phase',), formations=False, **options)


def build_all(material: Material, **options: Any) -> Result:
    """Return F7c: liquids, crystals, and formation energies of defects and surfaces."""
    return build_cone(material, families=('phase',), formations=True, **options)


def build_flags(material: Material, *, ddof: int) -> Result:
    """Return σ and ε of everything, to be judged by the largest σ of what was trained on."""
    scatter = study_scatter(material, ddof)
    trained = [d for d in material.training_domains if d in scatter.domain]
    if not trained:
        raise missing('held-out frames of what was trained on', 'enne.audit')
    shares = {name: found for name, found in flags(scatter, trained).items() if name not in trained}
    wholly = [name for name, found in shares.items() if found['flagged'] == 1]
    flagged = sum((found['flagged'] or 0) * (found['n'] or 0) for found in shares.values())
    accurate = sum(
        (found['flagged'] or 0) * (found['n'] or 0) * (found['flagged_accurate'] or 0)
        for found in shares.values()
    )
    measured = f'all of {len(wholly)} of {len(shares)} other domains is flagged; {accurate:.0f} of '
    measured += f'{flagged:.0f} flagged err no more than the training domains'
    content = {'scatter': scatter, 'training_domains': trained}
    return Result(content, measured, material.sources(material.rows))


def draw_flagged(content: Mapping[str, Any], axes: Any) -> Any:
    """Draw what `build_flags` returned."""
    return figures.draw_flags(
        content['scatter'], axes, training_domains=content['training_domains']
    )


def study_growth(material: Material, ddof: int) -> Growth:
    """Return σ over the number of members: energies per atom by domain, formation energies."""

    def make() -> Growth:
        rows = material.rows
        per_atom = rows.energies / rows.configurations.n_atoms
        names = np.unique(rows.configurations.domains).tolist()
        shown = [name for name in names if parse(name).family in ('liquid', 'phase', 'other')]
        systems = {name: per_atom[:, rows.configurations.domains == name] for name in shown}
        for domain, (_, one) in study_formations(material, ddof).items():
            if not parse(domain).own:
                systems[f'{domain}, {one.symbol}'] = one.members
        if not systems:
            raise missing('liquids, phases, defects or surfaces', 'enne.study')
        return grow(systems, ddof=ddof)

    return material.once(('growth', ddof), make)


def build_growth(material: Material, *, ddof: int) -> Result:
    """Return σ(M) of every system."""
    found = study_growth(material, ddof)
    ratios = [ratio for name in found.curves if (ratio := found.ratio(name)) is not None]
    measured = ''
    if ratios and found.expected_ratio is not None:
        size = len(material.record.ensemble.members)
        measured = f'σ({size})/σ(4) = {min(ratios):.2f} to {max(ratios):.2f}; independent members: '
        measured += f'{found.expected_ratio:.2f}'
    return Result(found, measured, material.sources(material.rows))


def _measured(scatter: Scatter, liquids: Sequence[str]) -> str:
    inside = np.isin(scatter.domain, liquids)
    texts = []
    if inside.any():
        texts.append(f'liquid max σ {MEV * scatter.spread[inside].max():.3g} meV/atom')
    solid = scatter.select(~inside)
    known = solid.spread > 0
    if known.any():
        ratio = float((np.abs(solid.error[known]) / solid.spread[known]).max())
        texts.append(f'crystals |ε| up to {ratio:.3g} σ')
    return '; '.join(texts)


FIGURES = (
    Figure(
        'F7a',
        'Error over spread: liquids',
        'σ and ε of the energy of every held-out liquid configuration.',
        'max σ about 2 meV/atom',
        MAKERS,
        build_liquids,
        figures.draw_scatter,
        {**DDOF, 'zero': COMMON_ZERO},
    ),
    Figure(
        'F7b',
        'Error over spread: liquids and crystals',
        'The same with all points of the equations of state; crosses mark the lowest energy of '
        'each phase by the ensemble.',
        '|ε| up to 5 σ in the bulk',
        MAKERS,
        build_crystals,
        figures.draw_scatter,
        {**DDOF, 'zero': COMMON_ZERO},
        lambda _: BOTH,
    ),
    Figure(
        'F7c',
        'Error over spread: everything',
        'The same with formation energies of defects (eV) and surface energies (eV per surface '
        'atom), every step of the relaxation.',
        '',
        MAKERS,
        build_all,
        figures.draw_scatter,
        {**DDOF, 'zero': COMMON_ZERO},
    ),
    Figure(
        'S3',
        'Spread over the number of members',
        'σ(M) of every system, averaged over random subsets of the members, beside what '
        'independent members would have.',
        'σ(30)/σ(4) = 2 to 2.5, plateau at M about 30',
        MAKERS,
        build_growth,
        figures.draw_spread_growth,
        DDOF,
        size=(7.8, 5.0),
    ),
    Figure(
        'Disc',
        'The threshold rule',
        'What is flagged by "σ above the largest of the liquids trained on", and how large its '
        'error is.',
        'flags all solids, accurate or not',
        MAKERS,
        build_flags,
        draw_flagged,
        DDOF,
        size=(7.4, 5.0),
    ),
)
