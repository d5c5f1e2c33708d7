"""Figures of error over spread (F7), the threshold rule (Disc), and spread over members (S3)."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np

from aiida_enne.paper.crystals import COMMON_ZERO, OWN_ZERO, ZEROS, find_offsets
from aiida_enne.paper.formations import study_formations
from aiida_enne.provenance.joint import zero_domain
from aiida_enne.provenance.material import Material, missing
from aiida_enne.report.figures import DDOF, Figure, Result
from aiida_enne.science import figures
from aiida_enne.science.checks import one_of
from aiida_enne.science.properties.scatter import (
    Scatter,
    flags,
    is_logarithmic,
    join,
    of_audit,
    of_energies,
    of_formations,
)
from aiida_enne.science.uncertainty.ensemble import SizeCurve
from aiida_enne.science.uncertainty.growth import Growth, grow
from aiida_enne.science.uncertainty.options import AuditOptions

MEV = 1000.0
MAKERS = 'enne.audit, enne.study'
SCALES = ('auto', 'linear', 'log')


def study_scatter(material: Material, ddof: int, zero: str = COMMON_ZERO) -> Scatter:
    """Return σ and ε of the energy per atom of every row, in their order."""
    rows, offsets = material.rows, find_offsets(material, zero)
    if offsets is None:
        return material.scatter(ddof)
    return material.once(
        ('scatter', ddof, zero),
        lambda: of_energies(rows.configurations, rows.energies, ddof=ddof, offsets=offsets),
    )


def build_every(
    material: Material, *, ddof: int, zero: str, scale: str, dataset: str | None
) -> Result:
    """Return σ and ε of every configuration or, of one dataset, those of its stored audit."""
    if dataset is None:
        scatter, rows = study_scatter(material, ddof, zero), material.rows
        sources, title = material.sources(rows), _zero(material, zero)
    else:
        one_of('zero', zero, ZEROS)
        audit = material.audit(dataset)
        scatter = of_audit(audit, aligned=zero == OWN_ZERO)
        sources = {'statistics': material.record.statistics[dataset].uuid}
        title = f'{dataset}, {audit.width_label}'
    return Result(_content(material, scatter, scale), _agreement(scatter), sources, title)


def every_form(material: Material) -> list[dict[str, str]]:
    """Return raw energies, own zeros if there are any, and audits of other estimators."""
    found: list[dict[str, str]] = [{}]
    if zero_domain(material) is not None:
        found.append({'zero': OWN_ZERO})
    others = [one for one in material.audits() if 'estimator' in material.audit(one).parameters]
    return found + [{'dataset': label} for label in others]


def build_cone(
    material: Material,
    *,
    ddof: int,
    zero: str,
    scale: str,
    families: Sequence[str] = (),
    formations: bool = False,
) -> Result:
    """Return σ and ε of liquids and of other families, perhaps with formation energies."""
    rows, trained = material.rows, material.training_domains
    kinds = rows.configurations.kinds
    if 'phase' in families:
        material.pick(lambda one: one.family == 'phase', 'crystal phases', 'enne.eos')
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
        found = [pair for pair in study_formations(material, ddof).values() if not pair[1].kind.own]
        if not found:
            raise missing('relaxation paths of defects or surfaces', 'enne.defect or enne.surface')
        for role, _ in found:
            sources |= material.sources(material.dataset_rows(role))
        paths = of_formations([one for _, one in found])
        measured += f'; of defects and surfaces |ε| up to {np.abs(paths.error).max():.2f} eV'
        scatter = join([scatter, paths])
    return Result(_content(material, scatter, scale), measured, sources, _zero(material, zero))


def _content(material: Material, scatter: Scatter, scale: str) -> dict[str, Any]:
    one_of('scale', scale, SCALES)
    return {'scatter': scatter, 'log': is_logarithmic(scatter, scale), 'palette': material.palette}


def _zero(material: Material, zero: str) -> str:
    return 'raw' if zero == COMMON_ZERO else f'own zeros in {zero_domain(material)}'


def _agreement(scatter: Scatter) -> str:
    known = scatter.spread > 0
    inside = float((np.abs(scatter.error[known]) <= scatter.spread[known]).mean())
    return f'|ε| ≤ σ at {inside:.0%} of {known.sum()} points' if known.any() else ''


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
    content = {'scatter': scatter, 'training_domains': trained, 'palette': material.palette}
    return Result(content, measured, material.sources(material.rows))


def study_growth(material: Material, ddof: int) -> tuple[Growth, dict[str, str]]:
    """Return σ over the number of members, and the domain of each system.

    Systems are energies per atom by domain, and formation energies.
    """

    def make() -> tuple[Growth, dict[str, str]]:
        rows = material.rows
        per_atom = rows.energies / rows.configurations.n_atoms
        kinds = rows.configurations.kinds.items()
        shown = [name for name, kind in kinds if kind.family in ('liquid', 'phase', 'other')]
        systems = {name: per_atom[:, rows.configurations.domains == name] for name in shown}
        domains = {}
        for domain, (_, one) in study_formations(material, ddof).items():
            if not one.kind.own:
                systems[f'{domain}, {one.symbol}'] = one.members
                domains[f'{domain}, {one.symbol}'] = domain
        if not systems:
            raise missing('liquids, phases, defects or surfaces', 'enne.study')
        return grow(systems, ddof=ddof), domains

    return material.once(('growth', ddof), make)


def force_growth(material: Material, ddof: int) -> Growth:
    """Return σ over the number of members of the force components of every domain."""
    options = AuditOptions(ddof=ddof, n_bootstrap=0)
    arrays = material.audit_rows(material.rows, options).arrays
    names, sizes = arrays['domain_names'].tolist(), arrays['spread_sizes']
    pairs = zip(arrays['force_spread_by_size'], arrays['force_spread_by_size_std'], strict=True)
    curves = [SizeCurve(sizes, *pair) for pair in pairs]
    return Growth(dict(zip(names, curves, strict=True)), arrays['spread_null'], ddof)


def build_growth(material: Material, *, ddof: int, of: str) -> Result:
    """Return σ(M) of every system."""
    is_force = one_of('of', of, ('energy', 'force')) == 'force'
    found, domains = (
        (force_growth(material, ddof), {}) if is_force else study_growth(material, ddof)
    )
    ratios = [ratio for name in found.curves if (ratio := found.ratio(name)) is not None]
    measured = ''
    if ratios and found.expected_ratio is not None:
        size = len(material.record.ensemble.members)
        measured = f'σ({size})/σ(4) = {min(ratios):.2f} to {max(ratios):.2f}; independent members: '
        measured += f'{found.expected_ratio:.2f}'
    content = {'growth': found, 'domains': domains, 'palette': material.palette}
    title = 'force components' if is_force else ''
    return Result(content, measured, material.sources(material.rows), title)


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
        'F7',
        'Error over spread: every energy per atom',
        'Spread and error of every configuration that was not trained on, whatever its domain; in '
        'the shaded cone the ensemble would be honest.',
        build_every,
        figures.draw_scatter,
        MAKERS,
        options={**DDOF, 'zero': COMMON_ZERO, 'scale': 'log', 'dataset': None},
        forms=every_form,
        size=(7.4, 4.6),
        topic='Error over spread',
    ),
    Figure(
        'F7a',
        'Error over spread: liquids',
        'σ and ε of the energy of every held-out liquid configuration.',
        build_cone,
        figures.draw_scatter,
        MAKERS,
        paper='max σ about 2 meV/atom',
        options={**DDOF, 'zero': COMMON_ZERO, 'scale': 'auto'},
        topic='Error over spread',
    ),
    Figure(
        'F7b',
        'Error over spread: liquids and crystals',
        'The same with all points of the equations of state; crosses mark the lowest energy of '
        'each phase by the ensemble.',
        partial(build_cone, families=('phase',)),
        figures.draw_scatter,
        MAKERS,
        paper='|ε| up to 5 σ in the bulk',
        options={**DDOF, 'zero': COMMON_ZERO, 'scale': 'log'},
        topic='Error over spread',
    ),
    Figure(
        'F7c',
        'Error over spread: everything',
        'The same with formation energies of defects (eV) and surface energies (eV per surface '
        'atom), every step of the relaxation.',
        partial(build_cone, families=('phase',), formations=True),
        figures.draw_scatter,
        MAKERS,
        paper='',
        options={**DDOF, 'zero': COMMON_ZERO, 'scale': 'log'},
        topic='Error over spread',
    ),
    Figure(
        'S3',
        'Spread over the number of members',
        'σ(M) of every system, averaged over random subsets of the members, beside what '
        'independent members would have.',
        build_growth,
        figures.draw_spread_growth,
        MAKERS,
        paper='σ(30)/σ(4) = 2 to 2.5, plateau at M about 30',
        options={**DDOF, 'of': 'energy'},
        forms=lambda _: [{}, {'of': 'force'}],
        size=(7.8, 5.0),
        topic='Members',
    ),
    Figure(
        'Disc',
        'The threshold rule',
        'What is flagged by "σ above the largest of the liquids trained on", and how large its '
        'error is.',
        build_flags,
        figures.draw_flags,
        MAKERS,
        paper='flags all solids, accurate or not',
        options=DDOF,
        size=(7.4, 5.0),
        topic='Error over spread',
    ),
)
