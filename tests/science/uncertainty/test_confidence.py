"""Confidence curves that figures draw: what is stored is what the areas are of."""

import numpy as np
import pytest

from aiida_enne.science import figures
from aiida_enne.science.uncertainty.audit import audit
from aiida_enne.science.uncertainty.options import AuditOptions
from aiida_enne.science.uncertainty.scores.detection import REMOVED
from tests.science.conftest import DOMAINS

FEW = AuditOptions(n_subsets=2, n_bootstrap=0, n_force_samples=200)


@pytest.fixture(scope='module')
def judged(ensemble):
    return audit(*ensemble, options=FEW)


@pytest.mark.parametrize('quantity', ['energy', 'force'])
def test_the_area_is_that_between_the_curves(judged, quantity):
    curves = {
        end: judged.arrays[f'{quantity}_confidence{end}']
        for end in ('', '_oracle', '_honest', '_honest_low', '_honest_high')
    }
    shown = figures.curved(judged, quantity)
    assert set(shown) == {name for name, *_, scan in DOMAINS if quantity == 'energy' or not scan}
    for index, name in enumerate(judged.arrays['domain_names'].tolist()):
        own = {end: curve[index] for end, curve in curves.items()}
        area = judged.domains[name][f'{quantity}_confidence_area']
        if name not in shown:
            assert area is None
            assert np.isnan(own['']).all()
            continue
        assert np.mean(own[''] - own['_oracle']) == pytest.approx(area, rel=1e-12)
        starts = [own[end][0] for end in ('', '_oracle', '_honest')]
        np.testing.assert_allclose(starts, 1, rtol=1e-12)
        # nothing leaves less error than the largest errors removed first
        assert (own['_oracle'] <= own[''] + 1e-12).all()
        assert (own['_honest_low'] <= own['_honest']).all()
        assert (own['_honest'] <= own['_honest_high']).all()
    np.testing.assert_array_equal(judged.arrays['confidence_removed'], REMOVED)


def test_the_curve_of_an_honest_ensemble_lies_within_those_of_its_members(rng):
    """Of all M + 1 potentials the truth has any rank: it is outside in 2/(M + 1) of cases."""
    outside = []
    for _ in range(60):
        size = np.exp(rng.normal(size=40))
        drawn = size * rng.normal(size=(13, 40))
        made = figures_of(drawn[1:] - drawn[0])
        own, low, high = (made[f'energy_confidence{end}'][0, 10] for end in ENDS)
        outside.append(not low <= own <= high)
    # 2/13 of 60 are 9; 99.9 % of such draws lie between
    assert 1 <= sum(outside) <= 19


ENDS = ('', '_honest_low', '_honest_high')


def figures_of(errors):
    """Return the arrays of an audit of these errors of single atoms."""
    from aiida_enne.science.uncertainty.confidence import confidence_arrays
    from aiida_enne.science.uncertainty.samples import Samples

    n = errors.shape[1]
    zero, used = np.zeros(n, dtype=np.int64), np.ones(n, dtype=bool)
    mean, spread = errors.mean(axis=0), errors.std(axis=0)
    truth = np.zeros(n)
    samples = Samples(truth, errors, mean, spread, used, used, zero, np.arange(n), zero)
    return confidence_arrays({'energy': samples}, 1, FEW)


def test_what_has_nothing_to_order_by_has_no_curve():
    made = figures_of(np.zeros((4, 10)))
    assert np.isnan(made['energy_confidence']).all()
    alike = np.tile([[1.0], [2.0], [4.0]], 10)
    assert np.isnan(figures_of(alike)['energy_confidence']).all()


def test_curves_are_drawn_as_they_are_stored_a_panel_per_domain(judged):
    axes = figures.draw_confidence(judged, figures.new_axes(), prefix='force')
    panels = [one for one in axes.figure.axes if one is not axes and one.axison]
    names = figures.curved(judged, 'force')
    assert len(panels) == len(names)
    order = judged.arrays['domain_names'].tolist()
    drawn = {tuple(line.get_ydata()) for panel in panels for line in panel.lines}
    for name in names:
        for end in ('', '_oracle', '_honest'):
            curve = judged.arrays[f'force_confidence{end}'][order.index(name)]
            assert tuple(curve) in drawn
    # no legend covers a panel
    assert not any(panel.get_legend() for panel in panels)
    with pytest.raises(ValueError, match='no domain has a confidence curve of stress'):
        figures.draw_confidence(judged, figures.new_axes(), prefix='stress')


def test_local_calibration_is_drawn_where_something_varies(judged):
    scans = {name for name, *_, scan in DOMAINS if scan}
    assert set(figures.binned(judged, 'energy', 'volume')) == scans
    assert set(figures.binned(judged, 'energy', 'spread')) == {name for name, *_ in DOMAINS}
    assert figures.binned(judged, 'energy', 'temperature') == []
    axes = figures.draw_local_z(judged, figures.new_axes(), by='volume')
    panels = [one for one in axes.figure.axes if one is not axes and one.axison]
    order = judged.arrays['domain_names'].tolist()
    drawn = {tuple(line.get_ydata()) for panel in panels for line in panel.lines}
    for name in scans:
        assert tuple(judged.arrays['energy_local_z_volume'][order.index(name)]) in drawn
    with pytest.raises(ValueError, match='no domain has bins of temperature'):
        figures.draw_local_z(judged, figures.new_axes(), by='temperature')
