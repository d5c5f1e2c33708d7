"""The file that describes a computer and its codes: read, checked, explained where it is wrong."""

import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import yaml

from aiida_enne.machines import schedulers
from aiida_enne.machines.setup_schema import CODE, CONTAINER, FILE, GPUS, Rule

#: Entry points by the names of the file.
TRANSPORTS = {'local': 'core.local', 'ssh_async': 'core.ssh_async'}
SCHEDULERS = {
    'direct': 'core.direct',
    'hyperqueue': 'hyperqueue',
    'pbspro': 'core.pbspro',
    'slurm': 'core.slurm',
    'torque': 'core.torque',
}
MPIRUN = {'core.slurm': 'srun -n {tot_num_mpiprocs}'}
#: Seconds between questions to the scheduler, and between connections, unless the file says.
POLL = {'core.local': 1.0, 'core.ssh_async': 10.0}
SAFE = {'core.local': 0.0, 'core.ssh_async': 1.0}


class SetupError(ValueError):
    """The file is not what it should be; every fault is a line."""

    def __init__(self, faults: list[str]) -> None:
        super().__init__('\n'.join(faults))
        self.faults = faults


@dataclass(frozen=True)
class Program:
    """A code: its label, what it runs, and what goes before."""

    label: str
    executable: str
    plugin: str | None = None
    prepend: str = ''
    mpi: bool | None = None
    container: tuple[str, str] | None = None


@dataclass(frozen=True)
class Machine:
    """A computer as AiiDA knows it, and what its jobs are to be given.

    Attributes:
        defaults: What the protocols give to jobs there: `queue_name`, `account`, `qos`, and for
            GPUs `gpus`, `gpu_directive`, `gpu_type`, `members_per_gpu`; only what the file says.
    """

    label: str
    host: str
    transport: str
    scheduler: str
    scratch: str
    mpirun: str
    cores: int
    prepend: str
    poll_interval: float
    safe_interval: float
    login_shell: bool
    defaults: dict[str, Any] = field(default_factory=dict)
    programs: tuple[Program, ...] = ()

    @property
    def gpus(self) -> int:
        """GPUs of a job, 0 where there are none."""
        return int(self.defaults.get('gpus', 0))


def read_setup(text: str) -> Machine:
    """Read a file; nothing of it is executed.

    Raises:
        SetupError: If it is not a YAML mapping, or with a line for each key that is wrong.
    """
    try:
        content = yaml.safe_load(text)
    except yaml.YAMLError as exception:
        raise SetupError([f'this is not plain YAML: {exception}']) from exception
    if not isinstance(content, dict):
        raise SetupError([f'the file must hold a mapping of keys to values, got {content!r}'])
    faults: list[str] = []
    values = check(content, FILE, '', faults)
    gpus = None if values['gpus'] is None else check(values['gpus'], GPUS, 'gpus.', faults)
    if values['container'] is not None:
        values['container'] = check(values['container'], CONTAINER, 'container.', faults)
    values['codes'] = {
        label: check(code, CODE, f'codes.{label}.', faults)
        for label, code in (values['codes'] or {}).items()
    }
    if not faults:
        faults += contradictions(values, gpus)
    if faults:
        raise SetupError(faults)
    return build(values, gpus)


def check(
    content: Mapping[Any, Any], rules: Mapping[str, Rule], prefix: str, faults: list[str]
) -> dict[str, Any]:
    """Return the values with defaults filled in; what is wrong becomes a line of `faults`."""
    for key in content:
        if key not in rules:
            faults.append(
                f'`{prefix}{key}` is {content[key]!r}, but there is no such key; known are '
                f'{", ".join(sorted(rules))}'
            )
    values: dict[str, Any] = {}
    for key, rule in rules.items():
        value = content.get(key)
        if value is None:
            values[key] = rule.default
            if rule.required:
                faults.append(f'`{prefix}{key}` is missing, expected {rule.expected}')
        elif not rule.accepts(value):
            faults.append(f'`{prefix}{key}` is {value!r}, expected {rule.expected}')
            values[key] = rule.default
        else:
            values[key] = value
    return values


