"""Tests for GPUs as words of the protocols: the scripts that the schedulers get, and the ports."""

import re

import pytest
from aiida import orm
from aiida.common.folders import SandboxFolder
from aiida.engine.utils import instantiate_process
from aiida.manage import get_manager
from aiida.plugins import CalculationFactory

from aiida_enne import families
from aiida_enne.aiida_private import inputs_of
from aiida_enne.data.model import ModelData
from aiida_enne.workflows.prediction import PredictionWorkChain
from aiida_enne.workflows.protocols.machine import PROPERTY
from aiida_enne.workflows.reference.engine import load_engine
from aiida_enne.workflows.study.study import StudyWorkChain
from aiida_enne.workflows.training.ensemble import EnsembleWorkChain

#: What the computers of the tests are known for: scheduler, the property, lines before each job.
MACHINES = {
    'slurm': (
        'core.slurm',
        {'queue_name': 'gpu', 'account': 'project_465', 'qos': 'long', 'gpus': 1,
         'gpu_type': 'h100', 'members_per_gpu': 4},
        'module load cuda',
    ),
    'slurm_tasks': ('core.slurm', {'queue_name': 'gpu', 'gpu_directive': 'gpus-per-task'}, ''),
    'torque': ('core.torque', {'gpu_directive': '#PBS -W x=GRES:gpus@{gpus}'}, ''),
    'hyperqueue': (
        'hyperqueue',
        {'gpus': 1, 'members_per_gpu': 2},
        '#HQ --resource gpus/nvidia=1\nmodule load cuda',
    ),
    'direct': ('core.direct', {}, ''),
}  # fmt: skip


@pytest.fixture
def make_code(aiida_profile_clean):
    """Return a function: a code on a computer with that scheduler."""

    def run(name):
        scheduler, known, prepend = MACHINES[name]
        computer = orm.Computer(
            label=name, hostname='localhost', transport_type='core.local',
            scheduler_type=scheduler, workdir='/scratch',
        )  # fmt: skip
        computer.set_property(PROPERTY, known)
        computer.set_prepend_text(prepend)
        computer.store().configure()
        return orm.InstalledCode(
            label='python', computer=computer, filepath_executable='/opt/python'
        ).store()

    return run


def job_script(name, inputs):
    """Return the script that AiiDA would submit, less what differs from run to run."""
    process = instantiate_process(get_manager().get_runner(), CalculationFactory(name), **inputs)
    with SandboxFolder() as folder:
        process.presubmit(folder)
        with folder.open('_aiidasubmit.sh') as handle:
            script = handle.read()
    return re.sub(r'aiida-[0-9a-fNone]+', 'aiida-PK', script)


def training(code, dataset, split, protocol='paper', **overrides):
    builder = EnsembleWorkChain.get_builder_from_protocol(
        code, dataset, split, protocol=protocol, overrides=overrides
    )
    instantiate_process(get_manager().get_runner(), builder)
    return builder


def training_script(builder, dataset, split):
    inputs = inputs_of(builder.training.train)
    inputs |= {'dataset': dataset, 'split': split, 'seeds': {'seed_1': orm.Int(1)}}
    return job_script('enne.nequip.train', inputs)


@pytest.mark.parametrize('name', ['slurm', 'slurm_tasks', 'torque', 'hyperqueue'])
def test_training_on_a_gpu(make_code, dataset, split, file_regression, name):
    builder = training(make_code(name), dataset, split)
    file_regression.check(training_script(builder, dataset, split), extension='.sh')


def test_prediction_on_a_gpu(make_code, dataset, file_regression):
    known = {'identity': 'x', 'seed': 1, 'weights_sha256': '0' * 64, 'elements': ['Cu']}
    models = {'seed_1': ModelData.from_files(b'', {}, **known).store()}
    builder = PredictionWorkChain.get_builder_from_protocol(
        make_code('slurm'), models, {'cu': dataset}, protocol='paper'
    )
    assert builder.predict.device == 'cuda'
    inputs = inputs_of(builder.predict) | {'dataset': dataset, 'models': models}
    file_regression.check(job_script('enne.nequip.predict', inputs), extension='.sh')


def test_members_are_packed_on_each_gpu(make_code, dataset, split):
    builder = training(make_code('slurm'), dataset, split, gpus=2)
    train = builder.training.train
    assert (train.strategy, train.processes, train.gpus) == ('parallel', 8, 2)
    assert builder.members_per_job.value == 8
    assert train.metadata.options.resources['num_cores_per_mpiproc'] == 8
    assert train.parameters['trainer']['accelerator'] == 'gpu'
    own = training(train.code, dataset, split, gpus=2, members_per_gpu=1, members_per_job=6)
    assert own.training.train.processes == 2
    assert own.members_per_job.value == 6


def test_fused_is_kept_on_gpus_and_has_its_kernel(make_code, dataset, split):
    code, asked = make_code('slurm'), {'train': {'strategy': 'fused'}}
    for gpus, processes in ((2, 8), (0, 2)):
        chosen = {'gpus': gpus, 'training': asked, 'protocol': 'laptop'}
        train = training(code, dataset, split, **chosen).training.train
        assert (train.strategy, train.processes, train.gpus) == ('fused', processes, gpus)
        assert train.kernel.value == families.load('nequip').kernels['fused']
    with pytest.raises(ValueError, match='allegro has no strategy `fused`'):
        training(code, dataset, split, training=asked, family='allegro')


