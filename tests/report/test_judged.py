"""The verdicts come first on the page, and the transfer matrix is drawn from stored predictions."""

import io
import json
import re
from dataclasses import replace

import numpy as np
import pytest

from aiida_enne.provenance import (
    Material,
    Missing,
    describe_errors,
    joint_audit,
    joint_samples,
)
from aiida_enne.report.collect import collect
from aiida_enne.report.figures import find_figure
from aiida_enne.report.judged import measured, of_transfer, of_words, transfer_table
from aiida_enne.report.write import write_report
from aiida_enne.science.figures import new_axes, save
from aiida_enne.science.uncertainty.table import SHAPES, TRAINED, in_short
from aiida_enne.science.uncertainty.transfer import halves, transfer
from aiida_enne.science.uncertainty.wording import QUANTITIES


@pytest.fixture(scope='module')
def material(silicon):
    return Material.of(silicon[0].uuid)


def test_the_best_estimator_stands_beneath_its_verdict_where_one_is_decided(material):
    found = joint_audit(material)
    first, *rest = (replace(row, best=None) for row in found.verdicts)
    rows = [replace(first, best='llpr'), *rest]
    cells = [cell for row in of_words(replace(found, verdicts=rows)).rows for cell in row]
    assert [cell for cell in cells if cell.count('\n') == 2] == [
        f'{SHAPES[first.verdict]} {first.verdict}\n{in_short(first)}\nllpr'
    ]


def test_the_numbers_of_a_verdict_stand_beneath_it_with_units_above(material):
    found = joint_audit(material)
    row = found.verdicts[0]
    table = of_words(found)
    unit, factor, noun = QUANTITIES[row.quantity]
    assert f'{noun}, {unit}' in table.headers
    cell = table.rows[0][table.headers.index(f'{noun}, {unit}')]
    rmse, spread, times, coverage = re.match(
        r'(\S+) / (\S+) · ×\s(\S+) · (\S+)', cell.split('\n')[1]
    ).groups()
    assert float(rmse) == pytest.approx(factor * row.rmse, rel=5e-3)
    assert float(spread) == pytest.approx(factor * row.spread, rel=5e-3)
    assert float(times) == pytest.approx(row.alpha, rel=5e-2)
    assert coverage == f'{row.coverage:.0%}'


def test_the_transfer_matrix_is_that_of_the_stored_predictions(material):
    figure = find_figure('transfer')
    assert figure.forms(material) == [{'of': 'energy'}, {'of': 'aligned'}, {'of': 'force'}]
    result = figure.build(material, **figure.choose({'level': 0.5}))
    found = result.content['transfer']
    assert set(found.judged) == set(np.unique(material.rows.configurations.domains).tolist())
    expected = transfer(joint_samples(material, 'energy'), level=0.5)
    np.testing.assert_array_equal(found.factor, expected.factor)
    stream = io.BytesIO()
    save(figure.draw(axes=new_axes(*figure.size), **result.content), stream, 'svg')
    drawn = stream.getvalue().decode()
    assert 'calibrated on' in drawn
    assert 'all other domains' in drawn
    with pytest.raises(ValueError, match='`of` must be one of'):
        figure.build(material, **figure.choose({'of': 'stress'}))
    with pytest.raises(ValueError, match='`score` must be one of'):
        figure.build(material, **figure.choose({'score': 'leverage'}))


def test_the_transfer_matrix_is_a_table_and_numbers_too(material):
    found = list(of_transfer(material))
    assert [list(one.numbers) for one in found] == [
        ['transfer_energy'],
        ['transfer_aligned'],
        ['transfer_force'],
    ]
    expected = transfer(joint_samples(material, 'energy'))
    assert found[0].numbers['transfer_energy'] == expected.as_dict()


def test_a_cell_of_the_transfer_table_has_coverage_interval_and_factor(rng):
    from tests.science.uncertainty.test_transfer import make

    found = transfer({'liquid': make(rng, 1.0), 'solid': make(rng, 10.0, blocks=4)})
    table = transfer_table(found, 'energy')
    share, low, high = (100 * one[0, 0] for one in (found.coverage, found.low, found.high))
    cell = f'{share:.0f}% ({low:.0f}% to {high:.0f}%), × {found.factor[0, 0]:.3g}'
    assert [row[0] for row in (*table.folded, *table.rows)] == list(found.calibrated)
    assert table.folded[0][1] == cell
    assert table.folded[1][1].startswith('–, × ')
    assert '(' not in table.folded[0][2]


