"""Tests for `science.plans.scans`."""

import pytest

from aiida_enne.science.plans.points import Point
from aiida_enne.science.plans.scans import KINDS, Base, from_the_middle, read_scan
from aiida_enne.science.plans.training_sets import Draw
from aiida_enne.science.structures.domains import Domain, kinds_of

DENSITIES = (1.89, 2.21, 2.57, 2.94, 3.36)
DOMAINS = tuple(f'liquid {density} g/cm³, 2000 K' for density in DENSITIES)
BASE = Base(size=50, seeds=(1, 2, 3), domains=kinds_of(DOMAINS), max_epochs=40, draw_seed=7)


def plan_scan(scan, base):
    return read_scan(scan).points(base)


def roles(scan, known):
    needed = {'grid': {'l_max': [1], 'sizes': [10]}, 'sizes': {'sizes': [10]}}
    return read_scan(needed[scan['kind']] | scan).roles_among(known)


def test_a_grid_is_every_pair_and_its_main_point_is_drawn_as_the_main_ensemble():
    points = plan_scan({'kind': 'grid', 'l_max': [0, 2], 'sizes': [10, 50], 'seeds': [1]}, BASE)
    assert set(points) == {
        *('l_max_0_n_train_10', 'l_max_0_n_train_50', 'l_max_2_n_train_10', 'l_max_2_n_train_50')
    }
    point = points['l_max_0_n_train_10']
    assert point.values == {'l_max': 0, 'n_train': 10}
    assert point.draw == Draw(size=10, seed=7)
    assert point.to_dict()['draw'] == {'size': 10, 'seed': 7, 'index': 0}
    assert point.parameters == {'training_module': {'model': {'l_max': 0}}}
    assert point.seeds == (1,)
    assert points['l_max_2_n_train_50'].draw is None


def test_small_sets_may_take_as_many_steps_as_large_ones():
    points = plan_scan({'kind': 'sizes', 'sizes': [10, 20, 50], 'keep_steps': True}, BASE)
    epochs = {
        point.values['n_train']: point.parameters.get('trainer', {}).get('max_epochs', 40)
        for point in points.values()
    }
    assert epochs == {10: 200, 20: 100, 50: 40}
    assert all(n * e == 2000 for n, e in epochs.items())
    assert points['n_train_50'] == Point(
        values={'n_train': 50}, draw=None, parameters={}, seeds=(1, 2, 3)
    )


def test_densities_grow_from_the_middle_and_all_of_them_are_the_main_ensemble():
    order = from_the_middle(kinds_of(DOMAINS[::-1]))
    assert [DENSITIES[DOMAINS.index(name)] for name in order] == [2.57, 2.21, 2.94, 1.89, 3.36]
    points = plan_scan({'kind': 'densities', 'densities': [1, 3, 5]}, BASE)
    assert points['densities_1'].draw.within == (DOMAINS[2],)
    assert points['densities_3'].draw.within == tuple(sorted(DOMAINS[1:4]))
    assert points['densities_5'].draw is None
    assert {point.draw.size for point in points.values() if point.draw} == {50}


def test_sets_are_numbered_and_the_first_is_the_main_ensemble():
    points = plan_scan({'kind': 'subsets', 'sets': 3}, BASE)
    assert points['set_0'].draw is None
    assert [points[f'set_{i}'].draw.index for i in (1, 2)] == [1, 2]
    smaller = plan_scan({'kind': 'subsets', 'sets': 2, 'size': 20}, BASE)
    assert [point.draw.index for point in smaller.values()] == [0, 1]
    # more sets later leave the first ones alone
    more = plan_scan({'kind': 'subsets', 'sets': 8}, BASE)
    assert points == {label: more[label] for label in points}


def test_features_and_cutoffs_change_the_model_only():
    points = plan_scan({'kind': 'cutoffs', 'cutoffs': [4, 5.5]}, BASE)
    assert set(points) == {'cutoff_4', 'cutoff_5p5'}
    assert points['cutoff_5p5'].parameters == {'training_module': {'model': {'r_max': 5.5}}}
    points = plan_scan({'kind': 'features', 'features': [8]}, BASE)
    assert points['features_8'].parameters == {'training_module': {'model': {'num_features': 8}}}
    assert points['features_8'].draw is None


