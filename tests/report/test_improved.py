"""An improvement on the page of an ensemble that it trained."""

import pytest
from aiida import orm
from aiida.common import LinkType

from aiida_enne.provenance import Material
from aiida_enne.provenance.ensembles import find_ensemble
from aiida_enne.provenance.improvements import find_improvements
from aiida_enne.report.contract import check_figure
from aiida_enne.report.improved import build_improvement, of_improvement
from aiida_enne.science.guard import Missing
from aiida_enne.science.selection.comparison import Curve, compare
from tests.audited import chain, link, store_audit

LABELS = [0, 4, 8]
#: RMSE on the held-out set by arm; of three repeats each is a little worse than the one before.
ERRORS = {'ensemble': [0.4, 0.2, 0.1], 'random': [0.4, 0.3, 0.25]}


def improve(training):
    """Store an improvement whose path `ensemble_1` had such an audit as its last; return both."""
    curves = [
        Curve(arm, repeat, LABELS, [error * (1 + 0.05 * repeat) for error in errors])
        for arm, errors in ERRORS.items()
        for repeat in (1, 2, 3)
    ]
    paths = {
        f'{one.arm}_{one.repeat}': {'arm': one.arm, 'repeat': one.repeat, 'labels': one.labels}
        | {'force_rmse': one.errors, 'ended': 'all rounds are done'}
        for one in curves
    }
    summary = {'paths': paths, 'arms': compare(curves, 'random'), 'chance': 'random'}
    node = chain('ImproveWorkChain', {})
    last = orm.WorkChainNode(process_type=training.process_type)
    last.base.attributes.set_many({'process_label': 'AuditWorkChain', 'process_state': 'finished'})
    last.base.links.add_incoming(node, LinkType.CALL_WORK, 'examine_ensemble_1_round_2')
    last.store()
    link(
        last,
        {
            f'models__{label}': one
            for label, one in training.base.links.get_outgoing(link_type=LinkType.RETURN)
            .nested()['models']
            .items()
        },
    )
    link(node, {'summary': orm.Dict(summary).store()})
    return node, last


@pytest.fixture
def audited(dataset):
    """Return the training and the audit of an ensemble."""
    audit, training = store_audit(dataset)
    return training, audit


def test_an_ensemble_of_no_improvement_says_so(audited):
    material = Material.of(audited[1].uuid)
    assert of_improvement(material) == []
    with pytest.raises(Missing, match='launch improve'):
        build_improvement(material)


def test_the_page_of_an_improvement_is_that_of_its_best_ensemble(audited):
    training, _ = audited
    node, last = improve(training)
    material = Material.of(node.pk)
    assert material.record.process == last.uuid
    assert find_improvements(find_ensemble(training.uuid)) == [node.uuid]
    (found,) = check_figure('improvement', material)
    assert found.sources == {'improvement': node.uuid}
    assert '`ensemble` against `random`: better than chance' in found.measured
    table, *_ = of_improvement(material)
    assert table.title == 'Did choosing beat chance? (this page: the last ensemble of ensemble_1)'
    (row,) = table.rows
    ratio = ((0.2 / 0.3) * (0.1 / 0.25)) ** 0.5
    assert row[:2] == ['ensemble', 'better than chance']
    assert row[2].startswith(f'{ratio:.2f} (')
    assert row[-1] == '3'


def test_the_audit_of_an_ensemble_knows_its_improvement(audited):
    training, audit = audited
    node, _ = improve(training)
    found = build_improvement(Material.of(audit.uuid))
    assert found.sources == {'improvement': node.uuid}