def test_samples_of_a_domain_are_its_own(material):
    frames = material.rows.configurations
    samples = joint_samples(material, 'energy')
    for name, one in samples.items():
        own = frames.domains == name
        known = np.asarray(frames.energies)[own] / frames.n_atoms[own]
        np.testing.assert_array_equal(one.reference, known)


def test_the_domain_of_applicability_is_found_on_one_half_and_judged_on_the_other(material):
    figure = find_figure('applicability')
    result = figure.build(material, **figure.choose({}))
    described = describe_errors(material)
    found = described.find()
    rows = material.rows
    error = rows.energies.mean(axis=0) - np.asarray(rows.configurations.energies)
    np.testing.assert_allclose(described.error, error / rows.configurations.n_atoms, atol=1e-12)
    judged = halves(described.block)[1]
    inside = found.rule.holds(described.descriptors.values)[judged]
    size = described.error[judged] ** 2
    assert found.coverage == pytest.approx(inside.mean())
    assert found.inside == pytest.approx(np.sqrt(size[inside].mean()))
    assert found.outside == pytest.approx(np.sqrt(size[~inside].mean()))
    assert str(found.rule) in result.measured
    stream = io.BytesIO()
    save(figure.draw(axes=new_axes(*figure.size), **result.content), stream, 'svg')
    assert 'RMSE inside, judged half' in stream.getvalue().decode()
    with pytest.raises(ValueError, match='`of` must be one of'):
        figure.build(material, **figure.choose({'of': 'force'}))


def test_too_little_data_has_no_domain_of_applicability(audited):
    with pytest.raises(Missing, match=r'no domain of applicability: .* label \d+ or more'):
        describe_errors(Material.of(audited[0].uuid)).find()


def test_what_is_measured_is_the_worst_domain_left_out(rng):
    from tests.science.uncertainty.test_transfer import make

    found = transfer({'liquid': make(rng, 1.0), 'hot': make(rng, 1.0), 'solid': make(rng, 10.0)})
    assert measured(found).startswith('calibrated on all other domains, solid is covered to ')


def test_own_zeros_without_a_reference_domain_are_missing(audited):
    with pytest.raises(Missing, match='to take own zeros from'):
        joint_samples(Material.of(audited[0].uuid), 'aligned')


def test_verdicts_are_the_first_of_the_page_and_contents_lead_somewhere(audited, tmp_path):
    report = collect(audited[0].uuid, map_limit=0)
    page = write_report(report, tmp_path).read_text()
    assert page.index('<h2 id="verdicts">') < page.index('<h2 id="findings">')
    first = page.index('<figure')
    assert page.index('<h2 id="verdicts">') < page.index(report.words.title) < first
    assert page[first:].startswith('<figure id="error_and_spread')
    assert first < page.index(report.verdicts.title)
    assert page.count('<figure id="error_and_spread_') == len(
        [form for form in report.forms if form.figure.name == 'error_and_spread']
    )
    numbers = json.loads((tmp_path / 'paper.json').read_text())
    rows = joint_audit(report.material).verdicts
    assert numbers['verdicts'] == [row.as_dict() for row in rows]
    said = {
        (line[0].removesuffix(TRAINED), header.rpartition(', ')[0]): cell.split('\n')[0][2:]
        for line in report.words.rows
        for header, cell in zip(report.words.headers[2:], line[2:], strict=True)
        if cell != '–'
    }
    assert said == {(row.domain, QUANTITIES[row.quantity][2]): row.verdict for row in rows}
    for row in rows:
        assert row.verdict in page
    assert 'class="word"' in page
    targets = re.findall(r'<a href="#([\w-]+)"', page)
    assert len(targets) > 3
    assert all(page.count(f'id="{target}"') == 1 for target in targets)
