"""Tests for the plan of a study: what is counted, by which engine, and what is assumed instead."""

import pytest

from aiida_enne.aiida_private import inputs_of
from aiida_enne.cli.plan import cost_table, describe_costs
from aiida_enne.codes.ase import ENSEMBLE
from aiida_enne.workflows.reference.stand_ins import any_code, is_planning, planning, valence
from aiida_enne.workflows.study.planning import plan
from aiida_enne.workflows.study.study import StudyWorkChain
from tests.audited import model


@pytest.fixture
def planned(aiida_profile_clean, aiida_localhost):
    """Return a function that plans without any code: `plan = planned(engine, **overrides)`."""

    def run(engine='qe', changes=None, **overrides):
        with planning():
            assert is_planning()
            builder = StudyWorkChain.get_builder_from_protocol(
                any_code(), engine, protocol='laptop', overrides=overrides
            )
        assert not is_planning()
        return plan(inputs_of(builder), changes)

    return run


def hours(found):
    return {part.name: part.core_hours for part in found.parts}


def test_labels_of_sampled_frames_are_counted_and_each_is_a_job(planned):
    few, many = (planned(sampler={'frames': n}) for n in (12, 36))
    liquids = [next(part for part in one.parts if part.name == 'liquids') for one in (few, many)]
    # 8 jobs of the sampler, 5 melts of one frame, 12 or 36 frames of 8 liquids
    assert [one.jobs for one in liquids] == [8 + 5 + 8 * n for n in (12, 36)]
    assert 2.5 < liquids[1].core_hours / liquids[0].core_hours < 3.1
    assert many.slots == 2
    assert many.cores == 1
    assert many.dearest.name == 'liquids'
    assert many.seconds == pytest.approx(many.whole.core_hours / 2 * 3600)


def test_cutoff_and_k_points_are_counted(planned):
    fine = {'kpoints_mesh': None, 'kpoints_distance': 0.15, 'ecutwfc': 16, 'ecutrho': 64}
    base, dense = hours(planned()), hours(planned(eos={'inputs': fine}))
    assert dense['equations of state'] > 2 * base['equations of state']
    assert dense['liquids'] == base['liquids']
    high = hours(planned(inputs={'ecutwfc': 24, 'ecutrho': 96}))
    assert high['liquids'] > 1.4 * base['liquids']


def test_what_is_assumed_wins(planned):
    base, slow = hours(planned()), hours(planned(changes={'label_seconds': 1000.0}))
    assert slow['liquids'] > 5 * base['liquids']


def test_the_engine_that_moves_is_the_sampler(planned):
    moved, sampled = hours(planned(sampler=None)), hours(planned())
    assert moved['liquids'] > 20 * sampled['liquids']


def test_k_points_and_cutoff_of_dynamics_are_counted(planned):
    fine = {'kpoints_mesh': None, 'kpoints_distance': 0.15, 'ecutwfc': 16, 'ecutrho': 64}
    base = hours(planned(sampler=None))['liquids']
    dense = hours(planned(sampler=None, liquid={'inputs': fine}))['liquids']
    assert dense > 50 * base  # 64 k-points that differ, and complex wave functions
    assumed = planned(changes={'step_seconds': 1.0}, sampler=None)
    assert hours(assumed)['liquids'] < base / 10
    assert 'step_seconds' not in assumed.unused


def test_what_is_counted_is_not_said_to_be_assumed(planned):
    found = planned()
    assert found.unused == ['label_seconds', 'step_seconds', 'exponent']
    text = describe_costs(found)
    assert 'label_seconds' not in text
    assert 'labels of liquid: PlaneWaves(cutoff=16' in text
    assert 'label_seconds: 1000' in describe_costs(planned(changes={'label_seconds': 1000.0}))


def test_an_ensemble_that_samples_costs_its_members(planned):
    def sampled_by(n):
        models = {f'seed_{number}': model(number) for number in range(1, n + 1)}
        inputs = {'calculator': {'preset': ENSEMBLE}, 'base': {'ase': {'models': models}}}
        return planned(sampler={'engine': 'ase', 'inputs': inputs})

    base = hours(planned())['liquids']
    one, two = (hours(sampled_by(n))['liquids'] - base for n in (2, 4))
    assert one > 1
    assert two / one == pytest.approx(2, rel=0.01)


def test_local_orbitals_count_k_points_even_where_seconds_are_assumed(planned):
    base = hours(planned('aims'))
    # by their atoms alone all labels of all phases took 0.2 h
    assert base['equations of state'] > 1.0
    twice = hours(planned('aims', {'label_seconds': 2000.0}))
    part = 'equations of state'
    assert 1.4 < twice[part] / base[part] <= 2


def test_a_part_with_a_limit_bounds_the_time_of_a_study_without_one(planned):
    limited = planned(max_concurrent=None)
    assert limited.seconds is None
    part, slots, seconds = limited.slowest
    assert seconds == pytest.approx(part.core_hours / slots * 3600)
    assert 'at least' in cost_table(limited)
    assert part.name in cost_table(limited).splitlines()[-2]


def test_valence():
    assert [valence(one) for one in ('H', 'C', 'Si', 'Al')] == [1, 4, 4, 3]
