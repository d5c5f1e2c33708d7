"""Tests for `science.plans.relaxations`."""

from dataclasses import replace

import numpy as np
import pytest
from ase.build import bulk
from ase.calculators.singlepoint import SinglePointCalculator

from aiida_enne.science.data.frames import from_atoms
from aiida_enne.science.plans import relaxations
from aiida_enne.science.properties.eos import Fit
from aiida_enne.science.structures.defects import DEFECTS, EXTRA_ATOMS
from aiida_enne.science.structures.domains import Domain, parse
from aiida_enne.science.structures.phases import PHASES
from aiida_enne.science.structures.recipes import build


def test_scans_are_strains_of_the_middle():
    scans = relaxations.volume_scans(PHASES, [0.9, 1.0], {'diamond': 20.0})
    assert list(scans) == list(PHASES)
    assert scans['diamond'] == [18.0, 20.0]
    for name in PHASES:
        assert scans[name][0] / scans[name][1] == pytest.approx(0.9, abs=1e-4)
    # another phase leaves what was planned before as it is
    assert relaxations.volume_scans(['fcc'], [0.9, 1.0])['fcc'] == scans['fcc']


def test_strains_of_a_phase_are_its_own():
    strains = {'diamond': [0.8, 1.0], 'others': [0.9]}
    scans = relaxations.volume_scans(['diamond', 'fcc'], strains, {'diamond': 20.0, 'fcc': 10.0})
    assert scans == {'diamond': [16.0, 20.0], 'fcc': [9.0]}


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        ((['diamond', 'diamond'], [1.0]), 'distinct'),
        ((['diamond'], []), 'no `strains`'),
        ((['diamond'], {'others': []}), 'no `strains` of diamond'),
        ((['diamond'], {'fcc': [1.0]}), 'no `strains` of diamond'),
        ((['diamond'], {'carbon': [1.0], 'others': [1.0]}), "unknown phase 'carbon'"),
        ((['diamond'], [0.0]), '`strains of diamond` must be above zero'),
        ((['carbon'], [1.0]), "unknown phase 'carbon'"),
        ((['diamond'], [1.0], {'diamond': -1.0}), '`centres of diamond` must be above zero'),
        ((['diamond'], [1.0], {'carbon': 1.0}), "unknown phase 'carbon'"),
    ],
)
def test_scans_that_cannot_be(arguments, message):
    with pytest.raises(ValueError, match=message):
        relaxations.volume_scans(*arguments)


def test_every_part_is_a_structure_and_a_task_that_the_engines_know():
    parts = relaxations.phase_parts(relaxations.volume_scans(PHASES, [1.0, 1.1]), {})
    parts |= relaxations.defect_parts(DEFECTS, [2, 3], {'fmax': 0.1})
    parts |= relaxations.surface_parts([4, 8], {'surface': 'symmetric'}, {})
    for label, part in parts.items():
        assert label.isidentifier()
        frames, task = part.draft(), part.task
        assert len(task.fixed) in (0, len(frames))
        assert {parse(domain).family for domain in frames.domains} != {'other'}


def test_defects_have_the_atoms_and_domains_that_formation_energies_need():
    parts = relaxations.defect_parts(DEFECTS, [2], {}, own=True)
    for name in DEFECTS:
        part = parts[Domain('defect', name, 2).port]
        frames = build(relaxations.at_lattice_constant(part.recipe, 5.4))
        assert frames.n_atoms.tolist() == [64 + EXTRA_ATOMS[name]]
        found = parse(str(frames.domains[0]))
        assert (found.family, found.name, found.repeats, found.own) == ('defect', name, 2, True)
    crystal = build(relaxations.at_lattice_constant(parts['bulk_2'].recipe, 5.4))
    assert crystal.domains.tolist() == ['own bulk 2³']
    assert crystal.n_atoms.tolist() == [64]


def test_another_size_leaves_the_parts_of_the_others_alone():
    few = relaxations.defect_parts(['vacancy'], [2], {})
    many = relaxations.defect_parts(['vacancy', 'hexagonal'], [2, 3], {})
    assert few == {label: many[label] for label in few}
    thin = relaxations.surface_parts([8], {}, {})
    assert thin == {k: relaxations.surface_parts([8, 10], {}, {})[k] for k in thin}


def test_a_distortion_moves_the_nearest_atoms_only_and_is_drawn_from_its_seed():
    drawn = []
    for distortion in (None, {'stdev': 0.1, 'seed': 1}, {'stdev': 0.1, 'seed': 1}):
        parts = relaxations.defect_parts(['vacancy'], [2], {}, distortion=distortion)
        recipe = relaxations.at_lattice_constant(parts['vacancy_2'].recipe, 5.4)
        drawn.append(build(recipe).positions)
    np.testing.assert_array_equal(drawn[1], drawn[2])
    moved = np.linalg.norm(drawn[1] - drawn[0], axis=1)
    distances = np.linalg.norm(drawn[0] - 5.4, axis=1)
    assert (moved > 0).sum() == 4
    np.testing.assert_allclose(distances[moved > 0], np.sqrt(3) * 5.4 / 4)


