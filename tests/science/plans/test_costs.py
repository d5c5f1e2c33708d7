"""Tests for `science.costs` and `science.study_costs`: laws that every plan keeps."""

from dataclasses import replace

import pytest

from aiida_enne import families
from aiida_enne.science.plans.costs import (
    Assumptions,
    Frames,
    Part,
    Work,
    engine_part,
    prediction_part,
    total,
    training_part,
)
from aiida_enne.science.plans.study_costs import estimate

NEQUIP = {'_target_': 'nequip.model.NequIPGNNModel'}
SMALL = NEQUIP | {'num_layers': 2, 'num_features': 8, 'l_max': 2, 'r_max': 4.0, 'parity': False}
PAPER = NEQUIP | {'num_layers': 4, 'num_features': 16, 'l_max': 3, 'r_max': 5.0, 'parity': True}
ASE = Assumptions(1 / 465, 1 / 465, 1.0, model_megabytes=0.1)
CPU = {'gpu': False, 'together': False}
DFT = {'label_seconds': 27.0, 'step_seconds': 16.5, 'exponent': 2.0}
STAGES = {
    'melt': {'thermostat': 'langevin', 'temperature': 5000, 'steps': 100},
    'production': {
        'thermostat': 'langevin',
        'temperature': 2000,
        'steps': 1000,
        'record_every': 10,
    },
}


@pytest.fixture
def study():
    """Return the plain inputs of a small study."""
    parameters = {
        'training_module': {'model': SMALL},
        'trainer': {'max_epochs': 10, 'accelerator': 'cpu'},
    }
    return {
        'liquid': {
            'densities': [2.2, 2.57],
            'temperatures': [1600.0],
            'repeats': 2,
            'seed': 1,
            'stages': STAGES,
        },
        'split': {'method': 'blocks', 'fractions': [0.5, 0.1, 0.4], 'gap': 0},
        'eos': {'volumes': {'diamond': [19.0, 20.0], 'st12': [17.0]}},
        'defect': {'defects': ['vacancy', 'hexagonal'], 'repeats': [2, 3]},
        'surface': {'layers': [8, 10], 'slab': {'surface': 'tilted'}},
        'ensemble': {
            'seeds': [1, 2, 3],
            'members_per_job': 2,
            'training': {'train': {'parameters': parameters}},
        },
        'scans': {'size': {'kind': 'sizes', 'sizes': [10, 100]}},
        'own': {},
    }


def named(study, assumptions=ASE):
    return {part.name: part for part in estimate(study, assumptions, families)}


@pytest.mark.parametrize(
    ('model', 'seconds'),
    [(SMALL | {'l_max': 1}, 0.026), (SMALL, 0.045), (PAPER, 1.82)],
)
def test_training_steps_are_those_that_were_measured(model, seconds):
    assert families.step_seconds(model) == pytest.approx(seconds, rel=0.05)


def test_the_network_of_the_paper_answers_in_the_time_that_was_measured():
    assert 0.65 < families.inference_seconds(PAPER) < 0.83


def test_parts_are_the_paths_that_are_kept(study):
    parts = named(study)
    assert parts['liquids'].jobs == 3
    # two melts of 1100 steps and one other temperature of 1000, 64 atoms each
    expected = (3200 * ASE.step_seconds + 3 * ASE.job_seconds) / 3600
    assert parts['liquids'].core_hours == pytest.approx(expected)
    assert parts['equations of state'].jobs == 2
    assert parts['defects'].jobs == 6  # and a perfect crystal of each size
    assert parts['surfaces'].jobs == 2
    assert parts['ensemble'].jobs == 2
    steps = 3 * 100 * 10  # members, half of 200 frames, epochs
    hours = (steps * families.step_seconds(SMALL) + 2 * ASE.job_seconds) / 3600
    assert parts['ensemble'].core_hours == pytest.approx(hours)
    assert parts['audit'].jobs == 2 + 2 + 4 + 2


def test_training_frames_are_part_of_the_audit_and_said(study):
    without = named(study)['audit']
    assert without.note == ''
    study['audit'] = {'fit_frames': 30}
    found = named(study)['audit']
    # of 100 training frames, 30 of each of two densities, 64 atoms each, for three members
    seconds = 3 * 60 * families.inference_seconds(SMALL) / families.gain(SMALL) + ASE.job_seconds
    assert found.jobs == without.jobs + 1
    assert found.core_hours - without.core_hours == pytest.approx(seconds / 3600)
    assert ' 60 training frames' in found.note
    study['audit'] = {'fit_frames': 1000}
    assert ' 100 training frames' in named(study)['audit'].note


