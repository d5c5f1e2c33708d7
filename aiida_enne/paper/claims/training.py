"""Judges of claims about training choices and about what the members have in common."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import lru_cache, partial

import numpy as np
from scipy import stats

from aiida_enne.paper.claims.evidence import Evidence, Found
from aiida_enne.paper.claims.paper import CLAIMS
from aiida_enne.paper.claims.tested import AT, Decision, all_of, by_interval
from aiida_enne.science.fields import Floats
from aiida_enne.science.uncertainty import ensemble
from aiida_enne.science.uncertainty.cross import Pairs
from aiida_enne.science.uncertainty.exchange import LEVEL
from aiida_enne.science.uncertainty.scans import Comparison, Row, Value, compare
from aiida_enne.science.uncertainty.scores.calibration import rmse_over_spread_from_correlation
from aiida_enne.science.uncertainty.wording import listed, number

#: Relative change of an error that counts as none.
CONVERGED, FLAT = 0.05, 0.1
#: What would decide a comparison.
SEEDS = 'more seeds'
#: Correlation above which errors are strongly correlated, on other data than silicon's.
STRONG = 0.5
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
    decision = by_interval(
        _relative_change(one.seeds[-2], one.seeds[-1]), (-CONVERGED, CONVERGED), SEEDS
    )
    text = f'From {one.values[-2]} to {one.values[-1]} densities the force MAE of single members '
    text += f'changes by {one.last_change:+.1%}, to {number(float(one.member_mae[-1]))} eV/Å; '
    rule = f'the 95 % interval of the last change lies within {CONVERGED:.0%}'
    value = _plain(one.converged_at(CONVERGED))
    return Found(decision.holds, f'{text}of the change: {decision.why}.', rule, value)


def judge_degree(evidence: Evidence) -> Found | None:
    """S2: whether the largest l_max is the best at every N."""
    found = _compare(evidence.scans.get('grid', ()), ('l_max',))
    if found is None or max(len(one.values) for one in found) < 2:
        return None
    parts = listed([f'l_max {one.best}{_held(one)}' for one in found])
    decisions = [_is_best(one, one.values[-1], len(found)) for one in found]
    decision = all_of(decisions)
    text = f'The least force MAE has {parts}; {decision.why}.'
    return Found(decision.holds, text, _BEST, _plain(found[-1].best))


def judge_flat(evidence: Evidence) -> Found | None:
    """S2: range of the force error over N for the largest l_max."""
    found = _compare(evidence.scans.get('grid', ()), ('n_train',))
    if found is None or len(found[-1].values) < 2:
        return None
    one = found[-1]
    text = f'From N = {one.values[0]} to {one.values[-1]}{_held(one)} the largest force MAE of '
    text += f'single members is {one.relative_range:.1%} above the smallest; '
    changes = [
        by_interval(_relative_change(one.seeds[-1], seeds), (-FLAT, FLAT), SEEDS)
        for seeds in one.seeds[:-1]
    ]
    decision = all_of(changes)
    rule = f'the 95 % interval of every change against the largest N lies within {FLAT:.0%}'
    return Found(decision.holds, f'{text}of the changes: {decision.why}.', rule, one.relative_range)


def judge_growth(evidence: Evidence) -> Found | None:
    """S3: σ(M)/σ(4) against that of independent Gaussian members, one sample at a time."""
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
    low, high = independent_growth(members, growth.small, growth.ddof)
    text += f'{expected:.2f}, in 95 % of cases {low:.2f} to {high:.2f} for one sample.'
    limit = max(EXCESS * expected, high)
    rule = f'more than {EXCESS:.2f} times that of independent members, and than chance leaves {AT}'
    rule += f', with {MIN_GROWTH} or more; does not hold within what chance leaves'
    holds = None
    if members >= MIN_GROWTH:
        holds = True if value > limit else False if low <= value <= high else None
    else:
        text += f' {members} members say nothing of it; {MIN_GROWTH} do.'
    return Found(holds, text, rule, value, float(np.ptp(ratios)) / 2)


@lru_cache
def independent_growth(members: int, small: int, ddof: int) -> tuple[float, float]:
    """Return the middle 95 % of σ(M)/σ(small) of independent Gaussian members, for one sample."""
    rng = np.random.default_rng(0)
    drawn = rng.normal(size=(members, 2000))
    ranks = rng.permuted(np.tile(np.arange(members), (200, 1)), axis=1)
    subsets = [ensemble.spread(drawn[row < small], ddof=ddof) for row in ranks]
    ratios = ensemble.spread(drawn, ddof=ddof) / np.mean(subsets, axis=0)
    low, high = np.quantile(ratios, [LEVEL / 2, 1 - LEVEL / 2])
    return float(low), float(high)


def judge_within(evidence: Evidence) -> Found | None:
    """S10: correlation of members of one ensemble."""
    if (cross := evidence.cross) is None:
        return None
    found = _judge_correlation('within', evidence, lambda pairs: pairs.all_within)
    if found is None or found.value is None:
        return None
    ratio = rmse_over_spread_from_correlation(found.value, min(cross.n_members.values()))
    alone = f' What they share alone makes RMSE/σ {number(ratio)}.' if np.isfinite(ratio) else ''
    return replace(found, sentence=found.sentence + alone)


def judge_across(evidence: Evidence) -> Found | None:
    """S10: correlation of members of different ensembles, and of the ensembles' means."""
    if evidence.cross is None:
        return None
    found = _judge_correlation('across', evidence, lambda pairs: pairs.across)
    if found is None or not evidence.cross.means.size:
        return found
    text = f" That of the ensembles' means is {evidence.cross.means.mean():.2f}."
    return replace(found, sentence=found.sentence + text)