def test_members_of_a_gpu_are_trained_together_where_that_is_asked_for(make_code, dataset, split):
    """One process a GPU, with all its members; before, this became `parallel` in silence."""
    asked = {'train': {'strategy': 'vectorised'}}
    builder = training(make_code('slurm'), dataset, split, gpus=2, training=asked)
    train = builder.training.train
    assert (train.strategy, train.processes, train.gpus) == ('vectorised', 2, 2)
    assert train.kernel.value == families.load('nequip').kernels['vectorised']
    assert builder.members_per_job.value == 8
    assert train.metadata.options.resources['num_cores_per_mpiproc'] == 2
    with pytest.raises(ValueError, match='allegro has no strategy `vectorised`'):
        training(train.code, dataset, split, gpus=2, training=asked, family='allegro')


def test_overrides_win_over_what_the_computer_is_known_for(make_code, dataset, split):
    options = {'queue_name': 'debug', 'custom_scheduler_commands': '#SBATCH --mail-type=END'}
    train = {'metadata': {'options': options}, 'parameters': {'trainer': {'accelerator': 'cpu'}}}
    builder = training(
        make_code('slurm'), dataset, split, gpu_type='a100', gpu_directive='gpus',
        training={'train': train},
    )  # fmt: skip
    chosen = builder.training.train.metadata.options
    assert chosen.queue_name == 'debug'
    assert chosen.custom_scheduler_commands == '#SBATCH --gpus=a100:1\n#SBATCH --mail-type=END'
    assert builder.training.train.parameters['trainer']['accelerator'] == 'cpu'


def test_without_gpus_the_processes_share_the_cores(make_code, dataset, split):
    slurm = training(make_code('slurm'), dataset, split, protocol='laptop').training.train
    assert (slurm.processes, slurm.gpus) == (2, 0)
    assert slurm.metadata.options.resources['num_cores_per_mpiproc'] == 2
    assert slurm.metadata.options.queue_name == 'gpu'
    assert 'custom_scheduler_commands' not in slurm.metadata.options
    local = training(make_code('direct'), dataset, split, protocol='laptop').training.train
    assert local.metadata.options.resources == {'num_machines': 1, 'num_mpiprocs_per_machine': 1}
    assert local.parameters['trainer']['accelerator'] == 'cpu'


def test_the_demo_knows_the_computer_too(make_code):
    builder = StudyWorkChain.get_builder_from_protocol(
        make_code('slurm'),
        protocol='demo',
        overrides={'ensemble': {'gpus': 1}, 'audit': {'predict': {'gpus': 1}}},
    )
    instantiate_process(get_manager().get_runner(), builder)
    commands = '#SBATCH --gres=gpu:h100:1'
    assert builder.ensemble.training.train.metadata.options.custom_scheduler_commands == commands
    assert builder.ensemble.training.train.processes == 4
    assert builder.audit.predict.metadata.options.custom_scheduler_commands == commands
    assert builder.audit.predict.device == 'cuda'
    reference = builder.sample.inputs['base']['ase']['metadata']['options']
    assert (reference['queue_name'], reference['account']) == ('gpu', 'project_465')
    assert 'custom_scheduler_commands' not in reference


def test_reference_engines_queue_where_the_computer_says(make_code, dataset):
    options = {'queue_name': 'debug'}
    builder = load_engine('ase').get_builder_from_protocol(
        make_code('slurm'), dataset, {'kind': 'label'}, protocol='test',
        overrides={'base': {'ase': {'metadata': {'options': options}}}},
    )  # fmt: skip
    chosen = builder.base.ase.metadata.options
    assert (chosen.queue_name, chosen.account, chosen.qos) == ('debug', 'project_465', 'long')
    assert chosen.max_wallclock_seconds == 600


@pytest.mark.parametrize(
    ('name', 'overrides', 'message'),
    [
        ('slurm', {'gpus': -1}, '0 or more, got -1'),
        ('slurm', {'gpus': 'two'}, "got 'two'"),
        ('slurm', {'gpu_directive': 'mps'}, "'mps'"),
        ('slurm', {'gpu_type': 'h100\n#SBATCH --wrap=x'}, 'one word'),
        ('slurm', {'members_per_gpu': 0}, '`members_per_gpu` must be 1 or more, got 0'),
        ('hyperqueue', {'gpus': 2}, '`gpus` is 2, but jobs of this computer ask hyperqueue for 1'),
        ('hyperqueue', {'gpus': 0}, '`gpus` is 0, but jobs'),
    ],
)
def test_gpus_that_cannot_be_are_refused(make_code, dataset, split, name, overrides, message):
    with pytest.raises(ValueError, match=message):
        training(make_code(name), dataset, split, **overrides)


def test_a_prediction_takes_no_second_gpu(make_code, dataset):
    with pytest.raises(ValueError, match='no more than one GPU, `gpus` is 2'):
        PredictionWorkChain.get_builder_from_protocol(
            make_code('slurm'), {}, {'cu': dataset}, overrides={'gpus': 2}
        )


def test_the_directive_does_not_change_from_run_to_run(make_code, dataset, split):
    """It is in the hash of the job, so that another order of words would miss the cache."""
    code = make_code('slurm')
    first, second = (training(code, dataset, split).training.train for _ in range(2))
    assert first.metadata.options == second.metadata.options
