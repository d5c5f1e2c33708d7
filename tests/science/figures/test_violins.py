import numpy as np
import pytest
from scipy.integrate import trapezoid

from aiida_enne.science.figures.violins import summarise


def test_quantiles_are_numpys(rng):
    values = rng.gamma(2.0, size=301)
    found = summarise(values)
    assert (found.n, found.mean, found.median) == (301, values.mean(), np.median(values))
    assert found.quartiles == tuple(np.quantile(values, [0.25, 0.75]))
    assert found.whiskers == pytest.approx(np.quantile(values, [0.05, 0.95]))
    assert (found.grid[0], found.grid[-1]) == (values.min(), values.max())


def test_the_density_is_that_of_the_values(rng):
    values = rng.normal(3.0, 0.5, size=20_000)
    found = summarise(values)
    gauss = np.exp(-((found.grid - 3) ** 2) / 0.5) / np.sqrt(2 * np.pi * 0.25)
    assert found.density == pytest.approx(gauss, abs=0.05)
    assert trapezoid(found.density, found.grid) == pytest.approx(1, abs=0.01)


def test_a_shift_shifts_and_nothing_else(rng):
    values = rng.normal(size=30)
    one, other = summarise(values), summarise(values - 7890.0)
    assert other.grid == pytest.approx(one.grid - 7890)
    assert other.density == pytest.approx(one.density, rel=1e-6)


@pytest.mark.parametrize('values', [[2.0], [2.0, 2.0, 2.0]])
def test_equal_values_have_no_width(values):
    found = summarise(np.array(values))
    assert (found.mean, found.whiskers, found.quartiles) == (2.0, (2.0, 2.0), (2.0, 2.0))
    assert (found.grid.tolist(), found.density.tolist()) == ([2.0], [1.0])


@pytest.mark.parametrize('values', [[], [1.0, np.nan], [np.inf]])
def test_nothing_and_no_numbers_are_refused(values):
    with pytest.raises(ValueError, match='finite values'):
        summarise(np.array(values))
