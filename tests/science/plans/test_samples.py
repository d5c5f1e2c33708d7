"""Tests for samples: what is built, and how much is recorded before anything has run."""

import re

import numpy as np
import pytest
from ase import units

from aiida_enne.science.plans.costs import Assumptions
from aiida_enne.science.plans.engine_work import Prices
from aiida_enne.science.plans.samples import (
    Sample,
    count_expected,
    select_starts,
    split_expected,
    training_domains,
)
from aiida_enne.science.structures.recipes import build
from aiida_enne.workflows import protocols

LIQUIDS = [
    {'kind': 'liquid', 'density': 2.57, 'repeats': 1, 'domain': 'warm'},
    {'kind': 'liquid', 'density': 2.3, 'repeats': 1, 'domain': 'warm'},
]
DYNAMICS = {
    'kind': 'md',
    'stages': [
        {'thermostat': 'langevin', 'temperature': 3000, 'steps': 50},
        {'thermostat': 'langevin', 'temperature': 2000, 'steps': 40, 'record_every': 10},
        {
            'thermostat': 'langevin',
            'temperature': 1000,
            'steps': 30,
            'record_every': 10,
            'domain': '{domain} cold',
        },
    ],
}
CRYSTAL = [{'kind': 'phase', 'phase': 'diamond', 'volumes': [19.0, 20.0, 21.0]}]


@pytest.fixture
def liquid():
    return Sample.of('liquid', {'recipe': LIQUIDS, 'task': DYNAMICS, 'seed': 1})


@pytest.fixture
def crystal():
    return Sample.of('crystal', {'recipe': CRYSTAL, 'task': {'kind': 'label'}})


def test_what_will_be_recorded_has_the_domains_and_blocks_of_what_is(liquid):
    found = liquid.expected()
    one = ['warm'] * 4 + ['warm cold'] * 3
    assert found.domains.tolist() == one + one
    assert found.blocks.tolist() == [0] * 7 + [1] * 7
    np.testing.assert_array_equal(found.n_atoms, 8)


def test_a_label_is_recorded_once(crystal):
    assert crystal.expected() is crystal.structures
    assert len(crystal.expected()) == 3


def test_a_split_is_counted_before_there_is_anything_to_split(liquid, crystal):
    parameters = {
        'method': 'blocks', 'within': ['warm'], 'fractions': [0.5, 0.25, 0.25], 'gap': 0,
        'rest_to_test': True, 'shared_blocks': True,
    }  # fmt: skip
    trained, tested = split_expected([liquid, crystal], parameters)
    assert (trained.n, trained.atoms) == (2 * 2, 8 * 2 * 2)
    assert tested.n == 2 * 1 + 2 * 3 + 3
    assert tested.atoms == 8 * (2 + 6) + int(crystal.structures.n_atoms.sum())
    everything = count_expected([liquid, crystal])
    assert (everything.n, everything.atoms) == (17, 8 * 14 + int(crystal.structures.n_atoms.sum()))


def test_the_cost_is_that_of_every_step(liquid, crystal):
    assumptions = Assumptions(label_seconds=8.0, step_seconds=1.0, exponent=1.0, job_seconds=1e-9)
    prices = Prices(assumptions)
    assert liquid.cost(prices).jobs == 1
    seconds = 2 * 120 * 8 / 64
    assert liquid.cost(prices).core_hours == pytest.approx(seconds / 3600)
    labels = 8.0 * crystal.structures.n_atoms.sum() / 64
    assert crystal.cost(prices).core_hours == pytest.approx(labels / 3600)


def test_what_a_sampler_moves_is_labelled_frame_by_frame(liquid):
    assumptions = Assumptions(label_seconds=8.0, step_seconds=9.0, exponent=1.0, job_seconds=1e-9)
    cheap = Assumptions(label_seconds=1e-9, step_seconds=1e-9, exponent=1.0, job_seconds=1e-9)
    recorded = len(liquid.expected())
    kept = [stage for stage in liquid.task.stages if stage.recorded]
    for frames, n in ((None, recorded), (1, 2 * len(kept))):
        part = liquid.cost(Prices(assumptions, cheap), frames=frames)
        assert part.core_hours * 3600 == pytest.approx(n * 8.0 * 8 / 64, rel=1e-5)


def test_what_is_trained_on_is_what_the_split_is_restricted_to():
    assert training_domains({'within': ['b']}, ['a', 'b']) == ['b']
    assert training_domains({}, ['b', 'a', 'b']) == ['b', 'a']


@pytest.mark.parametrize(
    ('given', 'message'),
    [
        ({'recipe': CRYSTAL}, 'sample x: expected `task`, `recipe` or `start`'),
        ({'recipe': CRYSTAL, 'task': {}, 'sead': 1}, 'unknown sead (did you mean `seed`?)'),
        ({'start': {}, 'task': {}}, 'sample x: `start` chooses from `pool`'),
        ({'recipe': CRYSTAL, 'task': {}}, 'sample x: `kind` must be one of label, md, relax'),
        ({'recipe': [], 'task': {}}, 'sample x: the recipe is empty'),
        ({'recipe': [{'kind': 'gas'}], 'task': {}}, 'sample x: item 0 of the recipe'),
    ],
)
def test_samples_that_cannot_be_used_are_refused(given, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        Sample.of('x', given)


@pytest.mark.parametrize('protocol', protocols.read('sample')['protocols'])
def test_the_samples_of_every_protocol_can_be_split_as_the_demo_does(protocol):
    given = protocols.load('sample', protocol)['samples'].items()
    samples = [Sample.of(label, one) for label, one in given]
    trained, tested = split_expected(samples, protocols.load('study', 'demo')['split'])
    assert trained.n > 0
    assert tested.n > trained.n


@pytest.fixture
def pool():
    return build([*LIQUIDS, {'kind': 'phase', 'phase': 'diamond', 'volumes': [18.0, 19.0, 20.0]}])


def test_starts_are_spread_evenly_over_each_domain(pool):
    starts = select_starts(pool, count=2)
    assert starts.domains.tolist() == ['warm', 'warm', 'diamond', 'diamond']
    np.testing.assert_allclose(starts.volumes[2:] / starts.n_atoms[2:], [18.0, 20.0])
    assert starts.blocks.tolist() == [0, 1, 2, 3]
    assert not starts.is_labelled


def test_starts_are_scaled_to_each_density(pool):
    starts = select_starts(pool, domains=['diamond'], densities=[2.0, 2.5])
    mass = 28.085 * units._amu * 1e27  # of an atom, in g/cm³ Å³
    np.testing.assert_allclose(starts.n_atoms * mass / starts.volumes, [2.0, 2.5], rtol=1e-5)
    fractional = np.linalg.solve(starts.cells[0].T, starts.positions[: starts.n_atoms[0]].T)
    again = np.linalg.solve(starts.cells[1].T, starts.positions[starts.n_atoms[0] :].T)
    np.testing.assert_allclose(fractional, again, atol=1e-12)


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        ({'domains': ['gas']}, r"there are no configurations of \['gas'\]"),
        ({'count': 0}, 'must be positive'),
        ({'densities': [-1.0]}, 'must be positive'),
    ],
)
def test_starts_that_are_not_there_are_named(pool, options, message):
    with pytest.raises(ValueError, match=message):
        select_starts(pool, **options)
