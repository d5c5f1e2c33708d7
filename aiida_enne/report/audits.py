"""Figures of stored audits, one per dataset, and of the trainings."""

from __future__ import annotations

from collections.abc import Callable

from aiida_enne import provenance
from aiida_enne.provenance import Material, Missing
from aiida_enne.report.figures import Figure, Result
from aiida_enne.science import figures
from aiida_enne.science.checks import one_of

#: Quantities of an audit.
KINDS = ('energy', 'aligned', 'force')
#: Quantities with scores of their own.
SCORED = (*KINDS, 'stress')
#: Datasets of which each is shown in detail.
MAX_DETAILED = 4


def build_comparison(material: Material, *, dataset: str | None, of: str) -> Result:
    """Return a stored audit, to compare error and spread of one quantity by domain."""
    one_of('of', of, KINDS)
    audit = material.audit(dataset)
    if not any(f'{of}_rmse' in scalars for scalars in audit.domains.values()):
        raise Missing('this audit was not aligned: it has no domain to take the zeros from')
    content = {'audit': audit, 'prefix': of, 'palette': material.palette}
    return Result(content, '', _source(material, dataset), figures.style.NOUNS[of])


def build_coverage(material: Material, *, dataset: str | None) -> Result:
    """Return a stored audit with the quantities that it has."""
    audit = material.audit(dataset)
    prefixes = [kind for kind in KINDS if f'{kind}_cone_coverage' in audit.pooled]
    content = {'audit': audit, 'prefixes': prefixes, 'palette': material.palette}
    return Result(content, '', _source(material, dataset))


def build_force_cone(material: Material, *, dataset: str | None, of: str | None) -> Result:
    """Return a stored audit, to show one domain of it or all of them."""
    content = {'audit': material.audit(dataset), 'domain': of}
    return Result(content, '', _source(material, dataset), of or '')


def build_confidence(material: Material, *, dataset: str | None, of: str) -> Result:
    """Return a stored audit with the confidence curves of one quantity.

    Raises:
        Missing: If it has none: one of an older version, or without errors.
    """
    one_of('of', of, SCORED)
    audit = material.audit(dataset)
    names = figures.curved(audit, of)
    if not names:
        raise Missing(f'this audit stores no confidence curves of {figures.style.NOUNS[of]}')
    stem, above = f'{of}_confidence_area', 0
    for scalars in (audit.domains[name] for name in names):
        own, honest = scalars.get(stem), scalars.get(f'{stem}_honest')
        above += own is not None and honest is not None and own > honest
    measured = f'area larger than that of an honest ensemble in {above} of {len(names)} domains'
    content = {'audit': audit, 'prefix': of, 'palette': material.palette}
    return Result(content, measured, _source(material, dataset), figures.style.NOUNS[of])


def build_local(material: Material, *, dataset: str | None, of: str, by: str) -> Result:
    """Return a stored audit with ⟨ε²/σ²⟩ of one quantity in bins.

    Raises:
        Missing: If it has none: one of an older version, or of what does not vary.
    """
    one_of('of', of, SCORED)
    one_of('by', by, tuple(figures.BINNED))
    audit = material.audit(dataset)
    names = figures.binned(audit, of, by)
    if not names:
        raise Missing(f'this audit stores no bins of {by} of {figures.style.NOUNS[of]}')
    content = {'audit': audit, 'prefix': of, 'by': by, 'palette': material.palette}
    title = f'{figures.style.NOUNS[of]}, by {by}'
    return Result(content, '', _source(material, dataset), title)


def local_forms(material: Material) -> list[dict[str, str]]:
    """Return energies and forces of every stored audit, by all that varies in a domain."""
    labels = material.audits()
    return [
        {'dataset': label, 'of': of, 'by': by}
        for label in (labels if len(labels) <= MAX_DETAILED else ())
        for of in ('energy', 'force')
        for by in figures.BINNED
        if figures.binned(material.audit(label), of, by)
    ]


def build_training(material: Material) -> Result:
    """Return the training histories."""
    found = provenance.find_histories(material.record.ensemble)
    histories = provenance.load_histories(found)
    if not histories:
        raise Missing('the histories of these trainings are not in this profile')
    return Result({'histories': histories}, '', found)


def of_each(
    *options: dict[str, str], limit: int | None = None
) -> Callable[[Material], list[dict[str, str]]]:
    """Return what lists forms: options for every stored audit, or none if there are too many."""

    def forms(material: Material) -> list[dict[str, str]]:
        labels = material.audits()
        if limit is not None and len(labels) > limit:
            return []
        return [{'dataset': label} | one for label in labels for one in options or ({},)]

    return forms


def _source(material: Material, dataset: str | None) -> dict[str, str]:
    return {'statistics': material.record.statistics[dataset or material.audits()[0]].uuid}


FIGURES = (
    Figure(
        'error_and_spread',
        'Error and spread by domain',
        'Error of the ensemble mean (filled, with its block-bootstrap interval) and its spread '
        '(open), domain by domain, raw.',
        build_comparison,
        figures.draw_error_and_spread,
        needs='statistics',
        options={'dataset': None, 'of': 'energy'},
        forms=of_each({'of': 'energy'}, {'of': 'force'}),
        size=(6.4, 2.2),
    ),
    Figure(
        'coverage',
        'Coverage by domain',
        'Share of samples whose error lies within one spread. The dashed line is what an ensemble '
        'of this size scores if the truth is exchangeable with its members.',
        build_coverage,
        figures.draw_coverage,
        needs='statistics',
        options={'dataset': None},
        forms=of_each(),
        size=(6.4, 2.2),
    ),
    Figure(
        'force_cone',
        'Error over spread of forces',
        'Error over spread of all force components, as a density.',
        build_force_cone,
        figures.draw_force_cone,
        needs='statistics',
        options={'dataset': None, 'of': None},
        forms=of_each(limit=MAX_DETAILED),
        size=(5.8, 4.4),
    ),
    Figure(
        'confidence',
        'Are the least sure the most wrong?',
        'RMSE of what is left when the samples with the largest spread are removed, relative to '
        'that of all: it falls where the spread ranks errors. Dotted: the largest errors removed '
        'first, which nothing can beat; grey: the ensemble with a member as the truth. Beneath '
        'each name stands the area between curve and dots.',
        build_confidence,
        figures.draw_confidence,
        needs='statistics',
        options={'dataset': None, 'of': 'energy'},
        forms=of_each({'of': 'energy'}, {'of': 'force'}, limit=MAX_DETAILED),
        size=(7.6, 4.0),
    ),
    Figure(
        'local_z',
        'Is the spread right everywhere?',
        'Mean of ε²/σ² in five bins of equal count, of the spread itself, of the volume or of the '
        'temperature, with its interval over blocks. Above the dashed line, that of the ensemble '
        'with a member as the truth, the spread is too small.',
        build_local,
        figures.draw_local_z,
        needs='statistics',
        options={'dataset': None, 'of': 'energy', 'by': 'spread'},
        forms=local_forms,
        size=(7.6, 4.0),
    ),
    Figure(
        'training',
        'Training of the members',
        'Force MAE on the validation part after every epoch, one line per member.',
        build_training,
        figures.draw_training,
        'enne.ensemble, enne.study',
        needs='histories',
        size=(6.8, 4.2),
    ),
)
