"""Tests for what a prediction job leaves: errors of one member."""

import dataclasses

import numpy as np
import pytest

from aiida_enne.families.nequip.prediction import errors


def test_errors_are_those_of_forces_that_are_labels(configurations, rng):
    hidden = rng.random(configurations.forces.shape) < 0.3
    some = dataclasses.replace(
        configurations, forces=np.where(hidden, np.nan, configurations.forces)
    )
    forces = configurations.forces + rng.normal(size=hidden.shape)
    chosen = np.arange(10)
    arrays = {'indices': chosen, 'energies': configurations.energies + 4.0, 'forces': forces}
    wrong = (forces - configurations.forces)[~hidden]
    assert errors(arrays, some) == {
        'energy_mae': pytest.approx(1.0),
        'force_mae': pytest.approx(np.abs(wrong).mean()),
        'force_rmse': pytest.approx(np.sqrt(np.mean(wrong**2))),
    }
