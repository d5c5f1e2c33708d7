"""`aiida-enne demo`: the main job, from nothing to a report, in a profile of its own."""

import logging
import os
import sys
from pathlib import Path
from typing import Any

import click

from aiida_enne.cli.common import chosen_option, read_json
from aiida_enne.cli.locks import Lock
from aiida_enne.cli.verdi import verdi

PROFILE = 'enne-demo'
#: Protocols of the study, by what they are called here.
PROTOCOLS = {'laptop': 'demo', 'test': 'demo-test'}


@click.command()
@chosen_option(
    '-o',
    '--output',
    type=click.Path(path_type=Path, file_okay=False),
    default=Path('demo'),
    help='Folder for the profile, the jobs and the report; your own AiiDA folder is not touched.',
)
@chosen_option(
    '--protocol',
    type=click.Choice(list(PROTOCOLS)),
    default='laptop',
    help='Thirty members in minutes, or two tiny ones in one; `demo` and `demo-test` of the study.',
)
@click.option('--keep-jobs', is_flag=True, help='Where Ctrl-C ends this, let its jobs run on.')
@click.option('--dry-run', is_flag=True, help='Say what would be run, and run nothing.')
def demo(output: Path, protocol: str, keep_jobs: bool, dry_run: bool) -> None:
    """Train an ensemble on liquid silicon, audit it elsewhere, and write the report.

    The reference is the Stillinger-Weber potential, run by LAMMPS; everything else is what a study
    on first-principles data does. A second run trains nothing: AiiDA's caching knows it all. After
    Ctrl-C the same command goes on from the last finished epoch.
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
    process = run(builder, code, keep_jobs=keep_jobs)
    from aiida_enne.cli.foreground import why_ended
    from aiida_enne.cli.outcome import verdicts

    if not process.is_finished_ok:
        raise click.ClickException(
            f'the study <{process.pk}>: {why_ended(process)}\n'
            f'`AIIDA_PATH={output} verdi process report {process.pk}` tells more.'
        )
    from aiida_enne.report.write import report_on

    path, report = report_on(process.uuid, output / 'report')
    click.echo(f'\nStudy <{process.uuid}>, report: {path}\n')
    for sentence in report.findings[:3]:
        click.echo(f'- {sentence}')
    if report.judged is not None:
        click.echo()
        for line in verdicts(report.judged.verdicts):
            click.echo(line)
    click.echo(f'Next: `export AIIDA_PATH={output}`; then `aiida-enne verdict` says why.')


def make_profile(folder: Path) -> None:
    """Load the demo's own profile, on SQLite and without a broker; make it if it is not there."""
    (folder / '.aiida').mkdir(parents=True, exist_ok=True)
    os.environ['AIIDA_PATH'] = str(folder)
    from aiida import load_profile

    with Lock('profile') as lock:  # two terminals may begin at once
        lock.acquire(wait=True)
        config = read_json(folder / '.aiida' / 'config.json')
        if PROFILE not in config.get('profiles', {}):
            click.echo(f'Making the AiiDA profile {PROFILE} in {folder}')
            verdi('presto', '--non-interactive', '--profile-name', PROFILE, '--no-broker')
            verdi('config', 'set', 'caching.enabled_for', 'aiida.calculations:enne.*')
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


def run(builder: Any, code: Any, *, keep_jobs: bool) -> Any:
    """Run a process in this interpreter while its progress is shown, and return its node."""
    from aiida_enne.cli import foreground

    # a line for every step would hide the progress; the database has them all
    for handler in logging.getLogger('aiida').handlers:
        if isinstance(handler, logging.StreamHandler):
            handler.setLevel(logging.WARNING)
    progress = {'before': 'reference calculations', 'after': 'predicting'}
    return foreground.run(builder, code, keep_jobs=keep_jobs, **progress)
