"""Judges of claims about σ: overconfident, related to ε at all, saved by a factor, a threshold."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
from scipy import stats

from aiida_enne.paper.claims.evidence import Evidence, Found, listed
from aiida_enne.paper.claims.properties import SIMILAR
from aiida_enne.paper.claims.tested import AT, Decision, by_exchange, ranking
from aiida_enne.science.properties.scatter import Scatter, flags
from aiida_enne.science.structures.domains import parse
from aiida_enne.science.uncertainty.findings import MIN_SAMPLES, number, verdict

MEV = 1000.0

#: Largest σ of the liquid in meV/atom that counts as small: twice the paper's.
LIQUID = SIMILAR * 2.0
#: Level of the interval that a scale factor is fitted to: one σ of a Gaussian.
LEVEL = 0.683
#: How far from that level, elsewhere, the scaled σ still counts as saved.
SAVED = 0.1
#: Share of solids above which all of them count as flagged.
ALL = 0.95

_RANK_RULE = (
    f"the mean over domains of {MIN_SAMPLES} energies or more of Spearman's correlation is smaller "
    f'than that of honest ensembles {AT}'
)

_FALLS = '|ε| falls somewhere as σ rises'

SOLIDS = ('phase', 'bulk', 'defect', 'surface')


def judge_path(evidence: Evidence) -> Found | None:
    """F5: whether |ε| rises with σ along the volume."""
    if (path := evidence.path) is None:
        return None
    rank = path.rank_correlation
    text = f'Over {len(path.volumes)} volumes of {path.name} |ε| '
    text += 'rises with σ throughout' if path.monotonic else 'does not rise with σ throughout'
    if not np.isfinite(rank):
        return Found(not path.monotonic, f'{text}.', _FALLS)
    return Found(not path.monotonic, f'{text} (Spearman {rank:.2f}).', _FALLS, rank)


def judge_liquid(evidence: Evidence) -> Found | None:
    """F7: largest σ of the energies trained on."""
    points = _trained(evidence)
    if points is None:
        return None
    largest = MEV * float(points.spread.max())
    text = f'The largest σ (ddof {points.ddof}) of {len(points):,} energies in the training '
    text += f'domains is {number(largest)} meV/atom.'
    return Found(largest <= LIQUID, text, f'at most {LIQUID:g} meV/atom', largest)


def judge_ratio(evidence: Evidence) -> Found | None:
    """F7: largest |ε|/σ of crystal phases against that of as many honest predictions."""
    return _beside(evidence, _ratio)


def _ratio(evidence: Evidence, scatter: Scatter) -> Found | None:
    if not len(points := scatter.of(['phase'])):
        return None
    known = points.spread > 0
    if not known.any():
        return None
    ratios = np.abs(points.error[known]) / points.spread[known]
    m, worst = points.n_members, int(ratios.argmax())
    quantile = stats.t.ppf((1 + 0.95 ** (1 / len(ratios))) / 2, m - 1)
    honest = float(quantile * np.sqrt((m + 1) / m * (m - points.ddof) / (m - 1)))
    text = f'|ε|/σ (ddof {points.ddof}) reaches {number(float(ratios[worst]))} in '
    text += f'{points.domain[known][worst]}; its median over {len(ratios)} energies of phases is '
    text += f'{number(float(np.median(ratios)))}.'
    rule = f'above {number(honest)}, which {len(ratios)} honest predictions of {m} members reach '
    return Found(bool(ratios.max() > honest), text, rule + 'in 5 % of cases', float(ratios.max()))


def judge_overconfident(evidence: Evidence) -> Found | None:
    """Whether RMSE exceeds what σ tells, domain by domain, with the whole bootstrap interval."""
    new = {n: s for n, s in evidence.domains.items() if n not in evidence.training_domains}
    words = {name: verdict(scalars, 'energy') for name, scalars in new.items()}
    decided = {name: word for name, word in words.items() if word != 'undecided'}
    if not decided:
        return None
    over = [name for name, word in decided.items() if word == 'overconfident']
    ratios = {n: r for n in decided if (r := new[n].get('energy_rmse_over_spread')) is not None}
    text = f'Energies of {len(over)} of {len(decided)} domains that were not trained on are '
    text += f'overconfident ({len(words) - len(decided)} more are undecided)'
    if ratios:
        worst = max(ratios, key=lambda name: ratios[name])
        text += f'; the largest RMSE/σ is {number(ratios[worst])}, in {worst}'
    own = [verdict(scalars, 'aligned') for scalars in new.values()]
    if n_own := sum(word != 'undecided' for word in own):
        text += f'; with own zeros {own.count("overconfident")} of {n_own}'
    rule = 'in most domains the bootstrap interval of RMSE/σ lies above that of an honest ensemble'
    value = float(np.median(list(ratios.values()))) if ratios else None
    return Found(len(over) > len(decided) / 2, f'{text}.', rule, value)


def judge_related(evidence: Evidence) -> Found | None:
    """Whether σ ranks |ε| as a calibrated σ would, domain by domain."""
    return _beside(evidence, _related)


def _related(evidence: Evidence, scatter: Scatter) -> Found | None:
    new = scatter.select(~np.isin(scatter.domain, evidence.training_domains))
    test, domains = ranking(new)
    if not domains or test is None:
        return None
    decision = by_exchange(test, 'low')
    text = (
        f"The mean over {len(domains)} domains that were not trained on of Spearman's correlation"
    )
    text += f' of |ε| with σ is {test.truth:.2f}; {decision.why}.'
    return Found(decision.holds, text, _RANK_RULE, test.truth)


def judge_sizes(evidence: Evidence) -> Found | None:
    """S9: the same at every number of training frames."""
    found: dict[int, tuple[float, Decision]] = {}
    for size, points in sorted(evidence.scatters_by_size.items()):
        new = points.select(~np.isin(points.domain, evidence.training_domains))
        test, _ = ranking(new)
        if test is not None:
            found[size] = test.truth, by_exchange(test, 'low')
    if len(found) < 2:
        return None
    told = listed([f'{rank:.2f} at N = {size}' for size, (rank, _) in found.items()])
    outcomes = [decision.holds for _, decision in found.values()]
    worst = max(found, key=lambda size: found[size][0])
    text = f"Mean over domains of Spearman's correlation of |ε| with σ: {told}; at N = {worst} "
    text += f'{found[worst][1].why}.'
    holds = True if all(outcomes) else False if False in outcomes else None
    return Found(holds, text, f'{_RANK_RULE}, at every N', found[worst][0])


def judge_scale(evidence: Evidence) -> Found | None:
    """Whether σ times a factor fitted to the domains trained on covers elsewhere what it should."""
    trained = _trained(evidence)
    if trained is None or evidence.scatter is None:
        return None
    new = evidence.scatter.select(~np.isin(evidence.scatter.domain, evidence.training_domains))
    known = trained.spread > 0
    if not len(new) or known.sum() < MIN_SAMPLES:
        return None
    ratios = np.abs(trained.error[known]) / trained.spread[known]
    factor = float(np.quantile(ratios, LEVEL))
    coverage = {
        family: float(np.mean(np.abs(one.error) <= factor * one.spread))
        for family in dict.fromkeys(new.families.tolist())
        if len(one := new.of([family])) >= MIN_SAMPLES
    }
    if not coverage:
        return None
    missed = [family for family, share in coverage.items() if abs(share - LEVEL) > SAVED]
    told = listed([f'{share:.0%} in {family}' for family, share in coverage.items()])
    text = f'σ times {number(factor)} covers {LEVEL:.1%} of the training domains and {told}.'
    rule = (
        f'coverage differs by more than {SAVED:.0%} in a family of {MIN_SAMPLES} energies or more'
    )
    return Found(bool(missed), text, rule, factor)


def judge_flags(evidence: Evidence) -> Found | None:
    """Disc: share of the solids that the threshold rule flags."""
    counted = _flagged(evidence)
    if counted is None:
        return None
    n, flagged, _, threshold = counted
    share = flagged / n
    text = f'{round(flagged)} of {n} solid configurations have σ above {number(MEV * threshold)} '
    return Found(share >= ALL, f'{text}meV/atom.', f'at least {ALL:.0%} are flagged', 100 * share)


def judge_accurate(evidence: Evidence) -> Found | None:
    """Disc: how many of the flagged solids err no more than what was trained on."""
    counted = _flagged(evidence)
    if counted is None:
        return None
    n, flagged, accurate, _ = counted
    if not flagged:
        return Found(None, f'0 of {n} solid configurations are flagged.', 'at least one of them')
    text = f'{round(accurate)} of {round(flagged)} flagged solid configurations err no more than '
    text += 'the worst one of the training domains.'
    return Found(accurate >= 1, text, 'at least one of them', accurate / flagged)


def _beside(evidence: Evidence, find: Callable[[Evidence, Scatter], Found | None]) -> Found | None:
    """Judge raw energies, and say beside it what is found with each one's own zero."""
    found = None if evidence.scatter is None else find(evidence, evidence.scatter)
    if found is None or evidence.aligned is None:
        return found
    own = find(evidence, evidence.aligned)
    said = '' if own is None else f' With own zeros: {own.sentence}'
    return replace(found, sentence=found.sentence + said)


