"""Labels that are missing: what is written, and trainings that leave them out."""

import dataclasses
import re

import numpy as np
import pytest
import yaml
from aiida.engine import run_get_node
from aiida.plugins import CalculationFactory
from ase.calculators.emt import EMT

from aiida_enne.data.dataset import DatasetData
from aiida_enne.data.split import SplitData
from aiida_enne.families.nequip import FAMILY
from aiida_enne.families.nequip.gaps import FILL, leave_out
from aiida_enne.science.data.frames import to_atoms
from aiida_enne.science.data.splits import Split
from tests.extxyz import from_extxyz

NAME = 'enne.nequip.train'
#: A metric of forces in each section.
END = {'loss': 'mse', 'val_metrics': 'mae'}
#: One trains and one validates.
WITHOUT = [0, 6]


def with_stress_loss(parameters, **changes):
    module = parameters['training_module'] | {
        'loss': {
            '_target_': 'nequip.train.EnergyForceStressLoss',
            'coeffs': {'total_energy': 1.0, 'forces': 1.0, 'stress': 1000.0},
        },
        'val_metrics': {
            '_target_': 'nequip.train.EnergyForceStressMetrics',
            'coeffs': {'forces_mae': 1.0, 'stress_mae': 1.0},
        },
    }
    return parameters | {'training_module': module | changes}


@pytest.fixture
def gappy(train_inputs, configurations):
    """Return inputs of a training whose data lack two stresses."""
    stresses = []
    for atoms in to_atoms(configurations):
        atoms.calc = EMT()
        stresses.append(atoms.get_stress(voigt=False))
    stresses = np.array(stresses)
    stresses[WITHOUT] = np.nan
    some = dataclasses.replace(configurations, stresses=stresses)
    dataset = DatasetData.from_configurations(some).store()
    split = SplitData.from_split(Split(range(6), [6, 7], [8, 9]), dataset, method='by hand')
    parameters = with_stress_loss(train_inputs['parameters'])
    return train_inputs | {'dataset': dataset, 'split': split.store(), 'parameters': parameters}


def read(folder, name):
    with folder.open(name) as handle:
        return handle.read()


def test_stresses_are_written_only_where_something_asks_for_them(prepare, gappy, parameters):
    _, folder = prepare(NAME, gappy)
    written = from_extxyz(read(folder, 'train.xyz'))
    assert np.isnan(written.stresses).all(axis=(1, 2)).tolist() == [True, *[False] * 5]
    config = read(folder, 'members/seed_7/config.yaml')
    assert FILL['_target_'] in config
    assert config.count('ignore_nan') == 2
    plain = gappy | {'parameters': parameters}
    _, folder = prepare(NAME, plain)
    assert 'stress' not in read(folder, 'train.xyz')
    assert 'ignore_nan' not in read(folder, 'members/seed_7/config.yaml')


@pytest.fixture
def masked(train_inputs, configurations):
    """Return inputs of a training with two atoms whose forces a constraint hides in part."""
    forces = np.array(configurations.forces)
    forces[1], forces[25, 0] = np.nan, np.nan
    some = dataclasses.replace(configurations, forces=forces)
    dataset = DatasetData.from_configurations(some, masked_forces=True).store()
    split = SplitData.from_split(Split(range(6), [6, 7], [8, 9]), dataset, method='by hand')
    return train_inputs | {'dataset': dataset, 'split': split.store()}


def test_hidden_forces_are_written_and_left_out(prepare, masked):
    _, folder = prepare(NAME, masked)
    hidden = np.isnan(from_extxyz(read(folder, 'train.xyz')).forces)
    assert np.argwhere(hidden).tolist() == [[1, 0], [1, 1], [1, 2]]
    config = yaml.safe_load(read(folder, 'members/seed_7/config.yaml'))
    module, statistics = config['training_module'], config['data']['stats_manager']
    for entries in (part['metrics'] for part in (module['loss'], statistics)):
        left = {one['name'] for one in entries if one.get('ignore_nan')}
        assert left == {one['name'] for one in entries if one.get('field') == 'forces'}
    assert statistics['dataloader_kwargs'] == {'batch_size': 10}


