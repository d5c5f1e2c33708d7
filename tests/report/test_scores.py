"""The table of all scores: each number is that of the stored audit, what is undefined says why."""

import pytest

from aiida_enne.provenance import Material
from aiida_enne.report.collect import collect, figure_numbers
from aiida_enne.report.scores import HEADERS, SCORES, find_scores, of_scores
from aiida_enne.science.uncertainty.wording import QUANTITIES, number


@pytest.fixture
def material(audited):
    return Material.of(audited[0].uuid)


def test_every_score_has_a_row_of_its_own_beside_honesty(material):
    (table,) = of_scores(material)
    (label,) = material.audits()
    audit = material.audit(label)
    nouns = {noun: (name, factor) for name, (_, factor, noun) in QUANTITIES.items()}
    scores = {shown: name for name, shown in SCORES.items()}
    assert len(table.folded) == len(audit.domains) * 2 * len(SCORES)
    seen = 0
    for row in table.folded:
        cells = dict(zip(HEADERS, row, strict=True))
        quantity, factor = nouns[cells['quantity']]
        shown = cells['score'].partition(' (meV')[0].partition(' (eV')[0]
        name = scores[shown]
        scalars = audit.domains[cells['domain'].removesuffix(' (trained on)')]
        value = scalars[f'{quantity}_{name}']
        here, _, why = cells['here'].partition('\n')
        assert bool(why) == (value is None)
        if value is not None:
            scale = factor if shown != cells['score'] else 1
            assert here == number(scale * value)
        honest = scalars.get(f'{quantity}_{name}_honest')
        assert (cells['honest'] == '–') == (honest is None)
        seen += honest is not None
        n = scalars['n_force_components' if quantity == 'force' else 'n_configurations']
        assert cells['n'] == f'{n:,}'
        assert cells['blocks'] == str(scalars['n_blocks'])
    assert seen > len(audit.domains)


def test_scores_are_among_the_numbers_of_the_report(audited):
    report = collect(audited[0].uuid, map_limit=0)
    numbers = figure_numbers(report)['scores']
    for label, domains in numbers.items():
        audit = report.material.audit(label)
        for domain, quantities in domains.items():
            for quantity, found in quantities.items():
                assert found == find_scores(audit, domain, quantity)


def test_a_quantity_without_samples_has_no_scores(material):
    (label,) = material.audits()
    audit = material.audit(label)
    assert find_scores(audit, next(iter(audit.domains)), 'stress') == {}
