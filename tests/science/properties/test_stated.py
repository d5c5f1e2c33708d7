"""Tests for numbers of a crystal with σ, and for the claim that the reference lies among them."""

import numpy as np
import pytest

from aiida_enne.science.properties.elastic import Elastic
from aiida_enne.science.properties.phonons import Phonons
from aiida_enne.science.properties.stated import Stated, claim, of_elastic, of_phonons


def cubic(c11, c12, c44):
    constants = np.diag([c11 - c12] * 3 + [c44] * 3).astype(float)
    constants[:3, :3] += c12
    return constants


def drawn(rng, n_members=19, shift=0.0, spread=1.0):
    """Return three correlated numbers of members and of a reference that is one more of them."""
    mixing = np.array([[1.0, 0.8, 0.1], [0.0, 0.5, 0.3], [0.0, 0.0, 0.2]])
    values = 100 + spread * rng.normal(size=(n_members + 1, 3)) @ mixing
    return Stated('fcc', 'GPa', ['C11', 'C12', 'C44'], values[0] + shift, values[1:])


def test_a_cubic_crystal_has_three_constants_and_another_has_all():
    members = np.stack([cubic(170, 120, 90), cubic(180, 110, 80)])
    found = of_elastic(Elastic('fcc', cubic(160, 100, 70), members))
    assert (found.names, found.unit) == (['C11', 'C12', 'C44'], 'GPa')
    np.testing.assert_allclose(found.mean, [175, 115, 85])
    np.testing.assert_allclose(found.reference, [160, 100, 70])
    tetragonal = cubic(170, 120, 90)
    tetragonal[2, 2] = 150
    found = of_elastic(Elastic('beta-tin', None, np.stack([tetragonal, tetragonal])))
    assert found.names == ['C11', 'C12', 'C13', 'C22', 'C23', 'C33', 'C44', 'C55', 'C66']
    assert found.reference is None


def test_equal_modes_are_one_number_and_those_at_rest_are_none():
    gamma = np.array([0.0, 0.0, 0.0, 15.0, 15.001, 15.002])
    edge = np.array([4.0, 4.0, 12.0, 12.0, 13.0, 13.5])
    points = {
        'Γ': Phonons('diamond', gamma, np.stack([gamma, 1.1 * gamma])),
        'X': Phonons('diamond', edge, np.stack([edge, edge])),
    }
    found = of_phonons(Phonons('diamond', gamma, np.stack([gamma, gamma]), points=points))
    assert list(found.names) == ['Γ 4–6', 'X 1–2', 'X 3–4', 'X 5', 'X 6']
    np.testing.assert_allclose(found.reference, [15.001, 4, 12, 13, 13.5])
    assert found.mean[0] == pytest.approx(1.05 * 15.001)


def test_an_honest_reference_is_refused_no_more_often_than_the_level(rng):
    """The law: of references that are one more member, 5 % or fewer do not hold."""
    outcomes = [claim(drawn(rng), 'elastic constants').outcome for _ in range(600)]
    refused = outcomes.count('does not hold') / len(outcomes)
    assert refused <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / len(outcomes))
    assert refused > 0.02  # 1 of 20 ranks, exactly
    assert outcomes.count('holds') / len(outcomes) > 0.6


def test_a_reference_far_from_all_members_does_not_hold(rng):
    found = claim(drawn(rng, shift=20.0), 'elastic constants')
    assert found.outcome == 'does not hold'
    assert found.sentence.startswith('0 of 3 numbers lie inside')
    assert 'p = 0.05, the least that 19 members allow' in found.sentence


def test_what_cannot_be_decided_is_open_with_the_reason(rng):
    few = claim(drawn(rng, n_members=8, shift=20.0), 'elastic constants')
    assert few.outcome == 'undecided'
    assert '8 members can never show a difference at the 5% level; 19 or more' in few.sentence
    honest = drawn(rng)
    alone = Stated('fcc', 'GPa', honest.names, None, honest.members)
    found = claim(alone, 'elastic constants')
    assert found.outcome == 'undecided'
    assert 'There is no reference on these cells' in found.sentence
    same = Stated('fcc', 'GPa', honest.names, honest.reference, np.full((19, 3), 99.0))
    assert 'members agree to the last digit' in claim(same, 'elastic constants').sentence
    blocked = claim(honest, 'elastic constants', 'members do not fit their training frames')
    assert blocked.outcome == 'undecided'
    assert blocked.sentence.endswith('not judged, since members do not fit their training frames.')


def test_one_number_lies_inside_its_interval_as_often_as_is_said(rng):
    inside = [np.abs(one.error) <= one.widths for one in (drawn(rng, 5) for _ in range(3000))]
    np.testing.assert_allclose(np.mean(inside, axis=0), 0.9, atol=0.02)
