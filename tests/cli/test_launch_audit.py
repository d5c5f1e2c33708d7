"""Tests for `launch audit` and `ensemble compare`: what the graph knows, side by side."""

import numpy as np
import pytest
from aiida import orm

from aiida_enne import provenance
from aiida_enne.data.dataset import DatasetData
from tests.audited import audit_members, audit_of, chain, link, model, store_audit
from tests.studied import train


@pytest.fixture
def launch(invoke, dataset, split, aiida_code_installed, aiida_localhost):
    """Return a function that plans an audit of two members that a split of the dataset trained."""
    code = aiida_code_installed(filepath_executable='/bin/true')
    training = chain('EnsembleWorkChain', {'dataset': dataset, 'split': split})
    models = train(dataset, split, (1, 2), aiida_localhost)
    link(training, {f'models__{label}': node for label, node in models.items()})

    def run(node, *words):
        before = orm.QueryBuilder().append(orm.Node).count()
        given = ('--code', code.pk, '--ensemble', training.pk, '--dataset', node.pk)
        result = invoke('launch', 'audit', *given, '--protocol', 'test', '--dry-run', *words)
        assert orm.QueryBuilder().append(orm.Node).count() == before
        return result

    return run


def test_split_and_training_domains_need_not_be_named(launch, dataset, split):
    result = launch(dataset)
    assert result.exit_code == 0, result.output
    assert f'of these, {split.get_description()}' in result.output
    assert 'Training domains: cold\n' in result.output
    assert 'Fit: 6 training frames predicted, too\n' in result.output
    assert 'Fit: 2 training frames' in launch(dataset, '--fit-frames', '2').output
    assert 'Fit:' not in launch(dataset, '--fit-frames', '0').output
    assert 'Note' not in result.output


def test_members_of_two_trainings_are_one_ensemble(
    launch, dataset, split, configurations, aiida_localhost
):
    other = chain('EnsembleWorkChain', {'dataset': dataset, 'split': split})
    models = train(dataset, split, (3, 4), aiida_localhost)
    link(other, {f'models__{label}': node for label, node in models.items()})
    words = ('--ensemble', other.pk)
    result = launch(dataset, *words)
    assert result.exit_code == 0, result.output
    assert 'ensemble_1_seed_1' in result.output
    assert 'ensemble_2_seed_4' in result.output
    assert f'of these, {split.get_description()}' in result.output
    result = launch(dataset, *words, *words)
    assert result.exit_code == 1
    assert 'ensemble_2_seed_3 and ensemble_3_seed_3 have the same weights' in result.output


def test_an_audit_of_two_trainings_is_judged_as_one_of_all_members(dataset):
    pairs = [
        {f'seed_{number}': model(number, r_max=r_max).store() for number in numbers}
        for r_max, numbers in ((4.0, (1, 2, 3)), (6.0, (11, 12)))
    ]
    trainings = []
    for models in pairs:
        trainings.append(chain('EnsembleWorkChain', {'dataset': dataset}))
        link(trainings[-1], {f'models__{label}': node for label, node in models.items()})
    members = provenance.join_members([one.pk for one in trainings])
    assert set(members) == {
        'ensemble_1_seed_1', 'ensemble_1_seed_2', 'ensemble_1_seed_3',
        'ensemble_2_seed_11', 'ensemble_2_seed_12',
    }  # fmt: skip
    assert list(provenance.join_members([trainings[0].pk])) == ['seed_1', 'seed_2', 'seed_3']
    found = provenance.joint_audit(provenance.Material.of(audit_members(members, dataset).pk))
    assert {row.n_members for row in found.verdicts} == {5}
    one = audit_members({k: v for k, v in members.items() if 'ensemble_1' in k}, dataset)
    alone = provenance.joint_audit(provenance.Material.of(one.pk))
    assert {row.n_members for row in alone.verdicts} == {3}


def test_a_training_domain_that_the_graph_contradicts_is_named(launch, dataset):
    result = launch(dataset, '--training-domain', 'hot')
    assert result.exit_code == 0, result.output
    assert 'Training domains: hot\n' in result.output
    assert "Note: --training-domain given are ['hot'], the ensemble was trained on ['cold']" in (
        result.output
    )


