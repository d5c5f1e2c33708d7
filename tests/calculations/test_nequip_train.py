"""Tests for `NequipTrainCalculation`: what it writes and what it refuses."""

import pytest
from aiida import orm
from aiida.engine import run_get_node
from aiida.manage.caching import enable_caching
from aiida.plugins import CalculationFactory

from aiida_enne.calculations.nequip_train import NequipTrainCalculation
from aiida_enne.data.dataset import DatasetData
from aiida_enne.data.split import SplitData
from aiida_enne.families.nequip import FAMILY, training
from aiida_enne.science.data.splits import Split
from tests.extxyz import from_extxyz

NAME = 'enne.nequip.train'
SCRIPTS = [
    f'nequip_{name}.py'
    for name in (
        'base',
        'gpus',
        'initial',
        'keeper',
        'memory',
        'private',
        'product',
        'signatures',
        'train',
        'train_member',
        'trust',
        'weights',
    )
]


def content(folder, *path):
    with folder.open('/'.join(path)) as handle:
        return handle.read()


def test_default(prepare, train_inputs, file_regression):
    job, folder = prepare(NAME, train_inputs)
    assert sorted(folder.get_content_list()) == sorted(
        ['members', *SCRIPTS, 'strategy.txt', 'train.xyz', 'validation.xyz']
    )
    assert job.codes_info[0].cmdline_params == [
        'nequip_train.py', '--processes', '1', '--seconds', '570',
    ]  # fmt: skip
    assert ('members/seed_7/checkpoints/best.ckpt', '.', 4) in job.retrieve_list
    file_regression.check(content(folder, 'members', 'seed_7', 'config.yaml'), extension='.yaml')


def test_data_are_lossless_and_divided_by_the_split(prepare, train_inputs, configurations):
    _, folder = prepare(NAME, train_inputs)
    for name, part in (('train.xyz', range(6)), ('validation.xyz', [6, 7])):
        expected, written = configurations.select(part), from_extxyz(content(folder, name))
        for field in ('positions', 'cells', 'energies', 'forces'):
            assert (getattr(written, field) == getattr(expected, field)).all()


def test_strategy_and_continuation(prepare, train_inputs, aiida_localhost, tmp_path):
    parent = orm.RemoteData(remote_path=str(tmp_path), computer=aiida_localhost)
    job, _ = prepare(
        NAME, train_inputs | {'strategy': 'parallel', 'processes': 3, 'parent_folder': parent}
    )
    assert job.codes_info[0].cmdline_params[1:3] == ['--processes', '3']
    source = f'{tmp_path}/members/seed_7/checkpoints'
    assert job.remote_copy_list == [(aiida_localhost.uuid, source, 'members/seed_7')]


def test_a_faster_product_is_told_to_the_scripts(prepare, train_inputs):
    job, folder = prepare(NAME, train_inputs | {'strategy': 'fused', 'kernel': 'fused 1'})
    words = ['--processes', '2', '--fused', '--artefacts', training.ARTEFACTS]
    assert job.codes_info[0].cmdline_params[1:6] == words
    assert set(training.FUSED_SCRIPTS) <= set(folder.get_content_list())


@pytest.mark.parametrize('given', [{}, {'group': 2}])
def test_members_of_a_process_are_told_to_the_scripts_and_are_not_in_the_hash(
    prepare, train_inputs, given
):
    train_inputs |= {'strategy': 'vectorised', 'kernel': FAMILY.kernels['vectorised']}
    job, _ = prepare(NAME, train_inputs | given)
    words = job.codes_info[0].cmdline_params
    assert words[words.index('--group') + 1] == str(given.get('group', training.GROUP))
    inputs = NequipTrainCalculation.spec().inputs
    assert all(inputs[name].is_metadata for name in ('strategy', 'processes', 'group', 'gpus'))


