"""Judges of claims about accuracy, phases, defects and surfaces."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from aiida_enne.paper.claims.evidence import Evidence, Found, listed
from aiida_enne.paper.claims.paper import CLAIMS
from aiida_enne.science.properties.formation import size_series
from aiida_enne.science.structures.domains import parse
from aiida_enne.science.uncertainty.findings import number

#: Factor within which an error counts as that of the paper.
SIMILAR = 2.0
#: Ratio of force errors at two temperatures below which they do not depend on it.
INDEPENDENT = 1.25
#: Gap in eV/atom below which the reference has no order of two phases.
DEGENERATE = 0.001

#: Change of a formation or surface energy in eV that is little, whatever σ.
SMALL = 0.1

#: Force MAE of the paper, eV/Å.
PAPER_MAE = CLAIMS['accuracy'].value or 0.0


def judge_accuracy(evidence: Evidence) -> Found | None:
    """F2: force MAE of the domains trained on."""
    known = [
        (float(s['force_mae'] or 0), float(s['n_force_components'] or 0))
        for name in evidence.training_domains
        if (s := evidence.domains.get(name)) and s.get('force_mae') is not None
    ]
    if not known:
        return None
    maes, counts = np.array(known).T
    mae = float(np.average(maes, weights=counts))
    return Found(
        mae <= SIMILAR * PAPER_MAE,
        f'The force MAE of {len(known)} training domains is {number(mae)} eV/Å.',
        f'at most {SIMILAR:g} times {PAPER_MAE} eV/Å',
        mae,
    )


def judge_temperature(evidence: Evidence) -> Found | None:
    """F3: force RMSE of one density over temperature."""
    by_density: dict[float, dict[float, str]] = {}
    for name, scalars in evidence.domains.items():
        kind = parse(name)
        if kind.density is None or kind.temperature is None or kind.own:
            continue
        if scalars.get('force_rmse') is not None:
            by_density.setdefault(kind.density, {})[kind.temperature] = name
    density = max(by_density, key=lambda d: len(by_density[d]), default=None)
    if density is None or len(by_density[density]) < 2:
        return None
    found = {
        t: float(evidence.domains[n]['force_rmse'] or 0) for t, n in by_density[density].items()
    }
    low, high = min(found, key=lambda t: found[t]), max(found, key=lambda t: found[t])
    ratio = found[high] / found[low] if found[low] > 0 else float('inf')
    return Found(
        ratio <= INDEPENDENT,
        f'At {density:g} g/cm³ the force RMSE of {len(found)} temperatures lies between '
        f'{number(found[low])} eV/Å ({low:g} K) and {number(found[high])} eV/Å ({high:g} K).',
        f'the largest is at most {INDEPENDENT:g} times the smallest',
        ratio,
    )


def judge_shift(evidence: Evidence) -> Found | None:
    """F4: error at the reference's minimum of cubic diamond."""
    if (shift := evidence.shift) is None:
        return None
    return Found(
        abs(shift.mean) > shift.spread,
        f'At the minimum of {shift.name} the mean is off by {number(1000 * shift.mean)} meV/atom, '
        f'σ (ddof {shift.ddof}) is {number(1000 * shift.spread)} meV/atom.',
        '|ε| > σ',
        shift.mean,
        shift.spread,
    )


def judge_order(evidence: Evidence) -> Found | None:
    """F4: pairs of phases that members have the wrong way round."""
    if (ranking := evidence.ranking) is None:
        return None
    pairs = [p for p in ranking.pairs() if p.gap >= DEGENERATE and p.compared]
    if not pairs:
        return None
    wrong = sorted((p for p in pairs if p.wrong), key=lambda p: -p.wrong / p.compared)
    most = [p for p in wrong if p.wrong > p.compared / 2]
    text = f'Of {len(pairs)} pairs of phases {len(wrong)} are wrong in some members and '
    text += f'{len(most)} in most'
    told = [
        f'{p.upper} below {p.lower} in {p.wrong} of {p.compared} (the reference has it '
        f'{number(1000 * p.gap)} meV/atom above)'
        for p in wrong[:3]
    ]
    text += ': ' + '; '.join(told) + '.' if told else '.'
    rule = f'a pair more than {1000 * DEGENERATE:g} meV/atom apart is wrong in most members'
    return Found(bool(most), text, rule, float(len(most)))


