"""Judges of claims about σ: overconfident, related to ε at all, repaired by a factor."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import wraps

import numpy as np

from aiida_enne.paper.claims.evidence import Evidence, Found
from aiida_enne.paper.claims.properties import SIMILAR
from aiida_enne.paper.claims.tested import (
    AT,
    Decision,
    by_exchange,
    by_interval,
    if_also,
    over_domains,
    ranking,
)
from aiida_enne.science.fields import Floats
from aiida_enne.science.properties.scatter import Scatter, exchange_points
from aiida_enne.science.uncertainty.exchange import LEVEL, Exchange
from aiida_enne.science.uncertainty.findings import MIN_SAMPLES
from aiida_enne.science.uncertainty.scores.calibration import rmse_over_spread
from aiida_enne.science.uncertainty.thresholds import QUANTILE, quantile_interval
from aiida_enne.science.uncertainty.wording import listed, number

MEV = 1000.0

#: σ of the liquid in meV/atom that counts as small: twice the paper's; on other data what is
#: tolerable by default.
LIQUID, TOLERABLE = SIMILAR * 2.0, 10.0
#: What a scale factor is fitted to cover: what one σ of a Gaussian does.
COVERED = 0.683
#: Spearman's correlation from which σ says much about ε.
LITTLE = 0.5
#: Share of solids above which all of them count as flagged.
ALL = 0.95

_RANK_RULE = (
    f"the mean over domains of {MIN_SAMPLES} energies or more of Spearman's correlation is smaller "
    f'than that of honest ensembles {AT}, and {LITTLE:g} at most'
)

SOLIDS = ('phase', 'bulk', 'defect', 'surface')


def _beside(
    find: Callable[[Evidence, Scatter], Found | None],
) -> Callable[[Evidence], Found | None]:
    """Judge raw energies and own zeros: where both are there, they must agree."""

    @wraps(find)
    def judge(evidence: Evidence) -> Found | None:
        found = None if evidence.scatter is None else find(evidence, evidence.scatter)
        own = None if evidence.aligned is None else find(evidence, evidence.aligned)
        return _agreed(evidence, found, own)

    return judge


def _agreed(evidence: Evidence, found: Found | None, own: Found | None) -> Found | None:
    """Return what raw energies and own zeros say together; raw ones alone where these are all."""
    if found is None or own is None:
        return found
    own = own.capped(evidence.gates.get('aligned', ()))
    sentence = f'{found.sentence} With own zeros: {own.sentence}'
    if {found.holds, own.holds} == {True, False}:
        sentence += ' The two disagree: say which zero of energy your use needs.'
    holds, rule = found.holds if found.holds == own.holds else None, found.threshold
    return replace(found, holds=holds, sentence=sentence, threshold=f'{rule}, raw and own')


@_beside
def judge_liquid(evidence: Evidence, scatter: Scatter) -> Found | None:
    """F7: σ of the energies trained on, by the quantile that does not grow with their number."""
    points = _trained(evidence, scatter)
    if points is None:
        return None
    quantile, low, high = (MEV * value for value in quantile_interval(points.spread))
    limit = LIQUID if evidence.is_published else TOLERABLE
    decision = by_interval((low, high), (0, limit), 'more held-out frames')
    text = f'{QUANTILE:.0%} of {len(points):,} energies in the training domains have σ (ddof '
    text += f'{points.ddof}) below {number(quantile)} meV/atom, the largest is '
    text += f'{number(MEV * float(points.spread.max()))} meV/atom; {decision.why}.'
    rule = f'the 95 % interval of the {QUANTILE:.0%} quantile lies below {limit:g} meV/atom'
    return Found(decision.holds, text, rule, quantile)


@_beside
def judge_ratio(evidence: Evidence, scatter: Scatter) -> Found | None:
    """F7: largest |ε|/σ of crystal phases against that of honest ensembles."""
    points = scatter.of(['phase'])
    points = points.select(points.spread > 0)
    if not len(points):
        return None
    ratios = np.abs(points.error) / points.spread
    worst = int(ratios.argmax())
    decision = by_exchange(exchange_points(points, _largest), 'high')
    text = f'|ε|/σ (ddof {points.ddof}) reaches {number(float(ratios[worst]))} in '
    text += f'{points.domain[worst]}; its median over {len(ratios)} energies of phases is '
    text += f'{number(float(np.median(ratios)))}. Of the largest {decision.why}.'
    rule = f'it is larger than that of an honest ensemble {AT}'
    return Found(decision.holds, text, rule, float(ratios.max()))


@_beside
def judge_overconfident(evidence: Evidence, scatter: Scatter) -> Found | None:
    """Whether RMSE exceeds σ's estimate, in the median of the domains that were not trained on."""
    test, domains = over_domains(
        _new(evidence, scatter), rmse_over_spread, lambda found: float(np.median(found))
    )
    if test is None:
        return None
    decision = by_exchange(test, 'high')
    text = f'RMSE/σ of energies is {number(test.truth)} in the median of {len(domains)} domains '
    text += f'that were not trained on; {decision.why}.'
    rule = f'the median over domains of RMSE/σ is larger than that of honest ensembles {AT}'
    return Found(decision.holds, text, rule, test.truth)


