"""Laws of equations of state: what is put in comes out, and what cannot be trusted is refused."""

import numpy as np
import pytest

from aiida_enne.science.fields import GPA_PER_EV_PER_CUBIC_ANGSTROM
from aiida_enne.science.properties import eos
from aiida_enne.science.properties.curves import Curve
from aiida_enne.science.properties.eos import FitRefused, fit, fit_curve
from aiida_enne.science.properties.equations import EQUATIONS

KNOWN = (20.02, -4.6297, 0.612, 4.24)
VOLUMES = 20.02 * np.linspace(0.8, 1.2, 11)


def parameters(found):
    return found.volume, found.energy, found.bulk_modulus, found.derivative


@pytest.mark.parametrize('form', EQUATIONS)
@pytest.mark.parametrize('volumes', [VOLUMES, VOLUMES[3:8], VOLUMES[::-1], VOLUMES[3:]])
def test_known_parameters_are_recovered(form, volumes):
    found = fit(volumes, EQUATIONS[form][0](volumes, *KNOWN), form)
    assert parameters(found) == pytest.approx(KNOWN, rel=1e-6)
    assert found.bulk_modulus_gpa == pytest.approx(0.612 * GPA_PER_EV_PER_CUBIC_ANGSTROM, rel=1e-6)
    assert found.rms < 1e-8
    assert (found.form, found.n_points) == (form, len(volumes))
    assert (found.low, found.high) == (volumes.min(), volumes.max())


@pytest.mark.parametrize('form', EQUATIONS)
def test_pressure_and_modulus_are_derivatives_of_the_energy(form):
    energy, pressure = EQUATIONS[form]
    v, h = VOLUMES, 1e-4
    slope = (energy(v + h, *KNOWN) - energy(v - h, *KNOWN)) / (2 * h)
    assert pressure(v, *KNOWN) == pytest.approx(-slope, abs=1e-8)
    v0 = np.array([KNOWN[0]])

    def modulus(volume):
        return -volume * (pressure(volume + h, *KNOWN) - pressure(volume - h, *KNOWN)) / (2 * h)

    assert pressure(v0, *KNOWN) == pytest.approx([0], abs=1e-12)
    assert modulus(v0) == pytest.approx([KNOWN[2]], rel=1e-6)
    ends = np.array([v0 - 0.01, v0 + 0.01])
    slope = np.diff(modulus(ends), axis=0) / np.diff(pressure(ends, *KNOWN), axis=0)
    assert slope == pytest.approx(np.array([[KNOWN[3]]]), rel=1e-4)


@pytest.mark.parametrize('form', EQUATIONS)
def test_a_constant_moves_nothing_but_the_energy(form):
    noisy = EQUATIONS[form][0](VOLUMES, *KNOWN) + 0.002 * np.random.default_rng(0).normal(size=11)
    one, other = fit(VOLUMES, noisy, form), fit(VOLUMES, noisy - 7890.0, form)
    assert other.energy == pytest.approx(one.energy - 7890.0, abs=1e-9)
    for name in ('volume', 'bulk_modulus', 'derivative', 'rms'):
        assert getattr(other, name) == pytest.approx(getattr(one, name), rel=1e-6)
    assert one.rms == pytest.approx(0.002, rel=0.6)


@pytest.mark.parametrize('form', EQUATIONS)
def test_the_fit_is_the_best_there_is(form):
    noisy = EQUATIONS['vinet'][0](VOLUMES, *KNOWN) + 0.002 * np.random.default_rng(1).normal(
        size=11
    )
    found = fit(VOLUMES, noisy, form)
    for index in range(4):
        for factor in (1 - 1e-4, 1 + 1e-4):
            other = list(parameters(found))
            other[index] *= factor
            residual = EQUATIONS[form][0](VOLUMES, *other) - noisy
            assert np.sqrt(np.mean(residual**2)) > found.rms


@pytest.mark.parametrize('form', EQUATIONS)
@pytest.mark.parametrize(
    ('volumes', 'energies', 'reason', 'message'),
    [
        (VOLUMES[:4], None, 'points', '4 different volumes are too few: 5 are needed'),
        (np.append(VOLUMES[:4], VOLUMES[3]), None, 'points', 'too few'),
        (VOLUMES[:5], None, 'range', r'outside the volumes 16\.016 to 19\.219'),
        (VOLUMES[6:], None, 'range', 'outside'),
        (VOLUMES, -((VOLUMES - 20.02) ** 2), 'shape|range', 'minimum'),
        (VOLUMES, VOLUMES ** (-2.0), 'shape|range', 'minimum'),
    ],
)
def test_what_cannot_be_trusted_is_refused(form, volumes, energies, reason, message):
    energies = EQUATIONS[form][0](volumes, *KNOWN) if energies is None else energies
    with pytest.raises(FitRefused, match=message) as caught:
        fit(volumes, energies, form)
    assert caught.value.reason in reason.split('|')


def bent(index, change):
    """Return the energies of a clean curve, one of them changed."""
    energies = EQUATIONS['birch-murnaghan'][0](VOLUMES, *KNOWN)
    energies[index] += change
    return energies


