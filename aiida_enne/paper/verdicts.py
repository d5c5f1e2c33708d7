"""A verdict on every claim of the paper, from what this study has."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, TypeVar

import numpy as np

from aiida_enne.paper.claims import Evidence, Verdict, judge
from aiida_enne.paper.crystals import OWN_ZERO, phase_curves, phase_fits
from aiida_enne.paper.formations import MAKERS, study_formations
from aiida_enne.paper.scanned import SCAN_FRAMES, build_correlations, size_scatters
from aiida_enne.paper.scans import find_scan, scan_gate, scan_table
from aiida_enne.paper.scatters import study_growth, study_scatter
from aiida_enne.provenance.joint import ZERO, joint_audit
from aiida_enne.provenance.material import Material, missing
from aiida_enne.report.tables import Table
from aiida_enne.science.guard import guarded
from aiida_enne.science.properties.curves import Curve, ground_shift, shift_at_minimum
from aiida_enne.science.properties.eos import FORMS
from aiida_enne.science.properties.formation import Formation
from aiida_enne.science.properties.paths import volume_path
from aiida_enne.science.properties.ranking import rank
from aiida_enne.science.properties.transition import find_transition
from aiida_enne.science.uncertainty.cross import Cross
from aiida_enne.science.uncertainty.ensemble import PAPER_DDOF
from aiida_enne.science.uncertainty.gates import Gate
from aiida_enne.science.uncertainty.options import AuditOptions
from aiida_enne.science.uncertainty.scans import Row

R = TypeVar('R')
#: Kinds of scans that claims are made about.
KINDS = ('grid', 'densities', 'features', 'cutoffs')
#: Frames of each domain whose energy errors are correlated, as in the paper.
CORRELATED = 1000


def judge_study(material: Material, ddof: int = PAPER_DDOF) -> list[Verdict]:
    """Return a verdict on every claim; undecided where the study does not have the data."""
    return judge(find_evidence(material, ddof))


def find_evidence(material: Material, ddof: int = PAPER_DDOF) -> Evidence:
    """Return the results that claims are judged by, and why others are absent."""
    absent: dict[str, str] = {}

    def take(name: str, make: Callable[[], R]) -> R | None:
        found, reason = guarded(make)
        if reason:
            absent[name] = reason
        return found

    curves = take('phases', lambda: _phases(material)) or {}
    diamond = curves.get(ZERO)
    at_diamond = None if diamond is None else partial(shift_at_minimum, diamond, ddof=ddof)
    if curves and diamond is None:
        absent['phases'] = f'its crystal phases have no {ZERO} among them'
    fits = take('phases', lambda: phase_fits(material, FORMS[0])) if curves else {}
    two = [found for name in (ZERO, 'beta-tin') if (found := (fits or {}).get(name))]
    joined = take('audit', lambda: joint_audit(material, AuditOptions(ddof=ddof)))
    cross = take('correlations', partial(_cross, material))
    growth = take('growth', lambda: study_growth(material, ddof)[0])
    formations = take('formations', partial(_formations, material, ddof))
    scans = {kind: take(kind, partial(_scan, material, kind, ddof)) for kind in KINDS}
    gates: dict[str, Sequence[Gate]] = {} if joined is None else dict(joined.gates)
    for kind in (*KINDS, 'sizes', 'subsets'):
        gate = guarded(partial(_scan_gate, material, kind))[0]
        gates |= {} if gate is None else {kind: (gate,)}
    return Evidence(
        ddof=ddof,
        training_domains=take('energies', lambda: material.training_domains) or (),
        domains={} if joined is None else joined.domains,
        scatter=take('energies', lambda: study_scatter(material, ddof)),
        aligned=guarded(lambda: study_scatter(material, ddof, OWN_ZERO))[0],
        ground=take('phases', lambda: ground_shift(curves, ddof=ddof)) if curves else None,
        curve=diamond,
        gates=gates,
        is_published=bool(guarded(lambda: _is_published(material))[0]),
        shift=None if at_diamond is None else take('phases', at_diamond),
        ranking=take('phases', lambda: rank(curves)) if len(curves) > 1 else None,
        path=None if diamond is None else take('phases', lambda: volume_path(diamond, ddof=ddof)),
        formations=formations or (),
        transition=take('phases', lambda: find_transition(*two)) if len(two) == 2 else None,
        growth=growth,
        cross=cross,
        scans={kind: rows for kind, rows in scans.items() if rows},
        scatters_by_size=take('sizes', lambda: size_scatters(material, ddof)) or {},
        aligned_by_size=guarded(lambda: size_scatters(material, ddof, OWN_ZERO))[0] or {},
        kinds=guarded(lambda: material.rows.configurations.kinds)[0] or {},
        absent=absent,
    )


def _cross(material: Material) -> Cross:
    content = build_correlations(material, n_frames=CORRELATED, of='energy').content
    found: Cross = content['cross']
    return found


def _formations(material: Material, ddof: int) -> list[Formation]:
    """Return the paths in the geometries of the reference, with its energies."""
    paths = [one for _, one in study_formations(material, ddof).values()]
    known = [one for one in paths if not one.kind.own and np.isfinite(one.reference).all()]
    if not known:
        raise missing('relaxed defects or surfaces with their crystal', MAKERS)
    return known


def _is_published(material: Material) -> bool:
    """Return whether the data are of the paper's kind: silicon, and trained on liquids."""
    kinds = {
        name: kind for one in material.record.datasets.values() for name, kind in one.kinds.items()
    }
    families = {kinds[name].family for name in material.training_domains if name in kinds}
    elements = {
        e for member in material.record.ensemble.members for e in member.attributes['elements']
    }
    return elements == {'Si'} and 'liquid' in families