def _trained(evidence: Evidence) -> Scatter | None:
    """Return the energies of the training domains, None if there are none."""
    if evidence.scatter is None:
        return None
    points = evidence.scatter.select(np.isin(evidence.scatter.domain, evidence.training_domains))
    return points if len(points) else None


def _flagged(evidence: Evidence) -> tuple[int, float, float, float] | None:
    """Return solids, flagged ones, accurate ones among these, and the threshold in eV/atom."""
    if _trained(evidence) is None or evidence.scatter is None:
        return None
    found = flags(evidence.scatter, evidence.training_domains)
    solids = {n: s for n, s in found.items() if parse(n).family in SOLIDS}
    solids = {n: s for n, s in solids.items() if n not in evidence.training_domains}
    if not solids:
        return None
    n = flagged = accurate = 0.0
    for scalars in solids.values():
        count = float(scalars['n'] or 0)
        share = float(scalars['flagged'] or 0)
        n += count
        flagged += count * share
        accurate += count * share * float(scalars['flagged_accurate'] or 0)
    threshold = float(next(iter(solids.values()))['spread_threshold'] or 0)
    return int(n), flagged, accurate, threshold


JUDGES: dict[str, Callable[[Evidence], Found | None]] = {
    'path': judge_path,
    'liquid': judge_liquid,
    'ratio': judge_ratio,
    'overconfident': judge_overconfident,
    'related': judge_related,
    'scale': judge_scale,
    'sizes': judge_sizes,
    'flags': judge_flags,
    'accurate': judge_accurate,
}
