import numpy as np
import pytest

from aiida_enne.science.uncertainty.alignment import reference_offset
from aiida_enne.science.uncertainty.audit import audit
from aiida_enne.science.uncertainty.options import AuditOptions

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
