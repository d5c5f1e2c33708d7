"""Synthetic ensembles with known answers: how often is the rule of the verdict right?"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from aiida_enne.science.fields import Floats
from aiida_enne.science.uncertainty import ensemble
from aiida_enne.science.uncertainty.estimators import Asked
from aiida_enne.science.uncertainty.gates import alpha_gate, outlier_gate, training_gate
from aiida_enne.science.uncertainty.rule import Word
from aiida_enne.science.uncertainty.verdict import Case, judge_case

#: τ of the simulations, far below every error: what is judged is σ alone.
TOLERANCE = 1e-6


@dataclass(frozen=True, slots=True)
class Scenario:
    """One kind of ensemble on a domain that it was not trained on.

    Attributes:
        name: What it is.
        right: Verdicts that are right.
        draw: Returns errors of M members in the domain, from a generator, M and the numbers of
            blocks and of samples in a block.
        train: The same for the domain that the ensemble was trained on.
        blocks: Blocks of the new domain; None for the number asked for.
    """

    name: str
    right: tuple[Word, ...]
    draw: Callable[[np.random.Generator, int, int, int], Floats]
    train: Callable[[np.random.Generator, int, int, int], Floats]
    blocks: int | None = None


def honest(
    rng: np.random.Generator, members: int, blocks: int, each: int, *, tail: float | None = None
) -> Floats:
    """Return errors of an ensemble whose truth is one more member, shape (M, blocks × each).

    Half of the variance is one offset by block; sizes vary by block, too. With a `tail` the noise
    follows Student's t with so many degrees of freedom.
    """
    shape = (members + 1, blocks, each)
    size = np.exp(0.4 * rng.normal(size=(1, blocks, 1)))

    def noise(*wanted: int) -> Floats:
        drawn = rng.normal(size=wanted) if tail is None else rng.standard_t(tail, size=wanted)
        return np.asarray(drawn)

    potentials = size * (noise(members + 1, blocks, 1) + noise(*shape)) / np.sqrt(2)
    flat = potentials.reshape(members + 1, -1)
    errors: Floats = flat[1:] - flat[0]
    return errors


def shared(
    rng: np.random.Generator, members: int, blocks: int, each: int, *, factor: float = 3.0
) -> Floats:
    """Return the same with an error that all members share, `factor` times as large as their own.

    It is one offset of the whole domain and as much again by block.
    """
    size = factor * (rng.choice([-1.0, 1.0]) + 0.5 * rng.normal(size=(1, blocks)))
    errors: Floats = honest(rng, members, blocks, each) + np.repeat(size, each, axis=1)
    return errors


def narrow(
    rng: np.random.Generator, members: int, blocks: int, each: int, *, factor: float = 4.0
) -> Floats:
    """Return the same with members that differ `factor` times less than they should."""
    errors = honest(rng, members, blocks, each)
    mean = ensemble.mean(errors)
    narrowed: Floats = mean + (errors - mean) / factor
    return narrowed


def wide(rng: np.random.Generator, members: int, blocks: int, each: int) -> Floats:
    """Return the same with members that differ four times more than they should."""
    return narrow(rng, members, blocks, each, factor=0.25)


def heavy(rng: np.random.Generator, members: int, blocks: int, each: int) -> Floats:
    """Return the errors of an honest ensemble with heavy tails (Student's t of 3 degrees)."""
    return honest(rng, members, blocks, each, tail=3.0)


def offset(
    rng: np.random.Generator, members: int, blocks: int, each: int, *, factor: float = 5.0
) -> Floats:
    """Return the errors of an honest ensemble of potentials with one large offset each.

    A zero of energy is such an offset: it is one draw, however many samples and blocks there are.
    """
    own = factor * rng.normal(size=(members + 1, 1))
    errors: Floats = honest(rng, members, blocks, each) + own[1:] - own[0]
    return errors


SCENARIOS = (
    Scenario('truth like a member', ('believe',), honest, honest),
    Scenario('the same, heavy tails', ('believe',), heavy, heavy),
    Scenario('the same, one large offset each', ('believe', 'cannot say'), offset, offset),
    Scenario('shared bias, 3 × σ', ('do not believe',), shared, honest),
    Scenario('σ four times too small', ('do not believe',), narrow, honest),
    Scenario('σ four times too large', ('cannot say',), wide, honest),
    Scenario('one block, truth like a member', ('cannot say',), honest, honest, 1),
    Scenario('one block, shared bias', ('cannot say', 'do not believe'), shared, honest, 1),
    Scenario('untrained: shared bias everywhere', ('cannot say',), shared, shared),
)

#: Verdicts in the order of the columns of a confusion table.
WORDS: tuple[Word, ...] = ('believe', 'do not believe', 'cannot say')


def confusion(
    members: int, blocks: int, each: int, repeats: int, seed: int = 0
) -> dict[str, dict[Word, float]]:
    """Return the share of every verdict by scenario.

    Args:
        members: M.
        blocks: Independent blocks of each domain.
        each: Samples in a block.
        repeats: Ensembles drawn of each scenario.
        seed: The same arguments always give the same table.
    """
    found: dict[str, dict[Word, float]] = {}
    for number, one in enumerate(SCENARIOS):
        rng = np.random.default_rng([seed, number])
        words = [_verdict(one, rng, members, blocks, each) for _ in range(repeats)]
        found[one.name] = {word: words.count(word) / repeats for word in WORDS}
    return found


def _verdict(
    scenario: Scenario, rng: np.random.Generator, members: int, blocks: int, each: int
) -> Word:
    known = scenario.train(rng, members, blocks, each)
    held_out, number = _asked(known, blocks, each), scenario.blocks or blocks
    new = scenario.draw(rng, members, number, each)
    gates = [
        training_gate(None, TOLERANCE),
        outlier_gate(known),
        alpha_gate(known, held_out.block, 'the domain trained on'),
    ]
    judged = Case('new', 'energy', _asked(new, number, each))
    return judge_case(judged, [held_out], TOLERANCE, gates).verdict


def _asked(errors: Floats, blocks: int, each: int) -> Asked:
    block = np.repeat(np.arange(blocks), each).astype(np.int64)
    return Asked(errors, block, np.zeros(errors.shape[1]))