def test_labels_are_fit_for_ports():
    options = {
        'grid': {'l_max': [0], 'sizes': [10]},
        'sizes': {'sizes': [10]},
        'densities': {'densities': [1]},
        'features': {'features': [8]},
        'cutoffs': {'cutoffs': [4.25]},
        'subsets': {'sets': 1},
    }
    assert set(options) == set(KINDS)
    for kind, some in options.items():
        (label,) = plan_scan({'kind': kind, **some}, BASE)
        assert label.isidentifier()
        assert '__' not in label  # which would part it in two


@pytest.mark.parametrize(
    ('scan', 'message'),
    [
        ({'kind': 'moods'}, "must be one of grid, .* got 'moods'"),
        ({}, 'got None'),
        ({'kind': ['sizes']}, "got \\['sizes'\\]"),
        ({'kind': 'sizes', 'sizes': [10], 5: 6, 'a': 1}, 'a scan of kind sizes: unknown 5, a'),
        (
            {'kind': 'cutoffs', 'cutoffs': [float('inf')]},
            '`cutoffs` must be a finite number, got inf',
        ),
        ({'kind': 'cutoffs', 'cutoffs': [4, 4.0000001]}, 'both called cutoff_4'),
        ({'kind': 'sizes'}, 'a scan of kind sizes: sizes must be given'),
        ({'kind': 'sizes', 'sizes': []}, '`sizes` must hold distinct values'),
        ({'kind': 'sizes', 'sizes': [10, 10]}, 'distinct'),
        ({'kind': 'sizes', 'sizes': [0]}, 'of at least 1, got 0'),
        ({'kind': 'sizes', 'sizes': [True]}, 'whole number .* got True'),
        ({'kind': 'sizes', 'sizes': [10], 'l_max': [1]}, 'unknown l_max'),
        (
            {'kind': 'sizes', 'sizes': [10], 'seeds': []},
            '`seeds` must hold distinct values',
        ),
        ({'kind': 'densities', 'densities': [6]}, '6 densities are asked for, there are 5'),
        ({'kind': 'cutoffs', 'cutoffs': ['wide']}, "finite number, got 'wide'"),
        ({'kind': 'subsets', 'sets': 0}, '`sets` must be a whole number of at least 1'),
        ({'kind': 'grid', 'l_max': [-1], 'sizes': [10]}, 'of at least 0, got -1'),
    ],
)
def test_scans_of_no_use_are_refused(scan, message):
    with pytest.raises(ValueError, match=message):
        plan_scan(scan, BASE)


def test_what_is_predicted():
    known = ['liquid', 'training', 'eos_fcc']
    assert roles({'kind': 'grid'}, known) == ['training']
    assert roles({'kind': 'sizes'}, known) == known
    assert roles({'kind': 'grid', 'roles': ['eos_fcc']}, known) == ['eos_fcc']
    assert roles({'kind': 'grid', 'roles': 'all'}, known) == known
    for chosen in (['eos_hcp'], 'eos_hcp', 5, [['liquid']]):
        with pytest.raises(ValueError, match='all or some of liquid, training, eos_fcc; got'):
            roles({'kind': 'grid', 'roles': chosen}, known)


def test_densities_are_those_of_the_roles_whatever_the_names():
    """Own data: labels that say nothing of a liquid, with roles that do."""
    kinds = {
        name: Domain('liquid', 'liquid', density=density)
        for name, density in (('thick', 2.9), ('thin', 1.9), ('middle', 2.5), ('diamond', 2.6))
    }
    assert from_the_middle(kinds) == ['diamond', 'middle', 'thick', 'thin']


def test_a_misspelt_option_is_refused_with_the_nearest_known_one():
    with pytest.raises(ValueError, match=r'unknown sizs \(did you mean `sizes`\?\)'):
        read_scan({'kind': 'sizes', 'sizs': [1]})


def test_points_travel_as_plain_values():
    points = plan_scan({'kind': 'densities', 'densities': [1, 5]}, BASE)
    for label, point in points.items():
        assert Point.from_dict(point.to_dict(), label) == point
