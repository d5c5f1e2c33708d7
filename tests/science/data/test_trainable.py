"""Tests for what is known to be degenerate before a training."""

import dataclasses

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from ase.calculators.lj import LennardJones
from ase.calculators.singlepoint import SinglePointCalculator

from aiida_enne.families.nequip.needs import find_needs
from aiida_enne.science.data.frames import from_atoms
from aiida_enne.science.data.splits import Split
from aiida_enne.science.data.trainable import (
    Needs,
    doubts,
    doubts_of_audit,
    untrainable,
)
from aiida_enne.workflows import protocols

SPLIT = Split([0, 1, 2], [3], [4])
NEEDS = Needs(r_max=4.0, force_scale='all', forces='loss')


def frames(symbols='CuCuCuCuCu', rattle=0.1, alat=3.6):
    """Return a cell of one element a frame, labelled by Lennard-Jones."""
    elements = Atoms(symbols).get_chemical_symbols()
    made = []
    for seed, element in enumerate(elements):
        atoms = bulk(element, 'fcc', a=alat, cubic=True)
        atoms.rattle(rattle, seed=seed) if rattle else None
        atoms.calc = LennardJones(sigma=2.3, rc=6.0)
        labels = {'energy': atoms.get_potential_energy(), 'forces': atoms.get_forces()}
        atoms.calc = SinglePointCalculator(atoms, **labels)
        made.append(atoms)
    return from_atoms(made)


def test_what_can_be_learnt_passes():
    assert untrainable(frames(), SPLIT, NEEDS) is None


@pytest.mark.parametrize(
    ('symbols', 'part', 'passes'),
    [('CuCuCuAlCu', 'validation', False), ('CuCuCuCuAl', 'test', False), ('AlCuCuAlAl', '', True)],
)
def test_an_element_that_nothing_trains_is_named_with_its_part(symbols, part, passes):
    reason = untrainable(frames(symbols), SPLIT, NEEDS)
    if passes:
        assert reason is None
        return
    assert reason.startswith(
        f'no training configuration holds Al, but 1 configuration of the part `{part}` does'
    )
    known = dataclasses.replace(NEEDS, elements_known=True)
    assert untrainable(frames(symbols), SPLIT, known) is None


def test_forces_that_are_all_zero_are_no_scale():
    still = dataclasses.replace(frames(), forces=np.zeros((20, 3)))
    assert 'all forces of the 3 training configurations are zero, and the scale' in untrainable(
        still, SPLIT, NEEDS
    )
    asked = untrainable(still, SPLIT, Needs(forces='loss'))
    assert '`loss` asks for them' in asked
    assert untrainable(still, SPLIT, Needs()) is None


def test_forces_of_one_element_that_are_all_zero_are_no_scale_of_that_element():
    mixed = frames('AlCuCuCuCu')
    forces = np.array(mixed.forces)
    forces[mixed.numbers == 13] = 0
    mixed = dataclasses.replace(mixed, forces=forces)
    assert untrainable(mixed, SPLIT, NEEDS) is None
    per_type = dataclasses.replace(NEEDS, force_scale='type')
    assert untrainable(mixed, SPLIT, per_type).startswith('all forces on Al are zero')


def test_frames_without_the_stress_that_a_loss_asks_for_are_counted():
    needs = dataclasses.replace(NEEDS, stress=('loss', 'val_metrics'))
    lacks = '`loss` asks for stresses, which all 3 configurations of the part `train` lack'
    assert untrainable(frames(), SPLIT, needs).startswith(lacks)
    stresses = np.zeros((5, 3, 3))
    stresses[[1, 4]] = np.nan
    some = dataclasses.replace(frames(), stresses=stresses)
    assert untrainable(some, SPLIT, needs) is None
    (said,) = (text for text in doubts(some, SPLIT, needs) if 'stress' in text)
    assert said.startswith('1 of 3 configurations of the part `train` have no stress: `loss`')
    foreign = dataclasses.replace(needs, stress_gaps=False)
    assert 'which 1 of the 3 configurations of the part `train` lack' in untrainable(
        some, SPLIT, foreign
    )
    stresses[3] = np.nan
    some = dataclasses.replace(frames(), stresses=stresses)
    assert '`val_metrics` asks for stresses, which all 1' in untrainable(some, SPLIT, needs)
    whole = dataclasses.replace(frames(), stresses=np.zeros((5, 3, 3)))
    assert untrainable(whole, SPLIT, needs) is None
    assert not any('stress' in text for text in doubts(whole, SPLIT, needs))


