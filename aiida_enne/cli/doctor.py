"""`aiida-enne doctor`: one line for each thing that a study needs, and how to mend it."""

from collections.abc import Iterator
from functools import partial
from pathlib import PurePosixPath
from typing import Any

import click

from aiida_enne.cli.common import chosen_option, with_profile
from aiida_enne.cli.launch import CodeParam
from aiida_enne.machines.probe import Verdict

#: Seconds that connections to a cluster should be apart at most, and questions at least.
SAFE, POLL = 5.0, 5.0


@click.command()
@click.option('--remote/--no-remote', default=True, help='Connect to the computers, or do not.')
@click.option('--code', 'codes', type=CodeParam(), multiple=True, help='Only these (repeatable).')
@click.option(
    '--job', 'in_job', is_flag=True, help='Check each Python inside a job, not on the login node.'
)
@click.option('--wait', default=600.0, show_default=True, help='Seconds that a job may queue.')
@chosen_option(
    '--stuck-after',
    'hours',
    default=1.0,
    help='Hours in which something should happen to a process.',
)
@click.option('--fix', is_flag=True, help='Do what is advised, as far as a program may decide it.')
@with_profile
def doctor(
    remote: bool, codes: tuple[Any, ...], in_job: bool, wait: float, hours: float, fix: bool
) -> None:
    """Check the profile, its computers and its codes; the exit status is 1 if something fails."""
    from aiida.manage import get_manager

    from aiida_enne.cli import health, stalled
    from aiida_enne.cli.verdicts import show

    profile = get_manager().get_profile()
    if show(health.check_storage(profile), fix=fix):
        raise click.exceptions.Exit(1)  # without the storage nothing else can be looked at
    failed = False
    for verdicts in (
        health.check_broker(profile),
        health.check_daemon(profile),
        health.check_settings(),
        [health.check_disk()],
        stalled.check_processes(hours, remote=remote),
        check_codes(codes, remote=remote, in_job=in_job, wait=wait),
    ):
        failed |= show(verdicts, fix=fix)
    raise click.exceptions.Exit(int(failed))


def check_codes(
    chosen: tuple[Any, ...], *, remote: bool, in_job: bool, wait: float
) -> Iterator[Verdict]:
    """Look at every computer that has codes, and at the codes if it can be reached."""
    from aiida import orm

    from aiida_enne.cli import remote_checks
    from aiida_enne.workflows.protocols.machine import known_of

    query = orm.QueryBuilder().append(orm.InstalledCode)
    codes = [code for code in chosen or query.all(flat=True) if not code.is_hidden]
    if not codes:
        yield Verdict('WARN', 'codes', 'none', '`aiida-enne setup --template local` begins one')
    for computer in {code.computer.pk: code.computer for code in codes}.values():
        yield from check_intervals(computer)
        if not remote:
            continue
        reached = True
        for verdict in remote_checks.check_computer(computer):
            reached &= verdict.level != 'FAIL'
            yield verdict
        for code in (code for code in codes if reached and code.computer.pk == computer.pk):
            if is_python(code):
                gpus = known_of(computer).get('gpus', 0)
                yield from remote_checks.check_python(code, gpus=gpus, in_job=in_job, wait=wait)
            else:
                yield remote_checks.check_executable(code)


def check_intervals(computer: Any) -> Iterator[Verdict]:
    """Look at how often a computer is asked, and how long AiiDA waits before it connects."""
    name = f'computer {computer.label}'
    if not computer.is_configured:
        return
    configured = computer.get_configuration()
    configure = f'`verdi computer configure {computer.transport_type} {computer.label} -n'
    safe = configured.get('safe_interval') or 0.0
    if safe > SAFE:
        text = f'connections are {safe:g} s apart, paid several times by each job'
        mend = partial(reconfigure, computer, safe_interval=1.0)
        yield Verdict('WARN', name, text, f'{configure} --safe-interval 1`', mend)
    if configured.get('use_login_shell', True):
        text = 'every command waits for a login shell'
        mend = partial(reconfigure, computer, use_login_shell=False)
        yield Verdict('WARN', name, text, f'{configure} --no-use-login-shell`', mend)
    poll = computer.get_minimum_job_poll_interval()
    if computer.transport_type != 'core.local' and poll < POLL:
        remedy = f'`set_minimum_job_poll_interval(10)` of `load_computer({computer.label!r})`'
        mend = partial(computer.set_minimum_job_poll_interval, 10)
        yield Verdict('WARN', name, f'its queue is asked every {poll:g} s', remedy, mend)


def reconfigure(computer: Any, **changes: Any) -> None:
    """Change some settings of a computer and leave the others."""
    computer.configure(**(computer.get_configuration() | changes))


def is_python(code: Any) -> bool:
    """Return whether the jobs of this plugin would run with this code."""
    plugin = code.default_calc_job_plugin or 'enne.'
    name = PurePosixPath(str(code.filepath_executable)).name
    return name.startswith('python') and plugin.startswith('enne.')
