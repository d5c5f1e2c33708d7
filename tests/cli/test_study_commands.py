"""Tests of split, launch, status, report and share: what a user types, and what he reads."""

import json

import pytest
from aiida import orm
from aiida.engine import run_get_node
from aiida.plugins import CalculationFactory

from aiida_enne.cli.launch import read_overrides
from aiida_enne.cli.launch_ensemble import parse_seeds
from aiida_enne.cli.status import member_rows
from aiida_enne.data.split import SplitData
from aiida_enne.science.data.splits import Split


@pytest.fixture
def code(aiida_code_installed):
    return aiida_code_installed(filepath_executable='/bin/true', label='python')


def count():
    return orm.QueryBuilder().append(orm.Node).count()


def test_split_stores_indices_with_their_parent(invoke, dataset):
    result = invoke(
        *('dataset', 'split', dataset.pk, '--method', 'blocks', '--fractions', 0.5, 0.25, 0.25),
        *('--within', 'cold', '--rest-to-test', '--shared-blocks', '--label', 'mine'),
    )
    assert result.exit_code == 1  # blocks of two are too short for three parts
    result = invoke(
        *('dataset', 'split', dataset.pk, '--method', 'random', '--sizes', 4, 2, 1),
        *('--seed', 1, '--within', 'cold', '--rest-to-test', '--shared-blocks', '--label', 'mine'),
    )
    assert result.exit_code == 0, result.output
    node = orm.load_node(label='mine')
    assert isinstance(node, SplitData)
    assert len(node.get_split().train) == 4
    assert {8, 9} <= set(node.get_split().test.tolist())
    assert node.creator.inputs.dataset.uuid == dataset.uuid


def test_split_by_blocks_deals_out_whole_trajectories(invoke, dataset):
    words = ('--method', 'blocks', '--fractions', 0.6, 0.2, 0.2, '--within', 'cold')
    result = invoke('dataset', 'split', dataset.pk, *words, '--label', 'whole')
    assert result.exit_code == 0, result.output
    node = orm.load_node(label='whole')
    assert node.base.attributes.get('n_shared_blocks') == 0
    assert [len(part) for part in node.get_split().as_arrays().values()] == [4, 2, 2]


@pytest.mark.parametrize(
    ('words', 'message'),
    [
        (('--method', 'random', '--sizes', '4', '2', '1'), 'needs --seed'),
        (('--method', 'random', '--sizes', '99', '2', '1', '--seed', '1'), 'cannot draw'),
        (('--method', 'domain', '--train', 'warm', '--validation', 'hot'), "['warm']"),
        (('--method', 'random', '--sizes', '4', '2', '1', '--seed', '1'), 'trajectory blocks'),
        (
            ('--method', 'random', '--sizes', '4', '2', '1', '--seed', '1'),
            'deal out whole trajectories (--method blocks), or allow it (--shared-blocks)',
        ),
        (
            ('--method', 'blocks', '--fractions', '.6', '.2', '.2', '--within', 'hot'),
            '(--fractions), or cut within trajectories (--shared-blocks, with a --gap)',
        ),
        (('--method', 'blocks', '--fractions', '1', '0', '0', '--gap', '1'), '--gap goes with'),
        (('--method', 'random', '--train', 'hot', '--seed', '1'), 'go with --method domain'),
    ],
)
def test_a_bad_split_stores_nothing(invoke, dataset, words, message):
    before = count()
    result = invoke('dataset', 'split', dataset.pk, *words)
    assert result.exit_code != 0
    assert message in result.output
    assert 'Traceback' not in result.output
    assert count() == before


def test_launch_shows_what_it_would_run(invoke, dataset, code):
    split = SplitData.from_split(Split([0, 1], [2], [4]), dataset, method='by hand').store()
    before = count()
    result = invoke(
        *(
            'launch',
            'ensemble',
            '--code',
            code.full_label,
            '--dataset',
            dataset.pk,
            '--split',
            split.pk,
        ),
        *('--protocol', 'test', '--seeds', '3,4,5', '--dry-run'),
    )
    assert result.exit_code == 0, result.output
    assert 'EnsembleWorkChain' in result.output
    assert '[3, 4, 5]' in result.output
    assert count() == before


