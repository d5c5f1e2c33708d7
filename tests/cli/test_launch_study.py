"""Tests of `aiida-enne launch study` and of the parts of one: plans, refusals."""

import pytest
from aiida import orm

from aiida_enne.cli.launch_study import parse_assumptions
from aiida_enne.cli.summary import name_seeds


@pytest.fixture
def code(aiida_code_installed):
    return aiida_code_installed(filepath_executable='/bin/true', label='python')


def count():
    return orm.QueryBuilder().append(orm.Node).count()


def test_a_study_is_planned_part_by_part_and_nothing_is_stored(invoke, code):
    before = count()
    words = ('launch', 'study', '--code', code.pk, '--protocol', 'laptop', '--dry-run')
    result = invoke(*words, '--assume', 'job_seconds=100')
    assert result.exit_code == 0, result.output
    for part in ('liquids', 'equations of state', 'defects', 'scan subset', 'total'):
        assert part in result.output
    assert 'job_seconds: 100' in result.output
    assert 'measured: LAMMPS' in result.output
    assert 'Would run StudyWorkChain' in result.output
    assert 'Model: nequip (num_layers 2, ' in result.output
    assert 'Training: 30 members (seeds 1 to 30) in ' in result.output
    assert 'Reference: engine ase; liquids at ' in result.output
    assert count() == before
    cheap = invoke(*words)
    assert cheap.exit_code == 0, cheap.output
    costs = [
        float(next(line for line in one.output.splitlines() if line.startswith('total')).split()[2])
        for one in (result, cheap)
    ]
    assert costs[0] > costs[1]


@pytest.mark.parametrize('engine', ['qe', 'aims', 'ase'])
def test_a_plan_needs_neither_code_nor_pseudopotentials_nor_species(
    invoke, aiida_localhost, engine
):
    before = count()
    result = invoke('launch', 'study', '--engine', engine, '--protocol', 'laptop', '--dry-run')
    assert result.exit_code == 0, result.output
    lines = result.output.splitlines()
    assert sum(one.startswith('Elapsed: about ') for one in lines) == 1
    assert sum(one.startswith('Most of it: ') for one in lines) == 1
    assert any(one.startswith('A plan without --code') for one in lines)
    assert count() == before
    refused = invoke('launch', 'study', '--engine', engine, '--protocol', 'laptop')
    assert refused.exit_code == 2
    assert 'only --dry-run does without' in refused.output


def test_a_plan_without_a_limit_says_the_least_time(invoke, code):
    words = ('launch', 'study', '--code', code.pk, '--protocol', 'paper', '--dry-run')
    lines = invoke(*words).output.splitlines()
    (elapsed,) = (one for one in lines if one.startswith('Elapsed: '))
    assert elapsed.startswith('Elapsed: at least ')
    assert elapsed.endswith('nothing limits all of them (`max_concurrent`)')


def test_where_nothing_is_cached_it_is_said(invoke, code):
    result = invoke('launch', 'study', '--code', code.pk, '--protocol', 'test', '--dry-run')
    assert 'verdi config set caching.enabled_for' in result.output


@pytest.mark.parametrize(
    ('words', 'process', 'what'),
    [
        (('eos',), 'EquationOfStateWorkChain', ' phases, '),
        (('defect', '--lattice-constant', '5.43'), 'DefectWorkChain', 'vacancy in 2³ cells'),
        (('surface', '--lattice-constant', '5.43'), 'SurfaceWorkChain', 'slabs of '),
    ],
)
def test_parts_can_be_launched_alone(invoke, code, words, process, what):
    result = invoke('launch', *words, '--code', code.pk, '--protocol', 'test', '--dry-run')
    assert result.exit_code == 0, result.output
    assert f'Would run {process}' in result.output
    line = next(one for one in result.output.splitlines() if one.startswith('Reference: '))
    assert what in line


@pytest.mark.parametrize(
    ('words', 'message'),
    [
        (('--assume', 'mood=1'), "unknown assumptions ['mood']"),
        (('--assume', 'label_seconds'), 'a name and a number'),
        (('--engine', 'vasp'), 'no engine `vasp`'),
        (('--protocol', 'huge'), "'huge' is not a protocol of"),
    ],
)
def test_what_cannot_be_planned_is_named(invoke, code, words, message):
    result = invoke('launch', 'study', '--code', code.pk, '--dry-run', *words)
    assert result.exit_code == 1
    assert message in result.output
    assert 'Traceback' not in result.output


