"""Tests for the file that describes a computer: what it means, what it must not hold."""

import re
from importlib.resources import files

import pytest
import yaml

from aiida_enne.cli.setup import TEMPLATES
from aiida_enne.machines.setup_file import SetupError, read_setup
from aiida_enne.machines.setup_schema import FILE

LEAST = {
    'label': 'cluster',
    'host': 'login.example.org',
    'transport': 'ssh_async',
    'scheduler': 'slurm',
    'scratch': '/scratch/{username}',
    'python': '/opt/bin/python',
}
FULL = LEAST | {
    'partition': 'gpu',
    'account': 'project_465',
    'qos': 'normal',
    'gpus': {'per_job': 2, 'directive': 'gpus-per-task', 'type': 'h100', 'members': 4},
    'modules': ['cuda/12.4', 'python'],
    'environment': {'OMP_NUM_THREADS': 1, 'GREETING': "it's"},
    'commands': ['source /opt/activate && true'],
    'codes': {'pw': {'executable': '/usr/bin/pw.x', 'plugin': 'quantumespresso.pw', 'mpi': True}},
}


def read(**changes):
    return read_setup(yaml.safe_dump(LEAST | changes, sort_keys=False))


def faults(**changes):
    with pytest.raises(SetupError) as caught:
        read(**changes)
    return caught.value.faults


def test_the_least_there_can_be():
    machine = read()
    assert (machine.transport, machine.scheduler) == ('core.ssh_async', 'core.slurm')
    assert (machine.poll_interval, machine.safe_interval, machine.login_shell) == (10, 1, False)
    assert machine.mpirun == 'srun -n {tot_num_mpiprocs}'
    assert (machine.prepend, machine.defaults, machine.gpus) == ('', {}, 0)
    assert [program.label for program in machine.programs] == ['python']


def test_all_there_can_be():
    machine = read(**FULL)
    assert machine.defaults == {
        'queue_name': 'gpu',
        'account': 'project_465',
        'qos': 'normal',
        'gpus': 2,
        'gpu_directive': 'gpus-per-task',
        'gpu_type': 'h100',
        'members_per_gpu': 4,
    }
    assert machine.prepend.splitlines() == [
        'module load cuda/12.4',
        'module load python',
        'export OMP_NUM_THREADS=1',
        """export GREETING='it'"'"'s'""",
        'source /opt/activate && true',
    ]
    assert machine.programs[1].executable == '/usr/bin/pw.x'
    assert machine.programs[1].mpi is True


def test_hyperqueue_is_asked_for_gpus_in_the_first_line_of_the_job():
    machine = read(scheduler='hyperqueue', gpus={'per_job': 1}, modules=['cuda'])
    assert machine.prepend.splitlines() == ['#HQ --resource gpus/nvidia=1', 'module load cuda']


def test_a_python_inside_a_container():
    machine = read(python='python3', container={'image': '/home/me/nequip.sif'})
    command, image = machine.programs[0].container
    assert image == '/home/me/nequip.sif'
    assert command.startswith('apptainer exec --nv')


def test_a_local_machine_is_asked_more_often():
    machine = read(transport='local', host=None, scheduler='direct')
    assert (machine.host, machine.poll_interval, machine.safe_interval) == ('localhost', 1, 0)


@pytest.mark.parametrize('name', TEMPLATES)
def test_templates_are_right_as_they_are(name):
    text = (files('aiida_enne.cli') / 'templates' / f'{name}.yaml').read_text()
    assert read_setup(text).programs
    # what is commented out is known, too
    assert set(re.findall(r'^(?:# )?([a-z_]+):', text, re.MULTILINE)) <= set(FILE)


@pytest.mark.parametrize(
    ('change', 'fault'),
    [
        ({'label': 'a b'}, "`label` is 'a b', expected a name"),
        ({'label': '../x'}, "`label` is '../x', expected a name"),
        ({'label': None}, '`label` is missing'),
        ({'host': '-oProxyCommand=touch /tmp/x'}, '`host` is'),
        ({'host': None}, '`host` is missing'),
        ({'transport': 'ssh'}, "`transport` is 'ssh', expected `local` or `ssh_async`"),
        ({'scheduler': ['slurm']}, "`scheduler` is ['slurm'], expected `direct`"),
        ({'scratch': 'scratch'}, "`scratch` is 'scratch', expected an absolute path"),
        ({'scratch': '/scratch/../etc'}, '`scratch` is'),
        ({'python': 'python3'}, "`python` is 'python3', expected an absolute path"),
        ({'partition': 'gpu\n#SBATCH --wrap=x'}, '`partition` is'),
        ({'account': 'a b'}, "`account` is 'a b', expected one word"),
        ({'qos': '$(reboot)'}, '`qos` is'),
        ({'cores': 0}, '`cores` is 0, expected a whole number of at least 1'),
        ({'cores': True}, '`cores` is True'),
        ({'poll_interval': -1}, '`poll_interval` is -1, expected seconds'),
        ({'poll_interval': float('inf')}, '`poll_interval` is inf'),
        ({'login_shell': 'no'}, "`login_shell` is 'no', expected `true` or `false`"),
        ({'modules': 'cuda'}, "`modules` is 'cuda', expected a list"),
        ({'modules': ['cuda; reboot']}, '`modules` is'),
        ({'modules': ['--help']}, '`modules` is'),
        ({'environment': {'A B': 1}}, '`environment` is'),
        ({'environment': {'A': [1]}}, '`environment` is'),
        ({'commands': ['a\nb']}, '`commands` is'),
        ({'gpus': 2}, '`gpus` is 2, expected a mapping'),
        ({'gpus': {'per_job': 0}}, '`gpus.per_job` is 0, expected a whole number'),
        ({'gpus': {'number': 1}}, '`gpus.number` is 1, but there is no such key; known are'),
        ({'gpus': {'directive': 'mps'}}, "`gpus.directive` is 'mps': the directive for GPUs"),
        ({'container': {'image': 'x', 'command': 'docker run'}}, '`container.command` is'),
        ({'container': {}}, '`container.image` is missing'),
        ({'codes': {'pw': {'plugin': 'quantumespresso.pw'}}}, '`codes.pw.executable` is missing'),
        ({'codes': {'pw': {'executable': 'pw.x'}}}, "`codes.pw.executable` is 'pw.x'"),
        ({'codes': {'a b': {'executable': '/x'}}}, '`codes` is'),
        ({'codes': {'python': {'executable': '/x'}}}, '`codes.python` is the label'),
        ({'nodes': 3}, '`nodes` is 3, but there is no such key'),
    ],
)
def test_each_fault_names_key_value_and_expectation(change, fault):
    found = faults(**change)
    assert len(found) == 1
    assert found[0].startswith(fault)


def test_a_scheduler_without_queues_has_no_partition():
    (fault,) = faults(scheduler='hyperqueue', partition='gpu')
    assert fault == "`partition` is 'gpu', but scheduler `hyperqueue` knows none"


def test_a_local_computer_is_this_one():
    (fault,) = faults(transport='local')
    assert 'expected `localhost`' in fault


def test_all_faults_are_told_at_once():
    assert len(faults(label='', cores=0, nodes=1)) == 3


@pytest.mark.parametrize(
    'text', ['[1, 2]', '', 'label: [', '!!python/object/apply:os.system [touch /tmp/enne-owned]']
)
def test_what_is_no_plain_mapping_is_refused(text, tmp_path):
    with pytest.raises(SetupError):
        read_setup(text)
