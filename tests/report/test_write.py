"""Tests for the report: same numbers from the profile, an archive, and an imported archive."""

import json
import os
import re
import subprocess
import sys
from dataclasses import replace

import pytest
from aiida.manage import get_manager

from aiida_enne.provenance import Material
from aiida_enne.provenance.archives import open_archive
from aiida_enne.report import audits, sharing
from aiida_enne.report.collect import build_forms, collect, scalars
from aiida_enne.report.write import write_report
from tests.audited import LABEL, store_audit
from tests.labelled import store_labels


@pytest.fixture
def study(audited):
    return collect(audited[0].uuid, map_limit=0)


def test_the_page_stands_alone(study, tmp_path):
    path = write_report(study, tmp_path / 'report')
    page = path.read_text()
    assert not re.search(r'(src|href)="(?!data:|#)', page)
    for name in ('F2', 'F3', 'F7', 'S3_1', 'S3_2', 'S10_1', 'coverage', 'force_cone'):
        assert (tmp_path / 'report' / 'figures' / f'{name}.png').stat().st_size > 5000
        assert f'figures/{name}.svg' in page
    assert study.sections[0].statistics.uuid in page
    for sentence in study.findings:
        assert sentence.split('±')[0].replace('<', '&lt;') in page or '&#' in page


def test_of_many_datasets_only_the_comparisons_are_drawn(study):
    (statistics,) = study.material.record.statistics.values()
    many = {f'd{n}': replace(statistics, label=f'd{n}') for n in range(5)}
    material = Material(replace(study.material.record, statistics=many))
    forms, absences = [], []
    for figure in audits.FIGURES:
        build_forms(figure, material, forms, absences)
    names = [f'error_and_spread_d{n}_{of}' for n in range(5) for of in ('energy', 'force')]
    assert [form.name for form in forms] == names + [f'coverage_d{n}' for n in range(5)]
    assert [absence.name for absence in absences] == ['training']


def test_failed_labels_are_in_the_report(dataset, tmp_path):
    labelled, told = store_labels(dataset, 8, {3, 6, 7})
    study = collect(store_audit(labelled)[0].uuid)
    page = write_report(study, tmp_path / 'report').read_text()
    assert '3 of 8 configurations failed at the reference' in page
    assert f'<tr><th scope="row">3</th><td>cold</td><td>no 1</td><td>{told.uuid}</td></tr>' in page
    assert scalars(study)[LABEL]['n_failed_labels'] == 3


def test_what_an_archive_holds_is_told(audited, tmp_path):
    content = sharing.inspect(audited[0])
    assert content.counts['StatisticsData'] == 1
    assert content.counts['PredictionData'] == 5
    assert content.n_bytes > 10_000


@pytest.mark.slow
def test_numbers_survive_sharing(study, audited, tmp_path):
    expected = json.loads(json.dumps(scalars(study)))
    archive = sharing.share(audited[0], tmp_path / 'study.aiida')

    def report(*arguments):
        command('-m', 'aiida_enne', *arguments, folder=tmp_path)
        return json.loads((tmp_path / 'out' / 'numbers.json').read_text())

    assert report('report', '--archive', str(archive), '-o', 'out') == expected
    command('-m', 'aiida', 'presto', '-n', '-p', 'empty', '--no-broker', folder=tmp_path)
    command('-m', 'aiida', 'archive', 'import', str(archive), folder=tmp_path)
    assert report('report', '-o', 'out') == expected


def test_a_file_that_is_no_archive_is_refused(tmp_path):
    (tmp_path / 'x.aiida').write_text('not an archive')
    with (
        pytest.raises(ValueError, match='cannot be read as an archive'),
        open_archive(tmp_path / 'x.aiida'),
    ):
        pass


def test_the_former_profile_is_loaded_again_whatever_happens(audited, tmp_path):
    archive = sharing.share(audited[0], tmp_path / 'x.aiida')
    before = get_manager().get_profile()
    with pytest.raises(ZeroDivisionError), open_archive(archive):
        raise ZeroDivisionError
    assert get_manager().get_profile() == before


def command(*arguments, folder):
    """Run this Python with an AiiDA folder of its own."""
    environment = os.environ | {'AIIDA_PATH': str(folder)}
    subprocess.run([sys.executable, *arguments], cwd=folder, env=environment, check=True)


def test_two_reports_have_equal_figures(study, tmp_path):
    first, second = (write_report(study, tmp_path / name) for name in ('a', 'b'))
    for figure in sorted((first.parent / 'figures').iterdir()):
        assert figure.read_bytes() == (second.parent / 'figures' / figure.name).read_bytes()
