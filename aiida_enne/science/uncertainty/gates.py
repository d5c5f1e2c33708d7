"""Gates before any verdict: is the ensemble trained, and is it one ensemble at all?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from aiida_enne.science.fields import Floats, Integers
from aiida_enne.science.uncertainty import ensemble
from aiida_enne.science.uncertainty.exchange import exchange, is_extreme, some_columns
from aiida_enne.science.uncertainty.features import mean_by
from aiida_enne.science.uncertainty.fit import Fit
from aiida_enne.science.uncertainty.scores.accuracy import rms
from aiida_enne.science.uncertainty.scores.bootstrap import MIN_BLOCKS
from aiida_enne.science.uncertainty.scores.calibration import expected_rmse_over_spread
from aiida_enne.science.uncertainty.wording import QUANTITIES, chance, plural

State = Literal['passed', 'failed', 'unknown']

#: A member whose rms distance from the others' mean is this many times the median one's is an
#: outlier. For one sample of 30 normal members chance alone does it in 2 % of cases.
OUTLIER = 6.0
#: RMSE/σ on the domains trained on, over its expectation, in which σ needs no recalibration.
ALPHA = (0.5, 2.0)
#: A closed-form refit of the last layer that leaves less than this share of the training error
#: says that the training has not ended.
REFIT = 0.5
#: Share of the epochs that are the last ones, as one in so many.
LAST = 10
#: Gain in these from which a training had not ended.
STILL = 0.05
#: With fewer epochs nothing has been trained.
MIN_EPOCHS = 10


@dataclass(frozen=True, slots=True)
class Gate:
    """One condition without which no verdict on σ means anything.

    Attributes:
        name: 'training', 'refit', 'epochs', 'outliers' or 'alpha'.
        state: 'failed' caps every verdict at "cannot say" and every claim at "undecided".
        reason: What was found, with numbers; what is missing where it is unknown.
        remedy: What to do about it; empty where it is passed.
        quantity: Of which alone it caps verdicts and claims; empty where it caps all.
    """

    name: str
    state: State
    reason: str
    remedy: str = ''
    quantity: str = ''

    def as_dict(self) -> dict[str, Any]:
        """Return plain values, fit for JSON."""
        return {
            'name': self.name,
            'state': self.state,
            'reason': self.reason,
            'remedy': self.remedy,
        } | ({'quantity': self.quantity} if self.quantity else {})


def failed(gates: Sequence[Gate]) -> list[Gate]:
    """Return the gates that cap all verdicts."""
    return [gate for gate in gates if gate.state == 'failed']


def caps(gates: Mapping[str, Sequence[Gate]]) -> list[tuple[str, str, str]]:
    """Return of each failed gate, once, whose σ it caps, its reason and its remedy, for findings.

    Args:
        gates: By quantity.
    """
    nouns: dict[tuple[str, str], list[str]] = {}
    for quantity, several in gates.items():
        for gate in failed(several):
            nouns.setdefault((gate.reason, gate.remedy), []).append(QUANTITIES[quantity][2])
    return [
        (f'σ of {" and ".join(some)}' if len(some) < len(gates) else 'σ', *gate)
        for gate, some in nouns.items()
    ]


def training_gate(trained: Fit | None, tolerance: float, held_out: Fit | None = None) -> Gate:
    """Return whether the mean of the members fits the frames that it was trained on.

    It fails where the RMSE of any domain trained on, or of any density of it, is larger than what
    the user tolerates: there the error that all members share is one of the training, and σ cannot
    see it. Members that saw different frames have no mean: the median member is judged.

    Args:
        trained: Errors on training frames; None where nobody predicted them. Those of forces cap
            verdicts on forces alone.
        tolerance: τ in the unit of the errors.
        held_out: Errors on other frames of these domains, for the reason.
    """
    if trained is None or not len(trained):
        return Gate(
            'training',
            'unknown',
            'no predictions of training frames',
            'let the members predict some of them: audit anew with `fit_frames` 100, say',
        )
    found = trained.by_group()
    worst = max(found, key=lambda name: found[name][0])
    error, members = found[worst]
    unit, factor, _ = QUANTITIES[trained.quantity]
    text = f'RMSE {factor * error:.3g} {unit} on training frames of {worst}'
    text += f' (members {factor * min(members):.3g} to {factor * max(members):.3g}), '
    if held_out is not None and worst in (others := held_out.by_group(least=1)):
        text += f'{factor * others[worst][0]:.3g} on held-out ones, '
    text += f'tolerated {factor * tolerance:.3g}'
    only = '' if trained.quantity == 'energy' else trained.quantity
    if error <= tolerance:
        return Gate('training', 'passed', text, quantity=only)
    return Gate('training', 'failed', text, 'train longer, or a larger model', only)


def unfitted_gate(quantity: str) -> Gate:
    """Return that nothing is known of the training errors of a quantity that is judged."""
    reason = f'errors of the {QUANTITIES[quantity][2]} on training frames are not known'
    return Gate('training', 'unknown', f'{reason}: no gate asks for them', quantity=quantity)


def refit_gate(features: Floats, counts: Integers, errors: Floats, ridge: float = 1e-6) -> Gate:
    """Return whether a closed-form refit of the last layer fits training energies far better.

    Args:
        features: Of the atoms of the training frames, shape (M, K, f).
        counts: Atoms of each of these frames, shape (n,).
        errors: Errors of the members in energy per atom there, shape (M, n), eV/atom.
        ridge: In units of the mean of the diagonal of the normal matrix.
    """
    before = [rms(one) for one in errors]
    after = []
    for own, error in zip(mean_by(features, counts), errors, strict=True):
        design = np.column_stack([own, np.ones(len(own))])
        scale = np.sqrt(np.mean(design**2, axis=0))
        design = design / np.where(scale > 0, scale, 1.0)
        normal = design.T @ design
        normal += ridge * np.trace(normal) / len(normal) * np.eye(len(normal))
        after.append(rms(error - design @ np.linalg.solve(normal, design.T @ error)))
    text = f'a refit of the last layer takes the training RMSE from {1000 * np.median(before):.3g} '
    text += f'to {1000 * np.median(after):.3g} meV/atom (medians of {len(errors)} members)'
    enough = len(counts) >= 3 * (features.shape[2] + 1)
    if not enough:
        few = f'{len(counts)} training frames are too few to refit {features.shape[2] + 1} weights'
        return Gate('refit', 'unknown', few, 'predict more of the training frames')
    if np.median(after) < REFIT * np.median(before):
        return Gate('refit', 'failed', text, 'train longer: the last layer alone can still learn')
    return Gate('refit', 'passed', text)


def epochs_gate(histories: Sequence[Floats]) -> Gate:
    """Return whether the members' trainings had ended: the last epochs did not improve them.

    Args:
        histories: Validation error of each member by epoch, one array of any length a member.
    """
    known = [one for one in histories if len(one)]
    if not known:
        missing = 'the histories of the trainings are not here'
        return Gate(
            'epochs', 'unknown', missing, 'audit models whose trainings are in this profile'
        )
    short = min(map(len, known))
    if short < MIN_EPOCHS:
        text = f'a training of {short} epochs'
        return Gate('epochs', 'failed', text, f'train {MIN_EPOCHS} epochs or more')
    gains = []
    for one in known:
        before = float(np.min(one[: len(one) - max(1, len(one) // LAST)]))
        gains.append(1 - float(np.min(one)) / before if before > 0 else 0.0)
    gain = float(np.median(gains))
    text = f'the last 1/{LAST} of the epochs took {gain:.0%} off the best validation error (median '
    text += f'of {len(known)} members)'
    if gain > STILL:
        return Gate('epochs', 'failed', text, 'train longer: the error was still falling')
    return Gate('epochs', 'passed', text)


def outlier_gate(errors: Floats) -> Gate:
    """Return whether a single member makes σ.

    Args:
        errors: Errors (or predictions) of the members, shape (M, n).
    """
    m = len(errors)
    if m < 4 or not errors.shape[1]:
        return Gate('outliers', 'unknown', f'{m} members cannot show an outlier', 'train 4 or more')
    # distance from the mean of the others, M/(M - 1) times that from the mean of all
    apart = np.sqrt(np.mean((errors - errors.mean(axis=0)) ** 2, axis=1)) * m / (m - 1)
    worst, usual = int(apart.argmax()), float(np.median(apart))
    rest = np.delete(errors, worst, axis=0)
    share = rms(ensemble.spread(rest)) / max(rms(ensemble.spread(errors)), 1e-300)
    if not usual > 0:
        return Gate(
            'outliers', 'failed', 'most members are copies of each other', 'check the seeds'
        )
    text = f'member {worst} lies {apart[worst] / usual:.2g} × as far from the others as the median '
    text += f'member; without it σ is {share:.2f} of what it is'
    if apart[worst] > OUTLIER * usual:
        return Gate('outliers', 'failed', text, f'leave out or train anew member {worst}')
    return Gate('outliers', 'passed', text)


def alpha_gate(errors: Floats | None, block: Integers | None, where: str) -> Gate:
    """Return whether σ has the right size where the ensemble was trained, on held-out frames.

    α is RMSE/σ over the expectation for a truth that is one more member. It fails where α is out of
    `ALPHA` by more than chance does to honest ensembles, by the exact test of `misfit`: in at most
    5 % of them, or 1/(M + 1) with fewer than 19 members. Fewer than `MIN_BLOCKS` blocks, or
    `MIN_MEMBERS` members, show nothing.

    Args:
        errors: Errors of the members on held-out frames of the domains trained on, shape (M, n);
            None where there are none.
        block: Number of the independent block of each, shape (n,); None where there are none.
        where: What these frames are, for the reason.
    """
    if errors is None or block is None or not errors.shape[1]:
        return Gate(
            'alpha',
            'unknown',
            'no labelled held-out frames of a domain trained on',
            'name the training domains and audit held-out frames of theirs',
        )
    if not rms(ensemble.spread(errors)) > 0:
        return Gate('alpha', 'failed', f'all members agree in {where}', 'check the seeds')
    errors, m, n_blocks = some_columns(errors), len(errors), len(np.unique(block))
    large, small = _alpha(errors), _alpha(_centred(errors))
    text = f'RMSE/σ is {large:.2g} × that of an honest ensemble in {where}'
    if n_blocks < MIN_BLOCKS:
        text += f'; {plural(n_blocks, "independent block")}, {MIN_BLOCKS} are needed'
        remedy = f'hold out {MIN_BLOCKS} or more unrelated frames of what was trained on'
        return Gate('alpha', 'unknown', text, remedy)
    if min(large, small) < ALPHA[0]:
        text += f', {small:.2g} × without the mean of each'
    if large <= ALPHA[1] and small >= ALPHA[0]:
        return Gate('alpha', 'passed', text)
    test = exchange(errors, np.zeros(errors.shape[1]), misfit)
    p = None if test is None else test.p_high
    if p is None or not is_extreme(p, m):
        text += '' if p is None else f', which chance may do ({chance(p, m)})'
        return Gate('alpha', 'unknown', text, 'train more members, or hold out more frames')
    text += f' ({chance(p, m)})'
    if large > ALPHA[1]:
        return Gate(
            'alpha',
            'failed',
            text,
            'train longer, or let members differ more: they share an error where they were trained',
        )
    return Gate('alpha', 'failed', text, 'check for members that failed: σ is too wide there')


def misfit(members: Floats, truth: Floats) -> float:
    """Return by how much σ is too narrow or too wide, the larger of both.

    Too wide is judged without the mean of each potential: where one offset each dominates, such as
    a zero of energy, a truth in their midst is no sign of it, and happens to many.

    Args:
        members: Of M potentials, shape (M, n).
        truth: The reference, shape (n,).
    """
    errors = members - truth
    centred = _alpha(_centred(errors))
    return max(_alpha(errors), 1 / centred if centred > 0 else np.inf)


def _alpha(errors: Floats) -> float:
    """Return α; infinite where σ is 0."""
    spread = rms(ensemble.spread(errors)) * expected_rmse_over_spread(len(errors))
    return rms(ensemble.mean(errors)) / spread if spread > 0 else np.inf


def _centred(errors: Floats) -> Floats:
    centred: Floats = errors - errors.mean(axis=1, keepdims=True)
    return centred
