"""What each key of a setup file may hold, and how that is said to whoever got it wrong."""

import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

LABEL = re.compile(r'[A-Za-z0-9][A-Za-z0-9_.-]*')
HOST = re.compile(r'[A-Za-z0-9][A-Za-z0-9_.-]*')
#: What goes into a directive of a scheduler or behind `module load`.
WORD = re.compile(r'[A-Za-z0-9][A-Za-z0-9_.+/@=:-]*')
VARIABLE = re.compile(r'[A-Za-z_][A-Za-z0-9_]*')


@dataclass(frozen=True)
class Rule:
    """One key: what is accepted, how to say it, what stands for a key that is absent."""

    accepts: Callable[[Any], bool]
    expected: str
    default: Any = None
    required: bool = False


def is_word(value: Any, pattern: re.Pattern[str] = WORD) -> bool:
    """Return whether it is a text of harmless characters that does not look like an option."""
    return isinstance(value, str) and pattern.fullmatch(value) is not None


def is_line(value: Any) -> bool:
    """Return whether it is one line of text."""
    return isinstance(value, str) and bool(value.strip()) and value.isprintable()


def is_path(value: Any) -> bool:
    """Return whether it is an absolute path that does not climb."""
    return is_line(value) and value.startswith('/') and '..' not in value.split('/')


def is_count(value: Any) -> bool:
    """Return whether it is a whole number of at least one."""
    return type(value) is int and value >= 1


def is_seconds(value: Any) -> bool:
    """Return whether it is a number of seconds, zero included."""
    return type(value) in (int, float) and 0 <= value < math.inf


def is_list(accepts: Callable[[Any], bool]) -> Callable[[Any], bool]:
    """Return a check of a list of such values."""
    return lambda value: isinstance(value, list) and all(accepts(one) for one in value)


def is_one_of(*names: str) -> Callable[[Any], bool]:
    """Return a check of a choice."""
    return lambda value: isinstance(value, str) and value in names


def is_environment(value: Any) -> bool:
    """Return whether it maps names of variables to text or numbers."""
    return isinstance(value, dict) and all(
        is_word(name, VARIABLE)
        and type(one) in (str, int, float)
        and (one == '' or str(one).isprintable())
        for name, one in value.items()
    )


def is_codes(value: Any) -> bool:
    """Return whether it maps labels to mappings."""
    return isinstance(value, dict) and all(
        is_word(name, LABEL) and isinstance(one, dict) for name, one in value.items()
    )


def _word(expected: str) -> Rule:
    return Rule(is_word, f'one word like {expected}')


_MODULES = Rule(is_list(is_word), 'a list of modules like [cuda/12.4]')
_ENVIRONMENT = Rule(is_environment, 'a mapping of variables to values like {OMP_NUM_THREADS: 1}')
_COMMANDS = Rule(is_list(is_line), 'a list of lines of the shell')

FILE = {
    'label': Rule(
        lambda value: is_word(value, LABEL), 'a name of letters, digits, _ . -', required=True
    ),
    'host': Rule(lambda value: is_word(value, HOST), 'a name or an alias of ~/.ssh/config'),
    'transport': Rule(
        is_one_of('local', 'ssh_async'), '`local` or `ssh_async`', default='local', required=True
    ),
    'scheduler': Rule(
        is_one_of('direct', 'hyperqueue', 'pbspro', 'slurm', 'torque'),
        '`direct`, `slurm`, `hyperqueue`, `pbspro` or `torque`',
        default='direct',
        required=True,
    ),
    'scratch': Rule(
        is_path, 'an absolute path without `..`; {username} is filled in', required=True
    ),
    'python': Rule(is_line, 'the path of the Python that has nequip', required=True),
    'cores': Rule(is_count, 'a whole number of at least 1', default=1),
    'mpirun': Rule(is_line, 'a command like `srun -n {tot_num_mpiprocs}`'),
    'partition': _word('`gpu`'),
    'account': _word('`project_465`'),
    'qos': _word('`normal`'),
    'gpus': Rule(lambda value: isinstance(value, dict), 'a mapping like {per_job: 1}'),
    'modules': _MODULES,
    'environment': _ENVIRONMENT,
    'commands': _COMMANDS,
    'container': Rule(lambda value: isinstance(value, dict), 'a mapping like {image: /path.sif}'),
    'codes': Rule(is_codes, 'a mapping of labels to codes like {pw: {executable: /usr/bin/pw.x}}'),
    'poll_interval': Rule(is_seconds, 'seconds, 0 or more'),
    'safe_interval': Rule(is_seconds, 'seconds, 0 or more'),
    'login_shell': Rule(lambda value: type(value) is bool, '`true` or `false`', default=False),
}
GPUS = {
    'per_job': Rule(is_count, 'a whole number of at least 1', default=1),
    'directive': Rule(is_line, 'a name like `gres`, or a whole line with {gpus} for the number'),
    'type': _word('`h100`'),
    'members': Rule(is_count, 'a whole number of members on a GPU', default=1),
}
CONTAINER = {
    'image': Rule(is_line, 'a path or the name of an image', required=True),
    'command': Rule(
        lambda value: is_line(value) and '{image_name}' in value,
        'a command with {image_name} in it',
        default='apptainer exec --nv --bind $PWD:$PWD {image_name}',
    ),
}
CODE = {
    'executable': Rule(is_path, 'an absolute path', required=True),
    'plugin': Rule(is_word, 'an entry point like `quantumespresso.pw`'),
    'modules': _MODULES,
    'environment': _ENVIRONMENT,
    'commands': _COMMANDS,
    'mpi': Rule(lambda value: type(value) is bool, '`true` or `false`'),
}
