"""Figures of defects and surfaces: along the relaxation (F6), over the size of the cell (S6–8)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from aiida_enne.provenance.material import Material, missing
from aiida_enne.report.figures import DDOF, Figure, Result
from aiida_enne.science import figures
from aiida_enne.science.data.configurations import Configurations
from aiida_enne.science.guard import Missing
from aiida_enne.science.properties.formation import Formation, SizeSeries, formation, size_series
from aiida_enne.science.structures.domains import Domain

MAKERS = 'enne.defect or enne.surface'
#: What has such an energy.
FAMILIES = ('defect', 'surface')


def study_formations(material: Material, ddof: int) -> dict[str, tuple[str, Formation]]:
    """Return E_f or γ of every defect and surface, with the role of its dataset, by domain.

    Paths whose perfect crystal is not beside them in the dataset have none, nor have those that
    `refused_paths` tells of. Where the ensemble itself relaxed the geometry and the labels are not
    the reference's, there is no reference.
    """

    def make() -> dict[str, tuple[str, Formation]]:
        found: dict[str, tuple[str, Formation]] = {}
        refused: dict[str, str] = material.once('refused', dict)
        for role, dataset in material.record.datasets.items():
            known = any(kind.family in FAMILIES for kind in dataset.kinds.values())
            if not known or not dataset.predicted:
                continue
            rows = material.dataset_rows(role)
            for domain, kind in rows.configurations.kinds.items():
                frames = rows.configurations
                if kind.family not in FAMILIES or not _crystal_is_there(frames, kind):
                    continue
                if kind.own and dataset.level_of_theory not in _levels(material):
                    frames = frames.unlabelled()
                try:
                    one = formation(frames, rows.energies, domain, ddof=ddof)
                except ValueError as exception:
                    refused[domain] = str(exception)
                    continue
                found.setdefault(domain, (role, one))
        return found

    return material.once(('formations', ddof), make)


def refused_paths(material: Material, domain: str | None = None) -> str:
    """Return why paths are left out, behind a semicolon; nothing where none is."""
    refused: dict[str, str] = material.once('refused', dict)
    reasons = refused.values() if domain is None else [refused[domain]] if domain in refused else []
    return ''.join(f'; {reason}' for reason in reasons)


def build_formation(material: Material, *, ddof: int, of: str | None) -> Result:
    """Return one path: by default the first of those that a report shows."""
    found = study_formations(material, ddof)
    forms = largest(found)
    if of is None and not forms:
        what = 'relaxation paths of defects or surfaces beside their crystal'
        raise Missing(f'{missing(what, MAKERS)}{refused_paths(material)}')
    domain = of or forms[0]
    if domain not in found:
        known = f'; there are {sorted(found)}' if found else ''
        known += refused_paths(material, domain)
        raise missing(f'relaxation path of {domain!r}{known}', MAKERS)
    role, one = found[domain]
    relaxed = replace(one.kind, own=True)
    own = next((pair for pair in found.values() if pair[1].kind == relaxed), None)
    sources = material.sources(material.dataset_rows(role))
    if own is not None:
        sources |= material.sources(material.dataset_rows(own[0]))
    content: dict[str, Any] = {'formation': one, 'own': None if own is None else own[1]}
    content['palette'] = material.palette
    return Result(content, _measured(one), sources, domain)


def largest(found: Mapping[str, tuple[str, Formation]]) -> list[str]:
    """Return the domain of the largest cell of each defect and surface, defects first."""
    best: dict[tuple[bool, str], tuple[int, str]] = {}
    for domain, (_, one) in found.items():
        kind = one.kind
        if not kind.own:
            key = (kind.family == 'surface', kind.name)
            size = kind.repeats or kind.layers or 0
            best[key] = max(best.get(key, (0, '')), (size, domain))
    return [best[key][1] for key in sorted(best)]


def build_sizes(material: Material, *, ddof: int, of: str) -> Result:
    """Return E_f or γ of one defect or surface over the size of its cell."""
    found = {
        domain: (role, one)
        for domain, (role, one) in study_formations(material, ddof).items()
        if not one.kind.own and one.kind.name == of
    }
    if len(found) < 2:
        raise missing(f'relaxation paths of {of!r} in two or more sizes', MAKERS)
    (series,) = size_series(one for _, one in found.values()).values()
    sources: dict[str, str] = {}
    for role, _ in found.values():
        sources |= material.sources(material.dataset_rows(role))
    return Result({'series': [series]}, _size_effect(series), sources, series.name)


def _measured(one: Formation) -> str:
    end = f'{one.symbol} {one.mean[-1]:.2f}, σ {one.spread[-1]:.3f}'
    if np.isfinite(one.reference[-1]):
        inside = int((np.abs(one.error) <= one.spread).sum())
        end += f', ε {one.error[-1]:+.3f} {one.unit}; reference inside σ at {inside} of '
        return end + f'{len(one.steps)} steps'
    return f'{end} {one.unit}'


def _size_effect(series: SizeSeries) -> str:
    change = series.mean[-1] - series.mean[0]
    text = f'{series.symbol} changes by {change:+.3f} {series.unit} from {series.size_name} '
    return f'{text}{series.sizes[0]} to {series.sizes[-1]}'


def _crystal_is_there(frames: Configurations, kind: Domain) -> bool:
    crystals = [one for one in frames.kinds.values() if one.family == 'bulk']
    return any(one.repeats == kind.repeats for one in crystals)


def _levels(material: Material) -> set[str]:
    """Return the levels of theory of what the ensemble was trained on."""
    datasets = material.record.datasets.values()
    return {d.level_of_theory for d in datasets if d.sha256 in material.record.training}


def _forms(material: Material) -> list[dict[str, str]]:
    return [{'of': domain} for domain in largest(study_formations(material, 0))] or [{}]


def _of_size(name: str, title: str, of: str) -> Figure:
    return Figure(
        name,
        title,
        'End of the relaxation over the size of the cell: ensemble with spread, and reference.',
        build_sizes,
        figures.draw_size_series,
        'enne.defect, enne.surface, enne.study',
        paper='little effect',
        options={**DDOF, 'of': of},
        size=(5.8, 4.2),
        topic='Defects and surfaces',
    )


FIGURES = (
    Figure(
        'F6',
        'Defects and surfaces along the relaxation',
        "Formation or surface energy along the reference's relaxation path: mean and spread of "
        'the ensemble beside the reference, and violins of the errors of the members (dot mean, '
        'line median, box quartiles, whiskers 5 to 95 %).',
        build_formation,
        figures.draw_formation,
        'enne.defect, enne.surface, enne.study',
        paper='ε and σ about 1 eV for both defects, the reference never inside σ; γ 0.5 eV too low',
        options={**DDOF, 'of': None},
        forms=_forms,
        size=(6.8, 6.0),
        topic='Defects and surfaces',
    ),
    _of_size('S6', 'Vacancy over the size of the cell', 'vacancy'),
    _of_size('S7', 'Interstitial over the size of the cell', 'hexagonal'),
    _of_size('S8', 'Surface over the thickness of the slab', 'tilted'),
)
