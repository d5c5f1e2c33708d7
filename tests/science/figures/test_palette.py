"""One domain, one look; whatever a domain is called, it can be drawn."""

import io

import matplotlib as mpl
import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.colors import to_hex

from aiida_enne.science import figures
from aiida_enne.science.figures import Palette
from aiida_enne.science.figures.palette import COLOURS, shade
from aiida_enne.science.properties.scatter import PER_ATOM, Scatter
from aiida_enne.science.structures.domains import natural

NAMES = st.lists(st.text(max_size=12), min_size=1, max_size=8, unique=True)


def test_numbers_in_names_are_numbers():
    names = ['1089 K', '300 K', '605 K', 'a 2.94', 'a 10', 'a', 'B']
    assert sorted(names, key=natural) == [
        '300 K',
        '605 K',
        '1089 K',
        'a',
        'a 2.94',
        'a 10',
        'B',
    ]


def test_what_was_trained_on_comes_first_and_is_marked():
    palette = Palette.of(['b', 'a', 'liquid 1089', 'liquid 300'], trained=['liquid 1089'])
    assert palette.domains == ('liquid 1089', 'a', 'b', 'liquid 300')
    assert [palette.label(name) for name in palette.domains[:2]] == [
        'liquid 1089 (trained on)',
        'a',
    ]


@given(NAMES, NAMES)
def test_a_domain_looks_the_same_whatever_is_drawn_beside_it(names, others):
    palette = Palette.of(names)
    more = palette.extended(others)
    for name in names:
        assert (more.colour(name), more.marker(name)) == (
            palette.colour(name),
            palette.marker(name),
        )
    looks = {(more.colour(name), more.marker(name)) for name in more.domains}
    assert len(looks) == len(more.domains) <= 80


def test_what_is_no_domain_has_no_colour_of_one():
    shades = {to_hex(shade(index, 30)) for index in range(30)}
    assert len(shades) == 30
    assert not shades & {colour.lower() for colour in COLOURS}


@settings(max_examples=25, deadline=None)
@given(NAMES)
def test_any_name_can_be_drawn(names):
    n = len(names)
    points = Scatter(
        np.arange(1.0, n + 1), np.ones(n), np.array(names, dtype=object), np.array(names),
        np.full(n, PER_ATOM), np.zeros(n, dtype=bool), 3, 0,
    )  # fmt: skip
    with mpl.rc_context({'svg.fonttype': 'none'}):
        axes = figures.draw_scatter(
            points, figures.new_axes(), palette=Palette.of(names, names[:1])
        )
        figures.save(axes, io.BytesIO(), 'svg')
    assert len(axes.get_legend().get_texts()) == n