def contradictions(values: Mapping[str, Any], gpus: Mapping[str, Any] | None) -> list[str]:
    """Return what is wrong in the whole though each key is right."""
    faults = []
    scheduler = SCHEDULERS[values['scheduler']]
    if values['transport'] != 'local' and values['host'] is None:
        faults.append('`host` is missing, expected a name or an alias of ~/.ssh/config')
    if values['transport'] == 'local' and values['host'] not in (None, 'localhost'):
        faults.append(f'`host` is {values["host"]!r}, expected `localhost` with transport `local`')
    python = values['python']
    if values['container'] is None and not python.startswith('/'):
        faults.append(f'`python` is {python!r}, expected an absolute path (without a container)')
    if 'python' in values['codes']:
        faults.append('`codes.python` is the label of the Python of `python`, expected another one')
    queue = [name for name in ('partition', 'account', 'qos') if values[name] is not None]
    if scheduler in ('core.direct', 'hyperqueue'):
        faults += [
            f'`{name}` is {values[name]!r}, but scheduler `{values["scheduler"]}` knows none'
            for name in queue
        ]
    if gpus is not None:
        try:
            schedulers.gpu_directive(
                scheduler, gpus['per_job'], directive=gpus['directive'], kind=gpus['type']
            )
        except ValueError as exception:
            faults.append(f'`gpus.directive` is {gpus["directive"]!r}: {exception}')
    return faults


def build(values: Mapping[str, Any], gpus: Mapping[str, Any] | None) -> Machine:
    """Put together what the checked values mean."""
    transport, scheduler = TRANSPORTS[values['transport']], SCHEDULERS[values['scheduler']]
    defaults = {
        'queue_name': values['partition'],
        'account': values['account'],
        'qos': values['qos'],
    }
    head = []
    if gpus is not None:
        defaults |= {
            'gpus': gpus['per_job'],
            'gpu_directive': gpus['directive'],
            'gpu_type': gpus['type'],
            'members_per_gpu': gpus['members'],
        }
        if scheduler in schedulers.IN_PREPEND_TEXT:
            head = [
                schedulers.gpu_directive(
                    scheduler, gpus['per_job'], directive=gpus['directive'], kind=gpus['type']
                )
            ]
    container = values['container']
    boxed = None if container is None else (container['command'], container['image'])
    programs = [Program('python', values['python'], container=boxed)]
    for label, code in values['codes'].items():
        programs.append(
            Program(
                label,
                code['executable'],
                plugin=code['plugin'],
                prepend=prepend(code),
                mpi=code['mpi'],
            )
        )
    return Machine(
        label=values['label'],
        host=values['host'] or 'localhost',
        transport=transport,
        scheduler=scheduler,
        scratch=values['scratch'],
        mpirun=values['mpirun'] or MPIRUN.get(scheduler, 'mpirun -np {tot_num_mpiprocs}'),
        cores=values['cores'],
        prepend='\n'.join([*head, *filter(None, [prepend(values)])]),
        poll_interval=float(_or(values['poll_interval'], POLL[transport])),
        safe_interval=float(_or(values['safe_interval'], SAFE[transport])),
        login_shell=values['login_shell'],
        defaults={name: value for name, value in defaults.items() if value is not None},
        programs=tuple(programs),
    )


def prepend(values: Mapping[str, Any]) -> str:
    """Return the lines of the shell before a job: modules and variables quoted, commands as is."""
    lines = [f'module load {shlex.quote(name)}' for name in values.get('modules') or ()]
    variables = (values.get('environment') or {}).items()
    lines += [f'export {name}={shlex.quote(str(value))}' for name, value in variables]
    return '\n'.join([*lines, *(values.get('commands') or ())])


def _or(value: float | None, default: float) -> float:
    return default if value is None else value