def test_an_unknown_code_is_named(invoke, dataset):
    result = invoke('launch', 'ensemble', '--code', 'x@y', '--dataset', dataset.pk, '--split', 1)
    assert result.exit_code == 2
    assert "no code is identified by 'x@y'" in result.output
    assert '`verdi code list` shows all' in ' '.join(result.output.split())


def test_an_audit_can_be_planned_from_a_training(invoke, audited, dataset, code):
    result = invoke(
        *('launch', 'audit', '--code', code.pk, '--ensemble', audited[1].pk),
        *('--dataset', dataset.pk, '--align-domain', 'cold', '--protocol', 'test', '--dry-run'),
    )
    assert result.exit_code == 0, result.output
    assert "'domain': 'cold'" in result.output
    assert result.output.count('ModelData') == 5


def test_seeds_and_overrides_are_checked(tmp_path):
    assert parse_seeds('1, 2,3') == [1, 2, 3]
    with pytest.raises(Exception, match='seeds must be integers'):
        parse_seeds('1,two')
    (tmp_path / 'list.yaml').write_text('- 1')
    with pytest.raises(Exception, match='must hold a mapping'):
        read_overrides(tmp_path / 'list.yaml')
    (tmp_path / 'evil.yaml').write_text('!!python/object/apply:os.system [true]')
    with pytest.raises(Exception, match='not valid YAML'):
        read_overrides(tmp_path / 'evil.yaml')


def test_status_tells_state_and_errors(invoke, audited):
    result = invoke('status', audited[0].pk)
    assert result.exit_code == 0, result.output
    assert 'AuditWorkChain' in result.output
    assert 'finished [0]' in result.output


def test_status_of_an_empty_profile(invoke):
    result = invoke('status')
    assert result.exit_code == 1
    assert 'nothing of this plugin has been launched' in result.output


def test_report_and_share(invoke, audited, tmp_path):
    result = invoke('report', '-o', tmp_path / 'report')
    assert result.exit_code == 0, result.output
    assert str(tmp_path / 'report' / 'report.html') in result.output
    numbers = json.loads((tmp_path / 'report' / 'numbers.json').read_text())
    assert set(numbers['study']['domains']) == {'cold', 'hot'}
    archive = tmp_path / 'study.aiida'
    result = invoke('share', audited[0].pk, archive, '--dry-run')
    assert 'PredictionData' in result.output
    assert not archive.exists()
    assert invoke('share', audited[0].pk, archive).exit_code == 0
    again = invoke('share', audited[0].pk, archive)
    assert again.exit_code == 1
    assert '--force replaces it' in again.output


def test_what_cannot_be_reported_or_shared_is_named(invoke, dataset, tmp_path):
    assert 'no audit has finished' in invoke('report').output
    result = invoke('share', dataset.pk, tmp_path / 'x.aiida')
    assert 'is a DatasetData, expected a process' in result.output


@pytest.mark.parametrize('command', ['report', 'share', 'status'])
def test_what_is_no_process_is_named(invoke, dataset, command, tmp_path):
    words = [command, dataset.pk] + [tmp_path / 'study.aiida'] * (command == 'share')
    result = invoke(*words)
    assert result.exit_code == (1 if command == 'report' else 2)
    assert 'DatasetData' in result.output
    assert 'expected' in result.output


@pytest.mark.nequip
def test_status_knows_what_a_training_left(invoke, train_inputs):
    _, node = run_get_node(CalculationFactory('enne.nequip.train'), **train_inputs)
    assert node.is_finished_ok, node.exit_message
    ((label, pk, state, epoch, *_, best, _),) = member_rows(node)
    assert (label, pk, state, epoch) == ('seed_7', node.pk, 'finished', 3)
    score = node.outputs.results['seed_7']['best_score']
    assert float(best) == pytest.approx(score, rel=1e-3)
    result = invoke('status', node.pk)
    assert result.exit_code == 0, result.output
