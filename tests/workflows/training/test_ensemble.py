"""Tests for `EnsembleWorkChain`."""

import subprocess
import sys

import pytest
from aiida import orm
from aiida.engine import run_get_node
from aiida.engine.utils import instantiate_process
from aiida.manage import get_manager
from aiida.manage.caching import enable_caching

from aiida_enne.calculations.ensemble import summarise_ensemble
from aiida_enne.data.dataset import DatasetData
from aiida_enne.data.model import ModelData
from aiida_enne.data.split import SplitData
from aiida_enne.science.data.splits import Split
from aiida_enne.workflows import protocols
from aiida_enne.workflows.training.ensemble import EnsembleWorkChain

TRAINING = 'aiida.calculations:enne.nequip.train'


@pytest.fixture
def build(dataset, split, train_code):
    """Return a function: `builder = build(**overrides)`."""

    def run(split=split, protocol='test', **overrides):
        return EnsembleWorkChain.get_builder_from_protocol(
            train_code, dataset, split, protocol=protocol, overrides=overrides
        )

    return run


@pytest.fixture
def deal(build):
    """Return a function that deals members out to jobs without running any."""

    def run(**inputs):
        process = instantiate_process(get_manager().get_runner(), build(**inputs))
        process.find_known()
        return [process.ctx.jobs[name] for name in process.ctx.waiting]

    return run


@pytest.fixture
def two_splits(dataset, split):
    other = Split([0, 1, 2, 3, 4, 8], [6, 7], [5, 9])
    other = SplitData.from_split(other, dataset, method='by hand', shared=True)
    return {'seed_1': split, 'seed_2': other, 'seed_3': split}


@pytest.mark.parametrize('name', sorted({*protocols.read('ensemble')['protocols']} - {'fine-tune'}))
def test_every_protocol_builds_and_describes_itself(build, name):
    builder = build(protocol=name)
    assert instantiate_process(get_manager().get_runner(), builder)
    assert protocols.read('ensemble')['protocols'][name]['description']


def test_paper_is_the_paper(build):
    """D4 of Lu et al. (2023), number by number."""
    builder = build(protocol='paper')
    assert len(builder.seeds.get_list()) == 30
    parameters = builder.training.train.parameters
    module = parameters['training_module']
    expected = {
        'r_max': 5.0,
        'num_layers': 4,
        'l_max': 3,
        'num_features': 16,
        'num_bessels': 8,
        'bessel_trainable': True,
        'radial_mlp_depth': 2,
        'radial_mlp_width': 32,
        'per_type_energy_shifts': '${training_data_stats:per_atom_energy_mean}',
        'per_type_energy_scales': '${training_data_stats:forces_rms}',
    }
    assert {key: module['model'][key] for key in expected} == expected
    assert module['loss']['coeffs'] == {'total_energy': 1.0, 'forces': 100.0}
    assert module['optimizer']['lr'] == 0.01
    assert parameters['data']['train_dataloader']['batch_size'] == 1
    assert parameters['trainer']['accelerator'] == 'gpu'
    assert builder.training.train.gpus == 1


def test_members_are_dealt_out_in_order(deal):
    labels = [[f'seed_{seed}' for seed in part] for part in ([4, 2], [9, 1], [3])]
    assert deal(seeds=[4, 2, 9, 1, 3], members_per_job=2) == labels


def test_members_of_different_splits_share_no_job(deal, two_splits):
    waiting = deal(seeds=[1, 2, 3], members_per_job=3, split=two_splits)
    assert sorted(waiting) == [['seed_1', 'seed_3'], ['seed_2']]


@pytest.fixture
def of_two_domains(dataset):
    found = Split([0, 1, 8], [2, 9], [3, 4])
    return SplitData.from_split(found, dataset, method='by hand', shared=True).store()


def test_members_leave_out_one_density_each_in_turns(build, of_two_domains, configurations):
    builder = build(
        split=of_two_domains, seeds=[5, 6, 7], members_per_job=3, leave_out_densities=True
    )
    process = instantiate_process(get_manager().get_runner(), builder)
    process.find_known()
    waiting = [process.ctx.jobs[name] for name in process.ctx.waiting]
    assert sorted(waiting) == [['seed_5', 'seed_7'], ['seed_6']]
    splits = {label: process.split_of(label) for label in ('seed_5', 'seed_6')}
    parts = {label: one.get_split().as_arrays() for label, one in splits.items()}
    assert parts['seed_5']['train'].tolist() == [8]
    assert parts['seed_6']['train'].tolist() == [0, 1]
    assert [one['test'].tolist() for one in parts.values()] == 2 * [[3, 4]]
    made = splits['seed_5'].creator
    assert made.process_label == 'split_by_density'
    assert made.inputs.split.uuid == of_two_domains.uuid
    assert splits['seed_5'].base.attributes.get('method') == 'by hand, without cold'


def test_where_no_density_can_be_left_out_the_training_is_refused(build, two_splits, dataset):
    def refusal(**inputs):
        with pytest.raises(ValueError, match='densit') as raised:
            instantiate_process(get_manager().get_runner(), build(**inputs))
        return str(raised.value)

    assert "all are of 'cold' at one" in refusal(leave_out_densities=True)
    several = {label: two_splits[label] for label in ('seed_1', 'seed_2')}
    assert 'takes one `split`' in refusal(split=several, leave_out_densities=True)
    narrow = SplitData.from_split(Split([0, 8], [1], [2]), dataset, method='x', shared=True)
    said = refusal(split=narrow, leave_out_densities=True)
    assert "without a density of 'cold' nothing is left to validate with" in said


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        ({'seeds': [1, 1]}, 'distinct'),
        ({'seeds': []}, 'distinct'),
        ({'seeds': [-1]}, 'distinct'),
        ({'seeds': ['one']}, 'distinct'),
        ({'members_per_job': 0}, 'at least 1'),
        ({'max_concurrent': 0}, 'at least 1'),
        ({'min_members': 3}, 'there are 2 seeds'),
    ],
)
def test_bad_inputs_are_refused(build, change, message):
    with pytest.raises(ValueError, match=message):
        instantiate_process(get_manager().get_runner(), build(**change))


