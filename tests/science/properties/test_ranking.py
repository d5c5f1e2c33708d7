import numpy as np
import pytest

from aiida_enne.science.properties.curves import Curve
from aiida_enne.science.properties.equations import EQUATIONS
from aiida_enne.science.properties.ranking import rank
from tests.science.paper import PHASES


def make(shifts=None, n_members=4, points=9):
    """Return curves of all phases, the members' shifted by some eV/atom each."""
    made = {}
    for name, (energy, volume, modulus) in PHASES.items():
        volumes = volume * np.linspace(0.85, 1.15, points)
        reference = EQUATIONS['birch-murnaghan'][0](volumes, volume, energy, modulus, 4.2)
        own = np.array((shifts or {}).get(name, n_members * [0.0]))[:, None]
        made[name] = Curve(name, volumes, reference, reference + own)
    return made


def test_the_order_is_the_references():
    found = rank(make())
    assert found.names == ('diamond', 'hexagonal-diamond', 'beta-tin', 'hcp', 'bcc', 'fcc')
    assert found.reference == pytest.approx([PHASES[name][0] for name in found.names])
    assert len(found.pairs()) == 15
    assert all(pair.wrong == 0 and pair.compared == 4 for pair in found.pairs())


def test_members_that_have_it_wrong_are_counted():
    found = rank(make({'hexagonal-diamond': [0, -0.02, -0.011, -0.005], 'hcp': [0, 0, 0.06, 0]}))
    pair = found.pair('diamond', 'hexagonal-diamond')
    assert (pair.wrong, pair.compared) == (2, 4)
    assert pair.gap == pytest.approx(0.01)
    assert pair.member_gaps == pytest.approx([0.01, -0.01, -0.001, 0.005])
    assert pair.mean_gap == pytest.approx(0.001)
    assert found.pair('hcp', 'fcc').wrong == 1
    wrong = {(p.lower, p.upper) for p in found.pairs() if p.wrong}
    assert wrong == {('diamond', 'hexagonal-diamond'), ('hcp', 'fcc'), ('hcp', 'bcc')}


def test_a_constant_of_a_member_changes_no_order():
    shifts = {'hexagonal-diamond': [0, -0.02, -0.011, -0.005]}
    moved = {n: np.add(shifts.get(n, 4 * [0.0]), [5.0, -3.0, 0.5, 0.0]).tolist() for n in PHASES}
    one, other = rank(make(shifts)), rank(make(moved))
    for first, second in zip(one.pairs(), other.pairs(), strict=True):
        assert second.member_gaps == pytest.approx(first.member_gaps, abs=1e-9)
        assert second.wrong == first.wrong


def test_a_coarse_scan_misses_the_minimum_and_its_fit_does_not():
    curves = make(points=8)
    assert rank(curves).reference[0] == pytest.approx(PHASES['diamond'][0], abs=1e-9)
    lowest = rank(curves, by='lowest').reference[0]
    assert lowest == curves['diamond'].reference.min()
    assert lowest > PHASES['diamond'][0] + 1e-4


def test_what_has_no_minimum_is_left_out_and_said_to_be():
    curves = make()
    bcc, fcc = curves['bcc'], curves['fcc']
    curves['bcc'] = Curve('bcc', bcc.volumes, -bcc.volumes, bcc.members)
    broken = fcc.members.copy()
    broken[1] = -fcc.volumes
    curves['fcc'] = Curve('fcc', fcc.volumes, fcc.reference, broken)
    found = rank(curves)
    assert list(found.left_out) == ['bcc']
    assert 'bcc' not in found.names
    pair = found.pair('hcp', 'fcc')
    assert (pair.compared, pair.wrong) == (3, 0)
    assert np.isnan(found.members[1, found.names.index('fcc')])


def test_pairs_that_are_none_are_refused():
    found = rank(make())
    with pytest.raises(ValueError, match='the reference has diamond below fcc'):
        found.pair('fcc', 'diamond')
    with pytest.raises(ValueError, match=r"no lowest energy of \['bc8'\]"):
        found.pair('diamond', 'bc8')
    with pytest.raises(ValueError, match="'fit' or 'lowest'"):
        rank(make(), by='mean')
    with pytest.raises(ValueError, match='one or more curves'):
        rank({})
