"""Tests for dynamics on the mean of an ensemble: starts, temperatures, σ on each frame."""

import numpy as np
import pytest
from aiida.engine import run_get_node

from aiida_enne.data.configurations import ConfigurationsData
from aiida_enne.workflows import exploration
from tests.members import alloys

STAGE = {'thermostat': 'langevin', 'timestep': 1.0, 'steps': 6, 'record_every': 3}


def test_each_temperature_has_a_sample_and_a_seed():
    planned = exploration.plan_samples(
        [300, 600.5], start={'count': 2}, stage=STAGE, sigma={'force': 1.0}, seed=4
    )
    assert list(planned) == ['explore_300K', 'explore_600p5K']
    assert [one['seed'] for one in planned.values()] == [4, 5]
    (stage,) = planned['explore_300K']['task']['stages']
    assert stage['domain'] == 'explored {domain}, 300 K'


@pytest.mark.parametrize('temperatures', [[], [300, 300], [0]])
def test_temperatures_of_no_use_are_refused(temperatures):
    with pytest.raises(ValueError, match='expected distinct temperatures above 0 K'):
        exploration.plan_samples(temperatures, start={}, stage=STAGE, sigma={}, seed=1)


@pytest.mark.nequip
@pytest.mark.slow
def test_trajectories_start_where_they_are_told_to(models, train_code):
    frames = alloys(3)
    for number, atoms in enumerate(frames):
        atoms.info = {'domain': 'alloy', 'block': number}
    pool = ConfigurationsData.from_atoms(frames).store()
    samples = exploration.plan_samples(
        [300, 600], start={'count': 2}, stage=STAGE, sigma={'every': 2}, seed=1
    )
    builder = exploration.get_builder(train_code, models, pool, samples, protocol='test')
    node = run_get_node(builder).node
    assert node.is_finished_ok, node.exit_message
    dataset = node.outputs.dataset
    assert dataset.domains == {'explored alloy, 300 K': 4, 'explored alloy, 600 K': 4}
    assert dataset.level_of_theory.startswith('mean of NequIP ensemble ')
    found = dataset.get_configurations()
    assert len(np.unique(found.blocks)) == 4
    assert (found.info['sigma_energy'] > 0).all()
    assert (found.info['sigma_force'] > 0).all()


@pytest.mark.nequip
def test_thresholds_are_those_of_the_training_domains(invoke, audited, dataset, make_code):
    words = ('--start', dataset.pk, '--temperature', 300, '--code', make_code.pk, '--dry-run')
    unknown = invoke('launch', 'explore', '--ensemble', audited[1].pk, *words)
    assert unknown.exit_code == 1
    assert 'give `--energy-sigma` or `--force-sigma`' in unknown.output
    given = invoke('launch', 'explore', '--ensemble', audited[1].pk, *words, '--force-sigma', '0.5')
    assert given.exit_code == 0, given.output
    assert 'σ is looked at every 10 steps; thresholds: force 0.5 eV/Å' in given.output


@pytest.fixture
def make_code(train_code):
    return train_code.store() if not train_code.is_stored else train_code
