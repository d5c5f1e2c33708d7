"""Transition pressure between two phases: where their enthalpies are equal, member by member."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.optimize import brentq

from aiida_enne.science.fields import GPA_PER_EV_PER_CUBIC_ANGSTROM, Floats
from aiida_enne.science.properties.eos import CurveFits, Fit
from aiida_enne.science.uncertainty import ensemble
from aiida_enne.science.uncertainty.ensemble import PAPER_DDOF

#: Points on which the branches of P(V) and the crossings of the enthalpies are sought.
_N_GRID = 400
#: Halvings that leave no digit of a volume open.
_N_BISECTIONS = 60


class NoTransition(ValueError):  # noqa: N818 (it is a verdict on data, not a fault)
    """The enthalpies do not cross within the pressures that both scans reach.

    Attributes:
        bound: Pressure in GPa that a transition lies beyond; NaN where nothing is known.
        is_above: Whether it lies above that pressure, or below.
    """

    def __init__(self, message: str, bound: float = float('nan'), is_above: bool = True) -> None:
        super().__init__(message)
        self.bound, self.is_above = bound, is_above


@dataclass(frozen=True, slots=True)
class Transition:
    """Pressures in GPa at which the first phase gives way to the second.

    Attributes:
        low: Phase stable below.
        high: Phase stable above.
        form: Equation of state of all fits.
        reference: Of the reference; None where there is none.
        of_mean: From the fits to the members' mean energies; None where there is none.
        members: Of each member, NaN where there is none, shape (M,).
        reasons: Why there is none, by 'reference', 'mean' or the number of the member.
        above: Pressures that the transition of a member lies above, NaN where it has one, where it
            lies below or nothing is known, shape (M,): censored values, not missing ones.
        below: Pressures that it lies below, likewise.
    """

    low: str
    high: str
    form: str
    reference: float | None
    of_mean: float | None
    members: Floats
    reasons: dict[str | int, str]
    above: Floats
    below: Floats

    @property
    def known(self) -> Floats:
        """Pressures of the members that have one, shape (k,)."""
        known: Floats = self.members[np.isfinite(self.members)]
        return known

    @property
    def n_without_root(self) -> int:
        """Members without a transition pressure."""
        return len(self.members) - len(self.known)

    @property
    def mean(self) -> float | None:
        """Mean over the members that have one."""
        return float(self.known.mean()) if len(self.known) else None

    @property
    def n_censored(self) -> int:
        """Members whose transition lies beyond what the scans reach."""
        return int(np.isfinite(self.above).sum() + np.isfinite(self.below).sum())

    @property
    def median(self) -> str:
        """Median with unit over all members of which something is known: '> 21.1 GPa' if beyond."""
        above, below = (one[np.isfinite(one)] for one in (self.above, self.below))
        values = [*self.known, *np.full(len(above), np.inf), *np.full(len(below), -np.inf)]
        if not values:
            return 'none'
        middle = float(np.quantile(values, 0.5, method='lower'))
        if np.isfinite(middle):
            return f'{middle:.1f} GPa'
        return f'> {above.min():.1f} GPa' if middle > 0 else f'< {below.max():.1f} GPa'

    def spread(self, *, ddof: int = PAPER_DDOF) -> float | None:
        """Return σ over the members that have one; None for fewer than two."""
        known = self.known
        return float(ensemble.spread(known, ddof=ddof)) if len(known) > 1 else None


def transition_pressure(low: Fit, high: Fit) -> float:
    """Return the pressure in GPa at which H = E + PV of two phases are equal.

    It is the slope of the common tangent. Only pressures that both scans reach are considered,
    for nothing is known beyond. Either phase may be the one that is stable below it; where there
    are several crossings, it is the one at which the first gives way to the second.

    Raises:
        NoTransition: If one phase stays the stable one at all of them.
    """
    branches = [_branch(low), _branch(high)]
    smallest = max(float(pressures[0]) for _, pressures in branches)
    largest = min(float(pressures[-1]) for _, pressures in branches)
    if smallest >= largest:
        raise NoTransition('the scans have no pressure in common')

    def difference(at: Floats) -> Floats:
        return _enthalpy(low, branches[0], at) - _enthalpy(high, branches[1], at)

    grid = np.linspace(smallest, largest, _N_GRID)
    values = difference(grid)
    rising = np.flatnonzero((values[:-1] <= 0) & (values[1:] > 0))
    falling = np.flatnonzero((values[:-1] > 0) & (values[1:] <= 0))
    crossings = rising if rising.size else falling
    if not crossings.size:
        gpa = GPA_PER_EV_PER_CUBIC_ANGSTROM
        stable = 'first' if values[-1] <= 0 else 'second'
        raise NoTransition(
            f'from {gpa * smallest:.1f} to {gpa * largest:.1f} GPa, which both scans reach, the '
            f'{stable} phase stays the stable one',
            gpa * (largest if values[-1] <= 0 else smallest),
            bool(values[-1] <= 0),
        )
    start = int(crossings[0])
    ends = float(grid[start]), float(grid[start + 1])
    root = brentq(lambda p: float(difference(np.array([p]))[0]), *ends, xtol=1e-14, rtol=1e-13)
    return float(root) * GPA_PER_EV_PER_CUBIC_ANGSTROM


def find_transition(low: CurveFits, high: CurveFits) -> Transition:
    """Return the transition pressures of the reference, of every member and of their mean.

    Raises:
        ValueError: If the two differ in their members or in the equation of state.
    """
    if len(low.members) != len(high.members) or low.form != high.form:
        raise ValueError(
            f'fits of {len(low.members)} members with {low.form} and of {len(high.members)} '
            f'with {high.form} cannot be compared'
        )
    reasons: dict[str | int, str] = {}
    above, below = np.full((2, len(low.members)), np.nan)

    def attempt(name: str | int, first: Fit | None, second: Fit | None) -> float | None:
        refused = [
            fits.refusals[name][1] for fits, one in ((low, first), (high, second)) if one is None
        ]
        if first is None or second is None:
            reasons[name] = '; '.join(refused)
            return None
        try:
            return transition_pressure(first, second)
        except NoTransition as exception:
            reasons[name] = str(exception)
            if not isinstance(name, str):
                (above if exception.is_above else below)[name] = exception.bound
            return None

    reference = attempt('reference', low.reference, high.reference)
    of_mean = attempt('mean', low.mean, high.mean)
    pairs = zip(low.members, high.members, strict=True)
    members = [attempt(number, first, second) for number, (first, second) in enumerate(pairs)]
    values = np.array([np.nan if value is None else value for value in members])
    return Transition(
        low.name, high.name, low.form, reference, of_mean, values, reasons, above, below
    )


def _branch(fit: Fit) -> tuple[Floats, Floats]:
    """Return volumes, falling, and pressures, rising, about V0 up to where P(V) turns."""
    below = np.linspace(fit.low, fit.volume, _N_GRID)
    volumes = np.append(below, np.linspace(fit.volume, fit.high, _N_GRID)[1:])
    pressures = fit.pressures(volumes)
    turns = np.flatnonzero(np.diff(pressures) >= 0)
    middle = _N_GRID - 1
    first = int(max(turns[turns < middle], default=-1)) + 1
    last = int(min(turns[turns >= middle], default=len(volumes) - 1))
    return volumes[first : last + 1][::-1], pressures[first : last + 1][::-1]


def _enthalpy(fit: Fit, branch: tuple[Floats, Floats], at: Floats) -> Floats:
    """Return H(P) = E + PV in eV/atom at pressures in eV/Å³, shape (n,), by bisection of P(V)."""
    volumes, pressures = branch
    above = np.clip(np.searchsorted(pressures, at), 1, len(pressures) - 1)
    large, small = volumes[above - 1], volumes[above]
    for _ in range(_N_BISECTIONS):
        middle = (large + small) / 2
        low = fit.pressures(middle) < at
        large, small = np.where(low, middle, large), np.where(low, small, middle)
    volume = (large + small) / 2
    enthalpies: Floats = fit.energies(volume) + at * volume
    return enthalpies
