"""σ over time: every trajectory in the unit of the figure, and the threshold beside it."""

import numpy as np
import pytest

from aiida_enne.science import figures
from aiida_enne.science.figures import Explored

RUNS = [
    Explored('explored liquid, 2000 K', np.array([0.1, 0.2]), np.array([0.01, 0.02])),
    Explored('explored liquid, 2000 K', np.array([0.1, 0.2]), np.array([0.01, 0.03])),
    Explored('explored liquid, 3000 K', np.array([0.1]), np.array([0.05])),
]


@pytest.mark.parametrize(('of', 'factor'), [('energy', 1000), ('force', 1)])
def test_every_trajectory_is_a_line_and_every_domain_a_name(of, factor):
    axes = figures.draw_exploration(RUNS, figures.new_axes(), of=of, threshold=0.02)
    for line, one in zip(axes.lines, RUNS, strict=False):
        assert line.get_xdata() == pytest.approx(one.time)
        assert line.get_ydata() == pytest.approx(factor * one.spread)
    assert axes.lines[3].get_ydata() == pytest.approx(2 * [0.02 * factor])
    names = [text.get_text().replace('\n', ' ') for text in axes.get_legend().get_texts()]
    assert names[:2] == ['explored liquid, 2000 K', 'explored liquid, 3000 K']
    assert names[2].startswith(f'largest σ of what was trained on: {0.02 * factor:g} ')


def test_without_trajectories_nothing_is_drawn():
    with pytest.raises(ValueError, match='no trajectories'):
        figures.draw_exploration([], figures.new_axes())