@_beside
def judge_related(evidence: Evidence, scatter: Scatter) -> Found | None:
    """Whether σ ranks |ε| as that of an honest ensemble would, over all domains together."""
    test, domains = ranking(_new(evidence, scatter))
    if test is None:
        return None
    decision = _little(test)
    text = f"Spearman's correlation of |ε| with σ, averaged over {len(domains)} domains that were "
    text += f'not trained on, is {test.truth:.2f}; {decision.why}.'
    return Found(decision.holds, text, _RANK_RULE, test.truth)


def judge_sizes(evidence: Evidence) -> Found | None:
    """S9: the same at every number of training frames."""
    raw, own = (
        _at_every_size(evidence, scatters)
        for scatters in (evidence.scatters_by_size, evidence.aligned_by_size)
    )
    return _agreed(evidence, raw, own)


def _at_every_size(evidence: Evidence, scatters: Mapping[int, Scatter]) -> Found | None:
    found: dict[int, Exchange] = {}
    for size, points in sorted(scatters.items()):
        test, _ = ranking(_new(evidence, points))
        if test is not None:
            found[size] = test
    if len(found) < 2:
        return None
    parts = listed([f'{test.truth:.2f} at N = {size}' for size, test in found.items()])
    worst = max(found, key=lambda size: found[size].truth)
    text = f"Mean over domains of Spearman's correlation of |ε| with σ: {parts}; at N = {worst} "
    text += f'{_little(found[worst]).why}.'
    # each must be shown for the claim, one is enough against it
    holds = True if all(_little(test).holds for test in found.values()) else None
    if any(test.p_high <= LEVEL / len(found) for test in found.values()):
        holds = False
    rule = f'{_RANK_RULE}, at every N; does not hold where it is larger at one (Bonferroni)'
    return Found(holds, text, rule, found[worst].truth)


def _little(test: Exchange) -> Decision:
    """Return whether σ says little: less than that of an honest ensemble, and little at all."""
    return if_also(
        test.truth <= LITTLE, by_exchange(test, 'low'), 'yet σ says much, only less than it would'
    )


@_beside
def judge_scale(evidence: Evidence, scatter: Scatter) -> Found | None:
    """Whether σ times a factor fitted to the domains trained on covers too little elsewhere."""
    scatter = scatter.select(scatter.spread > 0)
    trained = np.isin(scatter.domain, evidence.training_domains)
    families = {
        family: chosen
        for family in dict.fromkeys(scatter.families.tolist())
        if (chosen := ~trained & (scatter.families == family)).sum() >= MIN_SAMPLES
    }
    if not families or trained.sum() < MIN_SAMPLES:
        return None

    def coverage(error: Floats, spread: Floats) -> tuple[float, dict[str, float]]:
        ratios = np.abs(error) / spread
        factor = float(np.quantile(ratios[trained], COVERED))
        shares = {name: float(np.mean(ratios[own] <= factor)) for name, own in families.items()}
        return factor, shares

    def least(error: Floats, spread: Floats) -> float:
        return min(coverage(error, spread)[1].values()) if (spread > 0).all() else float('nan')

    factor, shares = coverage(scatter.error, scatter.spread)
    decision = by_exchange(exchange_points(scatter, least), 'low')
    parts = listed([f'{share:.0%} in {family}' for family, share in shares.items()])
    text = f'σ times {number(factor)} covers {COVERED:.1%} of the training domains and {parts}; of '
    text += f'the least {decision.why}.'
    rule = f'the least coverage of a family of {MIN_SAMPLES} energies or more is smaller than that '
    return Found(decision.holds, text, f'{rule}of an honest ensemble {AT}', factor)