def judge_interval(evidence: Evidence) -> Found | None:
    """F5: share of the range of volumes where the reference is inside σ."""
    if (path := evidence.path) is None:
        return None
    share, inside = path.share_inside, path.inside
    where = ', '.join(f'{low:.2f} to {high:.2f}' for low, high in inside)
    text = f'|ε| < σ (ddof {path.ddof}) in {share:.0%} of the range of volumes of {path.name}'
    text += f': {where} Å³/atom.' if inside else '.'
    return Found(share < 0.5, text, 'less than half of the range', share)


def judge_defects(evidence: Evidence) -> Found | None:
    """F6: errors of formation energies against σ, at every step of every path."""
    paths = [f for f in evidence.formations if f.symbol == 'E_f' and np.isfinite(f.reference).all()]
    if not paths:
        return None
    inside = [p.domain for p in paths if (np.abs(p.error) <= p.spread).any()]
    worst = max(paths, key=lambda p: abs(float(p.error[-1])))
    text = f'At the end of {len(paths)} paths ε is '
    text += listed([f'{p.error[-1]:+.2f} eV ({p.domain}, σ {p.spread[-1]:.2f} eV)' for p in paths])
    text += f'; the reference comes inside σ (ddof {worst.ddof}) in '
    text += f'{listed(inside)}.' if inside else 'none.'
    rule = 'no step of any path has |ε| ≤ σ'
    return Found(not inside, text, rule, float(worst.error[-1]), float(worst.spread[-1]))


def judge_surface(evidence: Evidence) -> Found | None:
    """F6: error of the surface energy of the thickest slab."""
    slabs = [f for f in evidence.formations if f.symbol == 'γ' and np.isfinite(f.reference).all()]
    if not slabs:
        return None
    slab = max(slabs, key=lambda one: one.n_atoms)
    error, spread = float(slab.error[-1]), float(slab.spread[-1])
    text = f'γ of {slab.domain} is off by {number(error)} eV per surface atom, σ (ddof '
    text += f'{slab.ddof}) is {number(spread)}.'
    return Found(error < -spread, text, 'ε < -σ', error, spread)


def judge_cells(evidence: Evidence) -> Found | None:
    """S6-S8: change of the error from the smallest to the largest cell."""
    known = [f for f in evidence.formations if np.isfinite(f.reference).all()]
    series = [one for one in size_series(known).values() if len(one.sizes) > 1]
    if not series:
        return None
    changes = [float(one.error[-1] - one.error[0]) for one in series]
    large = [
        one.name
        for one, change in zip(series, changes, strict=True)
        if abs(change) > max(float(one.spread[-1]), SMALL)
    ]
    told = [
        f'{one.name} {change:+.2f} eV from {one.sizes[0]} to {one.sizes[-1]} {one.size_name}'
        for one, change in zip(series, changes, strict=True)
    ]
    text = f'ε changes: {listed(told)}'
    text += f'; by more than that rule allows: {listed(large)}.' if large else '.'
    worst = max(changes, key=abs)
    return Found(
        not large, text, f'no change exceeds σ of the largest cell, or {SMALL:g} eV', worst
    )


def judge_transition(evidence: Evidence) -> Found | None:
    """S5: transition pressure of the members against the reference's."""
    t = evidence.transition
    if t is None or t.reference is None or t.mean is None:
        return None
    spread = t.spread(ddof=evidence.ddof)
    text = f'The members have {number(t.mean)}'
    text += ' GPa' if spread is None else f' ± {number(spread)} GPa (ddof {evidence.ddof})'
    text += f', the reference {number(t.reference)} GPa'
    text += '' if t.of_mean is None else f', the mean energies {number(t.of_mean)} GPa'
    text += f'; {t.n_without_root} of {len(t.members)} members have none.'
    holds = None if spread is None else abs(t.mean - t.reference) <= spread
    return Found(holds, text, '|ε| ≤ σ', t.mean, spread)


JUDGES: dict[str, Callable[[Evidence], Found | None]] = {
    'accuracy': judge_accuracy,
    'temperature': judge_temperature,
    'shift': judge_shift,
    'order': judge_order,
    'interval': judge_interval,
    'defects': judge_defects,
    'surface': judge_surface,
    'cells': judge_cells,
    'transition': judge_transition,
}
