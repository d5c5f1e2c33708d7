"""Judges of claims about training choices and about what the members have in common."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from aiida_enne.paper.claims.evidence import Evidence, Found, listed
from aiida_enne.paper.claims.paper import CLAIMS
from aiida_enne.science.fields import Floats
from aiida_enne.science.uncertainty.cross import Cross, Pairs
from aiida_enne.science.uncertainty.findings import number
from aiida_enne.science.uncertainty.scans import Comparison, Row, compare
from aiida_enne.science.uncertainty.scores.calibration import rmse_over_spread_from_correlation

#: Relative change of an error that counts as none.
CONVERGED, FLAT = 0.05, 0.1
#: Fewer members say nothing of how σ grows up to 30 of them.
MIN_GROWTH = 20
#: The paper's lowest σ(30)/σ(4), 2, over that of independent members, 1.22.
EXCESS = 2 / 1.22


def judge_densities(evidence: Evidence) -> Found | None:
    """S1: change of the force error at the last step."""
    found = _compare(evidence.scans.get('densities', ()), ('densities',))
    if found is None or len(found[0].values) < 2:
        return None
    one = found[0]
    text = f'From {one.values[-2]} to {one.values[-1]} densities the force MAE of single members '
    text += f'changes by {one.last_change:+.1%}, to {number(float(one.member_mae[-1]))} eV/Å.'
    rule = f'the last step changes it by at most {CONVERGED:.0%}'
    first = one.converged_at(CONVERGED)
    value = None if isinstance(first, str) else float(first)
    return Found(abs(one.last_change) <= CONVERGED, text, rule, value)


def judge_degree(evidence: Evidence) -> Found | None:
    """S2: whether the largest l_max is the best, or tied with it, at every N."""
    found = _compare(evidence.scans.get('grid', ()), ('l_max',))
    if found is None or max(len(one.values) for one in found) < 2:
        return None
    best = [one.values[-1] in one.tied for one in found]
    told = listed([f'l_max {one.best}{_held(one)}' for one in found])
    text = f'The least force MAE has {told}; the largest l_max is not told from it by the seeds in '
    text += f'{sum(best)} of {len(best)} series.'
    value = found[-1].best
    return Found(all(best), text, _TIED, None if isinstance(value, str) else float(value))


def judge_flat(evidence: Evidence) -> Found | None:
    """S2: range of the force error over N for the largest l_max."""
    found = _compare(evidence.scans.get('grid', ()), ('n_train',))
    if found is None or len(found[-1].values) < 2:
        return None
    one = found[-1]
    text = (
        f'From N = {one.values[0]} to {one.values[-1]}{_held(one)} the largest force MAE of single '
    )
    text += f'members is {one.relative_range:.1%} above the smallest.'
    return Found(one.flat(FLAT), text, f'at most {FLAT:.0%}', one.relative_range)


def judge_features(evidence: Evidence) -> Found | None:
    """S4: whether the paper's number of features is the best or tied with it."""
    return _judge_choice(evidence, 'features', ('features', 'num_features'))


def judge_cutoff(evidence: Evidence) -> Found | None:
    """S4: whether the paper's cutoff is the best or tied with it."""
    return _judge_choice(evidence, 'cutoff', ('cutoff', 'r_max'))


def judge_growth(evidence: Evidence) -> Found | None:
    """S3: σ(M)/σ(4) against that of independent Gaussian members."""
    growth = evidence.growth
    if growth is None or (expected := growth.expected_ratio) is None:
        return None
    ratios = [r for name in growth.curves if (r := growth.ratio(name)) is not None]
    if not ratios:
        return None
    members = int(next(iter(growth.curves.values())).sizes[-1])
    value = float(np.median(ratios))
    text = f'σ({members})/σ({growth.small}) is {value:.2f} in the median of {len(ratios)} systems '
    text += f'({min(ratios):.2f} to {max(ratios):.2f}); independent Gaussian members would make it '
    text += f'{expected:.2f}.'
    rule = f'more than {EXCESS:.2f} times that of independent members, with {MIN_GROWTH} or more'
    holds = None if members < MIN_GROWTH else value > EXCESS * expected
    return Found(holds, text, rule, value, float(np.ptp(ratios)) / 2)


def judge_within(evidence: Evidence) -> Found | None:
    """S10: correlation of members of one ensemble."""
    if (cross := evidence.cross) is None:
        return None
    found = _judge_correlation('within', cross, lambda pairs: pairs.all_within)
    if found is None or found.value is None:
        return None
    ratio = rmse_over_spread_from_correlation(found.value, min(cross.n_members.values()))
    alone = f' What they share alone makes RMSE/σ {number(ratio)}.' if np.isfinite(ratio) else ''
    return Found(
        found.holds, found.sentence + alone, found.threshold, found.value, found.uncertainty
    )


def judge_across(evidence: Evidence) -> Found | None:
    """S10: correlation of members of different ensembles."""
    if evidence.cross is None:
        return None
    return _judge_correlation('across', evidence.cross, lambda pairs: pairs.across)


_SHORT = {'n_train': 'N'}

_TIED = 'the seeds do not tell it from the best: less than two standard errors apart'


def _judge_choice(evidence: Evidence, name: str, axes: Sequence[str]) -> Found | None:
    kinds = {'features': 'features', 'cutoff': 'cutoffs'}
    found = _compare(evidence.scans.get(kinds[name], ()), axes)
    wanted = CLAIMS[name].value
    if found is None or wanted is None or len(found[0].values) < 2:
        return None
    one = found[0]
    if wanted not in one.values:
        return None
    others = [str(value) for value in one.tied if value != one.best]
    text = f'The least force MAE of {len(one.values)} has {one.name} {one.best}; the seeds tell it '
    text += f'from all others but {listed(others)}.' if others else 'from all others.'
    best = None if isinstance(one.best, str) else float(one.best)
    return Found(wanted in one.tied, text, _TIED, best)


def _judge_correlation(name: str, cross: Cross, choose: Callable[[Pairs], Floats]) -> Found | None:
    values = choose(cross.centred)
    if not values.size:
        return None
    mean, std, claim = float(values.mean()), float(values.std()), CLAIMS[name]
    others = f'{choose(cross.uncentred).mean():.2f} uncentred'
    if cross.within_groups is not None and choose(cross.within_groups).size:
        others += f', {choose(cross.within_groups).mean():.2f} within densities'
    text = f'{mean:.3f} ± {std:.3f} over {len(values):,} pairs on {cross.n_samples:,} samples '
    limit = (claim.value or 0) - 2 * (claim.uncertainty or 0)
    rule = f'at least {limit:.2f}, two standard deviations below the number of the paper'
    return Found(mean >= limit, f'{text}({others}).', rule, mean, std)


def _compare(rows: Sequence[Row], names: Sequence[str]) -> list[Comparison] | None:
    """Compare along the first of the names that the points have; None if there is none."""
    for name in names:
        if rows and all(name in row.values for row in rows):
            return compare(rows, name)
    return None


def _held(one: Comparison) -> str:
    held = ', '.join(f'{_SHORT.get(name, name)} = {value}' for name, value in one.held.items())
    return f' ({held})' if held else ''


JUDGES: dict[str, Callable[[Evidence], Found | None]] = {
    'densities': judge_densities,
    'degree': judge_degree,
    'flat': judge_flat,
    'growth': judge_growth,
    'features': judge_features,
    'cutoff': judge_cutoff,
    'within': judge_within,
    'across': judge_across,
}
