import numpy as np
import pytest
from ase.build import bulk

from aiida_enne.science.data.configurations import concatenate
from aiida_enne.science.data.frames import from_atoms
from aiida_enne.science.properties.curves import (
    Curve,
    curve,
    curves,
    ground_shift,
    shift_at_minimum,
)

VOLUMES = np.array([21.0, 18.0, 20.0, 19.0])


def label(frames, domains, energies):
    from dataclasses import replace

    made = from_atoms(frames, domains=domains, blocks=range(len(frames)))
    return replace(made, energies=np.array(energies), forces=np.zeros((len(made.numbers), 3)))


@pytest.fixture
def scan():
    """Diamond in primitive and in conventional cells, its volumes in no order."""
    frames = [
        bulk('Si', 'diamond', a=np.cbrt(8 * v), cubic=cubic)
        for v, cubic in zip(VOLUMES, (True, False, True, False), strict=True)
    ]
    counts = np.array([len(frame) for frame in frames])
    made = label(frames, 4 * ['diamond'], counts * (VOLUMES - 19.6) ** 2)
    return made, counts * np.array([VOLUMES, 2 * VOLUMES, 3 * VOLUMES])


def test_curves_are_per_atom_and_sorted(scan):
    found = curves(*scan)
    assert list(found) == ['diamond']
    one = found['diamond']
    assert one.volumes == pytest.approx([18, 19, 20, 21])
    assert one.reference == pytest.approx((one.volumes - 19.6) ** 2)
    assert one.members == pytest.approx(np.outer([1, 2, 3], one.volumes))
    assert one.errors == pytest.approx(one.members - one.reference)


def test_only_phases_in_the_geometries_of_the_reference_are_curves(scan):
    configurations, energies = scan
    frames = [bulk('Si', 'fcc', a=4.0), bulk('Si', 'fcc', a=4.0), bulk('Si', 'fcc', a=4.0)]
    others = label(frames, ['own diamond', 'liquid 2.57 g/cm³', 'fcc'], [0.0, 0.0, 0.0])
    joined = concatenate([configurations, others])
    padded = np.hstack([energies, np.zeros((3, 3))])
    assert list(curves(joined, padded)) == ['diamond', 'fcc']
    assert len(curve(joined, padded, 'own diamond').volumes) == 1


def test_zeros(scan):
    one = curve(*scan, 'diamond')
    own = one.own_zeros()
    assert own.reference.min() == 0
    assert own.members.min(axis=1).tolist() == [0, 0, 0]
    moved = one.shifted(1.0, np.array([1.0, 2.0, 3.0]))
    assert moved.reference == pytest.approx(one.reference - 1)
    assert moved.errors == pytest.approx(one.errors - [[0], [1], [2]])
    assert one.shifted(1.0, 1.0).errors == pytest.approx(one.errors)


def test_the_shift_is_the_error_where_the_reference_is_lowest(scan):
    found = shift_at_minimum(curve(*scan, 'diamond'), ddof=1)
    assert (found.volume, found.energy) == (pytest.approx(20.0), pytest.approx(0.16))
    assert found.errors == pytest.approx([20 - 0.16, 40 - 0.16, 60 - 0.16])
    assert found.mean == pytest.approx(40 - 0.16)
    assert found.spread == pytest.approx(20)


def test_what_is_no_curve_is_refused(scan):
    configurations, energies = scan
    with pytest.raises(ValueError, match=r"no configurations in the domain 'bcc'"):
        curve(configurations, energies, 'bcc')
    with pytest.raises(ValueError, match=r'several at 18\.0000'):
        curve(configurations.select([0, 1, 1]), energies[:, [0, 1, 1]], 'diamond')
    with pytest.raises(ValueError, match=r'shape \(M, 4\), got \(3, 3\)'):
        curve(configurations, energies[:, 1:], 'diamond')
    with pytest.raises(ValueError, match='labelled'):
        curve(configurations.unlabelled(), energies, 'diamond')
    with pytest.raises(ValueError, match='not finite'):
        curve(configurations, energies * [[1], [np.nan], [1]], 'diamond')


def test_ground_states_are_each_sides_own():
    volumes = np.arange(3.0)
    found = {
        'a': Curve(
            'a', volumes, np.array([1.0, 0.0, 1.0]), np.array([[2.0, 0.3, 1], [2.0, 0.5, 1]])
        ),
        'b': Curve('b', volumes, np.array([2.0, 0.1, 2]), np.array([[2.0, 0.2, 1], [2.0, 0.1, 1]])),
    }
    shift = ground_shift(found)
    assert (shift.of_reference, shift.of_mean) == ('a', 'b')
    assert shift.mean == pytest.approx(0.15)
    assert shift.errors == pytest.approx([0.2, 0.1])
    assert shift.spread == pytest.approx(0.05)