def test_splits_must_fit(build, two_splits, configurations):
    with pytest.raises(ValueError, match=r"`splits` must hold \['seed_1', 'seed_2'\]"):
        instantiate_process(get_manager().get_runner(), build(split=two_splits))
    builder = build()
    builder.dataset = DatasetData.from_configurations(configurations.select(range(9)))
    with pytest.raises(ValueError, match='the split belongs to the dataset'):
        instantiate_process(get_manager().get_runner(), builder)


def test_unknown_protocols_are_refused(build):
    with pytest.raises(ValueError, match='laptop'):
        build(protocol='huge')


def test_summary_names_the_lost(aiida_profile_clean):
    fine = orm.Dict({'exit_status': 0})
    bad = orm.Dict({'exit_status': 500, 'exit_label': 'ERROR', 'exit_message': 'nan', 'epochs': 4})
    summary = summarise_ensemble(orm.List([1, 2, 3]), seed_1=fine, seed_2=bad)
    assert summary['finished'] == [1]
    assert summary['failed']['seed_2']['exit_message'] == 'nan'
    assert summary['failed']['seed_3']['exit_message'] == 'its job left nothing'


@pytest.mark.nequip
@pytest.mark.slow
def test_only_what_is_missing_is_trained(build):
    """Two members; then the same, three, shared differently: two are handed out, one trained."""
    with enable_caching(identifier=TRAINING):
        first, node = run_get_node(build())
        assert node.is_finished_ok, node.exit_message
        digests = {label: model.weights_sha256 for label, model in first['models'].items()}
        assert len(set(digests.values())) == 2

        again, node = run_get_node(build(seeds=[3, 2, 1], members_per_job=1, max_concurrent=1))
        assert node.is_finished_ok, node.exit_message
        jobs = [child for child in node.called_descendants if child.process_type == TRAINING]
        assert [set(job.inputs.seeds) for job in jobs] == [{'seed_3'}]
    for namespace in ('models', 'histories', 'results'):
        assert set(again[namespace]) == {'seed_1', 'seed_2', 'seed_3'}
        for label in first[namespace]:
            assert again[namespace][label].uuid == first[namespace][label].uuid
    assert again['models']['seed_3'].weights_sha256 not in digests.values()
    assert sorted(again['summary']['finished']) == [1, 2, 3]


#: Makes a model of another whose energies are beyond all numbers.
SPOIL = """
import sys, torch
path = sys.argv[1]
state = torch.load(path, weights_only=False)
for value in state['state_dict'].values():
    if torch.is_tensor(value) and value.is_floating_point():
        value.fill_(float('inf'))
torch.save(state, path)
"""


@pytest.mark.nequip
@pytest.mark.slow
def test_a_member_that_no_step_mends_is_told_at_the_start_and_tolerated(build, tmp_path):
    """What is compared at the start is not a number: all are trained one by one, two complete."""
    asked = {'train': {'strategy': 'vectorised'}}
    first = run_get_node(build(seeds=[4], training=asked))[0]['models']['seed_4']
    path = tmp_path / 'spoilt.ckpt'
    first.write_checkpoint(path)
    subprocess.run([sys.executable, '-c', SPOIL, path], check=True)
    spoilt = ModelData.from_files(
        path.read_bytes(),
        first.get_config(),
        identity='spoilt',
        seed=4,
        weights_sha256='0' * 64,
        elements=first.elements,
    )
    builder = build(seeds=[1, 2, 3], members_per_job=3, min_members=2, training=asked)
    builder.initial_models = {'seed_2': spoilt.store()}
    outputs, node = run_get_node(builder)
    assert node.is_finished_ok, node.exit_message
    assert set(outputs['models']) == {'seed_1', 'seed_3'}
    assert outputs['summary']['failed']['seed_2']['exit_label'] == 'ERROR_MEMBERS_DIVERGED'
    (job,) = [child for child in node.called_descendants if child.process_type == TRAINING]
    said = job.outputs.retrieved.get_object_content('nequip_train.out')
    assert 'members are trained one by one: ' in said
    assert 'is nan' in said


@pytest.mark.nequip
@pytest.mark.slow
@pytest.mark.parametrize(('needed', 'status'), [(1, 0), (2, 400)])
def test_tolerated_failures_are_named(build, dataset, split, needed, status):
    """The second member has fewer configurations than one batch: it has nothing to train on."""
    few = SplitData.from_split(Split(range(4), [6, 7], [8]), dataset, method='by hand')
    loader = {'batch_size': 5, 'drop_last': True}
    builder = build(split={'seed_1': split, 'seed_2': few}, min_members=needed)
    parameters = builder.training.train.parameters.get_dict()
    parameters['data']['train_dataloader'] |= loader
    parameters['data']['stats_manager']['dataloader_kwargs']['drop_last'] = False
    builder.training.train.parameters = orm.Dict(parameters)
    outputs, node = run_get_node(builder)
    assert node.exit_status == status
    assert set(outputs['models']) == {'seed_1'}
    assert outputs['summary']['finished'] == [1]
    assert outputs['summary']['failed']['seed_2']['exit_label'] == 'ERROR_MODEL_MISSING'
    assert outputs['results']['seed_2']['exit_status'] == 303
    if status:
        assert '1 of 2 models: none for seed_2' in node.exit_message