def test_members_together_cost_so_much_less(study):
    overhead = 2 * ASE.job_seconds / 3600
    alone = named(study)['ensemble'].core_hours - overhead
    for strategy in ('auto', 'vectorised'):
        study['ensemble']['training']['train']['strategy'] = strategy
        together = named(study)['ensemble'].core_hours - overhead
        assert together == pytest.approx(alone / families.gain(SMALL))
    assert families.gain({'_target_': 'allegro.model.AllegroModel'}) == 1.0


def test_what_scans_share_with_the_ensemble_is_counted_once(study):
    alone = named(study)['scan size']
    # the point of 100 is the main ensemble itself: only that of 10 is trained
    steps = 3 * 10 * 10
    assert alone.jobs == 2 + 10  # training in twos, and predictions of every role
    assert alone.core_hours > steps * families.step_seconds(SMALL) / 3600
    study['scans']['again'] = study['scans']['size']
    assert named(study)['scan again'].jobs == 0


def test_everything_can_be_left_out_but_the_liquids(study):
    for name in ('eos', 'defect', 'surface', 'own', 'scans'):
        del study[name]
    assert set(named(study)) == {'liquids', 'ensemble', 'audit'}


def test_a_drawn_training_set_and_one_by_sizes(study):
    before = named(study)['ensemble'].core_hours
    study['draw'] = {'size': 50}
    half = named(study)['ensemble'].core_hours
    overhead = 2 * ASE.job_seconds / 3600
    assert (half - overhead) == pytest.approx((before - overhead) / 2)
    study['split'] = {'method': 'per_domain', 'sizes': [100, 20, 80], 'seed': 1}
    assert named(study)['ensemble'].core_hours == pytest.approx(half)
    study['split'] = {'method': 'domain'}
    with pytest.raises(ValueError, match='not known beforehand'):
        estimate(study, ASE, families)


def test_gpus_take_over_what_the_network_costs(study):
    cpu = named(study)
    trainer = study['ensemble']['training']['train']['parameters']['trainer']
    trainer['accelerator'] = 'gpu'
    gpu = named(study)
    assert gpu['ensemble'].core_hours == 0
    seconds = 3600 * cpu['ensemble'].core_hours - 2 * ASE.job_seconds
    expected = (seconds / ASE.gpu_speedup + 2 * ASE.job_seconds) / 3600
    assert gpu['ensemble'].gpu_hours == pytest.approx(expected)
    assert gpu['defects'] == cpu['defects']


def test_costs_add_up_and_grow_as_they_should():
    one = engine_part('a', [Work(64, 10, 10)], ASE)
    two = engine_part('b', [Work(64, 10, 10)] * 2, ASE)
    assert total([one, one], 'b') == two
    assert total([]) == Part('total', 0)
    dft = Assumptions.of('qe', DFT)
    free = replace(dft, job_seconds=1e-9)
    small, large = (engine_part('x', [Work(n, 1, 1)], free).core_hours for n in (64, 128))
    assert large == pytest.approx(small * 2**dft.exponent)
    assert small == pytest.approx(27 / 3600)
    frames = Frames(10, 640)
    once = prediction_part('p', [(SMALL, frames)], 1, ASE, families, **CPU)
    thrice = prediction_part('p', [(SMALL, frames)] * 3, 3, ASE, families, **CPU)
    assert thrice.core_hours == pytest.approx(3 * once.core_hours)
    assert once.megabytes == pytest.approx(640 * 24 / 1e6)
    trained = training_part('t', [(PAPER, 10, 5)] * 4, 2, ASE, families, **CPU)
    assert trained.megabytes == pytest.approx(4 * ASE.model_megabytes)


def test_assumptions_can_be_replaced_and_are_checked():
    assert Assumptions.of('qe', DFT, {'label_seconds': 5.0}).label_seconds == 5.0
    with pytest.raises(ValueError, match=r"unknown assumptions \['mood'\]"):
        Assumptions.of('qe', DFT, {'mood': 1.0})
    with pytest.raises(ValueError, match='`exponent` must be a positive number'):
        Assumptions.of('qe', DFT, {'exponent': -1.0})


def test_what_is_not_known_of_an_engine_is_named():
    with pytest.raises(ValueError, match=r"'vasp' are not known: \['exponent', 'step_seconds'\]"):
        Assumptions.of('vasp', {'label_seconds': 1.0})


@pytest.mark.parametrize(
    ('model', 'reason'),
    [
        ({'_target_': 'mace.Model'}, "no family has the model 'mace.Model'"),
        ({'_target_': 'nequip.model.ModelFromCheckpoint'}, r"lacks \['num_layers'"),
    ],
)
def test_what_is_not_known_of_a_model_is_named(study, model, reason):
    parameters = study['ensemble']['training']['train']['parameters']
    parameters['training_module']['model'] = model
    with pytest.raises(ValueError, match=reason):
        estimate(study, ASE, families)