def test_what_the_user_leaves_out_already_is_kept(parameters):
    entry = {'field': 'stress', 'coeff': 1.0, 'metric': {'_target_': 'nequip.train.HuberLoss'}}
    other = {'field': 'forces', 'coeff': 1.0, 'metric': {'_target_': 'nequip.train.HuberLoss'}}
    loss = {'_target_': 'nequip.train.MetricsManager', 'metrics': [entry, other]}
    metrics = {
        '_target_': 'nequip.train.EnergyForceStressMetrics',
        'ignore_nan': {'total_energy': True},
    }
    given = with_stress_loss(parameters, loss=loss, val_metrics=metrics)
    changed = leave_out(given, ['stress'])
    module = changed['training_module']
    assert module['loss']['metrics'] == [entry | {'ignore_nan': True}, other]
    assert module['val_metrics']['ignore_nan'] == {'total_energy': True, 'stress': True}
    assert 'ignore_nan' not in entry
    assert leave_out(changed, ['stress']) == changed


@pytest.mark.nequip
def test_a_loss_of_stresses_trains_with_two_missing(gappy):
    """The first batch has none, and its loss is NaN; members together fall back."""
    parameters = gappy['parameters']
    loader = parameters['data']['train_dataloader'] | {'batch_size': 1, 'shuffle': False}
    parameters['data'] = parameters['data'] | {'train_dataloader': loader}
    outputs, node = run_get_node(
        CalculationFactory(NAME),
        **gappy
        | {'strategy': 'vectorised', 'kernel': FAMILY.kernels['vectorised'], 'processes': 1},
    )
    assert node.is_finished_ok, node.exit_message
    text = outputs['retrieved'].base.repository.get_object_content('nequip_train.out')
    assert 'members are trained one by one: a loss of' in text
    history = outputs['histories']['seed_7']
    for name in ('train_loss_epoch_stress_mse', 'val0_epoch_stress_mae'):
        values = history.get_array(name)
        assert len(values) == 3
        assert np.isfinite(values).all()
        assert len(set(values.tolist())) == 3


@pytest.mark.nequip
def test_hidden_forces_change_no_other_number(masked, parameters):
    """The forms that are spelt out are those of NequIP, and a training with gaps is finite."""
    utils = pytest.importorskip('hydra.utils')
    by_type = {'Cu': 2.0}
    module = parameters['training_module']
    module['loss'] = module['loss'] | {'per_type_forces_coeffs': by_type}
    longer = leave_out(parameters, ['forces'])['training_module']
    for name in ('loss', 'val_metrics'):
        short, spelt = (
            utils.instantiate(one[name], type_names=['Cu'], _convert_='all')
            for one in (module, longer)
        )
        assert set(short.entries) == set(spelt.entries)
        for key, one in short.entries.items():
            other = spelt.entries[key]
            assert (one.coeff, one.per_type, one.per_type_coeffs) == (
                other.coeff,
                other.per_type,
                other.per_type_coeffs,
            )
            assert str(one.field) == str(other.field)
            assert type(short[key]) is type(spelt[key])
            assert other.ignore_nan == (
                str(one.field) == str(spelt.entries['forces_' + END[name]].field)
            )

    outputs, node = run_get_node(CalculationFactory(NAME), **masked)
    assert node.is_finished_ok, node.exit_message
    history = outputs['histories']['seed_7']
    for name in ('train_loss_epoch_forces_mse', 'val0_epoch_forces_mae'):
        values = history.get_array(name)
        assert len(values) == 3
        assert np.isfinite(values).all()
    known = masked['dataset'].get_configurations().select(range(6)).forces
    log = outputs['retrieved'].base.repository.get_object_content('members/seed_7/log')
    (found,) = re.findall(r'(?<!type_)forces_rms: ([0-9.]+)', log)
    assert float(found) == pytest.approx(np.sqrt(np.nanmean(known**2)), rel=1e-5)