_SHORT = {'n_train': 'N'}

#: What would narrow the interval of a correlation.
_REMEDIES = {'within': 'more members', 'across': 'three or more ensembles'}

_BEST = (
    f'the error of every other value is larger {AT} (Welch); does not hold where one is smaller '
    '(Bonferroni over all comparisons)'
)


def _judge_choice(evidence: Evidence, name: str, axes: Sequence[str]) -> Found | None:
    kinds = {'features': 'features', 'cutoff': 'cutoffs'}
    found = _compare(evidence.scans.get(kinds[name], ()), axes)
    wanted = CLAIMS[name].value
    if found is None or wanted is None or len(found[0].values) < 2:
        return None
    one = found[0]
    if not evidence.is_published:
        text = f'{wanted:g} is the choice for silicon; here the least force MAE of '
        text += f'{len(one.values)} has {one.name} {one.best}. What is best is not claimed of '
        return Found(None, f'{text}other data.', _BEST, _plain(one.best))
    if wanted not in one.values:
        return None
    decision = _is_best(one, wanted, 1)
    text = f'The least force MAE of {len(one.values)} has {one.name} {one.best}; {decision.why}.'
    return Found(decision.holds, text, _BEST, _plain(one.best))


#: S4: whether the paper's number of features, and its cutoff, are the best.
judge_features = partial(_judge_choice, name='features', axes=('features', 'num_features'))
judge_cutoff = partial(_judge_choice, name='cutoff', axes=('cutoff', 'r_max'))


def _plain(value: Value) -> float | None:
    return None if isinstance(value, str) else float(value)


def _is_best(one: Comparison, wanted: Value, n_series: int) -> Decision:
    """Return whether one value has a smaller error than every other, over the seeds.

    Args:
        one: Errors of the seeds at every value.
        wanted: The value.
        n_series: Series of which all must say so: a level is shared among them.
    """
    mine = one.seeds[one.values.index(wanted)]
    pairs = zip(one.values, one.seeds, strict=True)
    others = [(value, seeds) for value, seeds in pairs if value != wanted]
    if min(len(mine), *(len(seeds) for _, seeds in others)) < 2:
        return Decision(None, f'one seed per value is not enough; use {SEEDS}')
    tests = [stats.ttest_ind(seeds, mine, equal_var=False) for _, seeds in others]
    larger = [float(stats.t.sf(test.statistic, test.df)) for test in tests]
    smaller = [1 - p for p in larger]
    worst = int(np.argmax(larger))
    shown = f'p = {larger[worst]:.2g} against {one.name} {others[worst][0]}'
    # each must be shown for the claim, one is enough against it
    if max(larger) <= LEVEL:
        return Decision(True, f'{wanted} has less than every other ({shown})')
    if min(smaller) <= LEVEL / (len(others) * n_series):
        best = others[int(np.argmin(smaller))][0]
        return Decision(False, f'{best} has less than {wanted} (p = {min(smaller):.2g})')
    return Decision(None, f'the seeds do not decide ({shown}); {SEEDS} would')


def _relative_change(before: Floats, after: Floats) -> tuple[float, float]:
    """Return the 95 % interval of the relative change of a mean over seeds (Welch, of the log)."""
    if min(len(before), len(after)) < 2:
        return float('nan'), float('nan')
    test = stats.ttest_ind(np.log(after), np.log(before), equal_var=False)
    found = test.confidence_interval(1 - LEVEL)
    return float(np.expm1(found.low)), float(np.expm1(found.high))


def _judge_correlation(
    name: str, evidence: Evidence, choose: Callable[[Pairs], Floats]
) -> Found | None:
    if (cross := evidence.cross) is None or not (values := choose(cross.centred)).size:
        return None
    mean, std, claim = float(values.mean()), float(values.std()), CLAIMS[name]
    others = f'{choose(cross.uncentred).mean():.2f} uncentred'
    if cross.within_groups is not None and choose(cross.within_groups).size:
        others += f', {choose(cross.within_groups).mean():.2f} within densities'
    n_samples = cross.n_samples if name == 'within' else cross.n_samples_across
    text = f'{mean:.3f} ± {std:.3f} over {len(values):,} pairs on {n_samples:,} samples '
    limit = STRONG
    rule = f'the 95 % interval (jackknife) lies above {limit:.2f}'
    if evidence.is_published:
        limit = (claim.value or 0) - 2 * (claim.uncertainty or 0)
        rule = f'the 95 % interval (jackknife) lies above {limit:.2f}, two standard deviations '
        rule += 'below the number of the paper'
    error = cross.errors[name]
    half = float(stats.t.ppf(1 - LEVEL / 2, max(cross.n_units[name] - 1, 1))) * error
    decision = by_interval((mean - half, min(mean + half, 1.0)), (limit, 1.0), _REMEDIES[name])
    return Found(decision.holds, f'{text}({others}); {decision.why}.', rule, mean, std)


def _compare(rows: Sequence[Row], names: Sequence[str]) -> list[Comparison] | None:
    """Compare along the first of the names that the points have; None if there is none."""
    for name in names:
        if rows and all(name in row.values for row in rows):
            return compare(rows, name)
    return None


def _held(one: Comparison) -> str:
    held = ', '.join(f'{_SHORT.get(name, name)} = {value}' for name, value in one.held.items())
    return f' ({held})' if held else ''