def test_what_a_training_will_do_is_said_before_it_runs(invoke, code, dataset, split):
    words = ('--dataset', dataset.pk, '--split', split.pk, '--protocol', 'test', '--dry-run')
    result = invoke('launch', 'ensemble', '--code', code.pk, *words, '--seeds', '5,7')
    assert result.exit_code == 0, result.output
    shown = result.output.split('Would run')[0]
    assert 'Model: nequip (num_layers 1, num_features ' in shown
    assert 'Training: 2 members (seeds 5, 7) in ' in shown
    assert f'Data: {dataset.get_description()}' in shown
    assert f'Split: {split.get_description()}' in shown


def test_what_an_audit_will_do_is_said_before_it_runs(invoke, code, audited, dataset):
    words = ('--ensemble', audited[1].pk, '--dataset', dataset.pk, '--protocol', 'test')
    result = invoke('launch', 'audit', '--code', code.pk, *words, '--role', 'mine', '--dry-run')
    assert result.exit_code == 0, result.output
    assert 'Predictions: 5 models in ' in result.output
    assert f'Data of mine: {dataset.get_description()}' in result.output


def test_seeds_in_a_few_words():
    assert name_seeds([1, 2, 3, 4]) == 'seeds 1 to 4'
    assert name_seeds([4, 2]) == 'seeds 4, 2'
    assert name_seeds([3]) == 'seed 3'


def test_assumptions():
    assert parse_assumptions(('a=1', 'b=2.5')) == {'a': 1.0, 'b': 2.5}


def test_every_launch_is_listed(invoke):
    output = invoke('launch', '--help').output
    for name in ('audit', 'defect', 'ensemble', 'eos', 'scan', 'study', 'surface'):
        assert f'  {name} ' in output


SIZES = '{kind: sizes, sizes: [2, 3]}'


def test_a_scan_is_shown_and_nothing_is_stored(invoke, code, dataset, split):
    before = count()
    words = ('--dataset', dataset.pk, '--split', split.pk, '--protocol', 'test', '--dry-run')
    result = invoke(
        *('launch', 'scan', '--code', code.pk, *words, '--scan', SIZES),
        *('--also', f'again={dataset.pk}'),
    )
    assert result.exit_code == 0, result.output
    assert 'Would run ScanWorkChain' in result.output
    assert 'n_train_3' in result.output
    assert 'datasets.again' in result.output
    assert count() == before


@pytest.mark.parametrize(
    ('words', 'message'),
    [
        (('--scan', 'sizes'), 'a scan is a mapping like'),
        (('--scan', '{kind: ['), 'is not valid YAML'),
        (('--scan', '{}'), '`kind of a scan` must be one of grid'),
        (('--scan', '{kind: sizes, sizes: [2], seeds: 5}'), 'distinct values, at least one; got 5'),
        (
            ('--scan', '{kind: sizes, sizes: [2], seeds: x}'),
            "distinct values, at least one; got 'x'",
        ),
        (('--scan', '{kind: sizes, sizes: [2], seeds: [x]}'), "number of at least 0, got 'x'"),
        (('--scan', '{kind: sizes, sizes: [2], seeds: [-1]}'), 'number of at least 0, got -1'),
        (('--scan', '{kind: sizes, sizes: [2], keep_steps: 3}'), 'true or false, got 3'),
        (
            ('--scan', '{kind: sizes, sizes: [2], max_concurrent: a}'),
            "number of at least 1, got 'a'",
        ),
        (('--scan', '{kind: cutoffs, cutoffs: [4.0], size: x}'), "number of at least 1, got 'x'"),
        (('--scan', '{kind: moods}'), '`kind of a scan` must be one of grid'),
        (('--scan', '{kind: sizes, sizes: [100000]}'), 'n_train_100000: '),
        (('--scan', SIZES, '--also', 'again'), 'a distinct ROLE=DATASET'),
        (('--scan', SIZES, '--also', 'training=1'), 'a distinct ROLE=DATASET'),
        (('--scan', SIZES, '--also', 'again=1000000'), 'no node is identified'),
    ],
)
def test_a_scan_of_no_use_is_named(invoke, code, dataset, split, words, message):
    nodes = ('--dataset', dataset.pk, '--split', split.pk, '--protocol', 'test')
    result = invoke('launch', 'scan', '--code', code.pk, *nodes, '--dry-run', *words)
    assert result.exit_code != 0
    assert message in result.output
    assert 'Traceback' not in result.output
