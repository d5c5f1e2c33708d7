"""Figures of the paper show the numbers of the analyses; that they look well is seen by eye."""

import io
from dataclasses import replace

import numpy as np
import pytest

from aiida_enne.science import figures
from aiida_enne.science.properties.curves import curves
from aiida_enne.science.properties.eos import fit_curve
from aiida_enne.science.properties.formation import formations, size_series
from aiida_enne.science.properties.paths import volume_path
from aiida_enne.science.properties.radial import radial_curves
from aiida_enne.science.properties.scatter import join, of_energies, of_formations
from aiida_enne.science.properties.transition import find_transition
from aiida_enne.science.uncertainty.cross import correlate, density_groups
from aiida_enne.science.uncertainty.cross import join as join_crosses
from aiida_enne.science.uncertainty.growth import grow
from aiida_enne.science.uncertainty.scans import compare, row
from tests.science import paper

TRAINED = [f'liquid {density:g} g/cm³, 2000 K' for density in paper.DENSITIES]


class Made:
    """Results of all analyses on made-up data of few or many members."""

    def __init__(self, n_members):
        rng = np.random.default_rng(n_members)
        liquid, energies = paper.liquids(rng, n_members, n=8)
        self.radial = radial_curves(liquid, bin_width=0.5)
        scans, scanned = paper.phases(rng, n_members)
        self.curves = curves(scans, scanned)
        self.path = volume_path(self.curves['diamond'])
        cells = paper.defects(rng, n_members)
        self.formations = {}
        for made, predicted in cells:
            self.formations |= formations(made, predicted)
        self.series = size_series(self.formations.values())
        self.liquids = of_energies(liquid, energies)
        self.phases = of_energies(scans, scanned)
        self.every = join([self.liquids, self.phases, *(of_energies(*cell) for cell in cells)])
        self.mixed = join([self.liquids, self.phases, of_formations(self.formations.values())])
        self.transition = find_transition(
            *(fit_curve(self.curves[n]) for n in ('diamond', 'beta-tin'))
        )
        errors = (energies - liquid.energies) / liquid.n_atoms
        groups = density_groups(liquid.domains.tolist(), liquid.kinds)
        noisy = errors + 1e-4 * rng.normal(size=errors.shape)
        self.cross = correlate({'a': errors, 'b': noisy}, groups)
        self.growth = grow(
            {'liquid': energies, 'diamond': self.curves['diamond'].members}, n_subsets=9
        )
        points = [
            row(f'{n} {degree}', {'n_train': n, 'l_max': degree}, rng.normal(size=(n_members, 20)))
            for n in (500, 5000)
            for degree in (0, 3)
        ]
        self.comparisons = compare(points, 'n_train')

    def drawn(self):
        """Yield every figure as a function of axes."""
        vacancy = self.formations['vacancy 3³']
        own = replace(vacancy, reference=np.full(len(vacancy.steps), np.nan))
        slab = self.formations['Si(100) tilted, 10 layers']
        yield lambda ax: figures.draw_radial_distributions(self.radial, ax)
        yield lambda ax: figures.draw_equations_of_state(self.curves, ax, form='vinet')
        yield lambda ax: figures.draw_equations_of_state(self.curves, ax, aligned=True)
        yield lambda ax: figures.draw_volume_path(self.path, ax)
        yield lambda ax: figures.draw_formation(vacancy, ax, own=own)
        yield lambda ax: figures.draw_formation(own, ax)
        yield lambda ax: figures.draw_formation(slab, ax)
        for log in (False, True):
            yield lambda ax, log=log: figures.draw_scatter(self.liquids, ax, log=log)
            yield lambda ax, log=log: figures.draw_scatter(self.mixed, ax, by='family', log=log)
        yield lambda ax: figures.draw_scatter_panels({'N = 500': self.phases, 'N': self.phases}, ax)
        yield lambda ax: figures.draw_flags(self.every, ax, training_domains=TRAINED)
        yield lambda ax: figures.draw_comparisons(self.comparisons, ax)
        yield lambda ax: figures.draw_spread_growth(self.growth, ax)
        yield lambda ax: figures.draw_transition(self.transition, ax)
        yield lambda ax: figures.draw_size_series(
            [self.series[n] for n in ('vacancy', 'hexagonal')], ax
        )
        yield lambda ax: figures.draw_pair_correlations(self.cross, ax)
        yield lambda ax: figures.draw_pair_correlations(self.cross, ax, kind='within_groups')
        yield lambda ax: figures.draw_pair_correlations(join_crosses(self.cross, self.cross), ax)


