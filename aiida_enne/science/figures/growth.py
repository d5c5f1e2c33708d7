"""σ over the number of members for every system (S3)."""

from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from aiida_enne.science.figures import style
from aiida_enne.science.uncertainty.growth import Growth


@style.styled
def draw_spread_growth(growth: Growth, axes: Axes) -> Axes:
    """Draw σ(M) of every system relative to that of all members (S3).

    Args:
        growth: Systems, each in its own unit.
        axes: Where to draw.
    """
    largest = 0
    for index, (name, curve) in enumerate(growth.curves.items()):
        largest = int(curve.sizes[-1])
        if not curve.means[-1] > 0:
            continue
        ratio = growth.ratio(name)
        axes.plot(
            curve.sizes,
            curve.means / curve.means[-1],
            color=style.colour(index),
            linestyle=style.line(index),
            marker=style.marker(index),
            markersize=3.5,
            label=name if ratio is None else f'{name}: {ratio:.2f}',
        )
    expected = growth.expected_ratio
    null = 'independent Gaussians' + ('' if expected is None else f': {expected:.2f}')
    sizes = next(iter(growth.curves.values())).sizes
    axes.plot(sizes, growth.null, color='black', linestyle='--', label=null)
    axes.set_ylim(bottom=0)
    axes.set_xlabel('number of members M')
    axes.set_ylabel(f'{style.spread_symbol(growth.ddof)} relative to M = {largest}')
    axes.set_title('Spread, averaged over subsets of members')
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    title = None if expected is None else f'σ({largest})/σ({growth.small})'
    style.legend_beside(axes, title=title)
    return axes
