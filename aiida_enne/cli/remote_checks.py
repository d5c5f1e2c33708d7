"""Looks at a computer through AiiDA's own transport and scheduler, as its jobs will see it."""

import tempfile
import uuid
from collections.abc import Callable, Iterator
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path, PurePosixPath
from typing import Any

import click

from aiida_enne.cli.remote_jobs import get, put, remote_folder, run_probe
from aiida_enne.machines import probe
from aiida_enne.machines.probe import Verdict


def check_computer(computer: Any) -> Iterator[Verdict]:
    """Do what `verdi computer test` does: connect, list jobs, run a command, write and read."""
    name = f'computer {computer.label}'
    if not computer.is_configured:
        yield Verdict(
            'FAIL',
            name,
            'it is not configured',
            f'`verdi computer configure {computer.transport_type} {computer.label}`',
        )
        return
    scheduler = computer.get_scheduler()
    try:
        with computer.get_transport() as transport:
            scheduler.set_transport(transport)
            yield Verdict('OK', name, f'connected by {computer.transport_type}')
            for subject, look in (
                ('shell', lambda: _no_chatter(transport)),
                ('scheduler', lambda: f'{len(scheduler.get_jobs(as_dict=True))} jobs in the queue'),
                ('scratch', lambda: _write_and_read(transport, computer)),
            ):
                yield _tried(f'{name}, {subject}', look)
    except Exception as exception:  # whatever a transport raises, nobody can get there
        yield Verdict('FAIL', name, f'no connection: {exception}', _HINTS[computer.transport_type])


_HINTS = {
    'core.local': 'is this folder yours?',
    'core.ssh': '`verdi computer configure core.ssh LABEL`',
    'core.ssh_async': 'does `ssh HOST` log in without a password, with its key in known_hosts?',
}


def check_python(code: Any, *, gpus: int, in_job: bool, wait: float) -> Iterator[Verdict]:
    """Run the probe with a Python, on the login node or in a job, and judge what it says."""
    from aiida.common.exceptions import AiidaException
    from aiida.common.log import override_log_level

    where = 'in a job' if in_job else 'on the login node'
    try:
        with override_log_level(), remote_folder(code.computer) as (transport, folder):
            report = run_probe(
                code, transport, folder, gpus=gpus if in_job else 0, wait=wait if in_job else None
            )
    except (OSError, ValueError, AiidaException, click.ClickException) as exception:
        message = getattr(exception, 'message', str(exception))
        remedy = 'does the job script run there by hand? See modules, commands, partition'
        yield Verdict('FAIL', f'{code.full_label} {where}', message, remedy)
        return
    for level, subject, message, remedy, _ in probe.judge(report, here(), gpus=gpus, where=where):
        yield Verdict(level, f'{code.full_label}, {subject}', message, remedy)


def check_executable(code: Any) -> Verdict:
    """Check that a code exists and may be executed."""
    from aiida.common.exceptions import ValidationError

    try:
        code.validate_filepath_executable()
    except ValidationError as exception:
        remedy = f'`aiida-enne setup` with the right path, `verdi code relabel` for {code.label}'
        return Verdict('FAIL', code.full_label, str(exception), remedy)
    return Verdict('OK', code.full_label, str(code.filepath_executable))


def here() -> dict[str, str]:
    """Return the versions of what jobs import, in this environment."""
    found = {}
    for name in ('nequip', 'torch', 'ase'):
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def _tried(subject: str, look: Callable[[], str]) -> Verdict:
    try:
        return Verdict('OK', subject, look())
    except Exception as exception:  # each step may fail in ways of its own; the rest is looked at
        return Verdict('FAIL', subject, f'{exception}', _REMEDIES[subject.rsplit(' ', 1)[1]])


_REMEDIES = {
    'shell': 'remove what your ~/.bashrc prints where there is no terminal',
    'scheduler': 'is `scheduler` of the file right, and its programs in the PATH of a plain shell?',
    'scratch': 'is `scratch` of the file right, yours, and not full?',
}


def _no_chatter(transport: Any) -> str:
    status, out, error = transport.exec_command_wait('echo -n')
    if status or out or error:
        raise ValueError(f'`echo -n` ended with {status} and said {(out + error).strip()!r}')
    return 'silent, as it should be'


def _write_and_read(transport: Any, computer: Any) -> str:
    workdir = computer.get_workdir().format(username=transport.whoami())
    transport.makedirs(workdir, ignore_existing=True)
    name, text = f'aiida-enne-{uuid.uuid4()}', uuid.uuid4().hex
    with tempfile.TemporaryDirectory() as local:
        path = Path(local) / name
        path.write_text(text)
        put(transport, workdir, name, path)
    found = get(transport, workdir, name)
    transport.remove(str(PurePosixPath(workdir) / name))
    if found != text:
        raise ValueError(f'wrote {text!r} to {workdir}, read {found!r}')
    return f'{workdir} can be written and read'
