"""Which estimator serves best in each domain: widths, judged where none of them has learnt."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from aiida_enne.science.fields import Floats, Integers
from aiida_enne.science.uncertainty import ensemble
from aiida_enne.science.uncertainty.estimators import Asked, make_estimator
from aiida_enne.science.uncertainty.features import Features
from aiida_enne.science.uncertainty.options import AuditOptions
from aiida_enne.science.uncertainty.rule import NOMINAL, Row
from aiida_enne.science.uncertainty.samples import Samples, some_of
from aiida_enne.science.uncertainty.scores.bootstrap import MIN_BLOCKS, mean_interval
from aiida_enne.science.uncertainty.scores.levels import width_factor
from aiida_enne.science.uncertainty.scores.proper import interval_score
from aiida_enne.science.uncertainty.transfer import halves
from aiida_enne.science.uncertainty.wording import QUANTITIES, listed, number

#: Name and options of every estimator; those with a level are intervals.
RIVALS: tuple[tuple[str, dict[str, Any]], ...] = (
    ('ensemble', {}),
    ('finite', {'level': NOMINAL}),
    ('recalibrated', {}),
    ('conformal', {'score': 'spread', 'level': NOMINAL}),
    ('conformal', {'score': 'absolute', 'level': NOMINAL}),
    ('conformal', {'score': 'leverage', 'level': NOMINAL}),
    ('llpr', {}),
    ('left_out', {}),
    ('snapshots', {}),
    ('mahalanobis', {}),
    ('neighbours', {}),
    ('mixture', {}),
)
#: Chance that one is called best of several that are equally good.
CHANCE = 0.05


@dataclass(frozen=True, slots=True)
class Best:
    """How the estimators compare in one domain.

    Attributes:
        scores: Mean interval score of each at `NOMINAL`, in the unit of ε, the lowest first.
        name: The best one; None where nothing tells it from another.
        reason: What tells it apart, or why it is undecided.
    """

    scores: dict[str, float]
    name: str | None
    reason: str


def rival_name(name: str, options: Mapping[str, Any]) -> str:
    """Return how an estimator with options is called: 'conformal, spread'."""
    return ', '.join([name, *(str(one) for key, one in options.items() if key == 'score')])


def half_widths(samples: Asked, learnt: NDArray[np.bool_]) -> dict[str, Floats]:
    """Return the half-widths of every estimator that these samples allow, each (n,), by its name.

    `finite` is left out: it is the interval of `ensemble`.

    Args:
        samples: Labelled samples of one quantity.
        learnt: Which of them those that learn may learn from, shape (n,).
    """
    found = {}
    for name, options in RIVALS:
        estimator = make_estimator(name, options)
        factor = width_factor(estimator, len(samples.members), NOMINAL)
        if factor is None or name == 'finite':
            continue
        known = samples.select(learnt) if estimator.calibrated else None
        try:
            values = estimator.fit(known)(replace(samples, reference=None))
        except ValueError:  # too few blocks, no labels, no features: it does not compete
            continue
        found[rival_name(name, options)] = factor * values
    return found


def find_best(
    samples: Asked, trained: Sequence[int], quantity: str, *, n_bootstrap: int = 1000, seed: int = 0
) -> dict[int, Best]:
    """Return the best estimator in each domain, by its number.

    Those that learn from labels learn from all held-out samples of the domains trained on; where
    these are judged themselves, from every other block of each, and all are judged on the rest.
    The best has the lowest mean interval score, and for every other the t interval of the
    difference over blocks, at 1 - `CHANCE` over the number of others, lies above 0.

    Args:
        samples: Labelled samples of one quantity, with `domain`; features if there are any.
        trained: Numbers of the domains trained on.
        quantity: 'energy', 'aligned' or 'force'.
        n_bootstrap: Resamplings of blocks.
        seed: Of these.
    """
    domain = np.asarray(samples.domain)
    inside = np.isin(domain, trained)
    first = np.zeros(len(samples), dtype=bool)
    for one in trained:
        own = np.flatnonzero(domain == one)
        first[own] = halves(samples.block[own])[0]
    error = ensemble.error(samples.members, np.asarray(samples.reference))
    outside, within = (half_widths(samples, learnt) for learnt in (inside, first))
    found = {}
    for one in np.unique(domain).tolist():
        judged = (domain == one) & ~first
        widths = within if one in trained else outside
        scores = {
            name: interval_score(error[judged], width[judged], NOMINAL)
            for name, width in widths.items()
        }
        found[one] = compare_scores(scores, samples.block[judged], quantity, (n_bootstrap, seed))
    return found


def compare_scores(
    scores: Mapping[str, Floats], block: Integers, quantity: str, drawing: tuple[int, int]
) -> Best:
    """Return the best of several estimators of the same samples.

    Args:
        scores: Interval scores of each, shape (n,), in the unit of the quantity.
        block: Number of the independent block of each sample, shape (n,).
        quantity: 'energy', 'aligned' or 'force'.
        drawing: Resamplings of blocks, and their seed.
    """
    n_blocks = len(np.unique(block))
    if not n_blocks:
        return Best({}, None, 'too few blocks to learn from one half and judge the other')
    means = {name: float(each.mean()) for name, each in scores.items()}
    means = dict(sorted(means.items(), key=lambda item: item[1]))
    first, *others = means
    unit, factor, _ = QUANTITIES[quantity]
    said = ', '.join(f'{name} {number(factor * mean)}' for name, mean in means.items())
    said = f'interval scores at {NOMINAL:.0%} in {unit}: {said}'
    if not others:
        return Best(means, None, f'there is no other width than that of {first}')
    if n_blocks < MIN_BLOCKS:
        few = f'{n_blocks} independent block{"s" * (n_blocks != 1)} to judge on'
        return Best(means, None, f'{few}, {MIN_BLOCKS} are needed; {said}')
    level = 1 - CHANCE / len(others)
    alike = [
        name
        for name in others
        if not mean_interval(scores[name] - scores[first], block, *drawing, level)[0] > 0
    ]
    if alike:
        return Best(means, None, f'{first} is not told from {listed(alike)}; {said}')
    return Best(means, first, said)


def find_all(
    quantities: Mapping[str, Samples],
    names: Sequence[str],
    options: AuditOptions,
    features: Features | None = None,
    counts: Integers | None = None,
) -> dict[tuple[str, str], Best]:
    """Return the best estimator by domain and quantity; features are those of energies.

    Args:
        quantities: Samples by quantity, see `samples.gather`.
        names: Domains in the order of their numbers.
        options: Choices of the audit: domains trained on, samples, resamplings.
        features: Last-layer features of the configurations, where predictions hold them.
        counts: Atoms of each configuration, shape (n,); needed with features.
    """
    trained = [number for number, name in enumerate(names) if name in options.training_domains]
    found: dict[tuple[str, str], Best] = {}
    for quantity, samples in quantities.items():
        asked = Asked(
            samples.members,
            samples.block,
            samples.reference,
            domain=samples.domain,
            snapshots=samples.snapshots,
        )
        if features is not None and counts is not None and quantity in ('energy', 'aligned'):
            own, known = features.frames(counts)
            asked = replace(
                asked,
                features=own,
                trained=known,
                trained_errors=features.trained_errors,
                trained_group=features.trained_groups,
            )
        at = [
            some_of((samples.domain == number) & samples.counts, options)
            for number in range(len(names))
        ]
        asked = asked.select(np.concatenate(at))
        if not len(asked):
            continue
        several = find_best(
            asked, trained, quantity, n_bootstrap=options.n_bootstrap, seed=options.seed
        )
        found |= {(names[number], quantity): one for number, one in several.items()}
    return found


def add_best(rows: Sequence[Row], found: Mapping[tuple[str, str], Best]) -> list[Row]:
    """Return verdicts with the best estimator of each domain and quantity, where one is known."""
    return [_with(row, found.get((row.domain, row.quantity))) for row in rows]


def _with(row: Row, best: Best | None) -> Row:
    if best is None:
        return row
    return replace(row, best=best.name, best_reason=best.reason, estimators=best.scores)