@pytest.mark.parametrize(
    ('volumes', 'energies', 'reason', 'message'),
    [
        (VOLUMES, bent(0, -3.0), 'residuals', 'the points do not lie on one curve'),
        (VOLUMES, bent(0, -0.6), 'residuals', 'the points do not lie on one curve'),
        (20 * np.linspace(0.999, 1.001, 7), None, 'condition', 'do not determine a curvature'),
        (VOLUMES, (20.02, -5.4, 0.6, -3.0), 'derivative', "B' = -3 is not between 0 and 15"),
    ],
)
def test_a_fit_is_judged_by_its_residuals_window_and_derivative(volumes, energies, reason, message):
    equation = EQUATIONS['birch-murnaghan'][0]
    if not isinstance(energies, np.ndarray):
        energies = equation(volumes, *(energies or KNOWN))
    with pytest.raises(FitRefused, match=message) as caught:
        fit(volumes, energies)
    assert caught.value.reason == reason


def test_noise_that_no_form_follows_does_not_pass_for_a_fit():
    wild = np.random.default_rng(3).normal(size=(15, 11))
    for form in EQUATIONS:
        for energies in wild:
            try:
                found = fit(VOLUMES, energies, form)
            except FitRefused:
                continue
            assert VOLUMES[0] < found.volume < VOLUMES[-1]
            assert found.bulk_modulus > 0
            assert found.rms > 0.1


@pytest.mark.parametrize(
    ('volumes', 'energies', 'form', 'message'),
    [
        (VOLUMES, VOLUMES, 'parabola', "unknown equation of state 'parabola'"),
        (VOLUMES, VOLUMES[1:], 'vinet', 'must be alike'),
        (-VOLUMES, VOLUMES, 'vinet', 'positive'),
        (VOLUMES, VOLUMES * np.nan, 'vinet', 'finite'),
    ],
)
def test_nonsense_is_no_refusal_but_an_error(volumes, energies, form, message):
    with pytest.raises(ValueError, match=message) as caught:
        fit(volumes, energies, form)
    assert not isinstance(caught.value, FitRefused)


def make_curve(n_members=6, seed=0):
    rng = np.random.default_rng(seed)
    members = [
        EQUATIONS['birch-murnaghan'][0](
            VOLUMES, 20 + rng.normal(0, 0.3), -4.5 + rng.normal(0, 0.1), 0.6, 4.2
        )
        for _ in range(n_members)
    ]
    return Curve(
        'diamond', VOLUMES, EQUATIONS['birch-murnaghan'][0](VOLUMES, *KNOWN), np.array(members)
    )


def test_each_member_has_its_own_fit():
    curve = make_curve()
    fits = fit_curve(curve)
    assert fits.n_refused == 0
    for member, one in zip(curve.members, fits.members, strict=True):
        assert one == fit(VOLUMES, member)
    values = fits.values('volume')
    summary = fits.summary('volume')
    assert summary.reference == pytest.approx(KNOWN[0])
    assert (summary.mean_of_fits, summary.spread) == (values.mean(), values.std())
    assert fits.summary('volume', ddof=1).spread == pytest.approx(values.std(ddof=1))
    assert summary.fit_of_mean == fit(VOLUMES, curve.members.mean(axis=0)).volume
    # the mean of the fits is not the fit of the mean
    assert abs(summary.fit_of_mean - summary.mean_of_fits) > 1e-5


def test_the_order_of_members_is_theirs_alone():
    curve, order = make_curve(), [3, 1, 5, 0, 4, 2]
    fits = fit_curve(curve)
    other = fit_curve(Curve('diamond', VOLUMES, curve.reference, curve.members[order]))
    assert other.values('bulk_modulus').tolist() == fits.values('bulk_modulus')[order].tolist()
    for name in ('volume', 'energy', 'bulk_modulus_gpa'):
        one, two = fits.summary(name), other.summary(name)
        assert two.mean_of_fits == pytest.approx(one.mean_of_fits, rel=1e-12)
        assert two.spread == pytest.approx(one.spread, rel=1e-9)


def test_a_constant_on_one_member_moves_only_its_depth():
    curve = make_curve()
    moved = curve.shifted(0.0, np.array([0, 0, 3.0, 0, 0, 0]))
    one, other = fit_curve(curve), fit_curve(moved)
    for name in ('volume', 'bulk_modulus', 'derivative'):
        assert other.values(name) == pytest.approx(one.values(name), rel=1e-9)
    assert one.values('energy') - other.values('energy') == pytest.approx([0, 0, 3, 0, 0, 0])


def test_refused_members_are_counted_and_the_others_stay():
    curve = make_curve()
    members = curve.members.copy()
    members[2] = -0.01 * VOLUMES
    fits = fit_curve(Curve('diamond', VOLUMES, curve.reference, members))
    assert fits.n_refused == 1
    assert fits.members[2] is None
    assert list(fits.refusals) == [2]
    assert np.isnan(fits.values('volume')[2])
    assert fits.summary('volume').n == 5


def test_nothing_is_known_of_nothing():
    flat = np.tile(-0.01 * VOLUMES, (2, 1))
    fits = fit_curve(Curve('diamond', VOLUMES, flat[0], flat))
    assert fits.reference is None
    assert set(fits.refusals) == {'reference', 'mean', 0, 1}
    summary = fits.summary('volume')
    assert summary == eos.Summary(None, None, None, None, 0)


def test_lattice_constant_of_silicon():
    assert eos.lattice_constant(5.431**3 / 8) == pytest.approx(5.431)
