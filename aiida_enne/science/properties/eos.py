"""Equations of state: fits to E(V) of the reference, of every member and of their mean."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy.optimize import least_squares

from aiida_enne.science.fields import GPA_PER_EV_PER_CUBIC_ANGSTROM, Floats
from aiida_enne.science.properties.curves import Curve
from aiida_enne.science.properties.equations import EQUATIONS
from aiida_enne.science.uncertainty import ensemble
from aiida_enne.science.uncertainty.ensemble import PAPER_DDOF

Property = Literal['volume', 'energy', 'bulk_modulus', 'bulk_modulus_gpa', 'derivative', 'rms']
Reason = Literal['points', 'condition', 'shape', 'range', 'convergence', 'residuals', 'derivative']

#: Forms of the equation of state; the first is the default.
FORMS = tuple(EQUATIONS)

#: One more than there are parameters, so that the residual says something.
MIN_POINTS = 5

#: Largest volume over smallest, at least: a narrower window does not determine a curvature.
MIN_WINDOW = 1.02
#: Root mean square of the residuals as a share of the depth, the range of the energies, at most.
MAX_RESIDUAL = 0.05
#: B' of crystals is 2 to 8; outside these bounds the curve is not one of a crystal.
DERIVATIVES = (0.0, 15.0)

#: Relative changes below it end the search for the best fit.
_TOLERANCE = 1e-14


class FitRefused(ValueError):  # noqa: N818 (it is a verdict on data, not a fault)
    """No fit that can be trusted.

    Attributes:
        reason: 'points': too few; 'condition': the volumes are too close to each other; 'shape':
            the curve has no minimum; 'range': the minimum lies outside the volumes; 'convergence':
            the fit did not converge; 'residuals': the points do not lie on it; 'derivative': B' is
            not that of a crystal.
    """

    def __init__(self, reason: Reason, message: str) -> None:
        super().__init__(message)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Fit:
    """One equation of state; for the forms see `FORMS`.

    Attributes:
        form: Name of the form.
        volume: V0, where the energy is lowest, Å³/atom.
        energy: E0, eV/atom.
        bulk_modulus: B0 = V d²E/dV² at V0, eV/Å³.
        derivative: B' = dB/dP at V0.
        rms: Root of the mean squared residual, eV/atom.
        low: Smallest volume fitted, Å³/atom.
        high: Largest volume fitted, Å³/atom.
        n_points: Number of volumes.
    """

    form: str
    volume: float
    energy: float
    bulk_modulus: float
    derivative: float
    rms: float
    low: float
    high: float
    n_points: int

    @property
    def bulk_modulus_gpa(self) -> float:
        """B0 in GPa."""
        return self.bulk_modulus * GPA_PER_EV_PER_CUBIC_ANGSTROM

    @property
    def _parameters(self) -> tuple[float, float, float, float]:
        return self.volume, self.energy, self.bulk_modulus, self.derivative

    def energies(self, volumes: Floats) -> Floats:
        """Return E(V) in eV/atom at volumes in Å³/atom, shape (n,)."""
        return EQUATIONS[self.form][0](volumes, *self._parameters)

    def pressures(self, volumes: Floats) -> Floats:
        """Return P(V) = -dE/dV in eV/Å³ at volumes in Å³/atom, shape (n,)."""
        return EQUATIONS[self.form][1](volumes, *self._parameters)


@dataclass(frozen=True, slots=True)
class Summary:
    """One property of the fits, all in its unit; None where there is none.

    Attributes:
        reference: Of the fit to the reference.
        fit_of_mean: Of the fit to the members' mean energies.
        mean_of_fits: Mean over the members' own fits: not the same.
        spread: σ over the members' own fits.
        n: Members whose fit was not refused.
    """

    reference: float | None
    fit_of_mean: float | None
    mean_of_fits: float | None
    spread: float | None
    n: int


@dataclass(frozen=True, slots=True)
class CurveFits:
    """Fits to the curves of one phase.

    Attributes:
        name: The phase.
        form: str of all of them.
        reference: Fit to the reference; None where it was refused.
        mean: Fit to the mean over members; None where it was refused.
        members: Fit to each member, in their order; None where it was refused.
        refusals: Reason and message of what was refused, by 'reference', 'mean' or the number of
            the member.
    """

    name: str
    form: str
    reference: Fit | None
    mean: Fit | None
    members: tuple[Fit | None, ...]
    refusals: dict[str | int, tuple[Reason, str]]

    @property
    def n_refused(self) -> int:
        """Members without a fit."""
        return sum(member is None for member in self.members)

    def values(self, name: Property) -> Floats:
        """Return a property of every member's fit, NaN where it was refused, shape (M,)."""
        return np.array([np.nan if fit is None else getattr(fit, name) for fit in self.members])

    def summary(self, name: Property, *, ddof: int = PAPER_DDOF) -> Summary:
        """Return one property over all fits."""
        values = self.values(name)
        known = values[np.isfinite(values)]
        return Summary(
            reference=None if self.reference is None else float(getattr(self.reference, name)),
            fit_of_mean=None if self.mean is None else float(getattr(self.mean, name)),
            mean_of_fits=float(known.mean()) if len(known) else None,
            spread=float(ensemble.spread(known, ddof=ddof)) if len(known) > 1 else None,
            n=len(known),
        )


