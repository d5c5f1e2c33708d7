"""Findings: plain sentences that say no more than the numbers in them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from aiida_enne.science.uncertainty.cautions import cautions, named
from aiida_enne.science.uncertainty.exchange import LEVEL, attainable_level
from aiida_enne.science.uncertainty.options import width_label
from aiida_enne.science.uncertainty.scores import Scalars
from aiida_enne.science.uncertainty.summary import SMALL_ENSEMBLE
from aiida_enne.science.uncertainty.wording import (
    QUANTITIES,
    amount,
    chance,
    is_silent,
    listed,
    number,
    plural,
)

#: With fewer configurations than this nothing is said of correlations: chance alone makes some.
MIN_SAMPLES = 10
#: Domains that a sentence names; others are counted.
MOST = 8


@dataclass(frozen=True, slots=True)
class Finding:
    """One sentence.

    Attributes:
        topic: 'gate', 'silent' (σ is 0, the error is not), 'accuracy', 'overconfidence',
            'threshold', 'correlation', 'ranking', 'members' or 'caution'.
        text: The sentence, with numbers and units.
    """

    topic: str
    text: str


def find(
    domains: Mapping[str, Scalars],
    parameters: Mapping[str, Any],
    caps: Sequence[tuple[str, str, str]] = (),
) -> list[Finding]:
    """Return what an audit found, the most important first.

    Args:
        domains: Scalars by name, by domain; values may be None or missing.
        parameters: Choices of the audit.
        caps: What each gate that failed caps, its reason and its remedy, see `gates.caps`.

    Returns:
        Sentences; only those whose numbers exist.
    """
    names = {name: named(name, scalars) for name, scalars in domains.items()}
    trained = [names[one] for one in parameters.get('training_domains', ()) if one in names]
    domains = {names[name]: scalars for name, scalars in domains.items()}
    new = [name for name in domains if name not in trained]
    ddof, label = parameters.get('ddof', 0), width_label(parameters)
    prefixes = [p for p in QUANTITIES if any(f'{p}_rmse' in s for s in domains.values())]
    found = [
        Finding('gate', f'Nothing below is a verdict on {what}: {why}. To do: {remedy}.')
        for what, why, remedy in caps
    ]
    for prefix in prefixes:
        found += _silent(domains, prefix, label)
    found += [Finding('accuracy', text) for text in _accuracy(domains, trained)]
    for prefix in prefixes:
        where = 'Outside the training domains the' if trained else 'The'
        found += _overconfidence(domains, new, prefix, label, where)
    for prefix in prefixes:
        found += _overconfidence(domains, trained, prefix, label, 'In the training domains the')
    for prefix in prefixes[:2]:
        found += _threshold(domains, new, prefix, label)
    for prefix in prefixes:
        if prefix != 'aligned':
            found += _correlation(domains, trained or list(domains), prefix)
    found += _ranking(domains, prefixes)
    found += _members(domains, trained or list(domains), ddof)
    found += [Finding('caution', text) for text in cautions(domains, parameters)]
    # the first of every kind before the second of any
    seen: dict[str, int] = {}
    ranks = []
    for finding in found:
        ranks.append(seen.get(finding.topic, 0))
        seen[finding.topic] = ranks[-1] + 1
    order = sorted(range(len(found)), key=lambda index: (ranks[index], index))
    return [found[index] for index in order]


def verdict(scalars: Scalars, prefix: str) -> str:
    """Say in a word whether σ tells the size of the error in one domain, by the exact test.

    Args:
        scalars: Scalars of the domain.
        prefix: 'energy', 'aligned' or 'force'.

    Returns:
        'overconfident' or 'underconfident' if RMSE/σ is larger or smaller than that of an honest
        ensemble, at the level `exchange.LEVEL` for either; 'consistent' if it is neither;
        'undecided' where there are too few members for that level, or nothing to test.
    """
    high, low = (scalars.get(f'{prefix}_rmse_over_spread_p_{end}') for end in ('high', 'low'))
    members = int(scalars.get('n_members') or 0)
    if high is None or low is None or attainable_level(members) is None:
        return 'undecided'
    if high <= LEVEL:
        return 'overconfident'
    return 'underconfident' if low <= LEVEL else 'consistent'


def _accuracy(domains: Mapping[str, Scalars], trained: Sequence[str]) -> list[str]:
    sentences = []
    best = _extreme(domains, list(domains), 'force_mae', min)
    for name in trained or ([] if best is None else [best]):
        scalars = domains[name]
        force, energy = amount(scalars, 'force', 'mae'), amount(scalars, 'energy', 'mae')
        if energy is None:
            continue
        role = 'trained on' if trained else 'the most accurate domain'
        text = f'In {name} ({role}, {plural(scalars["n_configurations"], "configuration")}) the '
        text += f'mean of {scalars["n_members"]} members has an energy MAE of {energy}'
        if force is not None:
            share = scalars.get('force_relative_mae')
            text += f' and a force MAE of {force}'
            text += f', {share:.1%} of the force RMS' if share is not None else ''
        sentences.append(text + '.')
    return sentences


def _silent(domains: Mapping[str, Scalars], prefix: str, label: str) -> list[Finding]:
    """Name the worst case: members that agree to the last digit, and are wrong."""
    silent = [name for name, scalars in domains.items() if _is_silent(scalars, prefix)]
    errors = {name: float(domains[name][f'{prefix}_rmse'] or 0) for name in silent}
    if not errors:
        return []
    worst = max(errors, key=lambda name: errors[name])
    text = f'{label} of the {QUANTITIES[prefix][2]} is 0 throughout {", ".join(errors)}, the error '
    text += f'is not: RMSE {amount(domains[worst], prefix, "rmse")} in {worst}. The members agree '
    text += 'to the last digit and are wrong; no factor repairs a width of 0.'
    return [Finding('silent', text)]


def _is_silent(scalars: Scalars, prefix: str) -> bool:
    return is_silent(scalars.get(f'{prefix}_spread_rms'), scalars.get(f'{prefix}_rmse'))


def _overconfidence(
    domains: Mapping[str, Scalars], names: Sequence[str], prefix: str, label: str, where: str
) -> list[Finding]:
    key = f'{prefix}_rmse_over_spread'
    known = [name for name in names if not _is_silent(domains[name], prefix)]
    ratios = {n: r for n in known if (r := domains[n].get(key)) is not None}
    if not ratios:
        return []
    worst = max(ratios, key=lambda name: ratios[name])
    scalars = domains[worst]
    verdicts = [verdict(domains[name], prefix) for name in ratios]
    order = sorted(ratios, key=lambda name: -ratios[name])
    larger = [n for n in order if ratios[n] > (domains[n].get('expected_rmse_over_spread') or 1)]
    silent = [name for name in names if name not in known]
    over = silent + larger
    text = f"{where} {QUANTITIES[prefix][2]} error exceeds σ's estimate in {len(over)} of "
    text += plural(len(ratios) + len(silent), 'domain')
    text += f' ({listed(over, MOST)})' if over else ''
    if rest := len(names) - len(ratios) - len(silent):
        text += f' ({rest} more {"has" if rest == 1 else "have"} nothing to compare)'
    decided = len(verdicts) - verdicts.count('undecided')
    text += f', by the exact test at {LEVEL:.0%} {_named(ratios, verdicts)}' if decided else ''
    text += f'; the largest ratio is in {worst}: '
    error, width = (amount(scalars, prefix, name) for name in ('rmse', 'spread_rms'))
    text += f'RMSE {error} against an rms {label} of {width}, ' if error and width else ''
    text += f'{number(ratios[worst])} times'
    coverage, expected = (
        scalars.get(f'{prefix}_cone_coverage'),
        scalars.get('expected_cone_coverage'),
    )
    if coverage is not None and expected is not None:
        text += f', with |ε| ≤ σ in {coverage:.0%} of the samples where an honest ensemble of '
        text += f'{scalars["n_members"]} would have {expected:.0%}'
    p = scalars.get(f'{prefix}_rmse_over_spread_p_high')
    if p is not None:
        text += f' (exact test: {chance(p, scalars["n_members"])})'
    return [Finding('overconfidence', text + '.')]


def _named(ratios: Mapping[str, float], verdicts: Sequence[str]) -> str:
    over = [n for n, word in zip(ratios, verdicts, strict=True) if word == 'overconfident']
    return f'in {", ".join(over)}' if over else 'in none'


def _threshold(
    domains: Mapping[str, Scalars], names: Sequence[str], prefix: str, label: str
) -> list[Finding]:
    shares = {n: s for n in names if (s := domains[n].get(f'{prefix}_flagged')) is not None}
    if not shares:
        return []
    at = (
        f', {limit}'
        if (limit := amount(domains[next(iter(shares))], prefix, 'spread_threshold'))
        else ''
    )
    wholly = [name for name, share in shares.items() if share == 1]
    partly = [name for name, share in shares.items() if 0 < share < 1]
    symbol, _, note = label.partition(' (')
    note = f' ({note}' if note else ''
    text = f'The rule "flag what has {symbol} of the {QUANTITIES[prefix][2]}{note} above the '
    text += f'largest of the training domains{at}" flags '
    never = [name for name in shares if name not in wholly + partly]
    some = {'all of': wholly, 'some of': partly, 'nothing of': never}
    text += '; '.join(f'{how} {listed(few, MOST)}' for how, few in some.items() if few)
    accurate = flagged = 0.0
    for name, share in shares.items():
        flagged += (count := share * float(domains[name]['n_configurations'] or 0))
        accurate += count * float(domains[name].get(f'{prefix}_flagged_accurate') or 0)
    if flagged:
        tolerated = amount(domains[next(iter(shares))], prefix, 'error_threshold')
        text += f'; {round(accurate)} of the {round(flagged)} flagged configurations err no more '
        text += 'than the worst one of the training domains'
        text += f' ({tolerated})' if tolerated else ''
    return [Finding('threshold', text + '.')]


def _correlation(
    domains: Mapping[str, Scalars], names: Sequence[str], prefix: str
) -> list[Finding]:
    enough = [n for n in names if (domains[n].get('n_configurations') or 0) >= MIN_SAMPLES]
    name = _extreme(domains, enough, f'{prefix}_member_correlation_mean', max)
    if name is None:
        return []
    scalars = domains[name]
    mean, std = (scalars.get(f'{prefix}_member_correlation_{end}') for end in ('mean', 'std'))
    pooled, predicted, seen = (
        scalars.get(f'{prefix}_{key}')
        for key in (
            'identity_correlation',
            'rmse_over_spread_from_correlation',
            'rmse_over_spread',
        )
    )
    text = f"In {name} the members' {QUANTITIES[prefix][2]} errors are correlated by "
    text += f'{mean:.3f}' + ('' if std is None else f' ± {std:.3f}')
    text += f' over {plural(_pairs(scalars), "pair")}'
    if pooled is not None and predicted is not None and seen is not None:
        text += f'; what they share (ρ̄ = {pooled:.2f}) cannot show in σ and alone makes RMSE/σ '
        text += f'{predicted:.2f}, where {seen:.2f} is found'
    return [Finding('correlation', text + '.')]


def _ranking(domains: Mapping[str, Scalars], prefixes: Sequence[str]) -> list[Finding]:
    found = []
    for prefix in prefixes:
        known = {
            name: (float(own), float(best), float(p))
            for name, scalars in domains.items()
            if (scalars.get('n_configurations') or 0) >= MIN_SAMPLES
            and (own := scalars.get(f'{prefix}_rank_correlation')) is not None
            and (best := scalars.get(f'{prefix}_rank_correlation_honest')) is not None
            and (p := scalars.get(f'{prefix}_rank_correlation_p_low')) is not None
        }
        if not known:
            continue
        least = min(known, key=lambda name: (known[name][2], known[name][0] - known[name][1]))
        own, best, p = known[least]
        members = domains[least].get('n_members')
        text = f'Of {plural(len(known), "domain")} σ ranks the {QUANTITIES[prefix][2]} errors '
        text += f'worst, against an honest ensemble, in {least}: Spearman {own:.2f} where it would '
        text += f'have {best:.2f} (exact test: {chance(p, members)})'
        if attainable_level(int(members or 0)) is not None:
            shown = [name for name, one in known.items() if one[2] <= LEVEL]
            text += f'; at {LEVEL:.0%} it is shown in {", ".join(shown) if shown else "none"}'
        found.append(Finding('ranking', text + '.'))
    return found


def _members(domains: Mapping[str, Scalars], names: Sequence[str], ddof: int) -> list[Finding]:
    name = _extreme(domains, names, 'force_spread_growth', max)
    expected = None if name is None else domains[name].get('expected_spread_growth')
    if name is None or expected is None:
        return []
    growth = domains[name]['force_spread_growth']
    text = f'From {SMALL_ENSEMBLE} to {domains[name]["n_members"]} members σ of the forces (ddof '
    text += f'{ddof}) grows {growth:.2f}-fold in {name}; independent Gaussian members would make '
    return [Finding('members', text + f'it {expected:.2f}-fold.')]


def _extreme(
    domains: Mapping[str, Scalars], names: Sequence[str], key: str, choose: Any
) -> str | None:
    known = {name: v for name in names if (v := domains[name].get(key)) is not None}
    return str(choose(known, key=lambda name: known[name])) if known else None


def _pairs(scalars: Scalars) -> int:
    members = int(scalars['n_members'] or 0)
    return members * (members - 1) // 2
