"""Computers and codes of a setup file: created in the profile, or compared with it."""

from collections.abc import Mapping
from typing import Any

import click

from aiida_enne.machines.setup_file import Machine, Program


def apply(machine: Machine, *, update: bool, dry_run: bool) -> list[str]:
    """Create what is missing, leave alone what is equal; return a line for each.

    Raises:
        click.ClickException: If something is there and differs, and may not be changed: then
            nothing has been changed.
    """
    computer = find_computer(machine.label)
    differing = {} if computer is None else differences(wanted(machine), actual(computer))
    codes = {program.label: find_code(program.label, machine.label) for program in machine.programs}
    changed = {
        program.label: differences(wanted_code(program), actual_code(codes[program.label]))
        for program in machine.programs
        if codes[program.label] is not None
    }
    refuse(machine.label, differing, changed, update=update)
    would = 'would be ' if dry_run else ''
    state = f'{would}updated: {"; ".join(differing.values())}' if differing else 'the same'
    lines = [f'computer {machine.label}: {f"{would}new" if computer is None else state}']
    if not dry_run and (computer is None or differing):
        computer = bring_up(machine, computer)
    for program in machine.programs:
        known = codes[program.label] is not None
        state = 'the same' if known else f'{would}new'
        lines.append(f'code {program.label}@{machine.label}: {state}')
        if not known and not dry_run:
            make_code(program, computer)
    return lines


def refuse(
    label: str,
    differing: Mapping[str, str],
    codes: Mapping[str, Mapping[str, str]],
    *,
    update: bool,
) -> None:
    """Refuse to change silently what calculations may have used.

    Raises:
        click.ClickException: With a line for each difference and the way out.
    """
    lines = [f'code {name}@{label}: {state}' for name, d in codes.items() for state in d.values()]
    if lines:
        lines.append(
            'A code is part of the provenance and is never changed: give the new one another label.'
        )
    if differing and not update:
        lines += [f'computer {label}: {state}' for state in differing.values()]
        lines.append('`--update` changes the computer; or give the new one another label.')
    if lines:
        raise click.ClickException('what is there differs from the file\n' + '\n'.join(lines))


def differences(wanted: Mapping[str, Any], actual: Mapping[str, Any]) -> dict[str, str]:
    """Return by name, in words, what is not as wanted."""
    return {
        name: f'`{name}` is {actual[name]!r}, the file says {value!r}'
        for name, value in wanted.items()
        if actual[name] != value
    }


def find_computer(label: str) -> Any:
    """Return the computer of this label, or None."""
    from aiida import orm
    from aiida.common.exceptions import NotExistent

    try:
        return orm.load_computer(label=label)
    except NotExistent:
        return None


def find_code(label: str, computer: str) -> Any:
    """Return the code of this label on this computer, or None."""
    from aiida import orm
    from aiida.common.exceptions import NotExistent

    try:
        return orm.load_code(f'{label}@{computer}')
    except NotExistent:
        return None


def wanted(machine: Machine) -> dict[str, Any]:
    """Return what the file says of the computer, by name."""
    names = ['host', 'transport', 'scheduler', 'scratch', 'mpirun', 'cores', 'prepend']
    names += ['poll_interval', 'safe_interval', 'login_shell', 'defaults']
    return {name: getattr(machine, name) for name in names}


def actual(computer: Any) -> dict[str, Any]:
    """Return what the profile says of the computer, by the same names."""
    from aiida_enne.workflows.protocols.machine import known_of

    configured = computer.get_configuration() if computer.is_configured else {}
    return {
        'host': configured.get('host') or computer.hostname,
        'transport': computer.transport_type,
        'scheduler': computer.scheduler_type,
        'scratch': computer.get_workdir(),
        'mpirun': ' '.join(computer.get_mpirun_command()),
        'cores': computer.get_default_mpiprocs_per_machine(),
        'prepend': computer.get_prepend_text(),
        'poll_interval': computer.get_minimum_job_poll_interval(),
        'safe_interval': configured.get('safe_interval'),
        'login_shell': configured.get('use_login_shell'),
        'defaults': known_of(computer),
    }


def bring_up(machine: Machine, computer: Any) -> Any:
    """Make the computer, or give it all that the file says, and configure it for this user."""
    from aiida import orm

    from aiida_enne.workflows.protocols.machine import PROPERTY

    if computer is None:
        computer = orm.Computer(
            label=machine.label,
            hostname=machine.host,
            transport_type=machine.transport,
            scheduler_type=machine.scheduler,
            workdir=machine.scratch,
        )
    computer.hostname, computer.transport_type = machine.host, machine.transport
    computer.scheduler_type = machine.scheduler
    computer.set_workdir(machine.scratch)
    computer.set_mpirun_command(machine.mpirun.split())
    computer.set_default_mpiprocs_per_machine(machine.cores)
    computer.set_prepend_text(machine.prepend)
    computer.set_minimum_job_poll_interval(machine.poll_interval)
    computer.set_property(PROPERTY, machine.defaults)
    computer.store()
    settings: dict[str, Any] = {
        'safe_interval': machine.safe_interval,
        'use_login_shell': machine.login_shell,
    }
    if machine.transport == 'core.ssh_async':
        settings |= {'host': machine.host, 'backend': 'asyncssh'}
    computer.configure(**settings)
    return computer


def wanted_code(program: Program) -> dict[str, Any]:
    """Return what the file says of a code, by name."""
    names = ('executable', 'plugin', 'prepend', 'mpi', 'container')
    return {name: getattr(program, name) for name in names}


def actual_code(code: Any) -> dict[str, Any]:
    """Return what the profile says of a code, by the same names."""
    command, image = getattr(code, 'engine_command', None), getattr(code, 'image_name', None)
    return {
        'executable': str(code.filepath_executable),
        'plugin': code.default_calc_job_plugin,
        'prepend': code.prepend_text,
        'mpi': code.with_mpi,
        'container': None if command is None else (command, image),
    }


def make_code(program: Program, computer: Any) -> Any:
    """Store a code."""
    from aiida import orm

    settings = {
        'label': program.label,
        'computer': computer,
        'filepath_executable': program.executable,
        'default_calc_job_plugin': program.plugin,
        'prepend_text': program.prepend,
        'with_mpi': program.mpi,
    }
    if program.container is None:
        return orm.InstalledCode(**settings).store()
    command, image = program.container
    # with single quotes the shell would not know $PWD in the command of the container
    return orm.ContainerizedCode(
        engine_command=command, image_name=image, use_double_quotes=True, **settings
    ).store()
