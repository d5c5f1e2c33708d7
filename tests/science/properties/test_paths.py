import numpy as np
import pytest

from aiida_enne.science.properties.curves import Curve
from aiida_enne.science.properties.paths import VolumePath, volume_path

VOLUMES = np.linspace(15.0, 25.0, 11)


def path(spread, error):
    return VolumePath('diamond', VOLUMES, np.broadcast_to(spread, 11), error, 0)


def test_spread_and_error_are_those_of_the_curve(rng):
    curve = Curve('diamond', VOLUMES, rng.normal(size=11), rng.normal(size=(5, 11)))
    found = volume_path(curve, ddof=1)
    assert found.spread == pytest.approx(curve.members.std(axis=0, ddof=1))
    assert found.error == pytest.approx(curve.members.mean(axis=0) - curve.reference)
    shifted = volume_path(curve.shifted(0.0, 1.0), ddof=1)
    assert shifted.error == pytest.approx(found.error - 1)
    assert shifted.spread == pytest.approx(found.spread)


def test_the_interval_inside_is_where_the_lines_cross():
    # |V - 20| < 2.3: between the volumes
    found = path(2.3, VOLUMES - 20)
    assert found.inside == [pytest.approx((17.7, 22.3))]
    assert found.share_inside == pytest.approx(0.46)
    # the sign of ε does not matter, and a path may come back
    found = path(1.0, 2 - np.abs(VOLUMES - 20))
    assert found.inside == [pytest.approx((17.0, 19.0)), pytest.approx((21.0, 23.0))]


def test_through_the_cone_within_one_step():
    found = path(0.1, np.where(VOLUMES < 20, 1.0, -1.0))
    assert found.inside == [pytest.approx((19.45, 19.55))]


def test_always_or_never_inside():
    assert path(1.0, 0 * VOLUMES).inside == [(15.0, 25.0)]
    assert path(1.0, 0 * VOLUMES).share_inside == 1
    assert path(1.0, 0 * VOLUMES + 2).inside == []
    assert path(1.0, 0 * VOLUMES + 2).share_inside == 0


def test_a_spread_that_follows_the_error_is_monotonic():
    error = VOLUMES - 20
    assert path(0.2 * np.abs(error), error).monotonic
    assert path(0.2 * np.abs(error), error).rank_correlation == pytest.approx(1)
    assert not path(1 + 0.1 * VOLUMES, error).monotonic
    assert not path(5 - np.abs(error), error).monotonic


def test_one_volume_is_no_path():
    one = Curve('diamond', VOLUMES[:1], np.zeros(1), np.zeros((2, 1)))
    with pytest.raises(ValueError, match='two or more volumes, got 1'):
        volume_path(one)
