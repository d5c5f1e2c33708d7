"""The registry: a figure of anyone is known everywhere, and none can stop a page."""

import sys
from dataclasses import replace
from functools import partial

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from aiida_enne.data.dataset import DatasetData
from aiida_enne.provenance import Material, Missing
from aiida_enne.report import figure
from aiida_enne.report.collect import collect
from aiida_enne.report.contract import ContractError, check_figure
from aiida_enne.report.figures import GROUP, Figure, Result, all_figures, find_figure
from aiida_enne.report.write import report_on
from aiida_enne.science.structures.defects import DEFECTS
from aiida_enne.science.structures.domains import imported_roles
from aiida_enne.science.structures.phases import PHASES
from tests.audited import store_audit


def build(material, *, of):
    """Return how many configurations were tested."""
    if of == 'nothing':
        raise Missing('nothing is of nothing')
    n = len(material.rows)
    return Result({'n': n}, f'{n} {of}', material.sources(material.rows))


def draw(*, axes, n):
    axes.bar(['rows'], [n])
    return axes


def broken(material):
    raise ZeroDivisionError('a fault of its author')


MINE = Figure('mine', 'Rows', 'How many rows there are.', build, draw, options={'of': 'rows'})
#: What is installed: see `register`.
FIGURES = ()
BROKEN = Figure('broken', 'Nothing', 'Never seen.', broken, draw)


@pytest.fixture
def register(install, monkeypatch):
    """Return a function that installs figures."""

    def put(*found):
        monkeypatch.setattr(sys.modules[__name__], 'FIGURES', found)
        install({GROUP: {'z': f'{__name__}:FIGURES'}})

    return put


@pytest.mark.parametrize('name', ['error_and_spread', 'coverage', 'force_cone', 'confidence'])
def test_figures_of_audits_keep_the_contract(audited, name):
    assert check_figure(name, Material.of(audited[0].uuid))


def test_what_breaks_the_contract_is_named(register, audited):
    material, mine = Material.of(audited[0].uuid), partial(replace, MINE)
    register(
        mine(name='speechless', caption=' '),
        mine(name='homeless', maker='by hand'),
        mine(name='undecided', options={'from_': 'rows'}),
        mine(name='empty', draw=lambda axes, n: axes),
        mine(name='rootless', build=lambda material, of: Result({'n': 1}, '', {})),
        mine(name='colourful', draw=lambda axes, n, palette=None: axes),
    )
    reasons = {
        'speechless': 'has no caption',
        'homeless': "'by hand' names no work chains",
        'undecided': '`build` does not take the options',
        'empty': 'draws nothing',
        'rootless': '0 of 0 sources',
        'colourful': 'pass `material.palette`',
    }
    for name, reason in reasons.items():
        with pytest.raises(ContractError, match=reason):
            check_figure(name, material)


def test_a_figure_of_another_package_is_drawn_everywhere(register, invoke, audited, tmp_path):
    register(MINE)
    (kept,) = check_figure('mine', Material.of(audited[0].uuid))
    assert kept.measured == '10 rows'
    result = invoke('figure', 'MINE', '-o', tmp_path / 'm.svg', '--option', 'of=frames')
    assert result.exit_code == 0, result.output
    assert 'here:  10 frames' in result.output
    assert figure('mine', audited[0]).patches[0].get_height() == 10
    path, report = report_on(audited[0].uuid, tmp_path / 'report', map_limit=0)
    assert 'id="mine"' in path.read_text()
    assert next(one for one in report.forms if one.name == 'mine').result.measured == '10 rows'


def test_a_fault_of_a_figure_is_a_line_of_the_page(register, audited, tmp_path):
    register(MINE, BROKEN)
    path, report = report_on(audited[0].uuid, tmp_path / 'report', map_limit=0)
    told = {one.name: one.reason for one in report.absences}
    assert told['broken'] == 'ZeroDivisionError: a fault of its author'
    assert 'a fault of its author' in path.read_text()
    assert 'id="mine"' in path.read_text()


def test_a_figure_without_data_is_one_sentence(register, invoke, audited):
    register(MINE)
    result = invoke('figure', 'mine', '--option', 'of=nothing')
    assert result.exit_code == 1
    assert 'mine cannot be drawn: nothing is of nothing' in result.output


def test_two_figures_of_one_name_are_refused(register):
    register(Figure('f4', 'Rows', '', build, draw))
    with pytest.raises(ValueError, match="two figures 'f4'; see "):
        all_figures()


def test_every_figure_says_what_it_needs():
    for found in all_figures().values():
        assert ('dataset' in found.options) >= (found.needs == 'statistics')
    assert find_figure('Coverage').needs == 'statistics'


#: Names that look like those of this package, whole and spoilt, among others.
OURS = [
    *PHASES,
    *(f'{name} 2³' for name in DEFECTS),
    'bulk',
    'bulk 2³',
    'own bulk',
    'liquid 2 g/cm³',
]
NAMES = st.sampled_from([*OURS, 'Si(100) tilted, 8 layers']) | st.text(
    st.characters(exclude_categories=['Cs', 'Cc']), min_size=1, max_size=9
).map(str.strip).filter(bool)


def audit_of(configurations, names, roles):
    """Store an audit of configurations under other names of their domains."""
    domains = np.array([names[i % len(names)] for i in range(len(configurations))])
    arrays = configurations.as_arrays() | {'domains': domains}
    if roles:
        arrays |= {'roles': np.array(sorted(roles.items()))}
    renamed = type(configurations).from_arrays(arrays)
    dataset = DatasetData.from_configurations(renamed, level_of_theory='EMT').store()
    return store_audit(dataset)[0]


@settings(
    max_examples=5, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(names=st.lists(NAMES, min_size=1, max_size=4, unique=True))
def test_no_name_of_a_domain_stops_a_figure(aiida_profile, configurations, names):
    """Free text is drawn as it is; read as ours, what does not fit is a line with the reason."""
    free = imported_roles(names, {})
    for roles in (free, {}):
        report = collect(audit_of(configurations, names, roles).uuid, map_limit=0)
        drawn = {form.figure.name for form in report.forms}
        assert drawn >= {'error_and_spread', 'coverage', 'force_cone'}
        if roles is free:
            assert drawn >= {'F2', 'F3', 'F7', 'S3', 'S10'}
        assert not [one for one in report.absences if 'Error:' in one.reason]


@pytest.mark.usefixtures('aiida_profile_clean')
def test_paths_without_steps_are_a_line_and_the_page_is_written(configurations, tmp_path):
    """Labels of ours on data of others, stored before labels of imports were free text."""
    audit = audit_of(configurations, ['vacancy 2³', 'bulk 2³', 'diamond', 'melt'], {})
    path, report = report_on(audit.uuid, tmp_path / 'report', map_limit=0)
    told = {one.name: one.reason for one in report.absences}
    assert 'vacancy 2³: frames of a path need their `step`' in told['F6']
    assert 'several at' in told['F4']
    assert 'id="F7_1"' in path.read_text()
