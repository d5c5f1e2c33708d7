from dataclasses import replace

import numpy as np
import pytest

from aiida_enne.science.data.configurations import concatenate
from aiida_enne.science.properties.formation import formation
from aiida_enne.science.properties.scatter import (
    agreement,
    flags,
    is_logarithmic,
    join,
    of_energies,
    of_formations,
)
from aiida_enne.science.uncertainty.alignment import reference_offset
from tests.science.paper import crystal, label, relaxation

LIQUID = 'liquid 2.57 g/cm³, 2000 K'


@pytest.fixture
def points(rng):
    """Liquid, two phases and glass: frames of different sizes, and energies of 5 members."""
    sizes, domains = [8, 64, 8, 8, 2, 2, 2], [LIQUID] * 2 + ['glass'] + ['fcc'] * 2 + ['bcc'] * 2
    made = label([crystal(n) for n in sizes], domains, rng.normal(size=7))
    return made, made.energies + rng.normal(size=(5, 7))


def test_energies_are_per_atom(points):
    made, energies = points
    found = of_energies(made, energies, ddof=1)
    assert found.spread == pytest.approx(energies.std(axis=0, ddof=1) / made.n_atoms)
    assert found.error == pytest.approx((energies.mean(axis=0) - made.energies) / made.n_atoms)
    assert (found.n_members, found.ddof, len(found)) == (5, 1, 7)
    assert set(found.unit) == {'eV/atom'}
    assert found.families.tolist() == 2 * ['liquid'] + ['glass'] + 4 * ['phase']
    assert found.of(['liquid']).error == pytest.approx(found.error[:2])


def test_the_ensembles_minimum_of_each_phase_is_marked(points):
    made, energies = points
    found = of_energies(made, energies)
    mean = energies.mean(axis=0)
    assert np.flatnonzero(found.marked).tolist() == [
        3 + np.argmin(mean[3:5]),
        5 + np.argmin(mean[5:7]),
    ]


def test_zeros_are_taken_off(points):
    made, energies = points
    offsets = reference_offset(made, energies, 'fcc')
    found, raw = of_energies(made, energies, offsets=offsets), of_energies(made, energies)
    moved = energies + np.outer(np.arange(5.0), made.n_atoms)
    other = of_energies(made, moved, offsets=reference_offset(made, moved, 'fcc'))
    assert other.spread == pytest.approx(found.spread)
    assert other.error == pytest.approx(found.error)
    assert found.error != pytest.approx(raw.error)


def test_formations_join_in_their_own_units():
    made = concatenate(
        [
            relaxation('vacancy 3³', 215, 216, [4.0, 3.9], 3),
            relaxation('Si(100) tilted, 10 layers', 20, 8, [4.0, 3.0, 2.5]),
        ]
    )
    energies = made.energies + np.random.default_rng(0).normal(size=(5, len(made)))
    paths = [
        formation(made, energies, name) for name in ('vacancy 3³', 'Si(100) tilted, 10 layers')
    ]
    bare = formation(made.unlabelled(), energies, 'vacancy 3³')
    found = of_formations([*paths, bare])
    assert found.spread == pytest.approx(np.concatenate([path.spread for path in paths]))
    assert found.error == pytest.approx(np.concatenate([path.error for path in paths]))
    assert found.unit.tolist() == 2 * ['eV'] + 3 * ['eV per surface atom']
    both = join([found, of_energies(made, energies)])
    assert len(both) == 5 + len(made)
    with pytest.raises(ValueError, match=r"mix the units \['eV per surface atom', 'eV/atom'\]"):
        agreement(both)
    with pytest.raises(ValueError, match='eV/atom only'):
        flags(both, ['bulk'])
    with pytest.raises(ValueError, match='one ensemble'):
        join([found, of_energies(made, energies[:3])])
    with pytest.raises(ValueError, match='one ensemble'):
        join([])


def make(rng, n, scale, domain):
    """Return points whose σ is what their errors are drawn from, times a scale."""
    made = label([crystal(1)] * n, [domain] * n, np.zeros(n))
    size = np.exp(rng.normal(0, 0.7, size=n))
    members = size * rng.normal(size=(200, n))
    members += size * rng.normal(size=n) * scale - members.mean(axis=0)
    return of_energies(made, members)


def test_agreement_of_a_calibrated_ensemble_and_of_an_overconfident_one(rng):
    both = join([make(rng, 800, 1.0, LIQUID), make(rng, 800, 4.0, 'fcc')])
    found = agreement(both)
    assert found[LIQUID]['cone_coverage'] == pytest.approx(0.68, abs=0.05)
    assert found['fcc']['rmse_over_spread'] == pytest.approx(4, rel=0.15)
    assert found['fcc']['cone_coverage'] == pytest.approx(0.197, abs=0.05)
    for scalars in found.values():
        assert scalars['n'] == 800
        # a scale does not change ranks
        assert scalars['rank_correlation'] == pytest.approx(
            scalars['rank_correlation_honest'], abs=0.1
        )
        assert scalars['ratio_max'] >= scalars['rmse_over_spread']
    families = agreement(both, by='family')
    assert set(families) == {'liquid', 'phase'}
    assert families['phase'] == found['fcc']


def test_a_spread_that_knows_nothing_lies_below_the_calibrated_one(rng):
    one = make(rng, 500, 1.0, 'fcc')
    # each sample gets the error of another one, and keeps what its members differ by
    errors = one.errors - one.error[:, None] + rng.permutation(one.error)[:, None]
    shuffled = replace(one, errors=errors, error=errors.mean(axis=1))
    scalars = agreement(shuffled)['fcc']
    assert scalars['rank_correlation'] < scalars['rank_correlation_honest']
    assert scalars['rank_correlation_p_low'] == pytest.approx(1 / 201)


def test_single_points_have_no_rank(points):
    scalars = agreement(of_energies(*points))['glass']
    assert scalars['n'] == 1
    assert scalars['rank_correlation'] is None
    assert scalars['rank_correlation_p_low'] is None


def test_the_threshold_rule_is_that_of_the_audit(rng):
    both = join([make(rng, 100, 0.1, LIQUID), make(rng, 100, 0.1, 'fcc')])
    found = flags(both, [LIQUID])
    threshold = both.spread[:100].max()
    assert found[LIQUID]['flagged'] == 0
    assert found['fcc']['spread_threshold'] == threshold
    flagged = both.spread[100:] > threshold
    assert found['fcc']['flagged'] == pytest.approx(flagged.mean())
    assert found['fcc']['n'] == 100
    accurate = np.abs(both.error[100:][flagged]) <= np.abs(both.error[:100]).max()
    assert found['fcc']['flagged_accurate'] == pytest.approx(accurate.mean())
    with pytest.raises(ValueError, match=r"no point of the training domains \['bcc'\]"):
        flags(both, ['bcc'])


def test_axes_are_logarithmic_by_default_where_all_values_have_a_logarithm(points):
    found = of_energies(*points)
    found = found.select(found.positive)
    hidden = replace(found, spread=np.where(np.arange(len(found)) == 3, 0.0, found.spread))
    exact = replace(found, error=np.where(np.arange(len(found)) == 3, 0.0, found.error))
    for scale, shown in (('auto', True), ('log', True), ('linear', False)):
        assert is_logarithmic(found, scale) is shown
    for one in (hidden, exact):
        assert [is_logarithmic(one, scale) for scale in ('auto', 'log')] == [False, True]
