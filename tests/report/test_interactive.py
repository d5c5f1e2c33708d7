"""Tests for the map: what stands for many, and the page in a real browser without network."""

import json
import re
import time
from dataclasses import replace

import numpy as np
import pytest

from aiida_enne.provenance import Rows
from aiida_enne.report.interactive import build_map, stratify
from aiida_enne.report.write import environment
from aiida_enne.science.figures import Palette
from aiida_enne.science.figures.palette import MARKERS
from aiida_enne.science.properties.scatter import of_energies
from tests import browser

#: Where a point of the map is on the screen, and what the map is told of it.
WHERE = """(() => {
  const plot = document.querySelector('#map-scatter > div').shadowRoot
    .querySelector('.js-plotly-plot');
  const frame = plot.getBoundingClientRect();
  const {xaxis, yaxis} = plot._fullLayout;
  const points = JSON.parse(document.getElementById('map-dataset').textContent).properties;
  const [x, y] = [points[SPREAD].values[INDEX], points['|ε|'].values[INDEX]];
  return [frame.left + xaxis._offset + xaxis.d2p(x), frame.top + yaxis._offset + yaxis.d2p(y)];
})()"""
PAGE = """<!doctype html><meta charset="utf-8"><meta name="viewport" content="width=device-width">
{% from 'map.html' import show_map %}{{ show_map(map) }}"""


@pytest.fixture
def rows(configurations, rng):
    n = len(configurations)
    energies = configurations.energies + rng.normal(scale=0.5, size=(4, n)) + rng.normal(size=n)
    uuids = np.array([f'{i:08d}-0000-4000-8000-000000000000' for i in range(n)])
    return Rows(configurations, energies, ('a', 'b', 'c', 'd'), uuids, np.arange(n) + 100)


@pytest.fixture
def scatter(rows):
    return of_energies(rows.configurations, rows.energies)


def test_every_group_has_its_share_and_its_extremes(rng):
    groups = np.array(['a'] * 100 + ['b'] * 3 + ['c'] * 50)
    values = rng.random(153)
    chosen = stratify(groups, values, 23)
    assert len(chosen) == 23
    assert (np.diff(chosen) > 0).all()
    assert [int((groups[chosen] == name).sum()) for name in 'abc'] == [10, 3, 10]
    for name in 'abc':
        own = np.flatnonzero(groups == name)
        assert {own[values[own].argmin()], own[values[own].argmax()]} <= set(chosen.tolist())


def test_all_are_shown_where_there_is_room_and_some_where_there_is_little():
    groups = np.array(list('aabbc'))
    assert stratify(groups, np.arange(5), 9).tolist() == [0, 1, 2, 3, 4]
    assert len(stratify(groups, np.arange(5), 2)) == 2
    assert len(stratify(groups, np.arange(5), 1)) == 1


def test_the_map_knows_where_every_structure_is_from(rows, scatter):
    found = build_map(rows, scatter, limit=6)
    dataset, origins = json.loads(found.dataset), json.loads(found.origins)
    assert (found.n_shown, found.n_all, found.n_undefined) == (6, 10, 0)
    assert len(dataset['structures']) == len(origins['index']) == 6
    for position, index in enumerate(origins['index']):
        row = index - 100
        assert origins['dataset'][position] == rows.datasets[row]
        assert origins['domain'][position] == rows.configurations.domains[row]
        atoms = rows.configurations.atom_index([row])
        edge = rows.configurations.cells[row, 2, 2]
        shown = np.array(dataset['structures'][position]['z']) / edge
        apart = shown - rows.configurations.positions[atoms, 2] / edge
        np.testing.assert_allclose(apart, np.round(apart), atol=5e-5)
        assert (shown > -1e-4).all()
        assert (shown < 1 + 1e-4).all()
        spread = dataset['properties']['σ (ddof 0)']['values'][position]
        assert spread == pytest.approx(1000 * scatter.spread[row], rel=1e-5)


