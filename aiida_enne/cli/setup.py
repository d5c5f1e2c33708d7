"""`aiida-enne setup`: a computer and its codes from one small file, made and looked at."""

from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path
from typing import Any

import click

from aiida_enne.cli.common import explain, load_profile
from aiida_enne.machines.setup_file import Machine, SetupError, read_setup

TEMPLATES = ('slurm-gpu', 'hyperqueue', 'local')


@click.command()
@click.argument('file', type=click.Path(path_type=Path, dir_okay=False), required=False)
@click.option('--template', type=click.Choice(TEMPLATES), help='Print a file to fill in; no more.')
@click.option('--dry-run', is_flag=True, help='Say what would be made; make and connect nothing.')
@click.option('--update', is_flag=True, help='Change a computer that differs from the file.')
@click.option(
    '--job/--no-job',
    'in_job',
    default=None,
    help='Check inside a job or on the login node; default: in a job where there are GPUs.',
)
@click.option('--wait', default=600.0, show_default=True, help='Seconds that the job may queue.')
@click.pass_context
def setup(
    ctx: click.Context,
    file: Path | None,
    template: str | None,
    dry_run: bool,
    update: bool,
    in_job: bool | None,
    wait: float,
) -> None:
    """Make the computer and the codes that FILE describes, and check that jobs can run there.

    A second run changes nothing, and checks again. Nothing of FILE is executed here; its commands
    are lines of the jobs on that computer.
    """
    if template is not None:
        click.echo(
            (files('aiida_enne.cli') / 'templates' / f'{template}.yaml').read_text(), nl=False
        )
        return
    if file is None:
        raise click.UsageError('give a FILE, or `--template` to begin one')
    machine = read(file)
    load_profile(ctx)
    from aiida_enne.cli import journal, machines
    from aiida_enne.cli.verdicts import show

    check_plugins(machine)
    if not dry_run:
        journal.is_shareable()
    for line in machines.apply(machine, update=update, dry_run=dry_run):
        click.echo(line)
    if dry_run:
        if machine.prepend:
            click.echo('before every job there:\n' + machine.prepend)
        return
    if show(look(machine, in_job=bool(machine.gpus) if in_job is None else in_job, wait=wait)):
        raise click.ClickException('not everything is there; mend it and run this again')
    click.echo(f'ready: --code python@{machine.label}')


def read(file: Path) -> Machine:
    """Read the file.

    Raises:
        click.ClickException: If it cannot be read, or with a line for each fault.
    """
    try:
        return read_setup(file.read_text())
    except (OSError, UnicodeDecodeError) as exception:
        raise click.ClickException(f'{file} cannot be read: {explain(exception)}') from exception
    except SetupError as exception:
        raise click.ClickException('\n'.join([f'{file}', *exception.faults])) from exception


def check_plugins(machine: Machine) -> None:
    """Refuse a scheduler or a code whose plugin is not installed here.

    Raises:
        click.ClickException: With what to install.
    """
    from aiida.plugins.entry_point import get_entry_point_names

    if machine.scheduler not in get_entry_point_names('aiida.schedulers'):
        raise click.ClickException(
            f'the scheduler {machine.scheduler} needs a plugin that is not installed here: '
            f'`pip install "aiida-enne[{machine.scheduler}]"`'
        )
    known = get_entry_point_names('aiida.calculations')
    for program in machine.programs:
        if program.plugin is not None and program.plugin not in known:
            raise click.ClickException(
                f'`codes.{program.label}.plugin` is {program.plugin!r}, but no such plugin is '
                'installed here; `verdi plugin list aiida.calculations` shows them'
            )


def look(machine: Machine, *, in_job: bool, wait: float) -> Iterator[Any]:
    """Check the computer, then every code if it can be reached at all."""
    from aiida import orm

    from aiida_enne.cli import remote_checks

    failed = False
    for verdict in remote_checks.check_computer(orm.load_computer(machine.label)):
        failed |= verdict.level == 'FAIL'
        yield verdict
    if failed:
        return
    for program in machine.programs:
        code = orm.load_code(f'{program.label}@{machine.label}')
        if program.label == 'python':
            yield from remote_checks.check_python(code, gpus=machine.gpus, in_job=in_job, wait=wait)
        else:
            yield remote_checks.check_executable(code)
