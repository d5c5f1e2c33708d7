import numpy as np
import pytest

from aiida_enne.science.uncertainty.alignment import reference_offset
from aiida_enne.science.uncertainty.audit import audit
from aiida_enne.science.uncertainty.options import AuditOptions
from aiida_enne.science.uncertainty.samples import gather

OPTIONS = AuditOptions(n_subsets=5, n_bootstrap=20)


@pytest.mark.parametrize('by', ['minimum', 'mean'])
def test_it_removes_a_constant_and_nothing_else(ensemble, by):
    configurations, energies, forces = ensemble
    shifts = np.linspace(-3, 7, len(energies))[:, None] * configurations.n_atoms
    found = []
    for predicted in (energies, energies + shifts):
        offsets = reference_offset(configurations, predicted, 'cubic diamond', by)
        found.append(audit(configurations, predicted, forces, options=OPTIONS, offsets=offsets))
    plain, shifted = (result.arrays for result in found)
    assert shifted['aligned_mean'] == pytest.approx(plain['aligned_mean'], abs=1e-12)
    assert shifted['aligned_spread'] == pytest.approx(plain['aligned_spread'], abs=1e-12)
    # the raw numbers are there as they came
    raw = (energies + shifts) / configurations.n_atoms
    assert shifted['energy_spread'] == pytest.approx(raw.std(axis=0), rel=1e-12)


def test_each_takes_its_own_minimum(ensemble):
    configurations, energies, _ = ensemble
    own = configurations.domains == 'cubic diamond'
    per_atom = energies[:, own] / configurations.n_atoms[own]
    offsets = reference_offset(configurations, energies, 'cubic diamond')
    assert offsets.members == pytest.approx(per_atom.min(axis=1), abs=0)
    reference = configurations.energies[own] / configurations.n_atoms[own]
    assert offsets.reference == reference.min()
    mean = reference_offset(configurations, energies, 'cubic diamond', 'mean')
    assert mean.members == pytest.approx(per_atom.mean(axis=1), abs=1e-12)


def test_snapshots_take_zeros_of_their_own(ensemble, rng):
    """A constant of a snapshot changes nothing of its aligned energies, those of members stay."""
    configurations, energies, forces = ensemble
    trained = 'liquid 2000 K, 2.57 g/cm3'
    rivals = energies[:3] + 0.1 * rng.normal(size=(3, len(configurations)))
    options = AuditOptions(estimator='snapshots', calibration_domain=trained, n_bootstrap=0)
    found = []
    for shift in (np.zeros((3, 1)), np.array([[-2.0], [0.5], [3.0]])):
        several = rivals + shift * configurations.n_atoms
        offsets = reference_offset(configurations, energies, 'cubic diamond', snapshots=several)
        given = several, forces[:3]
        found.append(
            gather(configurations, energies, forces, offsets, options, snapshots=given)['aligned']
        )
    plain, shifted = found
    np.testing.assert_allclose(shifted.spread, plain.spread, rtol=1e-9)
    np.testing.assert_array_equal(shifted.members, plain.members)
    own = rivals / configurations.n_atoms
    own -= own[:, configurations.domains == 'cubic diamond'].min(axis=1, keepdims=True)
    np.testing.assert_allclose(plain.snapshots, own, atol=1e-12)
    learnt = configurations.domains == trained
    error = (plain.mean - plain.reference)[learnt]
    size = own.std(axis=0, ddof=1)
    factor = np.sqrt(np.mean((error / size[learnt]) ** 2))
    np.testing.assert_allclose(plain.spread, factor * size, rtol=1e-9)
    assert plain.used.any()


def test_own_zeros_that_snapshots_lack_are_named(ensemble):
    configurations, energies, forces = ensemble
    offsets = reference_offset(configurations, energies, 'cubic diamond')
    rivals = energies[:3], forces[:3]
    with pytest.raises(ValueError, match=r'none of the snapshots: take both by `reference_offset'):
        gather(configurations, energies, forces, offsets, OPTIONS, snapshots=rivals)
    several = reference_offset(configurations, energies, 'cubic diamond', snapshots=energies[:2])
    with pytest.raises(ValueError, match='2 offsets do not fit 3 members'):
        gather(configurations, energies, forces, several, OPTIONS, snapshots=rivals)
    with pytest.raises(ValueError, match='`snapshots` must have the shape'):
        reference_offset(configurations, energies, 'cubic diamond', snapshots=energies[0])


def test_bad_input_is_named(ensemble):
    configurations, energies, _ = ensemble
    with pytest.raises(ValueError, match="no configurations in the domain 'graphite'"):
        reference_offset(configurations, energies, 'graphite')
    with pytest.raises(ValueError, match="got 'median'"):
        reference_offset(configurations, energies, 'cubic diamond', 'median')
    with pytest.raises(ValueError, match='must have the shape'):
        reference_offset(configurations, energies[:, :5], 'cubic diamond')
    with pytest.raises(ValueError, match='labelled'):
        reference_offset(configurations.unlabelled(), energies, 'cubic diamond')
