"""Tests for `PredictionWorkChain`."""

import numpy as np
import pytest
from aiida import orm
from aiida.engine import run_get_node
from aiida.engine.utils import instantiate_process
from aiida.manage import get_manager

from aiida_enne.aiida_private import inputs_of
from aiida_enne.data.configurations import ConfigurationsData
from aiida_enne.data.dataset import DatasetData
from aiida_enne.data.model import ModelData
from aiida_enne.data.split import SplitData
from aiida_enne.science.data.frames import from_atoms
from aiida_enne.science.data.splits import Split
from aiida_enne.workflows.prediction import PredictionWorkChain
from tests import warm
from tests.lost import lose
from tests.members import alloys


@pytest.fixture
def code(aiida_profile_clean, aiida_code_installed):
    return aiida_code_installed(
        label='python',
        default_calc_job_plugin='enne.nequip.predict',
        filepath_executable=warm.python(),
    )


@pytest.fixture
def alloy(aiida_profile_clean):
    """Return a stored dataset of eight alloys."""
    return DatasetData.from_configurations(from_atoms(alloys(8, seed=5))).store()


def make_split(dataset):
    split = Split(np.arange(4), np.array([4, 5]), np.array([6, 7]))
    return SplitData.from_split(split, dataset, method='by hand', shared=True).store()


@pytest.mark.parametrize('protocol', ['test', 'laptop', 'paper'])
def test_protocols(code, alloy, protocol):
    known = {'identity': 'x', 'seed': 1, 'weights_sha256': '0' * 64, 'elements': ['Al', 'Cu']}
    models = {'seed_1': ModelData.from_files(b'', {}, **known)}
    builder = PredictionWorkChain.get_builder_from_protocol(
        code, models, {'alloy': alloy}, protocol=protocol, overrides={'members_per_job': 2}
    )
    assert builder.members_per_job == 2
    assert instantiate_process(get_manager().get_runner(), builder)


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        ({'datasets': {}}, 'at least one dataset'),
        ({'models': {}}, 'at least one member'),
        ({'members_per_job': 0}, 'at least 1'),
        ({'part': 'test'}, 'there are no `splits`'),
        ({'splits': {'alloy': None}, 'part': 'all'}, '`part` must be one of'),
        ({'splits': {'steel': None}}, r"splits for \['steel'\]"),
        ({'splits': {'alloy': None}, 'datasets': 'other'}, '`alloy`: the split belongs'),
    ],
)
def test_wrong_inputs_are_refused(code, alloy, change, message):
    known = {'identity': 'x', 'seed': 1, 'weights_sha256': '0' * 64, 'elements': ['Al', 'Cu']}
    models = {'seed_1': ModelData.from_files(b'', {}, **known)}
    builder = PredictionWorkChain.get_builder_from_protocol(
        code, models, {'alloy': alloy}, protocol='test'
    )
    inputs = inputs_of(builder)
    if 'splits' in change:
        change['splits'] = dict.fromkeys(change['splits'], make_split(alloy))
    if change.get('datasets') == 'other':
        other = ConfigurationsData.from_atoms([atoms.copy() for atoms in alloys(3)])
        change['datasets'] = {'alloy': other}
    with pytest.raises(ValueError, match=message):
        instantiate_process(get_manager().get_runner(), PredictionWorkChain, **{**inputs, **change})


@pytest.mark.nequip
def test_every_member_on_every_dataset(code, alloy, models):
    unlabelled = ConfigurationsData.from_atoms([atoms.copy() for atoms in alloys(3, seed=6)])
    builder = PredictionWorkChain.get_builder_from_protocol(
        code,
        models,
        {'alloy': alloy, 'plain': unlabelled},
        protocol='test',
        splits={'alloy': make_split(alloy)},
    )
    outputs, node = run_get_node(builder)
    assert node.is_finished_ok, node.exit_message
    assert len(node.called) == 2  # one job for each dataset
    found = outputs['predictions']
    assert {label: set(found[label]) for label in found} == {
        'alloy': set(models),
        'plain': set(models),
    }
    assert found['alloy']['seed_7'].get_arrays()['indices'].tolist() == [6, 7]
    assert found['alloy']['seed_7'].base.attributes.get('part') == 'test'
    assert found['plain']['seed_9'].base.attributes.get('part') == 'all'
    assert node.outputs.predictions.plain.seed_9.uuid == found['plain']['seed_9'].uuid


@pytest.mark.nequip
def test_failures_are_listed_and_the_rest_is_kept(code, alloy, models):
    known = {'identity': 'x', 'seed': 1, 'weights_sha256': '0' * 64, 'elements': ['Al', 'Cu']}
    broken = ModelData.from_files(b'no weights', {}, **known).store()
    builder = PredictionWorkChain.get_builder_from_protocol(
        code,
        {'broken': broken, 'seed_7': models['seed_7']},
        {'alloy': alloy},
        protocol='test',
        overrides={'members_per_job': 1},
    )
    outputs, node = run_get_node(builder)
    assert node.exit_status == 400
    assert 'alloy.broken' in node.exit_message
    assert 'alloy.seed_7' not in node.exit_message
    assert set(outputs['predictions']['alloy']) == {'seed_7'}
    # a job for each member; what fails for a reason is not tried again
    assert [sorted(child.inputs.models) for child in node.called] == [['broken'], ['seed_7']]