@_beside
def judge_flags(evidence: Evidence, scatter: Scatter) -> Found | None:
    """Disc: share of the solids that the threshold rule flags, whatever the threshold's error."""
    parts = _solids(evidence, scatter)
    if parts is None:
        return None
    trained, solids = parts
    largest = float(trained.spread.max())
    quantile, low, high = quantile_interval(trained.spread)
    share, most, fewest = (float(np.mean(solids.spread > t)) for t in (largest, low, high))
    text = f'{round(share * len(solids))} of {len(solids)} solid configurations have σ above the '
    text += f'largest of the training domains, {number(MEV * largest)} meV/atom, and '
    text += f'{np.mean(solids.spread > quantile):.0%} above its {QUANTILE:.0%} quantile, '
    text += f'{number(MEV * quantile)} meV/atom; '
    # an unbounded quantile leaves the largest σ as the strictest threshold that data can give
    strict = fewest if np.isfinite(high) else share
    decision = by_interval((strict, most), (ALL, 1.0), 'more held-out frames')
    rule = f'at least {ALL:.0%} are flagged at both ends of the 95 % interval of the quantile'
    return Found(decision.holds, f'{text}share at its ends: {decision.why}.', rule, 100 * share)


@_beside
def judge_accurate(evidence: Evidence, scatter: Scatter) -> Found | None:
    """Disc: how many of the flagged solids err no more than what was trained on."""
    parts = _solids(evidence, scatter)
    if parts is None:
        return None
    trained, solids = parts
    flagged = np.abs(solids.error[solids.spread > float(trained.spread.max())])
    rule = f'one errs less than the lower end of the 95 % interval of the {QUANTILE:.0%} quantile'
    if not len(flagged):
        return Found(None, f'0 of {len(solids)} solid configurations are flagged.', rule)
    size = np.abs(trained.error)
    _, low, high = quantile_interval(size)
    accurate = int((flagged <= size.max()).sum())
    text = f'{accurate} of {len(flagged)} flagged solid configurations err no more than '
    text += f'the worst one of the training domains, {number(MEV * float(size.max()))} meV/atom; '
    text += f'{int((flagged <= low).sum())} no more than {number(MEV * low)} meV/atom, the lower '
    text += f'end of the interval of its {QUANTILE:.0%} quantile.'
    upper = high if np.isfinite(high) else float(size.max())
    holds = True if (flagged <= low).any() else False if not (flagged <= upper).any() else None
    return Found(holds, text, rule, accurate / len(flagged))


def _new(evidence: Evidence, scatter: Scatter) -> Scatter:
    """Return the points of the domains that were not trained on, with σ > 0."""
    known = np.isin(scatter.domain, evidence.training_domains)
    return scatter.select(~known & (scatter.spread > 0))


def _trained(evidence: Evidence, scatter: Scatter) -> Scatter | None:
    """Return the energies of the training domains, None if there are none."""
    points = scatter.select(np.isin(scatter.domain, evidence.training_domains))
    return points if len(points) else None


def _solids(evidence: Evidence, scatter: Scatter) -> tuple[Scatter, Scatter] | None:
    """Return the energies of the training domains and of solids, None if either is missing."""
    if (trained := _trained(evidence, scatter)) is None:
        return None
    known = np.isin(scatter.domain, evidence.training_domains)
    names = [n for n in set(scatter.domain.tolist()) if evidence.kind(n).family in SOLIDS]
    solids = scatter.select(np.isin(scatter.domain, names) & ~known)
    return (trained, solids) if len(solids) else None


def _largest(error: Floats, spread: Floats) -> float:
    return float((np.abs(error) / spread).max()) if (spread > 0).all() else float('nan')
