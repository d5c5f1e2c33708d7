from dataclasses import replace

import numpy as np
import pytest

from aiida_enne.science.fields import GPA_PER_EV_PER_CUBIC_ANGSTROM as GPA
from aiida_enne.science.properties.curves import Curve
from aiida_enne.science.properties.eos import fit, fit_curve
from aiida_enne.science.properties.equations import EQUATIONS
from aiida_enne.science.properties.transition import (
    NoTransition,
    find_transition,
    transition_pressure,
)

DIAMOND, TIN = (20.0, -5.0, 0.6, 4.2), (15.0, -4.7, 0.7, 4.5)
V1, V2 = 20 * np.linspace(0.75, 1.1, 15), 15 * np.linspace(0.8, 1.15, 15)


def curve(name, volumes, parameters, shifts=(0.0, 0.0)):
    energies = EQUATIONS['birch-murnaghan'][0](volumes, *parameters)
    return Curve(name, volumes, energies, energies + np.array(shifts)[:, None])


@pytest.mark.parametrize('form', EQUATIONS)
def test_the_pressure_is_the_slope_of_the_common_tangent(form):
    energy, pressure = EQUATIONS[form]
    fits = [fit(v, energy(v, *known), form) for v, known in ((V1, DIAMOND), (V2, TIN))]
    found = transition_pressure(*fits) / GPA
    # volumes at this pressure from a fine grid, and the chord between the two points
    at = []
    for volumes, known in ((V1, DIAMOND), (V2, TIN)):
        fine = np.linspace(volumes[0], volumes[-1], 200_001)
        at.append(fine[np.argmin(np.abs(pressure(fine, *known) - found))])
    rise = energy(np.array([at[1]]), *TIN) - energy(np.array([at[0]]), *DIAMOND)
    assert rise / (at[0] - at[1]) == pytest.approx([found], rel=1e-6)
    assert 0.05 < found < 0.2


def test_a_known_pressure_is_found():
    """Equal stiffness: H differs by ΔE + PΔV + (Δ of the same function), here in closed form."""
    # Murnaghan with B' = B0-scaled copies: V2(P) = V1(P)/2 gives H1 - H2 linear in E, P V1/2
    energy = EQUATIONS['murnaghan'][0]
    first = fit(V1, energy(V1, 20.0, 0.0, 0.6, 4.0), 'murnaghan')
    second = fit(V1 / 2, energy(V1 / 2, 10.0, 0.7, 0.6, 4.0), 'murnaghan')
    # H(P) - E0 = V0 B0/(B' - 1) [(1 + B'P/B0)^(1 - 1/B') - 1] for Murnaghan's form
    p = transition_pressure(first, second) / GPA
    enthalpy = 20 * 0.6 / 3 * ((1 + 4 * p / 0.6) ** 0.75 - 1)
    assert enthalpy / 2 == pytest.approx(0.7, rel=1e-9)


def test_the_order_of_the_two_phases_does_not_matter():
    energy = EQUATIONS['birch-murnaghan'][0]
    first, second = fit(V1, energy(V1, *DIAMOND)), fit(V2, energy(V2, *TIN))
    expected = transition_pressure(first, second)
    assert transition_pressure(second, first) == pytest.approx(expected, rel=1e-9)


def test_members_have_their_own_and_a_constant_changes_none():
    shifts = np.array([0.0, 0.05, -0.05, 0.1])
    low = fit_curve(curve('diamond', V1, DIAMOND, np.zeros(4)))
    high = fit_curve(curve('beta-tin', V2, TIN, shifts))
    found = find_transition(low, high)
    assert (found.low, found.high, found.form) == ('diamond', 'beta-tin', 'birch-murnaghan')
    assert found.members[0] == pytest.approx(found.reference, rel=1e-8)
    assert np.argsort(found.members).tolist() == [2, 0, 1, 3]
    assert (found.mean, found.n_without_root) == (pytest.approx(found.members.mean()), 0)
    assert found.spread() == pytest.approx(found.members.std())
    assert found.spread(ddof=1) == pytest.approx(found.members.std(ddof=1))
    constants = np.array([3.0, -2.0, 100.0, 0.0])
    moved = find_transition(
        fit_curve(curve('diamond', V1, DIAMOND, constants)),
        fit_curve(curve('beta-tin', V2, TIN, shifts + constants)),
    )
    assert moved.members == pytest.approx(found.members, rel=1e-6)
    order = [2, 0, 3, 1]
    turned = find_transition(
        fit_curve(curve('diamond', V1, DIAMOND, np.zeros(4))),
        fit_curve(curve('beta-tin', V2, TIN, shifts[order])),
    )
    assert turned.members == pytest.approx(found.members[order], rel=1e-12)