def test_trained_frames_are_refused_left_out_or_taken(launch, dataset, configurations):
    known = configurations.select([2, 8, 9])
    other = DatasetData.from_configurations(known, level_of_theory='EMT').store()
    result = launch(other)
    assert result.exit_code == 1
    assert 'knows 1 of the 3 configurations' in result.output
    copies = f'copies of those of the dataset <{dataset.uuid}>: frame 0.'
    assert f'(1 trained on), {copies}' in result.output
    assert '--exclude-trained leaves them out, --include-trained audits them' in result.output
    for flag, done in (('exclude', 'left out'), ('include', 'audited all the same')):
        result = launch(other, f'--{flag}-trained')
        assert result.exit_code == 0, result.output
        assert f'They are {done}' in result.output


def test_audits_of_one_ensemble_stand_side_by_side(invoke, dataset):
    """Another estimator on the same predictions: the same errors, another width."""
    learnt = {'estimator': 'recalibrated', 'calibration_domain': 'cold', 'n_bootstrap': 20}
    audit, _ = store_audit(dataset, shared=3.0)
    second = audit_of(audit, {'study': dataset}, learnt, shared=3.0)
    result = invoke('ensemble', 'compare', audit.pk, second.pk)
    assert result.exit_code == 0, result.output
    said, table = result.output.split('\n\n')
    first, other = said.splitlines()
    ensemble = first.split('ensemble ')[1].split(';')[0]
    assert ensemble.endswith('of 5 members')
    assert ensemble in other
    assert 'σ (ddof 0)' in first
    assert 'recalibrated' in other
    (hot,) = [line.split() for line in table.splitlines() if line.startswith('hot')]
    assert hot[:3] == ['hot', 'study', '2']
    assert hot[3] == hot[6]  # the errors of the mean
    assert hot[4] != hot[7]  # in units of another width
    (cold,) = [line for line in table.splitlines() if line.startswith('cold')]
    assert cold.count('learnt from') == 2


def test_a_domain_of_two_datasets_has_a_line_for_each(invoke, audited, dataset, configurations):
    half = DatasetData.from_configurations(configurations.select([0, 9]), level_of_theory='EMT')
    both = audit_of(audited[0], {'study': dataset, 'half': half.store()})
    result = invoke('ensemble', 'compare', audited[0].pk, both.pk)
    assert result.exit_code == 0, result.output
    lines = [line.split() for line in result.output.split('\n\n')[1].splitlines()[2:]]
    assert [line[:3] for line in lines] == [
        ['cold', 'study', '8'],
        ['cold', 'half', 'not'],
        ['hot', 'study', '2'],
        ['hot', 'half', 'not'],
    ]
    assert lines[0][2:5] == lines[0][5:8]
    assert 'half (EMT), study (EMT)' in result.output


def test_one_dataset_under_two_labels_keeps_both(invoke, audited, dataset):
    twice = audit_of(audited[0], {'a': dataset, 'b': dataset})
    result = invoke('ensemble', 'compare', twice.pk, audited[0].pk)
    lines = [line.split() for line in result.output.split('\n\n')[1].splitlines()[2:]]
    assert [line[:2] for line in lines if line[0] == 'cold'] == [['cold', 'a,'], ['cold', 'b']]


def test_another_ensemble_is_seen_to_be_another(invoke, audited, dataset):
    other, _ = store_audit(dataset, n_members=4, seed=3)
    said = invoke('ensemble', 'compare', audited[0].pk, other.pk).output.splitlines()
    assert 'of 5 members' in said[0]
    assert 'of 4 members' in said[1]
    assert not np.array_equal(said[0].split()[2], said[1].split()[2])


def test_a_conformal_width_of_too_few_blocks_is_refused_before_the_predictions(launch, dataset):
    words = ('--estimator', 'conformal', '--calibration-domain', 'hot')
    result = launch(dataset, *words)
    assert result.exit_code == 1
    assert 'takes 9 or more independent blocks of its --calibration-domain' in result.output
    assert "'hot', of which no more than" in result.output