def fit(volumes: Floats, energies: Floats, form: str = 'birch-murnaghan') -> Fit:
    """Fit one equation of state by least squares, all points alike.

    Birch and Murnaghan's third-order form is a cubic in V^(-2/3), so that its fit is a linear
    problem with one solution; that is also where the others, which are not linear, start.

    Args:
        volumes: Å³/atom, shape (n,).
        energies: eV/atom, shape (n,).
        form: One of `FORMS`.

    Raises:
        FitRefused: If there are fewer than `MIN_POINTS` volumes or they are too close to each
            other, the curve has no minimum or has it outside the volumes, the fit does not
            converge, or its residuals or B' are not those of a crystal's curve.
        ValueError: If the form is unknown, shapes disagree or a number is not finite or a volume
            not positive.
    """
    if form not in FORMS:
        raise ValueError(f'unknown equation of state {form!r}; known are {", ".join(FORMS)}')
    if volumes.ndim != 1 or volumes.shape != energies.shape:
        raise ValueError(f'volumes {volumes.shape} and energies {energies.shape} must be alike')
    if not (np.isfinite(volumes).all() and np.isfinite(energies).all() and (volumes > 0).all()):
        raise ValueError('volumes must be positive and energies finite numbers')
    if len(set(volumes.tolist())) < MIN_POINTS:
        raise FitRefused(
            'points',
            f'{len(set(volumes.tolist()))} different volumes are too few: {MIN_POINTS} are needed',
        )
    low, high = float(volumes.min()), float(volumes.max())
    if high / low < MIN_WINDOW:
        raise FitRefused(
            'condition',
            f'volumes from {low:.3f} to {high:.3f} Å³/atom do not determine a curvature: the '
            f'largest must be {MIN_WINDOW} times the smallest or more',
        )
    found = _birch_murnaghan_parameters(volumes, energies)
    _check_range(found[0], low, high)
    if form != 'birch-murnaghan':
        found = _refine(volumes, energies, found, form)
        _check_range(found[0], low, high)
    rms = float(np.sqrt(np.mean((EQUATIONS[form][0](volumes, *found) - energies) ** 2)))
    _judge(rms, float(np.ptp(energies)), found[3])
    return Fit(form, *found, rms=rms, low=low, high=high, n_points=len(volumes))


def _judge(rms: float, depth: float, derivative: float) -> None:
    """Refuse a fit that the points do not lie on, or that is not one of a crystal."""
    if rms > MAX_RESIDUAL * depth:
        raise FitRefused(
            'residuals',
            f'the residuals, {1e3 * rms:.3g} meV/atom, are {100 * rms / depth:.3g} % of the depth '
            f'of the curve, above {100 * MAX_RESIDUAL:g} %: the points do not lie on one curve',
        )
    least, most = DERIVATIVES
    if not least < derivative < most:
        raise FitRefused(
            'derivative', f"B' = {derivative:.3g} is not between {least:g} and {most:g}"
        )