@pytest.mark.parametrize(
    ('strategy', 'reason'),
    [
        ('parallel', 'on the accelerator gpu members are trained together only where'),
        ('vectorised', 'as asked for'),
        ('fused', 'as asked for'),
    ],
)
def test_a_job_on_gpus_says_why_its_strategy_is_what_it_is(prepare, train_inputs, strategy, reason):
    train_inputs['parameters']['trainer']['accelerator'] = 'gpu'
    train_inputs |= {'strategy': strategy, 'gpus': 1}
    if kernel := FAMILY.kernels.get(strategy):
        train_inputs['kernel'] = kernel
    _, folder = prepare(NAME, train_inputs)
    assert content(folder, 'strategy.txt').startswith(f'strategy {strategy}: {reason}')


def test_gpus_are_told_to_the_scripts(prepare, train_inputs):
    job, _ = prepare(NAME, train_inputs | {'strategy': 'parallel', 'processes': 8, 'gpus': 2})
    assert job.codes_info[0].cmdline_params[1:5] == ['--processes', '8', '--gpus', '2']


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        (
            {'strategy': 'paralel'},
            r'one of .*sequential.*got \'paralel\' \(did you mean `parallel`',
        ),
        ({'strategy': 'vectorised'}, "`kernel` must be 'vectorised 5'"),
        ({'strategy': 'fused'}, "`kernel` must be 'fused 1'"),
        ({'strategy': 'fused', 'kernel': 'vectorised 5'}, "`kernel` must be 'fused 1'"),
        ({'kernel': 'vectorised 5'}, '`kernel` must be None'),
        ({'processes': 0}, 'at least 1'),
        ({'gpus': -1}, 'at least 0'),
        ({'seeds': {'a': 1, 'b': 1}}, 'distinct'),
        ({'seeds': {'a': -1}}, 'distinct'),
        ({'seeds': {'../a': 1}}, 'alphanumeric'),
        ({'parameters': {'run': ['test']}}, 'sections'),
    ],
)
def test_bad_inputs_are_refused(prepare, train_inputs, change, message):
    if 'seeds' in change:
        change = {'seeds': {label: orm.Int(seed) for label, seed in change['seeds'].items()}}
    with pytest.raises(ValueError, match=message):
        prepare(NAME, train_inputs | change)


def test_options_the_job_owns_are_refused(prepare, train_inputs):
    train_inputs['parameters']['trainer']['max_time'] = '00:01:00:00'
    with pytest.raises(ValueError, match=r'`trainer\.max_time`: use `metadata'):
        prepare(NAME, train_inputs)


def test_a_split_of_another_dataset_is_refused(prepare, train_inputs, configurations):
    other = DatasetData.from_configurations(configurations.select(range(9)))
    with pytest.raises(ValueError, match='the split belongs to the dataset'):
        prepare(NAME, train_inputs | {'dataset': other})


@pytest.mark.nequip
@pytest.mark.slow
def test_cache_knows_what_decides_the_result(train_inputs, dataset, configurations):
    """Same files under other names and another strategy hit; a seed or a frame more misses."""
    process, twin = CalculationFactory(NAME), orm.Int(7)
    _, first = run_get_node(process, **train_inputs)
    copy = DatasetData.from_configurations(configurations, level_of_theory='EMT', source='b.xyz')
    same = train_inputs | {'dataset': copy, 'seeds': {'seed_7': twin}}
    same |= {'strategy': 'parallel', 'processes': 4}
    same['metadata'] = {'options': {'max_wallclock_seconds': 500}}
    split = Split(range(5), [6, 7], [8, 9])
    fewer = SplitData.from_split(split, dataset, method='by hand')
    with enable_caching(identifier=f'aiida.calculations:{NAME}'):
        _, second = run_get_node(process, **same)
        _, third = run_get_node(process, **train_inputs | {'seeds': {'seed_7': orm.Int(8)}})
        _, fourth = run_get_node(process, **train_inputs | {'split': fewer})
    assert second.base.caching.get_cache_source() == first.uuid
    assert not third.base.caching.is_created_from_cache
    assert not fourth.base.caching.is_created_from_cache
    digests = [node.outputs.models.seed_7.weights_sha256 for node in (first, second, third, fourth)]
    assert digests[0] == digests[1]
    assert len(set(digests)) == 3


def test_version_of_the_scripts_is_in_the_hash(train_inputs):
    assert isinstance(NequipTrainCalculation.CACHE_VERSION, int)
