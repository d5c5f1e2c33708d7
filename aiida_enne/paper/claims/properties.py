"""Judges of claims about accuracy, phases, defects and surfaces."""

from __future__ import annotations

import numpy as np

from aiida_enne.paper.claims.evidence import Evidence, Found
from aiida_enne.paper.claims.paper import CLAIMS
from aiida_enne.paper.claims.tested import (
    AT,
    Decision,
    all_of,
    by_exchange,
    by_interval,
    mean_over_members,
)
from aiida_enne.science.fields import Floats
from aiida_enne.science.properties.formation import size_series
from aiida_enne.science.uncertainty import ensemble
from aiida_enne.science.uncertainty.exchange import Statistic, exchange
from aiida_enne.science.uncertainty.wording import listed, number

#: Factor within which an error counts as that of the paper.
SIMILAR = 2.0
#: Ratio of force errors at two temperatures below which they do not depend on it.
INDEPENDENT = 1.25
#: Gap in eV/atom below which the reference has no order of two phases.
DEGENERATE = 0.001
#: Change of a formation or surface energy in eV that is little, whatever σ.
SMALL = 0.1
#: Force MAE of the paper, eV/Å, and what is tolerable on other data.
PAPER_MAE, TOLERABLE = CLAIMS['accuracy'].value or 0.0, 0.1


def judge_accuracy(evidence: Evidence) -> Found | None:
    """F2: force MAE of the domains trained on."""
    found = {
        name: s
        for name in evidence.training_domains
        if (s := evidence.domains.get(name)) and s.get('force_mae') is not None
    }
    if not found:
        return None
    known = list(found.values())
    maes, counts = np.array([(s['force_mae'], s['n_force_components']) for s in known], float).T
    mae = float(np.average(maes, weights=counts))
    limit = SIMILAR * PAPER_MAE if evidence.is_published else TOLERABLE
    decisions = {
        name: by_interval((s.get('force_mae_low'), s.get('force_mae_high')), (0, limit))
        for name, s in found.items()
    }
    decision = all_of(list(decisions.values()))
    whose = next((name for name, one in decisions.items() if one.why == decision.why), '')
    text = f'The force MAE of {listed(list(found))} is {number(mae)} eV/Å; '
    text += f'of {whose}: {decision.why}.' if len(found) > 1 and whose else f'{decision.why}.'
    rule = f'the 95 % interval of every domain lies below {number(limit)} eV/Å'
    return Found(decision.holds, text, rule, mae)


def judge_temperature(evidence: Evidence) -> Found | None:
    """F3: force RMSE of one density over temperature."""
    by_density: dict[float, dict[float, str]] = {}
    for name, scalars in evidence.domains.items():
        kind = evidence.kind(name)
        if kind.density is None or kind.temperature is None or kind.own:
            continue
        if scalars.get('force_rmse') is not None:
            by_density.setdefault(kind.density, {})[kind.temperature] = name
    density = max(by_density, key=lambda d: len(by_density[d]), default=None)
    if density is None or len(by_density[density]) < 2:
        return None
    found = {t: evidence.domains[n] for t, n in by_density[density].items()}
    rmse = {t: float(s['force_rmse'] or 0) for t, s in found.items()}
    low, high = min(rmse, key=lambda t: rmse[t]), max(rmse, key=lambda t: rmse[t])
    ratio = rmse[high] / rmse[low] if rmse[low] > 0 else float('inf')
    ends = [found[t].get(f'force_rmse_{end}') for t in (high, low) for end in ('low', 'high')]
    interval: tuple[float | None, float | None] = (None, None)
    if None not in ends:
        a, b, c, d = (float(end or 0) for end in ends)
        interval = (a / d, b / c)
    decision = by_interval(interval, (0, INDEPENDENT))
    return Found(
        decision.holds,
        f'At {density:g} g/cm³ the force RMSE of {len(found)} temperatures lies between '
        f'{number(rmse[low])} eV/Å ({low:g} K) and {number(rmse[high])} eV/Å ({high:g} K); of '
        f'their ratio: {decision.why}.',
        f'the 95 % interval of largest over smallest lies below {INDEPENDENT:g}',
        ratio,
    )