def test_what_has_no_place_on_logarithmic_axes_is_counted(rows, scatter):
    scatter.error[3] = 0
    found = build_map(rows, scatter)
    assert found.n_undefined == 1
    assert 103 not in json.loads(found.origins)['index']
    scatter.spread[:] = 0
    assert build_map(rows, scatter) is None


def symbols(found):
    """Return the character of every domain on a map; the viewer gives them as domains appear."""
    dataset = json.loads(found.dataset)
    assert dataset['settings']['map']['symbol'] == ('system' if found.has_symbols else '')
    names = dict.fromkeys(dataset['properties']['system']['values'])
    return dict(zip(names, MARKERS.values(), strict=False)) if found.has_symbols else {}


def test_symbols_are_those_of_the_figures(rows, scatter):
    names = sorted(set(scatter.domain.tolist()), reverse=True)
    everywhere = [*names, 'a trained one without rows']
    palette = Palette.of(everywhere, trained=[names[0], everywhere[-1]], mapped=names)
    assert palette.domains[0] == everywhere[-1]
    found = symbols(build_map(rows, scatter, palette=palette))
    assert set(found) == set(names)
    assert found == {name: MARKERS[palette.marker(name)] for name in names}


def test_where_symbols_would_not_be_the_markers_there_are_none(rows, scatter):
    names = sorted(set(scatter.domain.tolist()))
    lacking = Palette.of([*names, 'a'], mapped=[*names, 'a'])
    assert not symbols(build_map(rows, scatter, palette=lacking))
    n = len(MARKERS) + 1
    chosen = np.resize(np.arange(len(rows)), n)
    many = replace(
        scatter.select(chosen), domain=np.array([f'domain {i}' for i in range(n)], dtype=object)
    )
    assert not symbols(build_map(rows.select(chosen), many))


def test_a_map_without_room_is_refused(rows, scatter):
    with pytest.raises(ValueError, match='limit of 0'):
        build_map(rows, scatter, limit=0)


def test_labels_cannot_leave_their_script(rows, scatter):
    labels = np.full(len(rows), '</script><b>&')
    hostile = replace(rows.configurations, domains=labels)
    found = build_map(replace(rows, configurations=hostile), replace(scatter, domain=labels))
    assert not re.search('[<>&]', found.dataset + found.origins)
    assert json.loads(found.origins)['domain'][0] == '</script><b>&'


def still(window):
    """Return the picture of the structure once it no longer changes."""
    before, picture = None, window.picture('#map-structure')
    while picture != before:
        time.sleep(0.5)
        before, picture = picture, window.picture('#map-structure')
    return picture


@pytest.mark.slow
@pytest.mark.skipif(browser.executable() is None, reason='no chromium to open the page with')
@pytest.mark.parametrize('width', [1300, 420])
def test_a_click_shows_structure_and_node(rows, scatter, tmp_path, width):
    page = tmp_path / 'map.html'
    template = environment().from_string(PAGE)
    page.write_text(template.render(map=build_map(rows, scatter)))
    origins = json.loads(build_map(rows, scatter).origins)
    with browser.Browser(tmp_path / 'profile', width, 900) as window:
        window.open(page)
        window.wait("document.getElementById('map-told').dataset.structure === '0'")
        # the one farthest from what is chosen already
        far = max(range(1, 10), key=lambda i: abs(float(origins['error'][i])))
        where = WHERE.replace('INDEX', str(far)).replace('SPREAD', "'σ (ddof 0)'")
        window.evaluate("document.getElementById('map-scatter').scrollIntoView()")
        window.wait(where)
        first = still(window)
        window.click(*window.evaluate(where))
        window.wait(f"document.getElementById('map-told').dataset.structure === '{far}'")
        told = window.evaluate("document.getElementById('map-told').textContent")
        assert origins['dataset'][far] in told
        assert f'configuration {origins["index"][far]} of' in told
        assert origins['domain'][far] in told
        assert still(window) != first
        assert window.errors == []
        assert window.requests == [page.resolve().as_uri()]
        # nothing is wider than the window
        assert window.evaluate('document.documentElement.scrollWidth') <= width
