"""Errors on training frames: of forces they are those of the labels, by domain and density."""

from dataclasses import replace

import numpy as np
import pytest

from aiida_enne.science.uncertainty.audit import audit
from aiida_enne.science.uncertainty.fit import MIN_FRAMES, Fit
from aiida_enne.science.uncertainty.gates import failed, training_gate
from aiida_enne.science.uncertainty.options import AuditOptions

HOT, SOLID = 'liquid 2600 K, 2.57 g/cm3', 'cubic diamond'
FEW = AuditOptions(n_subsets=2, n_bootstrap=0)


def test_force_errors_are_those_of_the_labels_that_symmetry_leaves(ensemble):
    configurations, _, forces = ensemble
    found = Fit.of_forces(configurations, forces, [HOT, SOLID])
    own = np.repeat(configurations.domains == HOT, configurations.n_atoms)
    error = forces.mean(axis=0)[own] - configurations.forces[own]
    # no force of the solid is a label that says anything
    assert list(found.by_group()) == [HOT]
    (rmse, members) = found.by_group()[HOT]
    assert rmse == pytest.approx(np.sqrt(np.mean(error**2)), rel=1e-12)
    each = np.sqrt(np.mean((forces[:, own] - configurations.forces[own]) ** 2, axis=(1, 2)))
    np.testing.assert_allclose(members, each, rtol=1e-12)
    assert found.least == 3 * MIN_FRAMES * 8
    assert len(Fit.of_forces(configurations, forces, [SOLID])) == 0


def test_a_force_that_is_no_label_has_no_error(ensemble):
    configurations, _, forces = ensemble
    labels = configurations.forces.copy()
    labels[::2] = np.nan
    some = Fit.of_forces(replace(configurations, forces=labels), forces, [HOT])
    assert np.isfinite(some.errors[0]).all()
    assert 2 * len(some) == len(Fit.of_forces(configurations, forces, [HOT]))


@pytest.mark.parametrize(('tolerance', 'state'), [(0.5, 'passed'), (0.01, 'failed')])
def test_a_gate_of_forces_caps_what_is_said_of_forces_alone(ensemble, tolerance, state):
    configurations, energies, forces = ensemble
    chosen = np.flatnonzero(configurations.domains == HOT)
    fit = Fit.of_forces(configurations, forces, [HOT])
    gates = [
        training_gate(Fit.of(configurations, energies, [HOT]), 1.0),
        training_gate(fit, tolerance, fit),
    ]
    assert (gates[1].state, gates[1].quantity) == (state, 'force')
    assert 'eV/Å on training frames' in gates[1].reason
    atoms = configurations.atom_index(chosen)
    table = configurations.select(chosen), energies[:, chosen], forces[:, atoms]
    found = audit(*table, options=FEW, gates=gates)
    assert gates[1] in found.gates['force']
    assert gates[1] not in found.gates['energy']
    words = {row.quantity: row for row in found.verdicts}
    is_red = gates[1].reason in words['force'].reason
    assert is_red == (state == 'failed')
    assert gates[1].reason not in words['energy'].reason
    assert failed(found.gates['energy']) == []


def test_training_errors_that_nobody_knows_are_said_to_be_unknown(ensemble):
    configurations, energies, forces = ensemble
    trained = training_gate(Fit.of(configurations, energies, [HOT]), 1.0)
    found = audit(configurations, energies, forces, options=FEW, gates=[trained])
    (gate,) = (one for one in found.gates['force'] if one.quantity)
    assert (gate.name, gate.state) == ('training', 'unknown')
    assert 'force on training frames are not known' in gate.reason
    assert not any(one.quantity for one in found.gates['energy'])
    # where nothing is known of the training, that is said once
    unasked = audit(configurations, energies, forces, options=FEW, gates=[training_gate(None, 1.0)])
    assert not any(one.quantity for one in unasked.gates['force'])
