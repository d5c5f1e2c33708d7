"""Laws of the look that all figures share."""

from aiida_enne.science.figures import style


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