@pytest.fixture(scope='module')
def made():
    """Results of eight members."""
    return Made(8)


def save(draw):
    stream = io.BytesIO()
    figures.save(draw(figures.new_axes()), stream, 'svg')
    return stream.getvalue()


def test_figures_say_their_ddof_and_are_functions_of_their_data(made):
    for number, draw in enumerate(made.drawn()):
        first = save(draw)
        text = first.decode()
        assert '|ε| ≤ σ' in text or 'σ' not in text or 'ddof 0' in text
        # every third one, for drawing takes time
        assert number % 3 or first == save(draw)


def test_two_members_can_be_drawn():
    for draw in Made(2).drawn():
        save(draw)


def lines(axes):
    return {line.get_label(): line for line in axes.lines}


def test_equations_of_state_have_the_zeros_they_say(made):
    diamond, tin = made.curves['diamond'], made.curves['beta-tin']
    axes = figures.draw_equations_of_state(made.curves, figures.new_axes())
    zero = diamond.reference.min()
    assert "the reference's minimum of diamond" in axes.get_title(loc='left')
    drawn = lines(axes)['beta-tin'].get_ydata()
    assert drawn == pytest.approx(tin.members.mean(axis=0) - zero)
    axes = figures.draw_equations_of_state(made.curves, figures.new_axes(), aligned=True)
    drawn = lines(axes)['beta-tin'].get_ydata()
    own = tin.members - diamond.members.min(axis=1, keepdims=True)
    assert drawn == pytest.approx(own.mean(axis=0))
    without = {name: curve for name, curve in made.curves.items() if 'diamond' not in name}
    axes = figures.draw_equations_of_state(without, figures.new_axes())
    assert 'minimum of beta-tin' in axes.get_title(loc='left')


def test_fits_are_drawn_where_they_are_not_refused(made):
    curve = made.curves['diamond']
    falling = replace(curve, reference=-curve.volumes, members=curve.members)
    axes = figures.draw_equations_of_state({'diamond': falling}, figures.new_axes(), form='vinet')
    assert len(lines(axes)['diamond'].get_xdata()) == 200
    plain = figures.draw_equations_of_state({'diamond': falling}, figures.new_axes())
    assert len(axes.lines) == len(plain.lines)


def test_formations_are_drawn_as_they_are(made):
    vacancy = made.formations['vacancy 3³']
    axes = figures.draw_formation(vacancy, figures.new_axes())
    _, upper, lower = axes.figure.axes
    drawn = lines(upper)
    assert drawn['mean ± σ (ddof 0)'].get_ydata() == pytest.approx(vacancy.mean)
    assert drawn['reference'].get_ydata() == pytest.approx(vacancy.reference)
    dots = [line for line in lower.lines if line.get_marker() == 'o']
    last = max(dots, key=lambda line: line.get_xdata()[0])
    assert (last.get_xdata()[0], last.get_ydata()[0]) == (13, pytest.approx(vacancy.error[-1]))
    assert 2 < len(dots) <= 12
    axes = figures.draw_formation(
        replace(vacancy, reference=np.nan * vacancy.mean), figures.new_axes()
    )
    assert 'reference' not in lines(axes.figure.axes[1])


def test_points_are_those_of_the_scatter(made):
    axes = figures.draw_scatter(made.phases, figures.new_axes())
    points = [np.array(c.get_offsets()) for c in axes.collections if len(c.get_offsets()) > 1]
    found = np.concatenate(points)
    crosses = made.phases.marked
    expected = np.concatenate([made.phases.error, made.phases.error[crosses]])
    assert sorted(found[:, 1]) == pytest.approx(sorted(1000 * expected))
    assert len(points[-1]) == crosses.sum() == len(paper.PHASES)


def test_units_are_those_of_the_points(made):
    axes = figures.draw_scatter(made.mixed, figures.new_axes())
    assert '(eV per atom, defect or surface atom)' in axes.get_ylabel()
    axes = figures.draw_scatter(made.liquids, figures.new_axes())
    assert '(meV/atom)' in axes.get_ylabel()
    axes = figures.draw_scatter(made.mixed.of(['defect']), figures.new_axes())
    assert '(eV per defect)' in axes.get_xlabel()


def test_points_without_place_on_logarithmic_axes_are_counted(made):
    spread = made.phases.spread.copy()
    spread[:3] = 0
    axes = figures.draw_scatter(replace(made.phases, spread=spread), figures.new_axes(), log=True)
    assert '3 next to σ = 0 or ε = 0 not shown' in axes.get_title(loc='left')


