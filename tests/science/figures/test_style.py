"""Laws of the look that all figures share."""

import io

import numpy as np
import pytest
from PIL import Image

from aiida_enne.science.figures import style
from aiida_enne.science.figures.errors import is_spiky


def test_a_figure_grows_with_its_legend():
    axes = style.new_axes(6.4, 3.0)
    for index in range(30):
        axes.plot([0, 1], [0, index], label=f'liquid {index} g/cm³, 2000 K')
    style.legend_beside(axes)
    axes.figure.draw_without_rendering()
    legend, figure = axes.get_legend().get_window_extent(), axes.figure.bbox
    assert legend.y0 >= 0
    assert legend.y1 <= figure.y1
    assert axes.get_position().height > 0.5


def test_neighbours_on_a_strip_are_in_other_lanes(rng):
    values = rng.normal(size=40)
    heights = style.strip(values)[np.argsort(values)]
    assert (np.abs(np.diff(heights)) > 0.1).all()
    assert np.abs(heights).max() == pytest.approx(0.5)
    assert style.strip(np.ones(1)).shape == (1,)


def test_few_values_are_spikes_and_many_are_not(rng):
    few = np.histogram(rng.choice([-1.0, 0.0, 1.0], 300), 61)[0]
    many = np.histogram(rng.normal(size=300), 61)[0]
    assert is_spiky(few)
    assert not is_spiky(many)
    assert not is_spiky(np.zeros(5))


def test_a_settled_figure_looks_as_it_would_and_is_laid_out_no_more():
    pictures = []
    for settled in (False, True):
        axes = style.new_axes(4, 3)
        axes.plot([0, 1000], [0, 1], label='a long name that takes room')
        axes.figure.colorbar(axes.scatter([0, 1], [0, 1], c=[0, 1]), ax=axes)
        style.legend_beside(axes)
        if settled:
            style.settle(axes)
            assert axes.figure.get_layout_engine() is None
        style.save(axes, target := io.BytesIO())
        pictures.append(np.asarray(Image.open(target).convert('L'), dtype=float))
    assert pictures[0].shape == pictures[1].shape
    assert (np.abs(pictures[0] - pictures[1]) > 40).mean() < 0.01
