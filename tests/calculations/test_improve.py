"""Calculation functions of an improvement, on stored nodes."""

import numpy as np
import pytest
from aiida import orm

from aiida_enne.calculations.improve import (
    extend_training,
    find_unlabelled,
    kept_by_sigma,
    recalibrate,
    take_labels,
)
from aiida_enne.data.configurations import ConfigurationsData
from aiida_enne.data.dataset import DatasetData
from aiida_enne.data.prediction import PredictionData
from aiida_enne.science.selection.comparison import pooled_rmse
from tests.improving import copper, dataset_of, make_data


@pytest.fixture(scope='module')
def data(aiida_profile):
    """Return what is trained on, what judges, and a pool that knows some of both."""
    return make_data()


def test_frames_between_those_of_every_so_many_steps_were_kept_for_their_sigma(data):
    frames = data['pool'].get_configurations().select(range(6))
    frames.info['time'] = np.array([0.0015, 0.003, 0.0045, 0.006, np.nan, np.nan])
    found = kept_by_sigma(frames, 4, record_every=2, timestep=1.5)
    assert found.tolist() == [True, False, True, False, False, False]
    found = kept_by_sigma(frames, 4, record_every=0, timestep=1.5)
    assert found.tolist() == [True] * 4 + [False] * 2


def test_errors_larger_than_the_spread_says_are_found_by_the_next_round(data):
    rng, bought = np.random.default_rng(2), data['dataset']
    known, n_members, factor = bought.get_configurations(), 12, 3.0
    shape = known.forces.shape
    # truth and members are draws about one centre, the truth with `factor` times the width
    centre = known.forces - factor * rng.normal(size=shape)
    proofs = {
        f'seed_{one}': PredictionData.from_arrays(
            {
                'indices': np.arange(len(known)),
                'energies': known.energies.copy(),
                'forces': centre + rng.normal(size=shape),
            },
            dataset_sha256=bought.sha256,
            weights_sha256=f'{one}',
        ).store()
        for one in range(n_members)
    }
    given = {'bought': {'round_0': bought}, 'proofs': {'round_0': proofs}}
    found = {ddof: recalibrate(orm.Int(ddof), **given).get_dict() for ddof in (0, 1)}
    assert found[1]['force']['factor'] == pytest.approx(factor, rel=0.25)
    ratio = found[0]['force']['factor'] / found[1]['force']['factor']
    assert ratio == pytest.approx((n_members / (n_members - 1)) ** 0.5, rel=1e-12)
    assert found[1]['force']['n_samples'] == known.forces.size
    assert 'members differ' in found[1]['energy']['reason']


def test_labels_are_found_again_by_content(data):
    pool = data['pool'].get_configurations()
    labels = dataset_of(copper(range(20, 28), 0.25, 'pool')[1:5])
    first = ConfigurationsData.from_configurations(pool.select([3, 1])).store()
    second = ConfigurationsData.from_configurations(pool.select([1, 6])).store()
    missing = find_unlabelled(chosen={'a': first, 'b': second}, labels={'round_0': labels})
    np.testing.assert_array_equal(
        missing['unlabelled'].get_configurations().positions, pool.select([6]).positions
    )
    assert find_unlabelled(chosen={'a': first}, labels={'round_0': labels}) == {}
    bought = take_labels(first, round_0=labels)['bought'].get_configurations()
    np.testing.assert_array_equal(bought.positions, pool.select([3, 1]).positions)
    np.testing.assert_allclose(bought.energies, pool_energies()[[3, 1]])
    part = take_labels(second, round_0=labels)['bought'].get_configurations()
    np.testing.assert_array_equal(part.positions, pool.select([1]).positions)
    nothing = ConfigurationsData.from_configurations(pool.select([0])).store()
    assert take_labels(nothing, round_0=labels) == {}


def test_labels_of_another_level_are_never_trained_on(data):
    other = DatasetData.from_atoms(copper([70]), level_of_theory='PBE').store()
    with pytest.raises(ValueError, match="the labels are of 'PBE', the training set of 'EMT'"):
        extend_training(data['dataset'], data['split'], other, orm.Float(0.5))


def pool_energies():
    return np.array([one.get_potential_energy() for one in copper(range(20, 28), 0.25)])


def test_pooled_errors_count_components():
    assert pooled_rmse({'a': {'force_rmse': 2.0, 'n_force_components': 3}}) == 2.0
