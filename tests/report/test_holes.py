"""What is undefined is said: reports of audits with holes, none of which takes the page along."""

import json
import re
from dataclasses import replace
from html import unescape

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from aiida_enne.data.dataset import DatasetData
from aiida_enne.paper.claims.judge import JUDGES
from aiida_enne.paper.verdicts import judge_study
from aiida_enne.provenance import joint_audit
from aiida_enne.report import tables
from aiida_enne.report.collect import collect
from aiida_enne.report.judged import of_verdicts
from aiida_enne.report.write import write_report
from aiida_enne.science.figures import Palette
from aiida_enne.science.structures.domains import imported_roles
from aiida_enne.science.uncertainty.table import as_text, reasons
from tests.audited import LABEL, store_audit

#: What a report must never show: a hole of Python's, formatted.
HOLE = re.compile(r'\b(None|nan|NaN|inf)\b')
#: The look of a domain in a table: its colour and its marker, then its name.
SWATCH = re.compile(r'swatch" style="color: (\S+)" aria-hidden="true">(\S+)</span> (\w+)')


def texts(page):
    """Return what a reader sees of a page, without scripts, styles and pictures."""
    page = re.sub(r'<(script|style).*?</\1>', '', page, flags=re.S)
    return [unescape(text) for text in re.findall(r'>([^<>]+)<', page)]


def check_page(report, folder):
    """Write a report and check that holes are said and no domain is lost; return its text."""
    page = write_report(report, folder).read_text()
    assert not [text for text in texts(page) if HOLE.search(text)]
    for name in ('numbers.json', 'paper.json'):
        text = (folder / name).read_text()
        assert not re.search(r'\b(NaN|Infinity)\b', text)
        json.loads(text)
    for section in report.sections:
        for table in section.tables[:2]:
            shown = {row[0].removesuffix(' (trained on)') for row in table.rows}
            assert shown == set(section.audit.domains)
    return page


@pytest.fixture
def renamed(aiida_profile_clean, configurations):
    """Return a function that stores an audit of the configurations under names and roles."""

    def make(names, roles=None, **options):
        domains = np.array([names[i % len(names)] for i in range(len(configurations))])
        arrays = configurations.as_arrays() | {'domains': domains}
        if roles:
            arrays |= {'roles': np.array(sorted(roles.items()))}
        frames = type(configurations).from_arrays(arrays)
        dataset = DatasetData.from_configurations(frames, level_of_theory='EMT').store()
        return store_audit(dataset, **options)[0]

    return make


def test_members_that_agree_and_are_wrong_head_the_page(renamed, tmp_path):
    report = collect(renamed(['a', 'b'], own=0.0, shared=2.0).uuid)
    page = check_page(report, tmp_path)
    assert 'most members are copies of each other' in report.findings[0]
    assert report.findings[1].startswith('σ (ddof 0) of the energy is 0 throughout a, b')
    assert '∞' in page
    assert {row.verdict for row in report.judged.verdicts} == {'cannot say', 'do not believe'}
    (energies, forces) = report.sections[0].tables
    assert [row[-4] for row in energies.rows + forces.rows] == ['∞'] * 4


@pytest.mark.parametrize(
    'options',
    [
        {'n_members': 2},
        {'own': 0.0, 'shared': 0.0},
        {'parameters': {'training_domains': ['a']}},
    ],
    ids=['two members', 'no error at all', 'trained on one'],
)
def test_pages_of_audits_with_holes(renamed, tmp_path, options):
    audit = renamed(['a', *9 * ['b']], **options)
    check_page(collect(audit.uuid), tmp_path)


ROLES = st.sampled_from(
    [
        'phase:diamond',
        'phase:bcc',
        'defect:vacancy:2',
        'bulk:2',
        'surface:tilted:8:Cu',
        'liquid:2.5',
        'liquid:2.5:1000',
        'other',
    ]
)
LABELS = st.text(st.characters(exclude_categories=['Cs']), max_size=12) | st.sampled_from(
    ['$x_', '<b>&amp;', 'diamond', 'liquid', 'vacancy 2³', 'a' * 200, 'A', 'a', '_x', 'None of it']
)


@settings(
    max_examples=5,
    deadline=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(roles=st.dictionaries(LABELS.filter(str.strip), ROLES, min_size=1, max_size=5))
def test_no_name_and_no_role_takes_the_page_along(renamed, tmp_path, roles):
    names = list(roles)
    try:
        known = imported_roles(names, roles)
    except ValueError:
        return  # two labels with one role are refused by the import itself
    report = collect(renamed(names, known).uuid)
    assert {form.figure.name for form in report.forms} >= {'error_and_spread', 'coverage'}
    assert not [one for one in report.absences if 'Error:' in one.reason]
    page = write_report(replace(report, forms=[]), tmp_path).read_text()
    assert page.count('class="swatch"') >= 2 * len(names)


def test_every_domain_has_one_look_on_every_table(renamed, tmp_path):
    names = [f'd{n}' for n in range(10)]
    report = collect(renamed(names).uuid)
    page = write_report(replace(report, forms=[]), tmp_path).read_text()
    looks = {}
    for style, mark, name in SWATCH.findall(page):
        looks.setdefault(name, set()).add((style, mark))
    assert set(looks) == set(names)
    assert {len(one) for one in looks.values()} == {1}
    assert len({next(iter(one)) for one in looks.values()}) == len(names)
    symbols = json.loads(report.map.dataset)['properties']['system']['values']
    assert list(dict.fromkeys(symbols)) == list(report.palette.domains)


def test_a_broken_claim_is_undecided_with_the_reason(monkeypatch, renamed):
    def broken(_):
        raise ZeroDivisionError('a fault of its author')

    monkeypatch.setitem(JUDGES, 'related', broken)
    report = collect(renamed(['a', 'b']).uuid, map_limit=0)
    (claims,) = [table for table in report.tables if table.prose]
    assert {row[2] for row in claims.folded} == {'undecided'}
    told = {row[1]: row[5] for row in claims.folded}
    assert any('ZeroDivisionError: a fault of its author' in text for text in told.values())
    assert any('this study has no crystal phases' in text for text in told.values())
    assert len(claims.rows) + len(claims.folded) == len(judge_study(report.material))


def test_verdicts_are_printed_whatever_is_missing(renamed):
    report = collect(renamed(['a', 'b'], n_members=2).uuid, map_limit=0)
    found = joint_audit(report.material)
    rows = [
        replace(row, alpha=None, coverage=None, width=None, spread=None, rmse=None, novelty=None)
        for row in found.verdicts
    ]
    text = as_text(rows) + '\n'.join(reasons(rows))
    assert not HOLE.search(text)
    assert len(of_verdicts(replace(found, verdicts=rows)).rows) == len(rows)
    palette = Palette.of(['a', 'b'])
    assert len(tables.of_audit(report.sections[0].audit, palette)[0].rows) == 2
    assert report.sections[0].label == LABEL
