"""Tests for dynamics on the mean of an ensemble: starts, temperatures, σ on each frame."""

import numpy as np
import pytest
from aiida.engine import run_get_node

from aiida_enne.cli.launch_explore import thresholds
from aiida_enne.data.configurations import ConfigurationsData
from aiida_enne.provenance import find_audits, find_ensemble, find_statistics
from aiida_enne.workflows import exploration
from tests.audited import audit_of, store_audit
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


def test_a_training_knows_the_thresholds_of_the_audits_that_came_after_it(dataset):
    """They are those of σ itself, not of a width that another audit asked for."""
    parameters = {'training_domains': ['cold']}
    audit, training = store_audit(dataset, parameters=parameters)
    audit_of(audit, {'again': dataset}, parameters | {'ddof': 1}, seed=1)
    options = {'energy_sigma': None, 'force_sigma': None, 'factor': 2.0}
    (own,) = find_statistics(audit.pk)
    assert len(find_audits(find_ensemble(training.pk))) == 2
    for process in (audit, training):
        found = thresholds(str(process.pk), options)
        for name in ('energy', 'force'):
            assert found[name] == 2 * own.domains['cold'][f'{name}_spread_threshold']


def test_of_equal_audits_the_own_one_counts_else_the_last(dataset):
    first, training = store_audit(dataset)
    second = audit_of(first, {'again': dataset}, seed=1)
    for process, expected in ((first, first), (second, second), (training, second)):
        (found,) = find_audits(find_ensemble(process.pk))
        assert found.uuid == find_statistics(expected.pk)[0].uuid


@pytest.mark.nequip
def test_thresholds_are_those_of_the_training_domains(invoke, audited, dataset, make_code):
    words = ('--start', dataset.pk, '--temperature', 300, '--code', make_code.pk, '--dry-run')
    unknown = invoke('launch', 'explore', '--ensemble', audited[1].pk, *words)
    assert unknown.exit_code == 1
    assert 'give `--energy-sigma` or `--force-sigma`' in unknown.output
    given = invoke('launch', 'explore', '--ensemble', audited[1].pk, *words, '--force-sigma', '0.5')
    assert given.exit_code == 0, given.output
    assert 'σ is looked at every 10 steps; thresholds: force 0.5 eV/Å' in given.output


@pytest.mark.nequip
def test_the_pressure_is_that_of_npt(invoke, audited, dataset, make_code):
    words = ['--start', dataset.pk, '--temperature', 300, '--code', make_code.pk, '--dry-run']
    words += ['--ensemble', audited[1].pk, '--force-sigma', 1, '--pressure', '2.5']
    shown = invoke('launch', 'explore', *words, '--thermostat', 'npt')
    assert shown.exit_code == 0, shown.output
    assert "'thermostat': 'npt'" in shown.output
    endless = invoke('launch', 'explore', *words[:-1], 'inf', '--thermostat', 'npt')
    assert endless.exit_code == 1
    assert '`pressure`' in endless.output
    refused = invoke('launch', 'explore', *words)
    assert refused.exit_code == 1
    assert 'the thermostat langevin has no `pressure`' in refused.output


@pytest.fixture
def make_code(train_code):
    return train_code.store() if not train_code.is_stored else train_code