def judge_shift(evidence: Evidence) -> Found | None:
    """F4: error at the reference's minimum of cubic diamond, and between own ground states."""
    if (shift := evidence.shift) is None:
        return None

    test = exchange(shift.errors[:, None], np.zeros(1), _distance(shift.ddof))
    decision = by_exchange(test, 'high')
    text = f'At the minimum of {shift.name} the mean is off by {number(1000 * shift.mean)} meV/atom'
    text += f', σ (ddof {shift.ddof}) is {number(1000 * shift.spread)} meV/atom; of |ε|/σ '
    text += f'{decision.why}.'
    value, spread = shift.mean, shift.spread
    if (ground := evidence.ground) is not None:
        value, spread = ground.mean, ground.spread
        text += f' Between own ground states, {ground.of_mean} of the ensemble and '
        text += f'{ground.of_reference} of the reference, it is {number(1000 * value)} meV/atom.'
    return Found(decision.holds, text, f'|ε|/σ is larger than an honest one {AT}', value, spread)


def judge_order(evidence: Evidence) -> Found | None:
    """F4: pairs of phases that most members have the wrong way round."""
    if (ranking := evidence.ranking) is None:
        return None
    pairs = [p for p in ranking.pairs() if p.gap >= DEGENERATE and p.compared]
    if not pairs:
        return None
    wrong = sorted((p for p in pairs if p.wrong), key=lambda p: -p.wrong / p.compared)
    most = [p for p in wrong if p.wrong > p.compared / 2]
    text = f'Of {len(pairs)} pairs of phases {len(wrong)} are wrong in some members and '
    text += f'{len(most)} in most'
    parts = [
        f'{p.upper} below {p.lower} in {p.wrong} of {p.compared} (the reference has it '
        f'{number(1000 * p.gap)} meV/atom above)'
        for p in wrong[:3]
    ]
    known = np.isfinite(ranking.members).all(axis=0)
    test = exchange(ranking.members[:, known], ranking.reference[known], _misplaced)
    decision = by_exchange(test, 'high')
    text += ': ' + '; '.join(parts) if parts else ''
    text += f'. Of the number wrong in most {decision.why}.'
    rule = f'more pairs over {1000 * DEGENERATE:g} meV/atom apart are wrong in most members than '
    rule += f'an honest ensemble would have {AT}'
    return Found(decision.holds, text, rule, float(len(most)))


def judge_defects(evidence: Evidence) -> Found | None:
    """F6: errors of formation energies against σ, at every step of every path, and their size."""
    paths = [f for f in evidence.formations if f.symbol == 'E_f' and np.isfinite(f.reference).all()]
    if not paths:
        return None
    inside = [p.domain for p in paths if (np.abs(p.error) <= p.spread).any()]
    worst = max(paths, key=lambda p: abs(float(p.error[-1])))
    ends = np.cumsum([len(p.reference) for p in paths])[:-1]
    errors = np.concatenate([p.members - p.reference for p in paths], axis=1)

    def nearest(members: Floats, truth: Floats) -> float:
        spread = ensemble.spread(members, ddof=worst.ddof)
        if not (spread > 0).all():
            return float('nan')
        ratios = np.abs(ensemble.error(members, truth)) / spread
        return float(np.median([one.min() for one in np.split(ratios, ends)]))

    decision = by_exchange(exchange(errors, np.zeros(errors.shape[1]), nearest), 'high')
    text = f'At the end of {len(paths)} paths ε is '
    text += listed([f'{p.error[-1]:+.2f} eV ({p.domain}, σ {p.spread[-1]:.2f} eV)' for p in paths])
    text += f'; the reference comes inside σ (ddof {worst.ddof}) in '
    text += f'{listed(inside)}' if inside else 'none'
    text += f'; of the least |ε|/σ of a path {decision.why}.'
    rule = f'the least |ε|/σ of the median path is larger than an honest one {AT}'
    value, spread = float(worst.error[-1]), float(worst.spread[-1])
    if not evidence.is_published or decision.holds is not True:
        return Found(decision.holds, text, rule, value, spread)
    sizes = [
        by_interval(_size(p.members[:, -1] - p.reference[-1]), (0.5, 2.0), 'more members')
        for p in paths
    ]
    size = all_of(sizes)
    text += f' Of its size: {size.why}.'
    return Found(size.holds, text, f'{rule}, and its size lies within 0.5 to 2 eV', value, spread)