@pytest.mark.nequip
def test_a_lost_job_goes_once_more(alloy, models, aiida_code_installed):
    code = aiida_code_installed(
        label='false',
        default_calc_job_plugin='enne.nequip.predict',
        filepath_executable='/bin/false',
    )
    builder = PredictionWorkChain.get_builder_from_protocol(
        code, models, {'alloy': alloy}, protocol='test'
    )
    outputs, node = run_get_node(builder)
    assert node.exit_status == 400
    assert len(node.called) == 2
    assert not outputs.get('predictions')
    assert all(isinstance(child, orm.CalcJobNode) for child in node.called)


@pytest.mark.nequip
@pytest.mark.parametrize('times', [1, 2])
def test_a_job_whose_process_was_lost_is_followed(code, alloy, models, monkeypatch, times):
    lose(monkeypatch, 'task_update_job', times)
    builder = PredictionWorkChain.get_builder_from_protocol(
        code, models, {'alloy': alloy}, protocol='test'
    )
    outputs, node = run_get_node(builder)
    assert node.is_finished_ok, node.exit_message
    assert [job.is_excepted for job in node.called] == [True] * times + [False]
    assert len({job.get_job_id() for job in node.called}) == 1
    assert set(outputs['predictions']['alloy']) == set(models)


@pytest.mark.nequip
def test_a_job_that_loses_every_process_goes_once_more(code, alloy, models, monkeypatch):
    """What the job left may be the reason: it is not followed for ever."""
    lose(monkeypatch, 'task_retrieve_job', times=3)
    builder = PredictionWorkChain.get_builder_from_protocol(
        code, models, {'alloy': alloy}, protocol='test'
    )
    outputs, node = run_get_node(builder)
    assert node.is_finished_ok, node.exit_message
    jobs = [job.get_job_id() for job in node.called]
    assert len(jobs) == 4
    assert len(set(jobs[:3])) == 1
    assert jobs[3] != jobs[0]
    assert set(outputs['predictions']['alloy']) == set(models)


CROWDED = """\
import sys

if any(word.endswith('nequip_predict.py') for word in sys.orig_argv):
    import torch
    from nequip.model.saved_models import load_utils

    load, models = load_utils.load_saved_model, []

    def crowd(path):
        models.append(path)
        if len(models) > 1:
            raise torch.OutOfMemoryError('CUDA out of memory. Tried to allocate 2.00 GiB.')
        return load(path)

    load_utils.load_saved_model = crowd
"""


@pytest.mark.nequip
@pytest.mark.slow
def test_what_is_too_large_goes_in_halves(code, alloy, models, tmp_path):
    """On a device that holds one model, of three members each ends with a job of its own."""
    (tmp_path / 'sitecustomize.py').write_text(CROWDED)
    options = {'prepend_text': f'export PYTHONPATH={tmp_path}'}
    builder = PredictionWorkChain.get_builder_from_protocol(
        code,
        models,
        {'alloy': alloy},
        protocol='test',
        overrides={'predict': {'metadata': {'options': options}}},
    )
    outputs, node = run_get_node(builder)
    assert node.is_finished_ok, node.exit_message
    assert set(outputs['predictions']['alloy']) == set(models)
    jobs = [(sorted(job.inputs.models), job.exit_status) for job in node.called]
    assert jobs == [
        (['seed_7', 'seed_8', 'seed_9'], 401),
        (['seed_8'], 0),
        (['seed_9'], 0),
    ]


@pytest.fixture
def chain(code, alloy):
    """Return a work chain of two members that was not run."""
    known = {'identity': 'x', 'seed': 1, 'weights_sha256': '0' * 64, 'elements': ['Al', 'Cu']}
    models = {f'seed_{n}': ModelData.from_files(b'', {}, **known | {'seed': n}) for n in (1, 2)}
    builder = PredictionWorkChain.get_builder_from_protocol(
        code, models, {'alloy': alloy}, protocol='test'
    )
    process = instantiate_process(get_manager().get_runner(), builder)
    process.list_jobs()
    return process


def test_memory_halves_members_and_atoms_down_to_one_configuration(chain):
    pieces, sizes = [chain.ctx.jobs['alloy_0']], []
    while pieces:
        pieces = chain.halve(pieces[-1], pieces[-1]['group'], 401)
        sizes += [(piece['group'], piece['batch_atoms']) for piece in pieces]
    # the structures have four atoms
    assert sizes[:3] == [(['seed_1'], 256), (['seed_2'], 256), (['seed_2'], 128)]
    assert sizes[-1] == (['seed_2'], 4)


def test_time_halves_the_members_only(chain):
    piece = chain.ctx.jobs['alloy_0']
    halves = chain.halve(piece, piece['group'], 400)
    assert [(half['group'], half['batch_atoms']) for half in halves] == [
        (['seed_1'], None),
        (['seed_2'], None),
    ]
    assert chain.halve(halves[0], ['seed_1'], 400) == []
    assert chain.halve(piece, piece['group'], 310) == []