def test_panels_share_their_limits(made):
    panels = {'N = 500': made.phases, 'N = 5000': replace(made.liquids, n_members=7)}
    axes = figures.draw_scatter_panels(panels, figures.new_axes())
    first, second = axes.figure.axes[1:]
    assert first.get_xlim() == second.get_xlim()
    assert first.get_ylim() == second.get_ylim()
    assert [panel.get_title(loc='left') for panel in (first, second)] == list(panels)
    # what is in one panel only keeps its colour, and is in the legend that all share
    names = [text.get_text() for text in axes.figure.legends[0].get_texts()]
    assert sorted(names) == ['liquid', 'phase']
    colours = [panel.collections[0].get_facecolor()[0][:3].tolist() for panel in (first, second)]
    assert colours[0] != colours[1]


def test_the_threshold_is_the_largest_spread_trained_on(made):
    axes = figures.draw_flags(made.every, figures.new_axes(), training_domains=TRAINED)
    limit = made.every.spread[np.isin(made.every.domain, TRAINED)].max()
    dashed = [line for line in axes.lines if line.get_linestyle() == '--']
    assert dashed[0].get_xdata() == pytest.approx(2 * [1000 * limit])
    names = [label.get_text().replace('\n', ' ') for label in axes.get_yticklabels()]
    assert names[:3] == [f'{name} (trained on)' for name in TRAINED]
    assert set(names[3:]) == set(made.every.domain) - set(TRAINED)


def test_pressures_are_counted(made):
    members = made.transition.members.copy()
    members[:2] = np.nan
    axes = figures.draw_transition(replace(made.transition, members=members), figures.new_axes())
    assert '2 of 8 members have none' in axes.get_title(loc='left')
    (points,) = [line for line in axes.lines if line.get_label() == 'members (6)']
    assert sorted(points.get_xdata()) == sorted(members[2:])


def test_energies_are_shown_to_where_minima_lie(made):
    axes = figures.draw_equations_of_state(made.curves, figures.new_axes())
    lowest = {name: curve.reference.min() for name, curve in made.curves.items()}
    top = max(lowest.values()) - lowest['diamond']
    low, high = axes.get_ylim()
    assert low < 0 < top < high <= max(1.4 * top, 0.2)


def test_each_system_has_its_growth_and_lines_do_not_hide_each_other(made):
    axes = figures.draw_spread_growth(made.growth, figures.new_axes())
    left, right = axes.figure.axes[1:]
    assert [label.get_text() for label in right.get_yticklabels()] == ['diamond', 'liquid']
    at = {int(line.get_ydata()[0]): line.get_xdata()[0] for line in right.lines[:2]}
    assert at == {0: made.growth.ratio('diamond'), 1: made.growth.ratio('liquid')}
    assert len(left.lines) == 2


def test_the_values_of_another_estimator_are_called_by_their_name(made):
    axes = figures.draw_scatter(replace(made.liquids, width='score'), figures.new_axes())
    assert axes.get_xlabel() == 'spread score (meV/atom)'


def test_what_cannot_be_drawn_is_refused(made):
    none = np.full(8, np.nan)
    lost = replace(made.transition, members=none, reference=None, of_mean=None)
    bare = correlate({'a': np.random.default_rng(0).normal(size=(3, 9))})
    empty = made.phases.select(np.zeros(len(made.phases), dtype=bool))
    surface = made.series['Si(100) tilted']
    cases = [
        (lambda ax: figures.draw_radial_distributions([], ax), 'no liquids'),
        (lambda ax: figures.draw_equations_of_state({}, ax), 'no equations of state'),
        (lambda ax: figures.draw_scatter(empty, ax), 'no points'),
        (lambda ax: figures.draw_scatter_panels({'N': empty}, ax), 'no points'),
        (lambda ax: figures.draw_transition(lost, ax), 'no transition from diamond to beta-tin'),
        (lambda ax: figures.draw_comparisons([], ax), 'comparisons of one choice'),
        (lambda ax: figures.draw_size_series([made.series['vacancy'], surface], ax), 'one kind'),
        (lambda ax: figures.draw_pair_correlations(bare, ax, kind='within_groups'), 'no groups'),
        (lambda ax: figures.draw_flags(made.mixed, ax, training_domains=TRAINED), 'eV/atom only'),
    ]
    for draw, message in cases:
        with pytest.raises(ValueError, match=message):
            draw(figures.new_axes())