def test_a_cutoff_below_the_nearest_distance_is_named_with_both():
    exact = frames(rattle=0.0)
    exact = dataclasses.replace(exact, forces=np.ones((20, 3)))
    reason = untrainable(exact, SPLIT, Needs(r_max=2.5))
    assert reason.startswith('the cutoff `r_max` of 2.5 Å is shorter than the nearest distance in')
    assert f'{3.6 / 2**0.5:.4g} Å' in reason
    assert untrainable(exact, SPLIT, Needs(r_max=2.6)) is None


def test_one_configuration_trains_nothing():
    assert untrainable(frames(), Split([0], [3], [4]), NEEDS).startswith(
        'the training part holds 1 configuration, 2 or more are needed'
    )


@pytest.mark.parametrize('family', ['nequip', 'allegro'])
def test_the_needs_of_every_family_are_read_from_its_parameters(family, aiida_code_installed):
    code = aiida_code_installed(filepath_executable='/bin/true')
    inputs = protocols.ensemble_inputs(code, 'laptop', {'family': family})
    parameters = inputs['training']['train']['parameters']
    assert find_needs(parameters) == Needs(r_max=4.0, force_scale='all', forces='loss')


@pytest.mark.parametrize(
    ('loss', 'gaps'),
    [
        ({'_target_': 'nequip.train.EnergyForceStressLoss'}, True),
        ({'_target_': 'nequip.train.MetricsManager', 'metrics': [{'field': 'stress'}]}, True),
        ({'_target_': 'mine.Loss', 'coeffs': {'stress': 1.0}}, False),
    ],
)
def test_a_stress_loss_is_found_however_it_is_written(loss, gaps, parameters):
    module = parameters['training_module'] | {'loss': loss}
    found = find_needs(parameters | {'training_module': module})
    assert (found.stress, found.stress_gaps) == (('loss',), gaps)
    assert find_needs(parameters).stress == ()


def test_parts_of_one_configuration_are_said_and_not_refused():
    thin = Split([0, 1, 2], [3], [4])
    one, two = doubts(frames(), thin, NEEDS)
    assert one.startswith('the part `validation` holds 1 configuration (n = 1)')
    assert two.startswith('the part `test` holds 1 configuration (n = 1)')
    assert doubts(frames('CuCuCuCuCuCu'), Split([0, 1], [2, 3], [4, 5]), NEEDS) == []


def test_lone_atoms_of_training_and_of_what_is_judged_are_said():
    parts = Split([0, 1], [2, 3], [4, 5])
    some = frames('CuCuCuCuCuCu')
    positions, cells = np.array(some.positions), np.array(some.cells)
    for index in (1, 4):  # these are spread out far beyond the cutoff
        positions[some.atom_index([index])] *= 3
        cells[index] *= 3
    some = dataclasses.replace(some, positions=positions, cells=cells)
    assert untrainable(some, parts, NEEDS) is None
    one, two = doubts(some, parts, NEEDS)
    assert one.startswith('part `train`: 1 of 2 configurations of')
    assert two.startswith('part `test`: 1 of 2 configurations of')
    assert doubts(some, parts, Needs()) == []
    assert doubts_of_audit(some, 4.0)[0].startswith('2 of 6 configurations of unlabelled hold an')
    assert doubts_of_audit(some, None) == []
    assert 'unlabelled holds 1 configuration (n = 1)' in doubts_of_audit(some.select([0]), 4.0)[0]
