"""The page as readers have it: two widths of a window, print, keyboard and screen reader."""

import re
from itertools import pairwise

import pytest

from aiida_enne.report.collect import collect
from aiida_enne.report.write import write_report
from tests import browser
from tests.audited import store_audit

pytestmark = pytest.mark.skipif(browser.executable() is None, reason='no chromium here')

#: What sticks out of the window; what scrolls in a box of its own does not.
OUTSIDE = """[...document.querySelectorAll('main *, header *')]
  .filter((one) => !one.closest('.scroll, .map, #map-info') && one.getClientRects().length)
  .filter((one) => one.getBoundingClientRect().right > document.documentElement.clientWidth + 1)
  .map((one) => one.outerHTML.slice(0, 200))"""
FOLDED = """[...document.querySelectorAll('details:not(.uuid) > :not(summary)')]
  .filter((one) => !one.checkVisibility({ contentVisibilityAuto: true }))
  .map((one) => one.outerHTML.slice(0, 100))"""
CUT = """[...document.querySelectorAll('table, img')]
  .filter((one) => one.checkVisibility())
  .filter((one) => one.getBoundingClientRect().right > document.documentElement.clientWidth + 1)
  .map((one) => one.outerHTML.slice(0, 200))"""
needs_axe = pytest.mark.skipif(
    not browser.AXE.exists(), reason='no axe-core: `make .venv/.tests` gets it by npm'
)
#: Pixels a sheet of A4 has between its margins.
SHEET = 702


@pytest.fixture(scope='module')
def page(aiida_profile, configurations, tmp_path_factory):
    """Return the page of an audit with a map, its figures fewer than a report has."""
    from dataclasses import replace

    from aiida_enne.data.dataset import DatasetData

    aiida_profile.reset_storage()
    dataset = DatasetData.from_configurations(configurations, level_of_theory='EMT').store()
    report = collect(store_audit(dataset, parameters={'training_domains': ['cold']})[0].uuid)
    first, *rest = report.words.rows
    longest = f'{first[2]}\nconformal, absolute'
    words = replace(report.words, rows=[[*first[:2], longest, *first[3:]], *rest])
    few = {'error_and_spread', 'transfer', 'F3', 'F7', 'coverage'}
    forms = [form for form in report.forms if form.figure.name in few]
    return write_report(
        replace(report, forms=forms, words=words), tmp_path_factory.mktemp('report')
    )


@pytest.fixture(scope='module')
def window(page, tmp_path_factory):
    """Return a browser that shows the page, its map drawn."""
    with browser.Browser(tmp_path_factory.mktemp('profile'), 1280, 900) as shown:
        shown.open(page)
        drawn = (
            "document.querySelector('#map-scatter > div')?.shadowRoot.querySelector('[data-drawn]')"
        )
        shown.wait(f'!!{drawn}')
        yield shown


@pytest.fixture(params=[1280, 500])
def width(request, window):
    """Give the window a width, and return it."""
    window.resize(request.param, 900)
    yield request.param
    window.resize(1280, 900)


@pytest.fixture
def unfolded(window):
    """Open everything that is folded on the page, and fold it again."""
    each = "document.querySelectorAll('details').forEach((one) => { one.open = %s; })"
    window.evaluate(each % 'true')
    yield window
    window.evaluate(each % 'false')


def test_nothing_is_wider_than_the_window(window, width):
    assert window.evaluate(OUTSIDE) == []
    assert window.evaluate('document.documentElement.scrollWidth') <= width
    assert window.errors == []


def test_the_first_screen_answers(window):
    table, figure = (
        window.evaluate(f"document.querySelector('.first {one}').getBoundingClientRect().bottom")
        for one in ('table', 'img')
    )
    assert max(table, figure) <= 900
    words = window.evaluate("document.querySelector('.first table').innerText")
    assert re.search(r'cold\t8\t.*(believe|cannot say)', words)
    assert '90% interval score' in window.evaluate("document.querySelector('.first h3').innerText")
    cells = "[...document.querySelectorAll('.first .word')]"
    beneath = window.evaluate(f'{cells}.map((one) => one.innerText)')
    said = [one.split('\n') for one in beneath]
    assert all(re.fullmatch(r'\S+ / \S+ · ×\s\S+ · \d+%', numbers) for _, numbers, *_ in said)
    assert [one[2] for one in said if len(one) > 2] == ['conformal, absolute']