def of_claims(material: Material) -> list[Table]:
    """Return one table with a row per claim."""
    verdicts = judge_study(material)
    rows = [
        [
            verdict.claim.figure,
            verdict.text,
            verdict.outcome,
            _number(verdict.claim.value, verdict.claim.uncertainty, verdict.claim.unit),
            _number(verdict.value, verdict.uncertainty, verdict.claim.unit),
            verdict.sentence,
            verdict.threshold,
        ]
        for verdict in verdicts
    ]
    decided = [verdict for verdict in verdicts if verdict.outcome != 'undecided']
    held = sum(verdict.outcome == 'holds' for verdict in decided)
    headers = ['figure', 'claim', 'verdict', 'paper', 'here', 'what was found', 'judged by']
    title = f'{held} of {len(decided)} claims hold here; {len(verdicts) - len(decided)} undecided'
    sure, open_ = (
        [row for row, verdict in zip(rows, verdicts, strict=True) if (verdict in decided) is known]
        for known in (True, False)
    )
    table = Table(
        title,
        headers,
        sure,
        prose=True,
        folded=open_,
        fold=f'{len(open_)} undecided, and what is missing',
        numbers={'claims': _numbers(verdicts)},
    )
    return [table]


def _numbers(verdicts: list[Verdict]) -> dict[str, dict[str, Any]]:
    return {
        verdict.claim.name: {
            'text': verdict.text,
            'paper': verdict.claim.value,
            'here': verdict.value,
            'uncertainty': verdict.uncertainty,
            'outcome': verdict.outcome,
            'sentence': verdict.sentence,
            'threshold': verdict.threshold,
        }
        for verdict in verdicts
    }


def _phases(material: Material) -> dict[str, Curve]:
    """Return E(V) of phases: claims are made of nothing else."""
    material.pick(lambda one: one.family == 'phase', 'crystal phases', 'enne.eos')
    return phase_curves(material)


def _scan(material: Material, kind: str, ddof: int) -> list[Row]:
    return scan_table(material, find_scan(material, kind), ddof, SCAN_FRAMES)


def _scan_gate(material: Material, kind: str) -> Gate:
    return scan_gate(material, find_scan(material, kind))


def _number(value: float | None, uncertainty: float | None, unit: str) -> str:
    if value is None:
        return '–'
    text = f'{value:.3g}' + ('' if uncertainty is None else f' ± {uncertainty:.2g}')
    return f'{text} {unit}'.rstrip()
