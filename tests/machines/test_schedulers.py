"""Tests for the directives that ask for GPUs."""

import pytest

from aiida_enne.machines.schedulers import cores, gpu_directive


@pytest.mark.parametrize(
    ('scheduler', 'options', 'line'),
    [
        ('core.slurm', {}, '#SBATCH --gres=gpu:2'),
        ('core.slurm', {'kind': 'h100'}, '#SBATCH --gres=gpu:h100:2'),
        ('core.slurm', {'directive': 'gpus'}, '#SBATCH --gpus=2'),
        ('core.slurm', {'directive': 'gpus-per-node'}, '#SBATCH --gpus-per-node=2'),
        ('core.slurm', {'directive': 'gpus-per-task'}, '#SBATCH --gpus-per-task=2'),
        ('core.slurm', {'directive': 'gpus', 'kind': 'a100'}, '#SBATCH --gpus=a100:2'),
        ('core.torque', {'directive': '#PBS -W x=GRES:gpus@{gpus}'}, '#PBS -W x=GRES:gpus@2'),
        ('core.slurm', {'directive': '#SBATCH -G {type}:{gpus}', 'kind': 'v1'}, '#SBATCH -G v1:2'),
        ('hyperqueue', {}, '#HQ --resource gpus/nvidia=2'),
        ('hyperqueue', {'kind': 'amd'}, '#HQ --resource gpus/amd=2'),
        ('core.direct', {}, ''),
    ],
)  # fmt: skip
def test_two_gpus_in_the_words_of_each_scheduler(scheduler, options, line):
    assert gpu_directive(scheduler, 2, **options) == line


@pytest.mark.parametrize('scheduler', ['core.slurm', 'core.direct', 'core.sge', 'hyperqueue'])
def test_no_gpus_need_no_words(scheduler):
    assert gpu_directive(scheduler, 0) == ''


@pytest.mark.parametrize(
    ('scheduler', 'gpus', 'options', 'message'),
    [
        ('core.slurm', 1, {'directive': 'mps'}, "one of .*'gpus-per-task'.* got 'mps'"),
        ('core.pbspro', 1, {}, r'`core\.pbspro` must be a line .*, got None'),
        ('core.direct', 1, {'directive': 'gres'}, "got 'gres'"),
        ('core.slurm', -1, {}, '0 or more, got -1'),
        ('core.slurm', True, {}, 'got True'),
        ('core.slurm', '1', {}, "got '1'"),
        ('core.slurm', 1, {'kind': 'h100\n#SBATCH --wrap=x'}, 'must be one word'),
        ('core.slurm', 1, {'directive': '#SBATCH --gpus={gpus}\nrm -rf ~'}, 'must be one of'),
        ('core.slurm', 1, {'directive': 'rm -rf ~ {gpus}'}, 'must be one of'),
    ],
)
def test_what_is_no_directive_is_refused(scheduler, gpus, options, message):
    with pytest.raises(ValueError, match=message):
        gpu_directive(scheduler, gpus, **options)


def test_cores_in_the_words_of_each_scheduler():
    single = {'num_machines': 1, 'num_mpiprocs_per_machine': 1}
    assert cores('core.slurm', 4) == single | {'num_cores_per_mpiproc': 4}
    assert cores('core.slurm', 1) == cores('core.direct', 4) == single
    assert cores('hyperqueue', 4) == {'num_cpus': 4}