def test_long_names_cut_no_verdict_off(window, width):
    name = 'liquid 2.57 g/cm³, 2000 K (trained on)'
    found = window.evaluate(f"""(() => {{
      const cell = document.querySelector('.first tbody th, .first tr th[scope=row]');
      const [own, table] = [cell.innerHTML, cell.closest('.scroll') ?? cell.closest('table')];
      cell.innerText = {name!r};
      const widths = [table.scrollWidth, table.clientWidth];
      cell.innerHTML = own;
      return widths; }})()""")
    assert found[0] <= found[1]


def test_the_verdicts_are_readable_on_a_telephone(window):
    window.resize(500, 900)
    table = window.evaluate("""(() => { const {width} = document.querySelector('.first table')
      .getBoundingClientRect(); return [width, getComputedStyle(document.querySelector(
      '.first td')).fontSize]; })()""")
    window.resize(1280, 900)
    assert table[0] <= 500
    assert float(table[1].removesuffix('px')) >= 11


def test_print_opens_what_is_folded_and_cuts_nothing(window):
    assert window.evaluate(FOLDED)
    window.resize(SHEET, 900)
    assert window.as_printed(FOLDED) == []
    assert window.as_printed(CUT) == []
    window.resize(1280, 900)
    n_pages = len(re.findall(rb'/Type\s*/Page[^s]', window.printed()))
    assert 3 <= n_pages <= 12


def test_headings_are_in_order_and_the_contents_lead_somewhere(window):
    levels = window.evaluate(
        "[...document.querySelectorAll('h1, h2, h3, h4')].map((one) => Number(one.tagName[1]))"
    )
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after - before <= 1 for before, after in pairwise(levels))
    lost = "[...document.querySelectorAll('nav a')].filter((a) => !document.querySelector(a.hash))"
    assert window.evaluate(f'{lost}.length') == 0


@needs_axe
def test_the_accessibility_checker_finds_nothing(unfolded, width):
    assert unfolded.violations() == {}


@needs_axe
def test_what_the_accessibility_checker_cannot_judge_is_named_and_judged_here(window, unfolded):
    """Markers beside names, which it is not told are no text, and numbers at axes of the map."""
    undecided = unfolded.undecided()
    assert set(undecided) <= {'color-contrast'}
    found = undecided.get('color-contrast', ())
    known = ('<span class="swatch"', '<text ', '<tspan ')
    assert [html for html in found if not html.startswith(known)] == []
    assert window.evaluate("document.querySelectorAll('svg text').length") == 0  # only the map's
    hidden = "[...document.querySelectorAll('.swatch')].map((one) => one.ariaHidden)"
    assert set(window.evaluate(hidden)) == {'true'}
    texts = window.evaluate("""[...document.querySelector('#map-scatter > div').shadowRoot
      .querySelectorAll('svg text')].map((one) => getComputedStyle(one).fill)""")
    assert texts
    assert min(contrast(one) for one in set(texts)) >= 4.5


def contrast(colour):
    """Return the contrast of a colour, `rgb(…)`, with white, as WCAG 2 defines it."""
    parts = [int(one) / 255 for one in re.findall(r'\d+', colour)[:3]]
    linear = [one / 12.92 if one <= 0.04045 else ((one + 0.055) / 1.055) ** 2.4 for one in parts]
    return 1.05 / (0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2] + 0.05)


@needs_axe
def test_the_accessibility_checker_would_find_something(window):
    window.evaluate('document.body.insertAdjacentHTML(\'beforeend\', \'<img id="x" src="">\')')
    found = window.violations()
    window.evaluate("document.getElementById('x').remove()")
    assert 'image-alt' in found


def test_the_map_has_its_line_and_numbers_under_the_mouse(window):
    plot = "document.querySelector('#map-scatter > div').shadowRoot.querySelector('[data-drawn]')"
    shapes = window.evaluate(f'{plot}.layout.shapes')
    low, high = (window.evaluate(f'{plot}.layout.coloraxis.{end}') for end in ('cmin', 'cmax'))
    assert [(one['x0'], one['x1']) for one in shapes] == [(one['y0'], one['y1']) for one in shapes]
    assert len(shapes) == 1
    assert low == -high < 0
    text = window.evaluate(f'{plot}.data[0].text[0]')
    assert re.fullmatch(r'\w+<br>σ = \S+ meV/atom<br>ε = [+-]\S+ meV/atom', text)
    assert window.evaluate(f'{plot}.data[0].hovertemplate') == '%{text}<extra></extra>'
    # the legend stands beneath the map: none of Plotly's is left to lie on the colours
    assert not window.evaluate(f'{plot}.data.some((one) => one.showlegend)')
