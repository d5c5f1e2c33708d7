"""Laws of the comparison of labels with converged ones."""

from dataclasses import replace

import numpy as np
import pytest

from aiida_enne.science.data.configurations import Configurations
from aiida_enne.science.data.convergence import choose, compare, pool, refuse_domains
from aiida_enne.science.data.labelling import ORIGIN

EXACT = {'rel': 0, 'abs': 1e-12}


@pytest.fixture
def converged():
    """Return six frames of one to six atoms in two domains, with stresses."""
    rng = np.random.default_rng(3)
    n_atoms = np.arange(1, 7)
    total = int(n_atoms.sum())
    return Configurations(
        n_atoms=n_atoms,
        numbers=rng.integers(1, 30, total),
        positions=rng.normal(size=(total, 3)),
        cells=np.tile(9 * np.eye(3), (6, 1, 1)),
        pbc=np.ones((6, 3), dtype=bool),
        domains=np.array(['solid', 'liquid'] * 3),
        blocks=np.arange(6),
        energies=rng.normal(size=6) - 5 * n_atoms,
        forces=rng.normal(size=(total, 3)),
        stresses=rng.normal(size=(6, 3, 3)),
        info={ORIGIN: np.arange(6.0)},
    )


def test_labels_are_no_distance_from_themselves(converged):
    found = compare(converged, converged)
    assert set(found['domains']) == {'solid', 'liquid'}
    for one in [found['pooled'], *found['domains'].values()]:
        for name in ('energy_rms', 'energy_offset', 'energy_noise', 'force_rms', 'force_max'):
            assert one[name] == 0
        assert one['stress_rms'] == 0
        assert one['force_converged'] > 0
    assert found['frames'] == list(range(6))
    assert found['energy_differences'] == [0] * 6


def test_an_offset_of_all_frames_is_told_and_is_no_noise(converged):
    shifted = replace(converged, energies=converged.energies + 0.3 * converged.n_atoms)
    found = compare(shifted, converged)
    for one in [found['pooled'], *found['domains'].values()]:
        assert one['energy_offset'] == pytest.approx(0.3, **EXACT)
        assert one['energy_rms'] == pytest.approx(0.3, **EXACT)
        assert one['energy_noise'] == pytest.approx(0, **EXACT)
        assert one['force_rms'] == 0


def test_a_perturbation_is_recovered(converged):
    """Energies ± e by turns within a domain about an offset of the domain, forces and stresses."""
    sign = np.array([1, -1, -1, 1, 0, 0])
    offset = np.where(converged.domains == 'solid', 0.2, -0.1)
    wrong = converged.n_atoms * (offset + 0.01 * sign)
    pattern = np.random.default_rng(0).choice([-1, 1], converged.forces.shape)
    labels = replace(
        converged,
        energies=converged.energies + wrong,
        forces=converged.forces + 0.05 * pattern,
        stresses=converged.stresses + 0.002,
    )
    labels.forces[-1, 0] += 0.7 * pattern[-1, 0]
    found = compare(labels, converged)
    solid, liquid = found['domains']['solid'], found['domains']['liquid']
    assert solid['energy_offset'] == pytest.approx(0.2, **EXACT)
    assert liquid['energy_offset'] == pytest.approx(-0.1, **EXACT)
    assert solid['energy_noise'] == pytest.approx(0.01, **EXACT)  # (e² + e² + 0) / 2
    assert solid['energy_rms'] == pytest.approx(np.sqrt(0.04 + 2e-4 / 3), **EXACT)
    # between domains the offsets differ: of all frames together they are noise
    assert found['pooled']['energy_noise'] == pytest.approx(
        np.std(offset + 0.01 * sign, ddof=1), **EXACT
    )
    assert solid['force_rms'] == pytest.approx(0.05, **EXACT)
    assert liquid['force_max'] == pytest.approx(0.75, **EXACT)
    n = 3 * int(converged.n_atoms.sum())
    assert found['pooled']['n_components'] == n
    assert found['pooled']['force_rms'] == pytest.approx(
        np.sqrt(((n - 1) * 0.05**2 + 0.75**2) / n), **EXACT
    )
    assert found['pooled']['stress_rms'] == pytest.approx(0.002, **EXACT)
    truth = np.sqrt(np.mean(converged.forces**2))
    assert found['pooled']['force_converged'] == pytest.approx(truth, **EXACT)


def test_the_order_does_not_matter_and_what_one_lacks_is_left_out(converged):
    rng = np.random.default_rng(1)
    labels = replace(
        converged,
        energies=converged.energies + rng.normal(size=6),
        forces=converged.forces + rng.normal(size=converged.forces.shape),
    )
    known = compare(labels, converged)
    assert compare(labels.select([4, 0, 5, 2, 1, 3]), converged) == known
    assert compare(labels, converged.select([3, 2, 1, 0, 5, 4])) == known
    some = compare(labels.select([4, 2]), converged.select([0, 2, 4, 5]))
    assert some['frames'] == [2, 4]
    assert some['energy_differences'] == [known['energy_differences'][i] for i in (2, 4)]
    assert set(some['domains']) == {'solid'}


def test_what_is_hidden_or_fixed_by_symmetry_or_unknown_counts_for_nothing(converged):
    labels = replace(converged, forces=converged.forces + 0.1, stresses=None)
    labels.forces[0] = np.nan
    fixed = converged.forces.copy()
    fixed[1], labels.forces[1] = 1e-9, -1e-9
    found = compare(labels, replace(converged, forces=fixed))['pooled']
    assert found['n_components'] == converged.forces.size - 6
    assert found['force_rms'] == pytest.approx(0.1, **EXACT)
    assert (found['n_stresses'], found['stress_rms']) == (0, None)
    one = compare(labels.select([0]), converged)['pooled']
    assert (one['force_rms'], one['force_max'], one['energy_noise']) == (None, None, None)


def test_labels_of_other_frames_are_refused(converged):
    with pytest.raises(ValueError, match='no frame has labels by both'):
        compare(converged.select([0]), converged.select([1]))
    with pytest.raises(ValueError, match='other atoms'):
        compare(replace(converged, numbers=converged.numbers + 1), converged)


def test_comparisons_of_parts_are_pooled_as_if_made_together(converged):
    rng = np.random.default_rng(2)
    labels = replace(
        converged,
        energies=converged.energies + rng.normal(size=6),
        forces=converged.forces + rng.normal(size=converged.forces.shape),
    )
    whole = compare(labels, converged)['pooled']
    pooled = pool([compare(labels.select(some), converged) for some in ([0, 3], [1, 2, 4, 5])])
    assert pooled['n_frames'] == 6
    for name in ('force_rms', 'energy_noise', 'energy_offset'):
        assert pooled[name] == pytest.approx(whole[name], **EXACT)


def test_frames_are_spread_over_their_domain():
    domains = np.array(['a'] * 11 + ['b'] * 2 + ['c'])
    assert choose(domains, 1).tolist() == [5, 12, 13], 'the middle one'
    assert choose(domains, 2, ['a', 'b']).tolist() == [2, 8, 11, 12]
    assert choose(domains, 50, ['a']).tolist() == list(range(11))
    assert choose(domains, 1, ['d']).tolist() == []


def test_a_domain_that_is_not_there_is_named():
    assert refuse_domains(['a'], ['a', 'b']) is None
    assert 'none is named; name one or more of' in refuse_domains([], ['a', 'b'])
    said = refuse_domains(['diamnd'], ['diamond', 'fcc'])
    assert said == ("no domain 'diamnd' (did you mean `diamond`?); there are ['diamond', 'fcc']")
