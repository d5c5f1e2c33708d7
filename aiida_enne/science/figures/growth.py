"""σ over the number of members for every system (S3)."""

from collections.abc import Mapping

from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from aiida_enne.science.figures import style
from aiida_enne.science.figures.palette import ALONE, Palette, shown
from aiida_enne.science.uncertainty.growth import Growth


@style.styled
def draw_spread_growth(
    growth: Growth,
    axes: Axes,
    *,
    domains: Mapping[str, str] | None = None,
    palette: Palette = ALONE,
) -> Axes:
    """Draw σ(M) of every system relative to that of all members (S3).

    Args:
        growth: Systems, each in its own unit.
        axes: Where to draw.
        domains: Domain of each system; its own name by default.
        palette: How domains look.
    """
    largest, domains = 0, {name: (domains or {}).get(name, name) for name in growth.curves}
    palette = palette.extended(domains.values())
    for name in sorted(domains, key=lambda name: palette.domains.index(domains[name])):
        curve, domain = growth.curves[name], domains[name]
        largest = int(curve.sizes[-1])
        if not curve.means[-1] > 0:
            continue
        ratio = growth.ratio(name)
        label = palette.label(name) if domain == name else shown(name)
        axes.plot(
            curve.sizes,
            curve.means / curve.means[-1],
            color=palette.colour(domain),
            linestyle=palette.line(domain),
            marker=palette.marker(domain),
            markersize=3.5,
            label=label if ratio is None else f'{label}: {ratio:.2f}',
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
