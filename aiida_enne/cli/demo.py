"""`aiida-enne demo`: the main job, from nothing to a report, in a profile of its own."""

import logging
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import click

from aiida_enne.cli.progress import watch_code

PROFILE = 'enne-demo'
#: Protocols of the study, by what they are called here.
PROTOCOLS = {'laptop': 'demo', 'test': 'demo-test'}


@click.command()
@click.option(
    '-o',
    '--output',
    type=click.Path(path_type=Path, file_okay=False),
    default=Path('demo'),
    show_default=True,
    help='Folder for the profile, the jobs and the report; your own AiiDA folder is not touched.',
)
@click.option(
    '--protocol',
    type=click.Choice(list(PROTOCOLS)),
    default='laptop',
    show_default=True,
    help='Eight members in minutes, or two tiny ones in one; `demo` and `demo-test` of the study.',
)
@click.option('--dry-run', is_flag=True, help='Say what would be run, and run nothing.')
def demo(output: Path, protocol: str, dry_run: bool) -> None:
    """Train an ensemble on liquid silicon, audit it elsewhere, and write the report.

    The reference is the Stillinger-Weber potential, run by LAMMPS; everything else is what a study
    on first-principles data does. A second run trains nothing: AiiDA's caching knows it all.
    """
    output = output.resolve()
    make_profile(output)
    from aiida_enne.cli.plan import describe
    from aiida_enne.workflows.study.study import StudyWorkChain

    code = python_code()
    builder = StudyWorkChain.get_builder_from_protocol(code, protocol=PROTOCOLS[protocol])
    if dry_run:
        click.echo(describe(builder))
        return
    process = run(builder, code)
    if not process.is_finished_ok:
        raise click.ClickException(
            f'the study <{process.pk}> ended with exit status {process.exit_status}: '
            f'{process.exit_message or process.exception}\n'
            f'`AIIDA_PATH={output} verdi process report {process.pk}` tells more.'
        )
    from aiida_enne.report.write import report_on

    path, report = report_on(process.uuid, output / 'report')
    click.echo(f'\nStudy <{process.uuid}>, report: {path}\n')
    for sentence in report.findings[:3]:
        click.echo(f'- {sentence}')


def make_profile(folder: Path) -> None:
    """Load the demo's own profile, on SQLite and without a broker; make it if it is not there."""
    folder.mkdir(parents=True, exist_ok=True)
    os.environ['AIIDA_PATH'] = str(folder)
    if not (folder / '.aiida' / 'config.json').exists():
        click.echo(f'Making the AiiDA profile {PROFILE} in {folder}')
        _verdi('presto', '--non-interactive', '--profile-name', PROFILE, '--no-broker')
        _verdi('config', 'set', 'caching.enabled_for', 'aiida.calculations:enne.*')
    from aiida import load_profile

    load_profile(PROFILE, allow_switch=True)


def python_code() -> Any:
    """Return this very Python as a code on localhost; make it if it is not there."""
    from aiida import orm
    from aiida.common.exceptions import NotExistent

    computer = orm.load_computer('localhost')
    computer.set_minimum_job_poll_interval(0)
    try:
        return orm.load_code('python@localhost')
    except NotExistent:
        code = orm.InstalledCode(
            label='python', computer=computer, filepath_executable=sys.executable
        )
        return code.store()


def run(builder: Any, code: Any) -> Any:
    """Run a process in this interpreter while its progress is shown, and return its node."""
    from aiida.engine import run_get_node

    # a line for every step would hide the progress; the database has them all
    for handler in logging.getLogger('aiida').handlers:
        if isinstance(handler, logging.StreamHandler):
            handler.setLevel(logging.WARNING)
    with watch_code(code, before='reference calculations', after='predicting'):
        return run_get_node(builder)[1]


def _verdi(*arguments: str) -> None:
    """Run verdi, which knows best how a profile is made.

    Raises:
        click.ClickException: If it fails; its last words are in the message.
    """
    done = subprocess.run(
        [sys.executable, '-m', 'aiida', *arguments], capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise click.ClickException(
            f'`verdi {" ".join(arguments)}` failed: {(done.stderr or done.stdout).strip()[-500:]}'
        )
