"""Runs the probe on a computer by the very script that AiiDA would write for a job there."""

import contextlib
import tempfile
import time
import uuid
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path, PurePosixPath
from typing import Any

import click

from aiida_enne.machines import probe

SCRIPT, OUTPUT, SCHEDULER_ERRORS = 'job.sh', 'probe.out', 'probe.err'
#: Walltime of a probe.
MINUTES = 10
#: Seconds between questions to the scheduler while a probe waits in its queue.
PAUSE = 2.0


@contextlib.contextmanager
def remote_folder(computer: Any) -> Iterator[tuple[Any, str]]:
    """Open the transport of a computer, with a new folder that is removed afterwards."""
    with computer.get_transport() as transport:
        workdir = computer.get_workdir().format(username=transport.whoami())
        folder = str(PurePosixPath(workdir) / f'aiida-enne-{uuid.uuid4()}')
        transport.makedirs(folder)
        try:
            yield transport, folder
        finally:
            transport.rmtree(folder)


def run_probe(
    code: Any, transport: Any, folder: str, *, gpus: int, wait: float | None
) -> dict[str, Any]:
    """Run the probe in a folder: in the queue if there is time to wait, else at once.

    Raises:
        click.ClickException: If it does not end in time or leaves nothing; says what it did say.
        ValueError: If what it leaves is damaged.
    """
    put(transport, folder, probe.SCRIPT, files('aiida_enne.remote') / probe.SCRIPT)
    scheduler = code.computer.get_scheduler()
    scheduler.set_transport(transport)
    with tempfile.TemporaryDirectory() as local:
        script = Path(local) / SCRIPT
        script.write_text(job_script(code, scheduler, gpus=gpus))
        put(transport, folder, SCRIPT, script)
    said = ''
    if wait is None:
        _, out, error = transport.exec_command_wait(f'bash {SCRIPT}', workdir=folder)
        said = f'{out}\n{error}'
    else:
        submit_and_wait(scheduler, transport, folder, wait)
    text = get(transport, folder, probe.RESULT)
    if text is None:
        texts = [said, *(get(transport, folder, name) or '' for name in (OUTPUT, SCHEDULER_ERRORS))]
        lines = [line for line in '\n'.join(texts).splitlines() if line.strip()]
        shown = ' / '.join(lines[-5:]) or 'no output'
        raise click.ClickException(f'the Python did not run: {shown}')
    return probe.read_probe(text)


def job_script(code: Any, scheduler: Any, *, gpus: int) -> str:
    """Return the script that AiiDA would write for a job of this code."""
    from aiida.common.datastructures import CodeRunMode
    from aiida.schedulers import JobTemplate

    from aiida_enne.aiida_private import JobTemplateCodeInfo
    from aiida_enne.machines import schedulers
    from aiida_enne.workflows.protocols.machine import job_options

    computer = code.computer
    options = job_options(computer, {'gpus': gpus})
    template = JobTemplate()
    template.shebang = computer.get_shebang()
    template.job_name = 'aiida-enne-probe'
    template.sched_output_path, template.sched_error_path = OUTPUT, SCHEDULER_ERRORS
    template.job_resource = scheduler.create_job_resource(
        **schedulers.cores(computer.scheduler_type, 1)
    )
    template.max_wallclock_seconds = MINUTES * 60
    for name in ('queue_name', 'account', 'qos', 'custom_scheduler_commands'):
        if name in options:
            setattr(template, name, options[name])
    texts = (computer.get_prepend_text(), code.prepend_text)
    template.prepend_text = '\n\n'.join(filter(None, texts))
    template.append_text = '\n\n'.join(filter(None, (code.append_text, computer.get_append_text())))
    template.codes_run_mode = CodeRunMode.SERIAL
    template.codes_info = [
        JobTemplateCodeInfo(
            prepend_cmdline_params=code.get_prepend_cmdline_params(),
            cmdline_params=code.get_executable_cmdline_params([probe.SCRIPT]),
            use_double_quotes=[computer.get_use_double_quotes(), code.use_double_quotes],
            wrap_cmdline_params=code.wrap_cmdline_params,
        )
    ]
    return str(scheduler.get_submit_script(template))


def submit_and_wait(scheduler: Any, transport: Any, folder: str, wait: float) -> None:
    """Submit the script and wait for its end.

    Raises:
        click.ClickException: If the queue refuses it, or it has not ended in time: it is cancelled.
    """
    job = scheduler.submit_job(folder, SCRIPT)
    if not isinstance(job, str):
        raise click.ClickException(f'the scheduler refused the job: {job.message}')
    end = time.monotonic() + wait
    while get(transport, folder, probe.RESULT) is None:
        jobs = scheduler.get_jobs(jobs=[job], as_dict=True)
        if job not in jobs or jobs[job].job_state is None or jobs[job].job_state.value == 'done':
            return
        if time.monotonic() > end:
            scheduler.kill_job(job)
            state = jobs[job].job_state.value
            raise click.ClickException(
                f'job {job} is still {state} after {wait:.0f} s and was cancelled; '
                '`--wait` gives it longer'
            )
        time.sleep(PAUSE)


def put(transport: Any, folder: str, name: str, path: Any) -> None:
    """Upload a file into the folder."""
    transport.putfile(str(Path(str(path)).resolve()), str(PurePosixPath(folder) / name))


def get(transport: Any, folder: str, name: str) -> str | None:
    """Return the text of a file in the folder, None where there is none."""
    remote = str(PurePosixPath(folder) / name)
    if not transport.isfile(remote):
        return None
    with tempfile.TemporaryDirectory() as local:
        path = Path(local) / name
        transport.getfile(remote, str(path))
        return path.read_text(errors='replace')
