"""A few numbers of a crystal with σ, the reference beside them, and whether it lies among them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from aiida_enne.science.fields import Floats
from aiida_enne.science.properties.elastic import Elastic
from aiida_enne.science.properties.phonons import Phonons
from aiida_enne.science.uncertainty import ensemble
from aiida_enne.science.uncertainty.ensemble import PAPER_DDOF, OfMembers
from aiida_enne.science.uncertainty.exchange import (
    LEVEL,
    attainable_level,
    exchange,
    members_needed,
)
from aiida_enne.science.uncertainty.scores.calibration import finite_factor
from aiida_enne.science.uncertainty.wording import chance

Outcome = Literal['holds', 'does not hold', 'undecided']
#: Share of honest references that lie inside the interval of one number.
INSIDE = 0.9
#: Frequencies that symmetry makes equal differ by less than this, THz.
DEGENERATE = 0.02
#: Modes that move all atoms alike, at Γ.
ACOUSTIC = 3


@dataclass(frozen=True)
class Stated(OfMembers):
    """Numbers of one crystal, every one of a member its own.

    Attributes:
        crystal: Its name.
        unit: Of all numbers.
        names: Of the k numbers.
        reference: Of the reference, shape (k,); None where nothing is labelled.
        members: Of the members, shape (M, k).
        ddof: See `ensemble.spread`.
    """

    crystal: str
    unit: str
    names: Sequence[str]
    reference: Floats | None
    members: Floats
    ddof: int = PAPER_DDOF

    @property
    def widths(self) -> Floats:
        """Half-widths of the 90 % interval for a truth that is one more member, shape (k,)."""
        return _widths(self.members)


@dataclass(frozen=True, slots=True)
class Claim:
    """Whether the reference lies among the members, as it would if it were one more of them.

    Attributes:
        text: What is claimed.
        outcome: 'holds', 'does not hold' or 'undecided'.
        sentence: What was found, and why it is open where it is.
        threshold: By which rule it is judged.
    """

    text: str
    outcome: Outcome
    sentence: str
    threshold: str


def of_elastic(elastic: Elastic) -> Stated:
    """Return the constants that differ, each the mean of its equals, in GPa."""
    groups = elastic.distinct

    def means(constants: Floats) -> Floats:
        found = [constants[..., i, j] for i, j in (np.array(one).T for one in groups.values())]
        return np.stack([one.mean(axis=-1) for one in found], axis=-1)

    reference = None if elastic.reference is None else means(elastic.reference)
    members = means(elastic.members)
    return Stated(elastic.name, 'GPa', list(groups), reference, members, elastic.ddof)


def of_phonons(phonons: Phonons) -> Stated:
    """Return the frequencies at the points of high symmetry, each the mean of its equals, in THz.

    At Γ the three modes that move all atoms alike are left out: they cost nothing.
    """
    names: list[str] = []
    members, reference = [], []
    for point, at in phonons.points.items():
        known = at.members if at.reference is None else np.vstack([at.members, at.reference])
        first = ACOUSTIC if point == 'Γ' else 0
        for low, high in _equals(known, first):
            number = f'{low + 1}' if high == low + 1 else f'{low + 1}–{high}'
            names.append(f'{point} {number}')
            members.append(at.members[:, low:high].mean(axis=1))
            if at.reference is not None:
                reference.append(float(at.reference[low:high].mean()))
    true = np.array(reference) if reference else None
    own = np.stack(members, axis=1) if members else np.empty((len(phonons.members), 0))
    return Stated(phonons.name, 'THz', names, true, own, phonons.ddof)


def claim(stated: Stated, what: str, blocked: str = '') -> Claim:
    """Judge whether the reference is like one more member in all numbers together.

    It does not hold where the largest |ε| in units of the members' spread is larger than honest
    ensembles have by the exact test of exchangeability. It holds where the test could have shown
    that, did not, and every number lies within its 90 % interval of finite M. Else it is open.

    Args:
        stated: The numbers.
        what: What they are: 'elastic constants'.
        blocked: Why nothing may be judged, whatever the numbers; empty where it may.
    """
    text = f'The reference has {what} of {stated.crystal} like one more member'
    rule = f'largest |ε|/σ not above that of honest ensembles at the {LEVEL:.0%} level (exact '
    rule += f'test), and each number inside the {INSIDE:.0%} interval of M members'
    outcome, sentence = _judge(stated)
    if blocked:
        outcome, sentence = 'undecided', f'{sentence} It is not judged, since {blocked}.'
    return Claim(text, outcome, sentence, rule)


def _judge(stated: Stated) -> tuple[Outcome, str]:
    if stated.reference is None:
        why = 'There is no reference on these cells: give an engine that labels them.'
        return 'undecided', why
    if not len(stated.names):
        return 'undecided', 'There is no number to judge.'
    inside = np.abs(stated.error) <= stated.widths
    said = f'{int(inside.sum())} of {len(inside)} numbers lie inside'
    test = exchange(stated.members, stated.reference, _largest)
    if test is None:
        return 'undecided', f'{said}; the test is not defined: members agree to the last digit.'
    said += f'; the largest |ε| is {test.truth:.3g} s, an honest ensemble would have '
    said += f'{test.median:.3g} ({chance(test.p_high, test.n_members)})'
    if attainable_level(test.n_members) is None:
        why = f'{test.n_members} members can never show a difference at the {LEVEL:.0%} level'
        return 'undecided', f'{said}: {why}; {members_needed()} or more members can.'
    if test.p_high <= LEVEL:
        return 'does not hold', f'{said}.'
    if inside.all():
        return 'holds', f'{said}.'
    return 'undecided', f'{said}: some lie outside, yet chance does as much; more members would do.'


def _largest(members: Floats, truth: Floats) -> float:
    """Return the largest |ε| in units of the members' own spread; NaN where that is 0."""
    spread = ensemble.spread(members, ddof=1)
    if not (spread > 0).all():
        return float('nan')
    return float((np.abs(ensemble.error(members, truth)) / spread).max())


def _widths(members: Floats) -> Floats:
    widths: Floats = finite_factor(len(members), INSIDE, 1) * ensemble.spread(members, ddof=1)
    return widths


def _equals(known: Floats, first: int) -> Iterator[tuple[int, int]]:
    """Yield where modes that all potentials have equal begin and end, from frequencies (k, n)."""
    low = first
    for high in range(first + 1, known.shape[1] + 1):
        last = high == known.shape[1]
        if last or (np.abs(known[:, high] - known[:, high - 1]) > DEGENERATE).any():
            yield low, high
            low = high