def test_inner_layers_are_fixed_and_thin_slabs_are_free():
    fixed = relaxations.fixed_atoms(10, 'tilted', {'free_layers': 3})
    assert fixed == list(range(6, 14))
    parts = relaxations.surface_parts([4, 10], {'free_layers': 3}, {})
    assert parts['layers_10'].task.given['fixed'] == [fixed]
    assert 'fixed' not in parts['layers_4'].task.given


def path(converged):
    """Return frames of two relaxations, converged or not at their ends."""
    frames = []
    for index, done in enumerate(converged):
        atoms = bulk('Si', a=5.0 + 0.1 * index)
        atoms.info = {'domain': 'diamond', 'block': 0, 'converged': float(done), 'step': index}
        atoms.calc = SinglePointCalculator(atoms, energy=-1.0 * index, forces=np.zeros((2, 3)))
        frames.append(atoms)
    return from_atoms(frames, info=['converged', 'step'])


def test_labels_of_structures_as_built_are_ends():
    frames = path([0, 0, 1])
    ends = relaxations.end_points(replace(frames, info={}))
    assert ends.energies.tolist() == frames.energies.tolist()
    assert ends.blocks.tolist() == [0, 1, 2]
    with pytest.raises(ValueError, match='whether they `converged`'):
        relaxations.end_points(replace(frames, info={'step': frames.info['step']}))


def test_end_points_are_what_converged():
    ends = relaxations.end_points(path([0, 0, 1, 0, 1]))
    assert ends.energies.tolist() == [-2.0, -4.0]
    assert ends.blocks.tolist() == [0, 1]
    with pytest.raises(ValueError, match='no relaxation converged'):
        relaxations.end_points(path([0, 0]))
    with pytest.raises(ValueError, match='whether they `converged`'):
        relaxations.end_points(build([{'kind': 'phase', 'phase': 'fcc', 'volumes': [15.0]}]))


def test_of_several_shapes_at_one_volume_the_lowest_is_the_end_point():
    scan = relaxations.volume_scans(['beta-tin', 'fcc'], [0.9, 1.0])
    parts = relaxations.phase_parts(scan, {}, ratios=[0.97, 1.0, 1.03])
    assert [len(build(part.recipe)) for part in parts.values()] == [6, 2]  # fcc has no shape
    frames = build(parts['beta_tin'].recipe)
    assert len(np.unique(np.round(frames.volumes / frames.n_atoms, 3))) == 2
    energies = np.array([-1.0, -5.0, -3.0, -4.0, -2.0, -6.0])
    done = np.array([1.0, 1.0, 1.0, 1.0, 1.0, 0.0])
    labelled = replace(
        frames,
        energies=energies,
        forces=np.zeros_like(frames.positions),
        info={'converged': done},
    )
    # volumes alternate; the lowest of the second did not converge
    assert relaxations.end_points(labelled).energies.tolist() == [-5.0, -3.0]
    with pytest.raises(ValueError, match='`ratios` must hold distinct values'):
        relaxations.phase_parts(scan, {}, ratios=[1.0, 1.0])


def test_the_equilibrium_of_a_curve_that_is_known_and_of_one_that_has_none():
    volumes = np.linspace(23.0, 17.0, 9)  # in any order
    known = Fit('birch-murnaghan', 20.0, -4.3, 0.6, 4.2, 0.0, 17.0, 23.0, 9)
    energies = known.energies(volumes)
    found = relaxations.equilibrium(volumes, energies, 'birch-murnaghan')
    assert found['volume'] == pytest.approx(20.0)
    assert found['energy'] == pytest.approx(-4.3)
    assert found['bulk_modulus'] == pytest.approx(0.6 * 160.21766208)
    assert found['n_points'] == 9
    refused = relaxations.equilibrium(volumes, volumes / 10, 'birch-murnaghan')
    assert 'volume' not in refused
    assert refused['refused']


def test_failures_are_listed_one_by_one_or_by_the_part_that_left_nothing():
    parts = {
        'diamond': relaxations.End(3, '1 of 3 failed'),
        'fcc': relaxations.End(2, 'killed'),
        'bcc': relaxations.End(4, None),
    }
    results = {
        'diamond': [{'configuration': 1, 'status': 'failed', 'message': 'why'}],
        'bcc': [],
    }
    told = relaxations.list_failures(parts, results)
    assert (told['n_configurations'], told['n_failed']) == (9, 3)
    assert [(item['part'], item['configuration']) for item in told['failures']] == [
        ('diamond', 1),
        ('fcc', 0),
        ('fcc', 1),
    ]
    assert [item['message'] for item in told['failures']] == ['why', 'killed', 'killed']