def judge_surface(evidence: Evidence) -> Found | None:
    """F6: error of the surface energy of the thickest slab."""
    slabs = [f for f in evidence.formations if f.symbol == 'γ' and np.isfinite(f.reference).all()]
    if not slabs:
        return None
    slab = max(slabs, key=lambda one: one.n_atoms)
    error, spread = float(slab.error[-1]), float(slab.spread[-1])

    test = exchange(slab.members[:, -1:], slab.reference[-1:], _distance(slab.ddof, signed=True))
    decision = by_exchange(test, 'low')
    text = f'γ of {slab.domain} is off by {number(error)} eV per surface atom, σ (ddof '
    text += f'{slab.ddof}) is {number(spread)}; of ε/σ {decision.why}.'
    return Found(decision.holds, text, f'ε/σ is lower than an honest one {AT}', error, spread)


def judge_cells(evidence: Evidence) -> Found | None:
    """S6-S8: change of the error from the smallest to the largest cell."""
    known = [f for f in evidence.formations if np.isfinite(f.reference).all()]
    series = [one for one in size_series(known).values() if len(one.sizes) > 1]
    if not series:
        return None
    found, changes = [], []
    for one in series:
        errors = one.members - one.reference
        change = errors[:, -1] - errors[:, 0]
        limit = max(float(one.spread[-1]), SMALL)
        changes.append(float(change.mean()))
        found.append(by_interval(mean_over_members(change), (-limit, limit), 'more members'))
    parts = [
        f'{one.name} {change:+.2f} eV from {one.sizes[0]} to {one.sizes[-1]} {one.size_name}'
        for one, change in zip(series, changes, strict=True)
    ]
    decision = all_of(found)
    text = f'ε changes: {listed(parts)}; {decision.why}.'
    rule = 'the 95 % interval over members of every change lies within σ of the largest cell, or '
    rule += f'{SMALL:g} eV'
    return Found(decision.holds, text, rule, max(changes, key=abs))


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
    text += f'; {t.n_without_root} of {len(t.members)} members have none'
    rule = "the 95 % interval of the members' mean lies within σ of the reference"
    if spread is None or t.n_without_root:
        why = f'members without one are censored, not missing: the median is {t.median}; scan to '
        why = f'{why}more pressures' if t.n_without_root else 'one member has no spread'
        return Found(None, f'{text}; {why}.', rule, t.mean, spread)
    limits = (t.reference - spread, t.reference + spread)
    decision = by_interval(mean_over_members(t.members), limits, 'more members')
    if decision.holds is not True:
        # an honest mean lies beyond σ in a third of the cases: that alone is no fault
        test = exchange(t.members[:, None], np.array([t.reference]), _distance(evidence.ddof))
        apart = by_exchange(test, 'high')
        decision = Decision(False if apart.holds else None, f'{decision.why}; {apart.why}')
    rule += f'; does not hold where |ε|/σ is larger than an honest one {AT}'
    return Found(decision.holds, f'{text}; {decision.why}.', rule, t.mean, spread)


def _distance(ddof: int, *, signed: bool = False) -> Statistic:
    """Return the statistic ε/σ of one number, or its size; NaN where σ is 0."""

    def of(members: Floats, truth: Floats) -> float:
        spread = float(ensemble.spread(members, ddof=ddof)[0])
        if not spread > 0:
            return float('nan')
        ratio = float(ensemble.error(members, truth)[0]) / spread
        return ratio if signed else abs(ratio)

    return of


def _misplaced(members: Floats, truth: Floats) -> float:
    """Return the number of pairs that most members have the other way round."""
    gaps = truth[None, :] - truth[:, None]
    own = members[:, None, :] - members[:, :, None]
    wrong = (own < 0).mean(axis=0) > 0.5
    return float((wrong & (gaps >= DEGENERATE)).sum())


def _size(errors: Floats) -> tuple[float, float]:
    """Return the interval of the size of the mean over members."""
    low, high = mean_over_members(errors)
    return (low, high) if errors.mean() >= 0 else (-high, -low)