def test_a_phase_that_is_lower_already_has_a_negative_pressure():
    high = EQUATIONS['birch-murnaghan'][0](V2, 15.0, -5.05, 0.7, 4.5)
    low = EQUATIONS['birch-murnaghan'][0](V1, *DIAMOND)
    found = transition_pressure(fit(V1, low), fit(V2, high))
    assert -3 < found < 0


def test_members_without_a_root_are_counted_with_the_reason():
    low = fit_curve(curve('diamond', V1, DIAMOND, np.zeros(3)))
    high = fit_curve(curve('beta-tin', V2, TIN, [0.0, 5.0, -5.0]))
    found = find_transition(low, high)
    assert found.n_without_root == 2
    assert np.isnan(found.members).tolist() == [False, True, True]
    assert 'the first phase stays the stable one' in found.reasons[1]
    assert 'the second phase stays the stable one' in found.reasons[2]
    assert found.mean == pytest.approx(found.members[0])
    assert found.spread() is None


def test_members_without_a_fit_have_no_pressure():
    diamond = curve('diamond', V1, DIAMOND)
    broken = Curve('diamond', V1, -0.1 * V1, np.array([diamond.members[0], -0.1 * V1]))
    found = find_transition(fit_curve(broken), fit_curve(curve('beta-tin', V2, TIN)))
    assert found.reference is None
    assert 'outside the volumes' in found.reasons['reference'] or 'no minimum' in str(found.reasons)
    assert np.isnan(found.members).tolist() == [False, True]


def test_members_beyond_the_scans_are_censored_not_missing():
    shifts = np.array([0.0, 0.05, 3.0, 3.0])
    found = find_transition(
        fit_curve(curve('diamond', V1, DIAMOND, np.zeros(4))),
        fit_curve(curve('beta-tin', V2, TIN, shifts)),
    )
    assert found.n_censored == 2
    # beyond what both scans reach, and beyond every pressure that is known
    assert (found.above[2:] > found.known.max()).all()
    assert np.isnan(found.below).all()
    assert found.median == f'{found.known.max():.1f} GPa'
    three = replace(found, members=np.array([*found.members[:1], *3 * [np.nan]]))
    three = replace(three, above=np.array([np.nan, *3 * [found.above[2]]]))
    assert three.median == f'> {found.above[2]:.1f} GPa'
    nothing = np.full(4, np.nan)
    assert replace(three, members=nothing, above=nothing).median == 'none'


def test_scans_without_a_common_pressure_are_said_to_be():
    low = fit(V1, EQUATIONS['birch-murnaghan'][0](V1, *DIAMOND))
    squeezed = 15 * np.linspace(0.99, 1.2, 9)
    high = fit(squeezed, EQUATIONS['birch-murnaghan'][0](squeezed, 15.0, -2.0, 0.7, 4.5))
    with pytest.raises(NoTransition, match='first phase stays'):
        transition_pressure(low, high)


def test_different_ensembles_are_not_compared():
    low = fit_curve(curve('diamond', V1, DIAMOND))
    with pytest.raises(ValueError, match='3 with birch-murnaghan'):
        find_transition(low, fit_curve(curve('beta-tin', V2, TIN, np.zeros(3))))
    with pytest.raises(ValueError, match='vinet'):
        find_transition(low, fit_curve(curve('beta-tin', V2, TIN), 'vinet'))
