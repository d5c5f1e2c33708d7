"""Tests of `figure`: one figure by its name, from a profile or an archive."""

import pytest

from aiida_enne.report import sharing
from aiida_enne.report.figures import all_figures


@pytest.mark.parametrize(
    ('suffix', 'start'), [('png', b'\x89PNG'), ('svg', b'<?xml'), ('pdf', b'%PDF')]
)
def test_a_figure_is_one_file(invoke, audited, tmp_path, suffix, start):
    path = tmp_path / f'growth.{suffix}'
    result = invoke(
        *('figure', 'S3', '--ensemble', audited[1].pk, '-o', path, '--option', 'ddof=1'),
        '--sources',
    )
    assert result.exit_code == 0, result.output
    assert path.read_bytes().startswith(start)
    assert f'{path}: Spread over the number of members' in result.output
    assert 'here:  σ(5)/σ(4) = ' in result.output
    assert 'paper: σ(30)/σ(4) = 2 to 2.5' in result.output
    assert result.output.count('prediction.') == 5


def test_an_archive_is_read_without_import(invoke, audited, tmp_path):
    archive = sharing.share(audited[0], tmp_path / 'study.aiida')
    here, there = (tmp_path / name for name in ('here.svg', 'there.svg'))
    assert invoke('figure', 's3', '-o', here).exit_code == 0
    result = invoke('figure', 's3', '-o', there, '--archive', archive)
    assert result.exit_code == 0, result.output
    assert here.read_bytes() == there.read_bytes()


def test_all_figures_are_listed_without_a_profile():
    from click.testing import CliRunner

    from aiida_enne.cli.main import main

    lines = CliRunner().invoke(main, ['figure', '--list']).output.splitlines()
    assert [line.split()[0] for line in lines[2:]] == list(all_figures())
    assert 'zero=common' in next(line for line in lines if line.startswith('F4'))


@pytest.mark.parametrize(
    ('words', 'code', 'message'),
    [
        ((), 2, '`aiida-enne figure --list` shows all'),
        (('F9',), 1, "'F9' is not a figure; there are error_and_spread, "),
        (('S3', '--option', 'ddof'), 2, "expected KEY=VALUE, got 'ddof'"),
        (('S3', '--option', 'colour=red'), 1, "S3 has no option 'colour'; it has ['ddof', 'of']"),
        (('S3', '-o', 'x.jpg'), 1, "figures are written as ['pdf', 'png', 'svg'], got 'jpg'"),
        (('F4',), 1, 'F4 cannot be drawn: this study has no crystal phases'),
    ],
)
def test_what_cannot_be_drawn_is_one_sentence(invoke, audited, words, code, message):
    result = invoke('figure', *words)
    assert result.exit_code == code
    assert message in ' '.join(result.output.split())
    assert 'Traceback' not in result.output
    assert audited[0].is_finished


def test_an_ensemble_that_is_none_is_named(invoke, dataset, tmp_path):
    result = invoke('figure', 'S3', '--ensemble', dataset.pk, '-o', tmp_path / 'x.png')
    assert result.exit_code == 1
    assert 'has no models' in result.output
    assert not (tmp_path / 'x.png').exists()
