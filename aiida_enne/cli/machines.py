"""Computers and codes of a setup file: created in the profile, or compared with it."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import click

from aiida_enne.machines.setup_file import Machine, Program


def apply(machine: Machine, *, update: bool, dry_run: bool) -> list[str]:
    """Create what is missing, leave alone what is equal; return a line for each.

    Raises:
        click.ClickException: If something is there and differs, and may not be changed: then
            nothing has been changed.
    """
    from aiida import orm

    computer = known(partial(orm.load_computer, label=machine.label))
    differing = {} if computer is None else differences(machine, actual(computer))
    codes = {
        program.label: known(partial(orm.load_code, f'{program.label}@{machine.label}'))
        for program in machine.programs
    }
    changed = {
        program.label: differences(program, actual_code(codes[program.label]))
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
        is_there = codes[program.label] is not None
        state = 'the same' if is_there else f'{would}new'
        lines.append(f'code {program.label}@{machine.label}: {state}')
        if not is_there and not dry_run:
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


def differences(wanted: Machine | Program, actual: Mapping[str, Any]) -> dict[str, str]:
    """Return by name, in words, what is not as the file says."""
    return {
        name: f'`{name}` is {value!r}, the file says {getattr(wanted, name)!r}'
        for name, value in actual.items()
        if getattr(wanted, name) != value
    }


def known(load: Callable[[], Any]) -> Any:
    """Return the computer or code that is loaded, or None."""
    from aiida.common.exceptions import NotExistent

    try:
        return load()
    except NotExistent:
        return None


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