def fit_curve(curve: Curve, form: str = 'birch-murnaghan') -> CurveFits:
    """Fit the reference, every member and their mean on the same volumes.

    Fits that are refused are missing and their reasons kept.

    Raises:
        ValueError: As `fit` does, but for what is refused.
    """
    refusals: dict[str | int, tuple[Reason, str]] = {}

    def attempt(name: str | int, energies: Floats) -> Fit | None:
        try:
            return fit(curve.volumes, energies, form)
        except FitRefused as refused:
            refusals[name] = (refused.reason, str(refused))
            return None

    reference = attempt('reference', curve.reference)
    mean = attempt('mean', ensemble.mean(curve.members))
    members = tuple(attempt(number, one) for number, one in enumerate(curve.members))
    return CurveFits(curve.name, form, reference, mean, members, refusals)


def lattice_constant(volume: float) -> float:
    """Return the edge in Å of the conventional cell of diamond, 8 atoms, from Å³/atom."""
    return float(np.cbrt(8 * volume))


Parameters = tuple[float, float, float, float]


def _check_range(volume: float, low: float, high: float) -> None:
    if not low < volume < high:
        raise FitRefused(
            'range',
            f'the minimum at {volume:.3f} Å³/atom lies outside the volumes '
            f'{low:.3f} to {high:.3f} Å³/atom',
        )


def _birch_murnaghan_parameters(volumes: Floats, energies: Floats) -> Parameters:
    """Return V0, E0, B0, B' of the cubic in V^(-2/3) that fits best."""
    scale = float(volumes.mean())
    x = (scale / volumes) ** (2 / 3)
    # centred and less the mean, so that large energies cost no digits
    shift = float(energies.mean())
    d, c, b, a = np.polyfit(x - 1, energies - shift, 3)
    discriminant = c**2 - 3 * b * d
    if discriminant <= 0:
        raise FitRefused('shape', 'the energy has no minimum over volume')
    # the root with positive curvature, in the form that also holds where d vanishes
    y = -b / (c + np.sqrt(discriminant)) if c > 0 else (np.sqrt(discriminant) - c) / (3 * d)
    x0, curvature = 1 + float(y), 2 * float(np.sqrt(discriminant))
    if x0 <= 0:
        raise FitRefused('shape', 'the energy has no minimum over volume')
    volume = scale * x0 ** (-3 / 2)
    bulk_modulus = 4 / 9 * curvature * x0**2 / volume
    derivative = 4 + 16 * float(d) * x0**3 / (9 * volume * bulk_modulus)
    energy = shift + float(a + y * (b + y * (c + y * d)))
    return volume, energy, bulk_modulus, derivative


def _refine(volumes: Floats, energies: Floats, start: Parameters, form: str) -> Parameters:
    """Return the parameters of another form, from those of Birch and Murnaghan's."""
    energy, shift = EQUATIONS[form][0], start[1]
    scales = np.array([start[0], start[0] * start[2], start[2], max(1.0, abs(start[3]))])

    def residuals(scaled: Floats) -> Floats:
        volume, offset, modulus, derivative = scaled * scales
        with np.errstate(all='ignore'):
            values = energy(volumes, volume, offset, modulus, derivative) - (energies - shift)
        # a step to where the form is not defined is a bad step, not an error
        return np.nan_to_num(values, nan=1e6, posinf=1e6, neginf=-1e6)

    first = np.array([start[0], 0.0, start[2], start[3]]) / scales
    tolerances = dict.fromkeys(('xtol', 'ftol', 'gtol'), _TOLERANCE)
    solved = least_squares(residuals, first, x_scale='jac', max_nfev=300, **tolerances)
    volume, offset, modulus, derivative = (float(value) for value in solved.x * scales)
    good = np.isfinite(solved.x).all() and volume > 0 and modulus > 0
    if not solved.success or not good:
        raise FitRefused('convergence', f'the fit of {form} did not converge: {solved.message}')
    return volume, offset + shift, modulus, derivative
